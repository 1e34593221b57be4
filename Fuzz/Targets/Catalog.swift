// SPDX-License-Identifier: Apache-2.0
//
// The database that transactions, monitors and records are tried on: columns of every shape, references of both kinds in a cycle,
// tables that are collected, an index, a limit of rows.

import Engine
import JSON
import OVSDB

package enum Catalog {
  package static let schemaText = """
    {"name":"db","version":"1.0.0","tables":{
    "A":{"columns":{"n":{"type":"integer"},"s":{"type":"string"},"r":{"type":"real"},"b":{"type":"boolean"},
      "u":{"type":"uuid"},"set":{"type":{"key":"integer","min":0,"max":"unlimited"}},
      "map":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}},
      "few":{"type":{"key":{"type":"integer","minInteger":0,"maxInteger":9},"min":1,"max":3}},
      "opt":{"type":{"key":{"type":"string","enum":["set",["","x","y"]]},"min":0}},
      "fix":{"type":"string","mutable":false},"gone":{"type":"integer","ephemeral":true},
      "weak":{"type":{"key":{"type":"uuid","refTable":"B","refType":"weak"},"min":0,"max":"unlimited"}},
      "own":{"type":{"key":"string","value":{"type":"uuid","refTable":"C"},"min":0,"max":"unlimited"}}},
      "isRoot":true,"indexes":[["n","s"]]},
    "B":{"columns":{"n":{"type":"integer"},"need":{"type":{"key":{"type":"uuid","refTable":"A","refType":"weak"},"min":1}}},
      "isRoot":true,"maxRows":4},
    "C":{"columns":{"k":{"type":"integer"},"next":{"type":{"key":{"type":"uuid","refTable":"C"},"min":0}}},"indexes":[["k"]]}}}
    """

  static func makeSchema() throws -> DatabaseSchema {
    try JSONDocument.parse(schemaText).withRoot { try DatabaseSchema(json: $0) }
  }

  static func makeDatabase() throws -> Database {
    Database(schema: try makeSchema(), random: RandomSource(seed: 1))
  }

  static let words = [
    "[\"db\",", "{\"op\":\"insert\",\"table\":\"A\",\"row\":{}}", "{\"op\":\"select\",\"table\":\"A\",\"where\":[]}",
    "{\"op\":\"delete\",\"table\":\"B\",\"where\":[]}", "\"update\"", "\"mutate\"", "\"wait\"", "\"until\":\"==\"", "\"timeout\":0",
    "\"uuid-name\":\"x\"", "[\"named-uuid\",\"x\"]", "[\"set\",[", "[\"map\",[[", "[\"uuid\",\"00000000-0000-0000-0000-000000000001\"]",
    "\"includes\"", "\"excludes\"", "\"+=\"", "\"/=\"", "\"%=\"", "\"insert\"", "\"columns\":[\"n\"]", "\"sort\":[\"s\"]",
    "\"_uuid\"", "\"_version\"", "\"where\":[true]", "{\"op\":\"abort\"}", "{\"op\":\"commit\",\"durable\":true}",
    "{\"op\":\"assert\",\"lock\":\"l\"}", "{\"op\":\"comment\",\"comment\":\"c\"}", "9223372036854775807", "1e308",
  ]
}

extension Database {
  /// All rows as sorted lines, each with the values of its columns.
  ///
  /// - Parameter isPersistent: without what a file does not keep: versions and ephemeral columns.
  func lines(isPersistent: Bool = false) -> [String] {
    tables.flatMap { table in
      let columns = table.schema.columns.filter { !isPersistent || $0.isPersistent }
      return table.rows.values.map { row in
        var writer = ByteWriter()
        writer.writesExactReals = true
        row.write([.uuid] + (isPersistent ? [] : [.version]) + columns, to: &writer)
        return table.schema.name + writer.string
      }
    }.sorted()
  }
}
