// SPDX-License-Identifier: Apache-2.0

import JSON
import OVSDB
import Testing

@testable import ClientTool

@Suite struct MonitorTests {
  private let schema: TableSchema

  init() throws {
    let document = try JSONDocument.parse(
      #"""
      {"name":"T","version":"1.0.0","tables":{"t":{"columns":{"name":{"type":"string"},
      "n":{"type":{"key":"integer","min":0,"max":"unlimited"}},"o":{"type":{"key":"string","min":0,"max":1}}}}}}
      """#)
    schema = try #require(try DatabaseSchema(json: document.root).table(named: "t"))
  }

  private func monitored(_ arguments: [String], condition: String? = nil) throws -> MonitoredTable {
    try MonitoredTable(
      schema, arguments: arguments, condition: try condition.map { try parseCondition($0, schema) }, database: "T",
      server: "S")
  }

  private func request(_ table: MonitoredTable) -> String {
    var writer = ByteWriter()
    table.write(to: &writer)
    return writer.string
  }

  private func failure(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch {
      return (error as? ToolFailure)?.message
    }
  }

  @Test(arguments: [
    ([], #"[{"columns":["n","name","o","_version"]}]"#),
    ([""], #"[{"columns":["n","name","o","_version"]}]"#),
    (["o,n"], #"[{"columns":["o","n"]}]"#),
    (["o", "n,!insert"], #"[{"columns":["o"]},{"columns":["n"],"select":{"initial":true,"insert":false,"delete":true,"modify":true}}]"#),
    (
      ["!initial"],
      #"[{"columns":["n","name","o","_version"],"select":{"initial":false,"insert":true,"delete":true,"modify":true}}]"#
    ),
  ])
  func eachArgumentIsARequest(arguments: [String], expected: String) throws {
    #expect(request(try monitored(arguments)) == expected)
  }

  @Test func conditionsGoIntoEachRequest() throws {
    #expect(
      request(try monitored(["o"], condition: #"[["n","includes",3]]"#))
        == #"[{"columns":["o"],"where":[["n","includes",3]]}]"#)
  }

  @Test func mistakesAreNamedBeforeTheServerHearsOfThem() {
    #expect(failure { _ = try monitored(["zz"]) } == #"S: table "t" in T does not have a column named "zz""#)
    #expect(failure { _ = try monitored(["n", "o,n"]) } == #"S: column "n" mentioned multiple times"#)
    #expect(failure { _ = try monitored(["!other"]) } == #"S: table "t" in T does not have a column named "!other""#)
    #expect(
      failure { _ = try monitored([], condition: #"[["zz","==",1]]"#) }
        == #"syntax "["zz","==",1]": unknown column: No column zz in table t."#)
    #expect(failure { _ = try monitored([], condition: "[") } == #""[": line 1, column 1, byte 1: unexpected end of input"#)
    #expect(failure { _ = try monitored([], condition: "{}") } == #""{}": condition is not an array of clauses"#)
  }

  private func csv(_ updates: String, isConditional: Bool = false, isInitial: Bool = false) throws -> String? {
    let document = try JSONDocument.parse(updates)
    var style = TableStyle()
    style.format = .csv
    style.hasHeadings = false
    return try monitored(["name,n,o"]).text(
      of: document.root, isConditional: isConditional, isInitial: isInitial, caption: nil
    ).map { String(decoding: $0.bytes(style), as: UTF8.self) }
  }

  @Test func plainUpdatesShowOldAndNew() throws {
    let row = #"{"name":"a","n":["set",[1,2]],"o":["set",[]]}"#
    #expect(try csv(#"{"t":{"U":{"new":\#(row)}}}"#) == "U,insert,a,\"[1, 2]\",[]\n")
    #expect(try csv(#"{"t":{"U":{"new":\#(row)}}}"#, isInitial: true) == "U,initial,a,\"[1, 2]\",[]\n")
    #expect(try csv(#"{"t":{"U":{"old":\#(row)}}}"#) == "U,delete,a,\"[1, 2]\",[]\n")
    #expect(try csv(#"{"t":{"U":{"old":{"n":1},"new":\#(row)}}}"#) == "U,old,,[1],\n,new,a,\"[1, 2]\",[]\n")
  }

  @Test func conditionalUpdatesShowDifferences() throws {
    #expect(try csv(#"{"t":{"U":{"modify":{"n":["set",[1,3]],"o":["set",[]]}}}}"#, isConditional: true) == "U,modify,,\"[1, 3]\",[]\n")
    #expect(try csv(#"{"t":{"U":{"delete":null}}}"#, isConditional: true) == "U,delete,,,\n")
    #expect(try csv(#"{"t":{"V":{"insert":{}},"U":{"initial":{"name":"x"}}}}"#, isConditional: true) == "U,initial,x,,\nV,insert,,,\n")
  }

  @Test func whatIsNotAboutTheTableIsNoTable() throws {
    #expect(try csv(#"{"other":{"U":{"new":{}}}}"#) == nil)
    #expect(try csv(#"{"t":{}}"#) == nil)
    #expect(try csv(#"[1]"#) == nil)
  }

  @Test func valuesOfTheWrongTypeAreShownAsTheyCame() throws {
    #expect(try csv(#"{"t":{"U":{"new":{"n":"x"}}}}"#) == "U,insert,,\"\"\"x\"\"\",\n")
  }

  @Test func timesHaveMilliseconds() {
    #expect(TimeStamp.now().wholeMatch(of: /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}/) != nil)
  }
}
