// SPDX-License-Identifier: Apache-2.0
//
// `dump`: the contents of a database, a table, or some columns of a table. Rows are never all in memory: they are taken out of the
// reply as it arrives (`RowSplitter`), sorted by way of a file (`RowSorter`), and encoded one by one (`TableEncoder`).

import Client
import Daemon
import JSON
import OVSDB

func dump(_ target: Target) async throws {
  let session = try target.connected
  let schema = try await fetchSchema(session, target.database)
  let parts = try dumpedParts(schema, target.arguments)
  var writer = ByteWriter()
  writer.append("[")
  writer.appendQuoted(target.database)
  for part in parts { part.writeSelect(to: &writer) }
  writer.append("]")
  let meter = ProgressMeter("dump", in: .things("rows"))
  defer { meter.finish() }
  let rows = DumpedRows(parts, target.options.table)
  let reply = try await select(session, writer.bytes) { part, row in
    meter.advance(by: 1)
    rows.add(row, to: part)
  }
  try rows.check(reply)
  meter.finish()
  try rows.print()
}

/// The rows of a dump, by table, sorted and printed when they are all there.
///
/// `@unchecked Sendable` because it is used by the event loop until the reply is there, and only then by the task that waited for it.
private final class DumpedRows: @unchecked Sendable {
  private var tables: [(part: DumpedTable, sorter: RowSorter, widths: ColumnWidths)]
  private let style: TableStyle
  /// What was wrong first.
  private var failure: ToolFailure?

  init(_ parts: [DumpedTable], _ style: TableStyle) {
    self.style = style
    tables = parts.map {
      ($0, RowSorter(columns: $0.columns, keys: $0.sortKeys), ColumnWidths($0.header, style))
    }
  }

  /// Takes a row as JSON text.
  func add(_ text: UnsafeRawBufferPointer, to index: Int) {
    // A reply with too many results is refused as a whole, later.
    guard failure == nil, tables.indices.contains(index) else { return }
    do throws(ToolFailure) {
      let row = try tables[index].part.row(text, number: tables[index].sorter.count)
      if style.format == .table { tables[index].widths.measure(tables[index].part.cells(row)) }
      try tables[index].sorter.add(row, textBytes: text.count)
    } catch {
      failure = error
    }
  }

  /// Checks the reply, its rows left out.
  func check(_ reply: JSONDocument) throws(ToolFailure) {
    if let failure { throw failure }
    guard reply.root.kind == .array, reply.root.count == tables.count else {
      throw ToolFailure("reply is not array of \(tables.count) elements: \(reply.root.text())")
    }
    for (table, result) in zip(tables, reply.root.elements) {
      guard let rows = result.member("rows"), rows.kind == .array else {
        throw ToolFailure(
          "\(table.part.table.name) table reply is not an object with a \"rows\" member array: \(result.text())")
      }
    }
  }

  /// How much is encoded before it is written.
  private static let pieceBytes = 64 << 10

  func print() throws(ToolFailure) {
    var printer = TablePrinter(style)
    for index in tables.indices {
      Output.write(printer.separator())
      let part = tables[index].part
      var encoder = TableEncoder(part.header, style, tables[index].widths)
      try tables[index].sorter.drain { (row) throws(ToolFailure) in
        encoder.append(part.cells(row))
        if encoder.count >= Self.pieceBytes { Output.write(encoder.takeBytes()) }
      }
      encoder.finish()
      Output.write(encoder.takeBytes())
    }
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

  var header: TableHeader { TableHeader(caption: "\(table.name) table", headings: columns.map(\.name)) }

  /// Rows are sorted by the values of the columns, and by `_uuid` last.
  var sortKeys: [Int] {
    columns.indices.filter { columns[$0] !== ColumnSchema.uuid } + columns.indices.filter { columns[$0] === ColumnSchema.uuid }
  }

  func cells(_ row: [Datum]) -> [Cell] { zip(row, columns).map { .datum($0, $1.type) } }

  /// The values of a row that is given as JSON text.
  ///
  /// - Parameter number: of the row in the reply, from 0.
  func row(_ text: UnsafeRawBufferPointer, number: Int) throws(ToolFailure) -> [Datum] {
    let document: JSONDocument
    do {
      document = try JSONDocument.parse(text, anyValue: true)
    } catch {
      throw ToolFailure("row \(number) in table \(table.name) response is not JSON: \(error)")
    }
    return try document.withRoot { (row) throws(ToolFailure) in
      guard row.kind == .object else {
        throw ToolFailure("row \(number) in table \(table.name) response is not a JSON object: \(row.text())")
      }
      var values: [Datum] = []
      values.reserveCapacity(columns.count)
      for column in columns { values.append(try datum(row, column, number: number)) }
      return values
    }
  }

  private func datum(_ row: JSONValue, _ column: ColumnSchema, number: Int) throws(ToolFailure) -> Datum {
    var name = column.name
    guard let value = name.withUTF8({ row.member($0) }) else {
      throw ToolFailure("row \(number) in table \(table.name) response lacks \(column.name) column")
    }
    do {
      return try Datum(json: value, type: column.type, symbols: nil)
    } catch {
      throw ToolFailure("\(error)")
    }
  }
}
