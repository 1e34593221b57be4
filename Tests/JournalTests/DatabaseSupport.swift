// SPDX-License-Identifier: Apache-2.0
//
// Databases for the tests of records: made of text, looked at as text.

import Engine
import Foundation
import JSON
import OVSDB
import Testing

@testable import Journal

/// A schema from JSON text.
func schema(_ text: String) throws -> DatabaseSchema {
  let document = try JSONDocument.parse(text)
  defer { withExtendedLifetime(document) {} }
  return try DatabaseSchema(json: document.root)
}

/// Runs operations, which must all succeed.
@discardableResult
func transact(_ database: Database, _ operations: String...) throws -> Commit? {
  let document = try JSONDocument.parse("[\"D\",\(operations.joined(separator: ","))]")
  defer { withExtendedLifetime(document) {} }
  var writer = ByteWriter()
  let outcome = database.transact(params: document.root, context: TransactionContext(), into: &writer)
  guard case .committed(let commit, _) = outcome else {
    Issue.record("\(writer.string)")
    return nil
  }
  return commit
}

/// Every row as JSON with sorted keys, without versions and ephemeral columns, sorted.
func rows(_ database: Database, includingEphemeral: Bool = false) -> [String] {
  var lines: [String] = []
  for table in database.snapshot.tables {
    for (uuid, row) in table.rows {
      var writer = ByteWriter()
      for column in table.schema.columns where column.isPersistent || includingEphemeral {
        writer.append(" ")
        writer.append(utf8: column.name)
        writer.append("=")
        row[column].write(to: &writer, type: column.type)
      }
      lines.append("\(table.schema.name) \(uuid)\(writer.string)")
    }
  }
  return lines.sorted()
}

/// `xxxxxxxx-0000-4000-8000-000000000000`.
func id(_ number: Int) -> String {
  String(repeating: "0", count: max(0, 8 - String(number, radix: 16).count)) + String(number, radix: 16)
    + "-0000-4000-8000-000000000000"
}

func reference(_ number: Int) -> String { "[\"uuid\",\"\(id(number))\"]" }

/// A schema with everything that records can be about: references, limits, indexes, an ephemeral column.
let richSchemaText = """
  {"name":"D","tables":{"r":{"columns":{"n":{"type":"integer"},"k":{"type":{"key":{"type":"uuid","refTable":"c"},"min":0,\
  "max":"unlimited"}},"w":{"type":{"key":{"type":"uuid","refTable":"c","refType":"weak"},"min":0,"max":"unlimited"}},\
  "s":{"type":{"key":{"type":"integer","maxInteger":5},"min":0,"max":2}},"e":{"type":"integer","ephemeral":true},\
  "x":{"type":"real"},"m":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}}},"isRoot":true,\
  "indexes":[["n"]],"maxRows":2},"c":{"columns":{"m":{"type":"integer"}}}}}
  """
