// SPDX-License-Identifier: Apache-2.0
//
// The rows of a database as texts, to compare what is in memory with what a server shows.

import Engine
import JSON
import OVSDB
import TestSupport

/// Each row as `TABLE UUID COLUMN=VALUE ...`.
enum RowText {
  /// - Parameter isFile: leave out the columns that files do not hold.
  static func rows(of database: Database, isFile: Bool = false) -> Set<String> {
    Set(
      database.snapshot.tables.flatMap { table in
        table.rows.map { uuid, row in
          describe("\(uuid)", of: table.schema, isFile) { row[$0] }
        }
      })
  }

  static func rows(of schema: DatabaseSchema, over session: WireSession, isFile: Bool = false) throws -> Set<String> {
    var rows: Set<String> = []
    for table in schema.tables {
      let reply = try session.call("transact", [.string(schema.name), ["op": "select", "table": .string(table.name), "where": []]])
      for row in reply[0]?["rows"]?.elements ?? [] {
        rows.insert(
          try describe(row["_uuid"]?[1]?.stringValue ?? "", of: table, isFile) { column in
            try JSONText.parse("[\(row[column.name]?.text ?? "null")]").withRoot { root in
              try Datum(json: root[0] ?? root, type: column.type, symbols: nil)
            }
          })
      }
    }
    return rows
  }

  private static func describe(
    _ uuid: String, of table: TableSchema, _ isFile: Bool, _ value: (ColumnSchema) throws -> Datum
  ) rethrows -> String {
    var writer = ByteWriter()
    for column in table.columns where column.isPersistent || !isFile {
      writer.append(utf8: " \(column.name)=")
      try value(column).write(to: &writer, type: column.type)
    }
    return "\(table.name) \(uuid)\(writer.string)"
  }
}
