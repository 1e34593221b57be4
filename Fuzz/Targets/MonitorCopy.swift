// SPDX-License-Identifier: Apache-2.0
//
// What a client knows of a database when it applies every update that a monitor tells it, and nothing else.

import JSON
import OVSDB

/// The values of some columns of a row.
package typealias CopiedRow = [String: Datum]

/// What a client knows: rows by table and name.
package struct MonitorCopy: Equatable {
  package var tables: [String: [String: CopiedRow]] = [:]

  package init() {}

  /// Takes in `<table-updates>` of any kind, as a client does that trusts nobody: an update that does not fit is an error.
  package mutating func apply(_ updates: JSONValue, schema: DatabaseSchema) throws {
    for (tableName, rows) in updates.members {
      guard let table = schema.table(tableName) else { throw CopyFault("no table") }
      for (uuid, update) in rows.members {
        guard let uuid = uuid.string, let name = tableName.string else { throw CopyFault("no name") }
        let old = tables[name]?[uuid]
        tables[name, default: [:]][uuid] = try Self.row(old, update, table)
      }
    }
  }

  private static func row(_ old: CopiedRow?, _ update: JSONValue, _ table: TableSchema) throws -> CopiedRow? {
    for (kind, value) in update.members {
      switch kind.string ?? "" {
      case "initial", "insert":
        guard old == nil else { throw CopyFault("inserted twice") }
        // Columns that are left out hold their defaults.
        var row = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.name, $0.defaultDatum) })
        for (name, datum) in try columns(value, table, isDifference: false) { row[name] = datum }
        return row
      case "delete":
        guard old != nil else { throw CopyFault("deleted what is not there") }
        return nil
      case "modify":
        guard var row = old else { throw CopyFault("modified what is not there") }
        for (name, difference) in try columns(value, table, isDifference: true) {
          guard let column = table.column(named: name), let before = row[name] else { throw CopyFault("no column") }
          row[name] = try before.applying(difference: difference, type: column.type)
        }
        return row
      default: continue
      }
    }
    return try wholeRow(old, update, table)
  }

  private static func wholeRow(_ old: CopiedRow?, _ update: JSONValue, _ table: TableSchema) throws -> CopiedRow? {
    let before = try update.member("old").map { try columns($0, table, isDifference: false) }
    let after = try update.member("new").map { try columns($0, table, isDifference: false) }
    guard (before != nil) == (old != nil) else { throw CopyFault("old does not fit") }
    for (name, datum) in before ?? [:] where old?[name] != datum { throw CopyFault("\(name) was something else") }
    guard let after else { return nil }
    return (old ?? [:]).merging(after) { _, new in new }
  }

  private static func columns(_ json: JSONValue, _ table: TableSchema, isDifference: Bool) throws -> CopiedRow {
    var row: CopiedRow = [:]
    for (name, value) in json.members {
      guard let column = table.column(name), let text = name.string else { throw CopyFault("no column") }
      var type = column.type
      if isDifference, type.max > 1 { type = type.ofAnyCount }
      row[text] = try Datum(json: value, type: type, symbols: nil)
    }
    return row
  }
}

package struct CopyFault: Error, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}
