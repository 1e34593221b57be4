// SPDX-License-Identifier: Apache-2.0

import Engine
import Foundation
import JSON
import OVSDB
import Testing

@testable import Journal

@Suite struct TransactionRecordTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func file(_ records: [String], schema: String = richSchemaText) throws -> String {
    try directory.write(([schema] + records).flatMap { framed($0) }, to: "x.db")
  }

  private func contentsAfter(_ records: String...) throws -> [String] {
    let database = try DatabaseFile.read(try file(records))
    #expect(database.checkInvariants() == [])
    return rows(database, includingEphemeral: true)
  }

  private func row(_ number: Int, e: String = "0", k: String = "[\"set\",[]]", m: String = "[\"map\",[]]",
    n: String = "0", s: String = "[\"set\",[]]", w: String = "[\"set\",[]]", x: String = "0"
  ) -> String { "r \(id(number)) e=\(e) k=\(k) m=\(m) n=\(n) s=\(s) w=\(w) x=\(x)" }

  @Test func aRowIsInsertedWithDefaultsChangedAndDeleted() throws {
    let insert = #"{"_date":1,"r":{"\#(id(2))":{"n":1,"x":2}}}"#
    #expect(try contentsAfter(insert) == [row(2, n: "1", x: "2")])
    #expect(try contentsAfter(insert, #"{"r":{"\#(id(2))":{"n":7}}}"#) == [row(2, n: "7", x: "2")])
    #expect(try contentsAfter(insert, #"{"r":{"\#(id(2))":null}}"#) == [])
    #expect(try contentsAfter(#"{"r":{"\#(id(2))":{}}}"#) == [row(2)])
  }

  @Test func differencesApplyToRowsThatExistAndFullValuesToNewOnes() throws {
    let insert = #"{"_is_diff":true,"r":{"\#(id(2))":{"s":["set",[1,2]],"m":["map",[["a",1],["b",2]]]}}}"#
    let maps = #"{"_is_diff":true,"r":{"\#(id(2))":{"m":["map",[["a",1],["b",3],["c",4]]]}}}"#
    #expect(try contentsAfter(insert, maps) == [row(2, m: #"["map",[["b",3],["c",4]]]"#, s: #"["set",[1,2]]"#)])
    let empty = #"{"_is_diff":true,"r":{"\#(id(2))":{"s":["set",[]]}}}"#
    #expect(try contentsAfter(insert, empty) == [row(2, m: #"["map",[["a",1],["b",2]]]"#, s: #"["set",[1,2]]"#)])
    let whole = #"{"r":{"\#(id(2))":{"s":["set",[]]}}}"#
    #expect(try contentsAfter(insert, whole) == [row(2, m: #"["map",[["a",1],["b",2]]]"#)])
  }

  /// The peer writes such a difference and then refuses to read it (observed: ovsdb-tool 3.1.0).
  @Test func aDifferenceMayHaveMoreElementsThanTheColumn() throws {
    let insert = #"{"r":{"\#(id(2))":{"s":["set",[1,2]]}}}"#
    let difference = #"{"_is_diff":true,"r":{"\#(id(2))":{"s":["set",[1,2,3,4]]}}}"#
    #expect(try contentsAfter(insert, difference) == [row(2, s: #"["set",[3,4]]"#)])
  }

  @Test func whatThePeerToleratesIsRead() throws {
    #expect(try contentsAfter(#"{"_comment":{"a":1}}"#) == [])
    #expect(try contentsAfter(#"{"r":{"\#(id(2))":{"_uuid":\#(reference(3)),"_version":5}}}"#) == [row(2)])
    #expect(try contentsAfter(#"{"r":{"\#(id(2))":{"e":7,"n":1.0}}}"#) == [row(2, e: "7", n: "1")])
    #expect(try contentsAfter(#"{"r":{"\#(id(0xabcdef).uppercased())":{"n":1}}}"#) == [row(0xabcdef, n: "1")])
  }

  @Test func rowsThatNothingReferencesAndDanglingWeakReferencesGo() throws {
    #expect(try contentsAfter(#"{"c":{"\#(id(1))":{"m":1}}}"#) == [])
    #expect(try contentsAfter(#"{"r":{"\#(id(2))":{"w":\#(reference(9))}}}"#) == [row(2)])
    let both = #"{"c":{"\#(id(1))":{"m":1}},"r":{"\#(id(2))":{"k":\#(reference(1)),"w":\#(reference(1))}}}"#
    #expect(
      try contentsAfter(both) == ["c \(id(1)) m=1", row(2, k: reference(1), w: reference(1))])
    #expect(try contentsAfter(both, #"{"r":{"\#(id(2))":{"k":["set",[]]}}}"#) == [row(2)])
  }

  /// Records that do not fit, and what tools print (observed: ovsdb-tool 3.1.0).
  @Test(arguments: [
    (#"{"zz":{}}"#, #"syntax "{"zz":{}}": unknown table: No table named zz."#),
    (#"{"_zz":{}}"#, #"syntax "{"_zz":{}}": unknown table: No table named _zz."#),
    (#"{"_date":"x"}"#, #"syntax "{"_date":"x"}": unknown table: No table named _date."#),
    (#"{"_date":1.5,"r":{}}"#, #"syntax "{"_date":1.5,"r":{}}": unknown table: No table named _date."#),
    (#"{"_is_diff":5}"#, #"syntax "{"_is_diff":5}": unknown table: No table named _is_diff."#),
    (#"{"r":5}"#, #"syntax "5": syntax error: object expected"#),
    (#"{"r":{"\#(id(2))":5}}"#, #"syntax "5": syntax error: row must be JSON object"#),
    (#"{"r":{"zz":{"n":1}}}"#, #"syntax "{"zz":{"n":1}}": syntax error: "zz" is not a valid UUID"#),
    (#"{"r":{"\#(id(2))":{"zz":1}}}"#, #"syntax "{"zz":1}": unknown column: No column zz in table r."#),
    (
      #"{"r":{"\#(id(2))":null}}"#,
      "syntax error: transaction deletes row \(id(2)) that does not exist"
    ),
    (#"{"r":{"\#(id(2))":{"s":9}}}"#, "constraint violation: 9 is greater than maximum allowed value 5"),
    (
      #"{"r":{"\#(id(2))":{"s":["set",[1,2,3]]}}}"#,
      #"syntax "["set",[1,2,3]]": syntax error: set must have 0 to 2 members but 3 are present"#
    ),
    (
      #"{"r":{"\#(id(2))":{"k":["named-uuid","x"]}}}"#,
      #"syntax "["named-uuid","x"]": syntax error: expected ["uuid", <string>]"#
    ),
    (#"{"r":{"\#(id(2))":{"s":["set",[1,1]]}}}"#, "ovsdb error: set contains duplicate"),
  ])
  func aRecordThatDoesNotFitIsRefused(record: String, text: String) throws {
    let path = try file([record])
    let error = #expect(throws: LogError.self) { try DatabaseFile.read(path) }
    #expect(error?.description == text)
  }

  @Test(arguments: ["[]", "[x]", "{", "{} x", "5", "null", ""])
  func dataThatAreNoObjectAreRefusedInTheParsersWords(data: String) throws {
    let path = try file([data])
    let offset = framed(richSchemaText).count + "OVSDB JSON 3 ".utf8.count + 41
    let where_ = "\(path): \(data.utf8.count + 1) bytes starting at offset \(offset) are not"
    let error = #expect(throws: LogError.self) { try DatabaseFile.read(path) }
    let problems = [
      "[]": "a JSON object", "[x]": "valid JSON (line 0, column 2, byte 2: invalid keyword 'x')",
      "{": "valid JSON (line 1, column 0, byte 2: unexpected end of input)",
      "{} x": "valid JSON (line 0, column 4, byte 4: invalid keyword 'x')",
      "5": "valid JSON (line 0, column 1, byte 1: syntax error at beginning of input)",
      "null": "valid JSON (line 0, column 4, byte 4: syntax error at beginning of input)",
      "": "valid JSON (line 1, column 0, byte 1: empty input stream)",
    ]
    #expect(error?.description == "syntax error: \(where_) \(try #require(problems[data]))")
  }

  @Test(arguments: [
    (
      [#"{"r":{"\#(id(2))":{"k":\#(reference(9))}}}"#],
      """
      referential integrity violation: F: the records do not make a consistent database: \
      Table r column k row \(id(2)) references nonexistent row \(id(9)) in table c.
      """
    ),
    (
      [#"{"r":{"\#(id(2))":{},"\#(id(3))":{"n":1},"\#(id(4))":{"n":2}}}"#],
      """
      constraint violation: F: the records do not make a consistent database: \
      transaction causes "r" table to contain 3 rows, greater than the schema-defined limit of 2 row(s)
      """
    ),
  ])
  func rowsThatContradictEachOtherAreRefused(records: [String], text: String) throws {
    let path = try file(records)
    let error = #expect(throws: LogError.self) { try DatabaseFile.read(path) }
    #expect(error?.description.replacingOccurrences(of: path, with: "F") == text)
  }

  @Test func equalValuesInAnIndexAreRefused() throws {
    let path = try file([#"{"r":{"\#(id(2))":{"n":1},"\#(id(3))":{"n":1}}}"#])
    let error = #expect(throws: LogError.self) { try DatabaseFile.read(path) }
    #expect(error?.tag == .constraintViolation)
    #expect(error?.details.contains("identical values (1) for index on column \"n\"") == true)
  }

  @Test func aHugeRecordThatDoesNotFitIsNotRepeatedWhole() throws {
    let path = try file([#"{"zz":{"\#(String(repeating: "a", count: 1_000_000))":1}}"#])
    let error = #expect(throws: LogError.self) { try DatabaseFile.read(path) }
    #expect(error?.details == "No table named zz.")
    #expect(error.map { $0.description.utf8.count < 3000 } == true)
  }

  @Test func aMisfitRefusesTheFileAndWhoKeepsItGetsWhatStandsBefore() throws {
    let good = #"{"r":{"\#(id(2))":{"n":1}}}"#
    // The first half of the bad record fits; nothing of it may stay.
    let bad = #"{"c":{},"r":{"\#(id(2))":{"n":9},"\#(id(3))":{"zz":1}}}"#
    for (records, behind) in [
      ([good, bad, good], "1 good record follows it"), ([good, bad, good, good], "2 good records follow it"),
    ] {
      let path = try file(records)
      let before = try contents(of: path)
      let error = #expect(throws: LogError.self) { try DatabaseFile.open(path) }
      #expect(error?.details.contains("record 2 at offset") == true)
      #expect(error?.details.contains("does not fit and \(behind); refusing") == true)

      let opened = try DatabaseFile.open(path, keepsDamaged: true)
      #expect(rows(opened.database) == [row(2, n: "1").replacingOccurrences(of: " e=0", with: "")])
      #expect(opened.log.damage?.details.contains("does not fit and \(behind); what comes before is served") == true)
      // It takes no record, and nothing takes its place.
      opened.log.append(Array(good.utf8))
      #expect(throws: LogError.self) { try opened.log.flush() }
      opened.log.discardPending()
      #expect(throws: LogError.self) { try opened.log.beginReplacement() }
      #expect(try contents(of: path) == before)
    }
  }

  @Test func aMisfitAtTheEndGivesWhatStandsBefore() throws {
    let good = #"{"r":{"\#(id(2))":{"n":1}}}"#
    let bad = #"{"c":{},"r":{"\#(id(2))":{"n":9},"\#(id(3))":{"zz":1}}}"#
    let opened = try DatabaseFile.open(try file([good, bad]))
    #expect(opened.recovery.endError != nil)
    #expect(rows(opened.database) == [row(2, n: "1").replacingOccurrences(of: " e=0", with: "")])
    #expect(opened.log.damage == nil)
  }

  // MARK: - Writing

  private func record(_ commit: Commit?, usesDifferences: Bool = true) throws -> String? {
    var writer = ByteWriter()
    let isWritten = TransactionRecord.write(
      try #require(commit), dateMilliseconds: 5, usesDifferences: usesDifferences, into: &writer)
    #expect(isWritten || writer.count == 0)
    return isWritten ? writer.string : nil
  }

  private func insert(_ number: Int, _ columns: String, table: String = "r") -> String {
    #"{"op":"insert","table":"\#(table)","uuid":"\#(id(number))","row":{\#(columns)}}"#
  }

  private func update(_ number: Int, _ columns: String) -> String {
    #"{"op":"update","table":"r","where":[["_uuid","==",\#(reference(number))]],"row":{\#(columns)}}"#
  }

  @Test func aCommitIsWrittenAsTheFormatHasIt() throws {
    let database = Database(schema: try schema(richSchemaText))
    let inserted = try transact(
      database, insert(2, #""n":1,"s":["set",[1,2]],"e":5"#), #"{"op":"comment","comment":"a\nb"}"#,
      #"{"op":"comment","comment":"c"}"#)
    #expect(
      try record(inserted)
        == #"{"_date":5,"_is_diff":true,"_comment":"a\nb\nc","r":{"\#(id(2))":{"n":1,"s":["set",[1,2]]}}}"#)
    let changed = try transact(database, update(2, #""s":["set",[2,3]],"e":6,"m":["map",[["a",1]]]"#))
    #expect(
      try record(changed)
        == #"{"_date":5,"_is_diff":true,"r":{"\#(id(2))":{"m":["map",[["a",1]]],"s":["set",[1,3]]}}}"#)
    #expect(
      try record(changed, usesDifferences: false)
        == #"{"_date":5,"r":{"\#(id(2))":{"m":["map",[["a",1]]],"s":["set",[2,3]]}}}"#)
    let deleted = try transact(database, #"{"op":"delete","table":"r","where":[]}"#)
    #expect(try record(deleted) == #"{"_date":5,"_is_diff":true,"r":{"\#(id(2))":null}}"#)
  }

  @Test func aCommitWithoutPersistentChangeWritesNothing() throws {
    let database = Database(schema: try schema(richSchemaText))
    try transact(database, insert(2, #""n":1"#))
    #expect(try record(transact(database, update(2, #""e":6"#))) == nil)
    #expect(try transact(database, #"{"op":"comment","comment":"only"}"#) == nil)
  }

  @Test func aDifferenceThatThePeerCouldNotReadIsWrittenInFull() throws {
    let database = Database(schema: try schema(richSchemaText))
    try transact(database, insert(2, #""s":["set",[1,2]]"#))
    let changed = try transact(database, update(2, #""s":["set",[3,4]]"#))
    #expect(try record(changed) == #"{"_date":5,"r":{"\#(id(2))":{"s":["set",[3,4]]}}}"#)
  }

  /// Style T6: replay(log) == live and compact(log) == log, for random histories; and the peer reads the same.
  @Test(arguments: 0..<8)
  func whatIsReadBackIsWhatWasThere(seed: Int) throws {
    var random = RandomSource(seed: UInt64(seed))
    let text = richSchemaText.replacingOccurrences(of: #","indexes":[["n"]],"maxRows":2"#, with: "")
    let path = directory.file("x.db")
    let database = Database(schema: try schema(text), random: RandomSource(seed: UInt64(seed) + 100))
    do {
      let log = try DatabaseFile.create(path, schema: database.schema)
      for _ in 0..<60 {
        let number = Int(random.next() % 6) + 1
        let child = Int(random.next() % 4) + 0x100
        let existing = rows(database).contains { $0.hasPrefix("r \(id(number))") }
        let childExists = rows(database).contains { $0.hasPrefix("c \(id(child))") }
        var operations: [String] = []
        if !childExists { operations.append(insert(child, #""m":\#(random.next() % 9)"#, table: "c")) }
        let set = (0..<3).filter { _ in random.next() % 2 == 0 }.prefix(2).map { "\($0)" }.joined(separator: ",")
        let map = (0..<4).filter { _ in random.next() % 2 == 0 }.map { #"["k\#($0)",\#(random.next() % 3)]"# }
        let columns = #"""
          "n":\#(random.next() % 5),"s":["set",[\#(set)]],"m":["map",[\#(map.joined(separator: ","))]],\#
          "k":\#(reference(child)),"w":\#(reference(child)),"x":\#(Double(random.next() % 100) / 8),"e":3
          """#
        if random.next() % 5 == 0, existing {
          operations = [#"{"op":"delete","table":"r","where":[["_uuid","==",\#(reference(number))]]}"#]
        } else {
          operations.append(existing ? update(number, columns) : insert(number, columns))
        }
        guard let commit = try transact(database, operations.joined(separator: ",")) else { continue }
        log.append(commit, dateMilliseconds: 5, usesDifferences: seed % 2 == 0)
        try log.flush()
      }
    }
    let expected = rows(database)
    #expect(!expected.isEmpty)
    let read = try DatabaseFile.read(path)
    #expect(rows(read) == expected)
    #expect(read.checkInvariants() == [])
    let opened = try DatabaseFile.open(path)
    #expect(opened.recovery == .clean)
    let compacted = directory.file("y.db")
    try DatabaseFile.write(opened.database.snapshot, to: compacted, comment: "c", dateMilliseconds: 6)
    #expect(rows(try DatabaseFile.read(compacted)) == expected)
    let replacement = try opened.log.beginReplacement()
    try replacement.append(opened.database.snapshot, comment: "c", dateMilliseconds: 6, isDifference: true)
    try replacement.catchUp()
    try opened.log.finish(replacement)
    #expect(rows(try DatabaseFile.read(path)) == expected)
    #expect(opened.log.recordCount == 2)
    if isPeerInstalled {
      let theirs = directory.file("z.db")
      #expect(try run("ovsdb-tool", ["compact", compacted, theirs]).status == 0)
      #expect(rows(try DatabaseFile.read(theirs)) == expected)
    }
  }
}
