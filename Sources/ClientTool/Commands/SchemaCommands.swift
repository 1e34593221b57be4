// SPDX-License-Identifier: Apache-2.0
//
// The commands that show what a server has: databases, schemas, tables, columns.

import Daemon
import JSON
import OVSDB

func listDatabases(_ target: Target) async throws {
  let names = try await listDatabaseNames(target.connected)
  Output.write(names.map { "\($0)\n" }.joined())
}

func getSchema(_ target: Target) async throws {
  let schema = try await fetchSchema(target.connected, target.database)
  Output.write(outputText(schema.text, target.options.table))
}

func getSchemaVersion(_ target: Target) async throws {
  let schema = try await fetchSchema(target.connected, target.database)
  Output.write("\(schema.version ?? "")\n")
}

func getSchemaCksum(_ target: Target) async throws {
  let schema = try await fetchSchema(target.connected, target.database)
  Output.write("\(schema.cksum ?? "")\n")
}

func listTables(_ target: Target) async throws {
  let schema = try await fetchSchema(target.connected, target.database)
  var table = TextTable(headings: ["Table"])
  for entry in schema.tables { table.append([.text(entry.name)]) }
  var printer = TablePrinter(target.options.table)
  printer.print(table)
}

func listColumns(_ target: Target) async throws {
  let schema = try await fetchSchema(target.connected, target.database)
  let only = target.arguments.first
  var table = TextTable(headings: (only == nil ? ["Table"] : []) + ["Column", "Type"])
  for entry in schema.tables where only == nil || entry.name == only {
    for column in [.uuid, .version] + entry.columns {
      var type = ByteWriter()
      column.type.write(to: &type)
      let cells = [Cell.text(column.name), .json(try JSONDocument.parse(type.string, anyValue: true))]
      table.append((only == nil ? [.text(entry.name)] : []) + cells)
    }
  }
  var printer = TablePrinter(target.options.table)
  printer.print(table)
}
