// SPDX-License-Identifier: Apache-2.0

import Engine
import JSON
import OVSDB
import TestSupport
import Testing

@testable import Journal

/// A conversion that follows commits ends where the conversion of the last state ends.
@Suite struct ConvertedDatabaseTests {
  /// A history of rows with references of both kinds, sets, maps and an index.
  private static let before = """
    {"name":"D","tables":{"r":{"columns":{"n":{"type":"integer"},"gone":{"type":"string"},\
    "k":{"type":{"key":{"type":"uuid","refTable":"c"},"min":0,"max":"unlimited"}},\
    "o":{"type":{"key":{"type":"uuid","refTable":"c"},"min":0,"max":"unlimited"}},\
    "w":{"type":{"key":{"type":"uuid","refTable":"c","refType":"weak"},"min":0,"max":"unlimited"}},\
    "m":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}}},"isRoot":true},\
    "c":{"columns":{"m":{"type":"integer"}}},"dropped":{"columns":{"m":{"type":"integer"}},"isRoot":true}}}
    """

  /// - Parameter keepsOther: With the column `o`, whose references keep rows of `c`; without it some of these are garbage.
  private static func after(keepsOther: Bool, changes: String = "") -> String {
    let other = keepsOther ? #""o":{"type":{"key":{"type":"uuid","refTable":"c"},"min":0,"max":"unlimited"}},"# : ""
    return """
      {"name":"D","version":"2.0.0","tables":{"added":{"columns":{"z":{"type":"integer"}},"isRoot":true},\
      "c":{"columns":{"m":{"type":{"key":"integer","min":0,"max":1}},"extra":{"type":"string"}}},\
      "r":{"columns":{"n":{"type":"real"},"added":{"type":"integer"},\(other)\
      "k":{"type":{"key":{"type":"uuid","refTable":"c"},"min":0,"max":"unlimited"}},\
      "w":{"type":{"key":{"type":"uuid","refTable":"c","refType":"weak"},"min":0,"max":"unlimited"}},\
      "m":{"type":{"key":"string","value":"real","min":0,"max":"unlimited"}}},"isRoot":true\(changes)}}}
      """
  }

  private struct History {
    let database: Database
    var random: SeededRandom

    init(seed: Int) throws {
      database = Database(schema: try schema(ConvertedDatabaseTests.before), random: RandomSource(seed: UInt64(seed)))
      random = SeededRandom(seed: UInt64(seed))
    }

    private mutating func below(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

    private mutating func references() -> String {
      let names = (0..<5).filter { _ in below(3) == 0 }.map { reference(0x100 + $0) }
      return #"["set",[\#(names.joined(separator: ","))]]"#
    }

    /// A transaction that succeeds; nil when it changed nothing.
    mutating func commit() throws -> Commit? {
      let all = rows(database)
      // The children that are not there are made; those that nobody references vanish at once.
      var operations = (0..<5).compactMap { child -> String? in
        if all.contains(where: { $0.hasPrefix("c \(id(0x100 + child))") }) { return nil }
        return #"{"op":"insert","table":"c","uuid":"\#(id(0x100 + child))","row":{"m":\#(child)}}"#
      }
      let number = below(6) + 1
      let exists = all.contains { $0.hasPrefix("r \(id(number))") }
      if exists, below(4) == 0 {
        operations.append(#"{"op":"delete","table":"r","where":[["_uuid","==",\#(reference(number))]]}"#)
      } else {
        let row = #"""
          {"n":\#(below(50)),"gone":"x","k":\#(references()),"o":\#(references()),"w":\#(references()),\#
          "m":["map",[["a",\#(below(3))]]]}
          """#
        operations.append(
          exists
            ? #"{"op":"update","table":"r","where":[["_uuid","==",\#(reference(number))]],"row":\#(row)}"#
            : #"{"op":"insert","table":"r","uuid":"\#(id(number))","row":\#(row)}"#)
      }
      if below(3) == 0 { operations.append(#"{"op":"insert","table":"dropped","row":{"m":1}}"#) }
      return try transact(database, operations.joined(separator: ","))
    }
  }

  @Test(arguments: 0..<40, [true, false])
  func followingCommitsIsConvertingTheLastState(seed: Int, keepsOther: Bool) throws {
    var history = try History(seed: seed)
    for _ in 0..<10 { _ = try history.commit() }
    let target = try schema(Self.after(keepsOther: keepsOther))
    let directory = try TemporaryDirectory()
    let log = try DatabaseFile.create(directory.file("x.db"), schema: history.database.schema)
    let replacement = try log.beginReplacement()
    let converted = try ConvertedDatabase(history.database.snapshot, to: target)
    try replacement.append(converted.database.snapshot, comment: "c", dateMilliseconds: 1, isDifference: true)
    for round in 0..<8 {
      let commits = try (0..<round).compactMap { _ in try history.commit() }
      do {
        if let commit = try converted.follow(commits) { try replacement.append(commit, dateMilliseconds: 2) }
      } catch {
        // Rows that only the old database has: then the conversion has to begin anew, and says so.
        #expect(converted.hasLostTrack && !keepsOther, "\(error)")
        return
      }
      #expect(converted.database.checkInvariants() == [])
      let expected = try Conversion.convert(history.database.snapshot, to: target, rules: .live)
      #expect(rows(converted.database) == rows(expected))
    }
    try replacement.catchUp(copiesCommits: false)
    try log.swap(to: replacement, copiesCommits: false)
    #expect(rows(try DatabaseFile.read(directory.file("x.db"))) == rows(converted.database))
  }

  @Test func aCommitThatContradictsTheNewSchemaRefusesTheConversion() throws {
    var history = try History(seed: 1)
    let target = try schema(Self.after(keepsOther: true, changes: #","maxRows":2"#))
    let converted = try ConvertedDatabase(history.database.snapshot, to: target)
    var commits: [Commit] = []
    while history.database.tables.first(where: { $0.schema.name == "r" })?.rows.count != 3 {
      if let commit = try history.commit() { commits.append(commit) }
    }
    let error = #expect(throws: OVSDBError.self) { try converted.follow(commits) }
    #expect(error?.tag == .constraintViolation)
    #expect(!converted.hasLostTrack)
    #expect(rows(converted.database).isEmpty)
  }
}
