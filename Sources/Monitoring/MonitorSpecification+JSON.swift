// SPDX-License-Identifier: Apache-2.0
//
// Reads the requests of monitor, monitor_cond, monitor_cond_since and monitor_cond_change.

import JSON
import OVSDB

extension MonitorSpecification {
  /// Reads `<monitor-requests>`.
  ///
  /// Shape: an object from table names to a request or an array of requests; a request is
  /// `{"columns":[...]?,"select":{...}?,"where":[...]?}`.
  ///
  /// - Parameter allowsCondition: whether `where` is known, as in all methods but plain monitor.
  /// - Throws: `.syntaxError` in the peer's words (Documentation/protocol/monitors.md#errors).
  package init(json: JSONValue, schema: DatabaseSchema, allowsCondition: Bool) throws(OVSDBError) {
    guard json.kind == .object else { throw .syntaxError("monitor-requests must be object", at: json) }
    var tables: [MonitoredTable] = []
    for (name, requests) in json.members {
      guard let table = schema.table(name) else {
        throw OVSDBError(.syntaxError, "no table named \(name.words)")
      }
      var draft = MonitoredTableDraft(table: table, allowsCondition: allowsCondition)
      if requests.kind == .array {
        for request in requests.elements { try draft.add(request) }
      } else {
        try draft.add(requests)
      }
      tables.append(try draft.finish())
    }
    self.init(tables: tables)
  }

  /// The specification with the conditions that a monitor_cond_change request gives.
  package func changingConditions(json: JSONValue, schema: DatabaseSchema) throws(OVSDBError) -> MonitorSpecification {
    guard json.kind == .object else {
      throw OVSDBError(.syntaxError, "monitor-cond-change-requests must be object")
    }
    var result = self
    for (name, requests) in json.members {
      let tableName = name.words
      guard let table = schema.table(name) else { throw OVSDBError(.syntaxError, "no table named \(tableName)") }
      guard let position = tables.firstIndex(where: { $0.table === table }) else {
        throw OVSDBError(.syntaxError, "no table named \(tableName) in monitor session")
      }
      if requests.kind == .array {
        for request in requests.elements { result.tables[position].condition = try Self.newCondition(request, table) }
      } else if requests.kind == .object {
        result.tables[position].condition = try Self.newCondition(requests, table)
      } else {
        throw OVSDBError(.syntaxError, "table \(tableName) no monitor-cond-change JSON array")
      }
    }
    return result
  }

  private static func newCondition(_ request: JSONValue, _ table: TableSchema) throws(OVSDBError) -> MonitorCondition {
    var parser = ObjectParser(request, "table \(table.name)")
    let columns = parser.optional("columns", .array)
    let condition = parser.optional("where", .array)
    if let error = parser.finish() { throw error }
    if columns != nil { throw .syntaxError("changing columns is unsupported", at: request) }
    return try condition.map { json throws(OVSDBError) in try MonitorCondition(json: json, table: table) } ?? .everything
  }
}

extension MonitorCondition {
  package init(json: JSONValue, table: TableSchema) throws(OVSDBError) {
    self.init(try Condition(json: json, table: table, symbols: nil), text: json.text(sorted: true))
  }
}

/// A monitored table while its requests are read.
private struct MonitoredTableDraft {
  let table: TableSchema
  let allowsCondition: Bool
  var columns: [MonitoredColumn] = []
  var kinds: ChangeKinds = []
  /// The condition of the first request for the table; those of others are checked and not used, as the reference does.
  var condition: MonitorCondition?

  init(table: TableSchema, allowsCondition: Bool) {
    self.table = table
    self.allowsCondition = allowsCondition
  }

  mutating func add(_ request: JSONValue) throws(OVSDBError) {
    var parser = ObjectParser(request, "table \(table.name)")
    let condition = allowsCondition ? parser.optional("where", .array) : nil
    let columnsJSON = parser.optional("columns", .array)
    let select = parser.optional("select", .object)
    if let error = parser.finish() { throw error }
    let kinds = try select.map { json throws(OVSDBError) in try selectedKinds(json) } ?? .all
    self.kinds.formUnion(kinds)
    if let columnsJSON {
      try addColumns(columnsJSON, kinds)
    } else {
      for column in table.columns + [.version] { try add(column, kinds, at: nil) }
    }
    let read = try condition.map { json throws(OVSDBError) in try MonitorCondition(json: json, table: table) }
    if self.condition == nil { self.condition = read ?? .everything }
  }

  private mutating func addColumns(_ json: JSONValue, _ kinds: ChangeKinds) throws(OVSDBError) {
    guard json.kind == .array else { throw .syntaxError("array of column names expected", at: json) }
    for element in json.elements {
      guard element.kind == .string else { throw .syntaxError("array of column names expected", at: json) }
      guard let column = table.column(element) else {
        throw .syntaxError("\(element.words) is not a valid column name", at: json)
      }
      try add(column, kinds, at: json)
    }
  }

  private mutating func add(_ column: ColumnSchema, _ kinds: ChangeKinds, at json: JSONValue?) throws(OVSDBError) {
    if columns.contains(where: { $0.column === column }) {
      throw OVSDBError(
        .syntaxError, "column \(column.name) mentioned more than once", syntax: json?.text(sorted: true))
    }
    columns.append(MonitoredColumn(column: column, kinds: kinds))
  }

  private func selectedKinds(_ json: JSONValue) throws(OVSDBError) -> ChangeKinds {
    var parser = ObjectParser(json, "table \(table.name) select")
    var kinds: ChangeKinds = []
    let members: [(StaticString, ChangeKinds)] = [
      ("initial", .initial), ("insert", .insert), ("delete", .delete), ("modify", .modify),
    ]
    for (name, kind) in members where parser.optional(name, .boolean)?.boolean != false { kinds.insert(kind) }
    if let error = parser.finish() { throw error }
    return kinds
  }

  func finish() throws(OVSDBError) -> MonitoredTable {
    // The order in which a request names columns makes no difference to anyone; equal monitors shall look equal.
    let sorted = columns.sorted { $0.column.index < $1.column.index }
    return MonitoredTable(table: table, columns: sorted, kinds: kinds, condition: condition ?? .everything)
  }
}
