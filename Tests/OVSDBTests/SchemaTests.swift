// SPDX-License-Identifier: Apache-2.0
//
// Schemas beyond what the scenario files hold: sizes, and that the normal form is one.

import TestSupport
import Testing

@testable import OVSDB

@Suite struct SchemaTests {
  /// Documentation/protocol/schemas.md#normal-form: the normal form is read as itself.
  @Test(arguments: 0..<100 as Range<UInt64>)
  func normalFormsAreFixedPoints(_ seed: UInt64) throws {
    let text = randomSchema(seed: seed)
    let schema = try readSchema(text)
    #expect(try readSchema(schema.text).text == schema.text)
  }

  private func randomSchema(seed: UInt64) -> String {
    var generator = SeededRandom(seed: seed)
    let bases = [
      "\"integer\"", "{\"type\":\"real\",\"minReal\":0.1}", "{\"type\":\"string\",\"maxLength\":3}", "{\"type\":\"boolean\"}",
      "{\"type\":\"uuid\",\"refTable\":\"T0\"}", "{\"type\":\"uuid\",\"refTable\":\"T1\",\"refType\":\"weak\"}",
      "{\"type\":\"string\",\"enum\":[\"set\",[\"b\",\"a\"]]}", "{\"type\":\"integer\",\"minInteger\":-3,\"maxInteger\":5}",
      "{\"type\":\"string\",\"enum\":\"x\"}",
    ]
    let tables = (0..<3).map { table in
      let columns = (0..<4).map { column in
        let key = bases.randomElement(using: &generator) ?? ""
        let value = Bool.random(using: &generator) ? ",\"value\":\(bases.randomElement(using: &generator) ?? "")" : ""
        let max = ["", ",\"max\":7", ",\"max\":\"unlimited\""].randomElement(using: &generator) ?? ""
        let min = ["", ",\"min\":0", ",\"min\":1"].randomElement(using: &generator) ?? ""
        let ephemeral = column > 0 && Bool.random(using: &generator) ? ",\"ephemeral\":true" : ""
        let mutable = Bool.random(using: &generator) ? ",\"mutable\":false" : ""
        return "\"c\(column)\":{\"type\":{\"key\":\(key)\(value)\(max)\(min)}\(ephemeral)\(mutable)}"
      }
      let root = ["", ",\"isRoot\":true", ",\"isRoot\":false"].randomElement(using: &generator) ?? ""
      let indexes = Bool.random(using: &generator) ? ",\"indexes\":[[\"c0\"],[\"c0\",\"_uuid\"]]" : ""
      return "\"T\(table)\":{\"columns\":{\(columns.joined(separator: ","))}\(root)\(indexes)}"
    }
    return "{\"name\":\"d\",\"version\":\"1.2.3\",\"tables\":{\(tables.joined(separator: ","))}}"
  }

  /// Nothing in a schema is limited to what fits 16 bits.
  @Test func seventyThousandColumnsAndTablesAreFound() throws {
    let columns = (0..<70_000).map { "\"c\($0)\":{\"type\":\"integer\"}" }.joined(separator: ",")
    let wide = try readSchema("{\"name\":\"d\",\"tables\":{\"T\":{\"columns\":{\(columns)}}}}")
    let tables = (0..<70_000).map { "\"t\($0)\":{\"columns\":{\"c\":{\"type\":\"integer\"}}}" }.joined(separator: ",")
    let long = try readSchema("{\"name\":\"d\",\"tables\":{\(tables)}}")
    for number in [0, 1, 65_534, 65_535, 65_536, 69_999] {
      #expect(wide.tables[0].column(named: "c\(number)")?.name == "c\(number)")
      #expect(long.table(named: "t\(number)")?.name == "t\(number)")
    }
    #expect(wide.tables[0].column(named: "c70000") == nil)
  }

  @Test func columnsOfEveryTableIncludeUUIDAndVersion() throws {
    let schema = try readSchema(#"{"name":"d","tables":{"T":{"columns":{"c":{"type":"integer"}}}}}"#)
    #expect(schema.tables[0].column(named: "_uuid") === ColumnSchema.uuid)
    #expect(schema.tables[0].column(named: "_version") === ColumnSchema.version)
    #expect(schema.tables[0].column(named: "_other") == nil)
  }

  /// Documentation/protocol/values.md#text-form, English names of types.
  @Test(arguments: [
    (#""integer""#, "integer"), (#"{"key":"integer","min":0,"max":"unlimited"}"#, "set of integers"),
    (#"{"key":"integer","max":"unlimited"}"#, "set of 1 or more integers"), (#"{"key":"string","min":0,"max":3}"#, "set of up to 3 strings"),
    (#"{"key":"string","max":3}"#, "set of 1 to 3 strings"), (#"{"key":"string","min":0}"#, "set of up to 1 strings"),
    (#"{"key":"string","value":"string","min":0,"max":"unlimited"}"#, "map of (string, string) pairs"),
    (#"{"key":"string","value":"integer","max":"unlimited"}"#, "map of 1 or more (string, integer) pairs"),
    (#"{"key":"string","value":"string","min":0,"max":3}"#, "map of up to 3 (string, string) pairs"),
  ])
  func typesHaveEnglishNames(_ json: String, _ english: String) throws {
    let schema = try readSchema("{\"name\":\"d\",\"tables\":{\"T\":{\"columns\":{\"c\":{\"type\":\(json)}}}}}")
    #expect(schema.tables[0].columns[0].type.english == english)
  }
}
