// SPDX-License-Identifier: Apache-2.0
//
// `dump`: the contents of a database, a table, or some columns of a table.

import JSON
import OVSDB

func dump(_ target: Target) async throws {
  let schema = try await fetchSchema(target.connected, target.database)
  let parts = try dumpedParts(schema, target.arguments)
  var writer = ByteWriter()
  writer.append("[")
  writer.appendQuoted(target.database)
  for part in parts { part.writeSelect(to: &writer) }
  writer.append("]")
  let reply = try await call(target.connected, "transact", writer.bytes)
  guard reply.root.kind == .array, reply.root.count == parts.count else {
    throw ToolFailure("reply is not array of \(parts.count) elements: \(reply.root.text())")
  }
  var printer = TablePrinter(target.options.table)
  for (part, result) in zip(parts, reply.root.elements) {
    printer.print(try part.table(of: result))
  }
}

/// The tables and columns that the arguments name; all when there are none.
private func dumpedParts(_ schema: DatabaseSchema, _ arguments: [String]) throws -> [DumpedTable] {
  guard let tableName = arguments.first else { return schema.tables.map { DumpedTable(table: $0, names: nil) } }
  guard let table = schema.table(named: tableName) else { throw ToolFailure("No table \"\(tableName)\" found.") }
  let names = arguments.dropFirst()
  for name in names where table.column(named: name) == nil {
    throw ToolFailure("Table \"\(tableName)\" has no column \(name).")
  }
  return [DumpedTable(table: table, names: names.isEmpty ? nil : Array(names))]
}

/// One table of a dump.
private struct DumpedTable {
  let table: TableSchema
  /// As the user gave them, perhaps more than once, which the server refuses.
  let columns: [ColumnSchema]

  /// - Parameter names: nil for all. They are printed in the order of their names, `_uuid` first, `_version` never.
  init(table: TableSchema, names: [String]?) {
    self.table = table
    columns =
      names.map { names in
        names.sorted { Text($0) < Text($1) }.compactMap { table.column(named: $0) }.filter { $0 !== ColumnSchema.version }
      } ?? [.uuid] + table.columns
  }

  func writeSelect(to writer: inout ByteWriter) {
    writer.append(",{\"columns\":[")
    for (index, column) in columns.enumerated() {
      if index > 0 { writer.append(",") }
      writer.appendQuoted(column.name)
    }
    writer.append("],\"op\":\"select\",\"table\":")
    writer.appendQuoted(table.name)
    writer.append(",\"where\":[]}")
  }

  /// The rows of a select's result, sorted by the values of the columns, and by `_uuid` last.
  func table(of result: JSONValue) throws -> TextTable {
    guard let rowsJSON = result.member("rows"), rowsJSON.kind == .array else {
      throw ToolFailure("\(table.name) table reply is not an object with a \"rows\" member array: \(result.text())")
    }
    var rows: [[Datum]] = []
    rows.reserveCapacity(rowsJSON.count)
    for row in rowsJSON.elements { rows.append(try columns.map { try datum(row, $0) }) }
    let positions = columns.indices.filter { columns[$0] !== ColumnSchema.uuid } + columns.indices.filter {
      columns[$0] === ColumnSchema.uuid
    }
    rows.sort { a, b in
      for position in positions {
        let order = a[position].order(b[position], type: columns[position].type.key.type)
        if order != 0 { return order < 0 }
      }
      return false
    }
    var text = TextTable(caption: "\(table.name) table", headings: columns.map(\.name))
    for row in rows { text.append(zip(row, columns).map { .datum($0, $1.type) }) }
    return text
  }

  private func datum(_ row: JSONValue, _ column: ColumnSchema) throws -> Datum {
    var name = column.name
    guard row.kind == .object, let value = name.withUTF8({ row.member($0) }) else {
      throw ToolFailure("\(table.name) table reply row lacks member \(column.name): \(row.text())")
    }
    do {
      return try Datum(json: value, type: column.type, symbols: nil)
    } catch {
      throw ToolFailure("\(error)")
    }
  }
}
