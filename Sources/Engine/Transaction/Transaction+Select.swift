// SPDX-License-Identifier: Apache-2.0
//
// The select operation, and lists of columns as select and wait take them.

import JSON
import OVSDB

extension Transaction {
  /// Shape: `{"op":"select","table":T,"where":[...],"columns":[...]?,"sort":[...]?}`; result `{"rows":[{...},...]}`.
  ///
  /// Rows that are equal in the chosen columns are given once.
  ///
  /// Source: RFC 7047 §5.2.2; `sort` is an extension: Documentation/protocol/transactions.md#select.
  mutating func select(
    _ members: OperationMembers, _ table: TableSchema?, _ writer: inout ByteWriter
  ) throws {
    guard let table, let conditionJSON = members.condition else { throw missing(members) }
    let condition = try Condition(json: conditionJSON, table: table, symbols: symbols)
    let columns = try members.columns.map { json throws(OVSDBError) in try columnList(json, table) } ?? table.allColumns
    let sort = try members.sort.map { json throws(OVSDBError) in try columnList(json, table) } ?? []

    writer.append("{\"rows\":[")
    let isDistinct = columns.contains { $0 === ColumnSchema.uuid }
    if mayDefer(table, condition), let terms = deferral {
      let select = DeferredRows(
        tables[table.index], condition, columns: columns, sort: sort, isDistinct: isDistinct, offset: writer.count)
      if var rows = select.few(below: terms.rowsMin, bytesMax: terms.bytesMax) {
        arrange(&rows, by: sort, for: columns, isDistinct: isDistinct)
        Self.write(rows, columns, &writer)
      } else {
        try leave(select)
      }
      writer.append("]}")
      return
    }
    if isDistinct, sort.isEmpty {
      var isFirst = true
      try forEachRow(in: table, where: condition) { row in
        if !isFirst { writer.append(",") }
        isFirst = false
        row.write(columns, to: &writer)
      }
    } else {
      var rows: [Row] = []
      try forEachRow(in: table, where: condition) { rows.append($0) }
      try charge(WorkUnits.selectedRow * rows.count)
      arrange(&rows, by: sort, for: columns, isDistinct: isDistinct)
      Self.write(rows, columns, &writer)
    }
    writer.append("]}")
  }

  private static func write(_ rows: [Row], _ columns: [ColumnSchema], _ writer: inout ByteWriter) {
    for (position, row) in rows.enumerated() {
      if position > 0 { writer.append(",") }
      row.write(columns, to: &writer)
    }
  }

  /// Reads `[<column>, ...]`.
  ///
  /// - Throws: `.syntaxError` for an unknown or repeated column.
  func columnList(_ json: JSONValue, _ table: TableSchema) throws(OVSDBError) -> [ColumnSchema] {
    var columns: [ColumnSchema] = []
    for element in json.elements {
      guard element.kind == .string else {
        throw .syntaxError("array of distinct column names expected", at: json)
      }
      guard let column = table.column(element) else {
        throw .syntaxError("\(element.words) is not a valid column name", at: json)
      }
      guard !columns.contains(where: { $0 === column }) else {
        throw .syntaxError("array of distinct column names expected", at: json)
      }
      columns.append(column)
    }
    return columns
  }
}

/// Sorts rows and leaves out those that look like one before.
func arrange(_ rows: inout [Row], by sort: [ColumnSchema], for columns: [ColumnSchema], isDistinct: Bool) {
  guard rows.count > 1 else { return }
  // Sorted first: of rows that look alike the one that comes first is told.
  if !sort.isEmpty { rows.sort { $0.order($1, by: sort) < 0 } }
  guard !isDistinct else { return }
  var seen: Set<[Datum]> = []
  rows = rows.filter { row in seen.insert(columns.map { row[$0] }).inserted }
}

extension Row {
  /// Appends `{column: value, ...}`.
  package func write(_ columns: [ColumnSchema], to writer: inout ByteWriter) {
    writer.append("{")
    for position in columns.indices {
      let column = columns[position]
      if position > 0 { writer.append(",") }
      writer.append(column.memberName)
      self[column].write(to: &writer, isMap: column.isMap)
    }
    writer.append("}")
  }

  /// -1, 0 or 1 by the given columns, the first one first.
  package func order(_ other: Row, by columns: [ColumnSchema]) -> Int {
    for column in columns {
      let order = self[column].order(other[column], type: column.type.key.type)
      if order != 0 { return order }
    }
    return 0
  }
}
