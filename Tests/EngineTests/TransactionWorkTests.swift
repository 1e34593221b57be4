// SPDX-License-Identifier: Apache-2.0
//
// Transactions that are given up because they take more work than there is time for: nothing of them is left, and what they were given
// up for was not done.

import JSON
import OVSDB
import Testing

@testable import Engine

struct TransactionWorkTests {
  private static let tables = #"""
    {"T":{"columns":{"n":{"type":"integer"},"set":{"type":{"key":"integer","min":0,"max":"unlimited"}},
      "own":{"type":{"key":{"type":"uuid","refTable":"C"},"min":0,"max":"unlimited"}}},"isRoot":true,"indexes":[["n"]]},
     "C":{"columns":{"n":{"type":"integer"},"next":{"type":{"key":{"type":"uuid","refTable":"C"},"min":0}}}},
     "W":{"columns":{"to":{"type":{"key":{"type":"uuid","refTable":"T","refType":"weak"},"min":0}}},"isRoot":true}}
    """#

  private func filled(_ count: Int = 1000) throws -> Database {
    let database = try makeDatabase(Self.tables)
    let rows = (0..<count).map { number in
      #"""
      {"op":"insert","table":"C","uuid-name":"c\#(number)","row":{"n":\#(number)\#(number > 0 ? #","next":["named-uuid","c\#(number - 1)"]"# : "")}},
      {"op":"insert","table":"W","row":{"to":["named-uuid","first"]}}
      """#
    }
    let chain = #"{"op":"insert","table":"T","uuid-name":"first","row":{"n":-1,"own":["named-uuid","c\#(count - 1)"]}}"#
    let others = (0..<count).map { #"{"op":"insert","table":"T","row":{"n":\#($0)}}"# }
    _ = try database.run(([chain] + rows + others).joined(separator: ","))
    #expect(database.tables.map(\.rows.count) == [count, count + 1, count])
    return database
  }

  private func isExceeded(_ result: TransactionResult) -> Bool {
    if case .exceeded = result.outcome { true } else { false }
  }

  @Test(arguments: [
    // Looking, by clauses; changing; ten thousand of little; what deletion takes with it, by strong and by weak references; much in a row.
    #"{"op":"select","table":"T","where":[["n","!=",1],["n","!=",2]]}"#,
    #"{"op":"wait","table":"T","where":[["n","!=",1],["n","<",-9]],"columns":["n"],"until":"!=","rows":[]}"#,
    #"{"op":"update","table":"T","where":[["n",">=",0]],"row":{"set":1}}"#,
    #"{"op":"mutate","table":"T","where":[["n",">=",0]],"mutations":[["set","insert",1]]}"#,
    #"{"op":"delete","table":"T","where":[["n",">=",0]]}"#,
    Array(repeating: #"{"op":"comment","comment":""}"#, count: 200).joined(separator: ","),
    Array(repeating: #"{"op":"insert","table":"T","row":{}}"#, count: 50).joined(separator: ","),
    #"{"op":"update","table":"T","where":[["n","==",-1]],"row":{"own":["set",[]]}}"#,
    #"{"op":"delete","table":"T","where":[["n","==",-1]]}"#,
    #"{"op":"insert","table":"T","row":{"set":["set",[\#((0..<1000).map(String.init).joined(separator: ","))]]}}"#,
  ])
  func whatTakesTooMuchIsGivenUpAndLeavesNothing(_ operations: String) throws {
    let database = try filled()
    let (before, id, work) = (database.snapshot, database.lastCommitID, database.workDone)
    var context = TransactionContext()
    context.workMax = 1500
    let result = try database.run(operations, context: context)
    #expect(isExceeded(result) && result.text.isEmpty)
    #expect(database.sequence == before.sequence && database.lastCommitID == id)
    #expect(zip(database.tables, before.tables).allSatisfy { $0.changeCount == $1.changeCount })
    #expect(database.checkInvariants().isEmpty)
    #expect(database.workDone - work <= 1500 + 2 * WorkUnits.changedRow)
  }

  /// A wait looks no further than to the row that decides, in a table of 20,000.
  @Test(arguments: [("==", true), ("!=", false)])
  func aWaitLooksNoFurtherThanItMust(until: String, isBlocked: Bool) throws {
    let database = try makeDatabase(TransactionTests.tables)
    for part in 0..<20 {
      _ = try database.run((0..<1000).map { #"{"op":"insert","table":"B","row":{"n":\#(part * 1000 + $0)}}"# }.joined(separator: ","))
    }
    let before = database.workDone
    let wait = #"{"op":"wait","table":"B","where":[],"columns":["n"],"until":"\#(until)","rows":[{"n":-1}]}"#
    let result = try database.run(wait)
    if case .blocked = result.outcome { #expect(isBlocked) } else { #expect(!isBlocked && result.text == "[{}]") }
    #expect(database.workDone - before < 100)
  }

  /// A limit changes nothing but that.
  @Test func whatIsWithinTheLimitIsAsWithoutOne() throws {
    let database = try filled(50)
    let twin = try filled(50)
    var random = RandomSource(seed: 7)
    var exceeded = 0
    for step in 0..<300 {
      let n = Int.random(in: -1..<60, using: &random)
      let operations = [
        #"{"op":"update","table":"T","where":[["n","<",\#(n)]],"row":{"set":\#(step)}}"#,
        #"{"op":"delete","table":"T","where":[["n","==",\#(n)]]}"#, #"{"op":"insert","table":"T","row":{"n":\#(n)}}"#,
        #"{"op":"select","table":"T","where":[["n",">",\#(n)]],"columns":["n"],"sort":["n"]}"#,
      ][Int.random(in: 0..<4, using: &random)]
      var context = TransactionContext()
      context.workMax = Int.random(in: 0..<1000, using: &random)
      let result = try database.run(operations, context: context)
      if isExceeded(result) {
        exceeded += 1
        continue
      }
      #expect(result.text.replacing(/"[0-9a-f-]{36}"/, with: "U") == (try twin.run(operations).text.replacing(/"[0-9a-f-]{36}"/, with: "U")))
    }
    #expect(exceeded > 30 && exceeded < 270)
    #expect(database.checkInvariants().isEmpty)
  }

  @Test func whereNothingMayChangeReadingGoesOn() throws {
    let database = try filled(10)
    let before = database.sequence
    var context = TransactionContext()
    context.mayChange = false
    let select = #"{"op":"select","table":"T","where":[["n","==",3]],"columns":["n"]}"#
    #expect(try database.run(select, context: context).text == #"[{"rows":[{"n":3}]}]"#)
    #expect(isExceeded(try database.run(select + #",{"op":"insert","table":"T","row":{}}"#, context: context)))
    #expect(isExceeded(try database.run(#"{"op":"delete","table":"T","where":[["n","==",999]]}"#, context: context)))
    // An error before a change is told at once.
    #expect(try database.run(#"{"op":"abort"},{"op":"insert","table":"T","row":{}}"#, context: context).errorTag == "aborted")
    #expect(database.sequence == before)
  }
}
