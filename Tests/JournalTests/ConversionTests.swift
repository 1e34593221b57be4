// SPDX-License-Identifier: Apache-2.0

import Engine
import JSON
import OVSDB
import Testing

@testable import Journal

@Suite struct ConversionTests {
  private func convert(
    _ from: String, _ value: String, to: String, _ rules: ConversionRules
  ) throws -> String {
    let before = Database(schema: try schema(#"{"name":"D","tables":{"t":{"columns":{"c":{"type":\#(from)}}}}}"#))
    try transact(before, #"{"op":"insert","table":"t","uuid":"\#(id(1))","row":{"c":\#(value)}}"#)
    let after = try schema(#"{"name":"D","tables":{"a":{"columns":{"z":{"type":"integer"}}},"t":{"columns":{"c":{"type":\#(to)}}}}}"#)
    let converted = try Conversion.convert(before.snapshot, to: after, rules: rules)
    #expect(converted.checkInvariants() == [])
    let table = try #require(converted.snapshot.tables.last)
    let column = try #require(table.schema.column(named: "c"))
    var writer = ByteWriter()
    try #require(table.rows.values.first)[column].write(to: &writer, type: column.type)
    return writer.string
  }

  @Test(arguments: [
    (#""integer""#, "5", #""integer""#, "5"), (#""integer""#, "5", #""real""#, "5"),
    (#""integer""#, "5", #"{"key":"integer","min":0,"max":"unlimited"}"#, "5"),
    (#""integer""#, "5", #"{"key":"integer","min":0,"max":1}"#, "5"),
    (#"{"key":"integer","min":0,"max":3}"#, #"["set",[5]]"#, #""integer""#, "5"),
    (#"{"key":"integer","min":0,"max":3}"#, #"["set",[5,6]]"#, #"{"key":"integer","min":1,"max":2}"#, #"["set",[5,6]]"#),
    (#"{"key":"string","value":"integer","min":0,"max":3}"#, #"["map",[["a",1]]]"#,
      #"{"key":"string","value":"real","min":0,"max":3}"#, #"["map",[["a",1]]]"#),
  ])
  func valuesThatFitAreKept(from: String, value: String, to: String, result: String) throws {
    #expect(try convert(from, value, to: to, .live) == result)
    #expect(try convert(from, value, to: to, .offline) == result)
  }

  @Test(arguments: [
    (#""string""#, #""c""#, #""integer""#, #"syntax ""c"": syntax error: expected integer"#),
    (#"{"key":"integer","min":0,"max":3}"#, #"["set",[5,6]]"#, #""integer""#,
      #"syntax "["set",[5,6]]": syntax error: set must have exactly one member but 2 are present"#),
    (#"{"key":"integer","min":0,"max":3}"#, #"["set",[]]"#, #""integer""#,
      #"syntax "["set",[]]": syntax error: set must have exactly one member but 0 are present"#),
    (#""integer""#, "7", #"{"key":{"type":"integer","maxInteger":5}}"#,
      "constraint violation: 7 is greater than maximum allowed value 5"),
    (#""integer""#, "7", #"{"key":"integer","value":"integer","min":0,"max":3}"#,
      #"syntax "7": syntax error: expected ["map", <array>]"#),
  ])
  func valuesThatDoNotFitAreRefused(from: String, value: String, to: String, text: String) {
    for rules in [ConversionRules.live, .offline] {
      let error = #expect(throws: OVSDBError.self) { try convert(from, value, to: to, rules) }
      #expect(error?.description == text + " (table \"t\", row \(id(1)), column \"c\")")
    }
  }

  @Test func aWholeRealIsAnIntegerOnlyOffline() throws {
    #expect(try convert(#""real""#, "2", to: #""integer""#, .offline) == "2")
    #expect(throws: OVSDBError.self) { try convert(#""real""#, "2", to: #""integer""#, .live) }
    #expect(throws: OVSDBError.self) { try convert(#""real""#, "2.5", to: #""integer""#, .offline) }
  }

  @Test func tablesAndColumnsComeAndGoAndDefaultsMayBreakTheNewConstraints() throws {
    let before = Database(schema: try schema(richSchemaText))
    try transact(
      before, #"{"op":"insert","table":"c","uuid-name":"x","row":{"m":4}}"#,
      #"{"op":"insert","table":"r","uuid":"\#(id(2))","row":{"n":1,"k":["named-uuid","x"],"e":9}}"#)
    let after = try schema(
      """
      {"name":"E","tables":{"r":{"columns":{"n":{"type":"integer"},"e":{"type":"integer"},\
      "new":{"type":{"key":{"type":"integer","minInteger":5}}}}},"z":{"columns":{"q":{"type":"string"}}}}}
      """)
    #expect(
      rows(try Conversion.convert(before.snapshot, to: after, rules: .live)) == ["r \(id(2)) e=9 n=1 new=0"])
    #expect(
      rows(try Conversion.convert(before.snapshot, to: after, rules: .offline)) == ["r \(id(2)) e=0 n=1 new=0"])
  }

  @Test func theResultIsCheckedLikeATransaction() throws {
    let before = Database(schema: try schema(#"{"name":"D","tables":{"t":{"columns":{"c":{"type":"integer"}}}}}"#))
    try transact(before, #"{"op":"insert","table":"t","row":{"c":1}}"#, #"{"op":"insert","table":"t","row":{"c":1}}"#)
    let unique = try schema(#"{"name":"D","tables":{"t":{"columns":{"c":{"type":"integer"}},"indexes":[["c"]]}}}"#)
    let error = #expect(throws: OVSDBError.self) {
      try Conversion.convert(before.snapshot, to: unique, rules: .live)
    }
    #expect(error?.tag == .constraintViolation)
    let single = try schema(#"{"name":"D","tables":{"t":{"columns":{"c":{"type":"integer"}},"maxRows":1}}}"#)
    #expect(throws: OVSDBError.self) { try Conversion.convert(before.snapshot, to: single, rules: .live) }
  }
}
