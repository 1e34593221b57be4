// SPDX-License-Identifier: Apache-2.0
//
// What the scenario files cannot say: outcomes besides the reply, sessions' circumstances, commits, sizes.

import Engine
import JSON
import OVSDB
import Testing

@Suite struct TransactionTests {
  static let tables = """
    {"A":{"columns":{"n":{"type":"integer"},"s":{"type":{"key":"string","min":0,"max":"unlimited"}},
      "e":{"type":"integer","ephemeral":true}},"isRoot":true,"indexes":[["n"]]},"B":{"columns":{"n":{"type":"integer"}},"isRoot":true}}
    """

  /// RFC 7047 §5.2.6, and Documentation/protocol/transactions.md#wait.
  @Test func aWaitIsBlockedUntilItsTimeIsUp() throws {
    let database = try makeDatabase(Self.tables)
    func wait(_ timeout: String) -> String {
      #"{"op":"wait","table":"A","where":[],"columns":["n"],"until":"==","rows":[{"n":1}]\#(timeout)}"#
    }
    let blocked = try database.run(#"{"op":"insert","table":"B","row":{}},"# + wait(",\"timeout\":100"))
    guard case .blocked(let timeout, let reads) = blocked.outcome else {
      Issue.record("\(blocked)")
      return
    }
    #expect(timeout == 100)
    #expect(reads.rows.contains { $0.table.name == "A" })
    #expect(blocked.text == "")
    #expect(database.contents.isEmpty)

    let endless = try database.run(wait(""))
    guard case .blocked(nil, _) = endless.outcome else {
      Issue.record("\(endless)")
      return
    }
    for elapsed in [100, 101] as [Int64] {
      let late = try database.run(wait(",\"timeout\":100"), context: TransactionContext(elapsedMilliseconds: elapsed))
      #expect(late.text == "[{\"details\":\"\\\"wait\\\" timed out after \(elapsed) ms\",\"error\":\"timed out\"}]")
    }
    let early = try database.run(wait(",\"timeout\":100"), context: TransactionContext(elapsedMilliseconds: 99))
    guard case .blocked = early.outcome else {
      Issue.record("\(early)")
      return
    }
    let offline = try database.run(wait(",\"timeout\":100"), context: TransactionContext(canWait: false))
    #expect(offline.text == #"[{"details":"triggers not supported","error":"not supported"}]"#)
    let largest = try database.run(wait(",\"timeout\":9223372036854775807"))
    guard case .blocked(.max, _) = largest.outcome else {
      Issue.record("\(largest)")
      return
    }
  }

  /// Documentation/protocol/transactions.md#refusals: the refusal stands at the operation's place, and a mistake of the operation itself
  /// comes first.
  @Test func readOnlySessionsMayNotWrite() throws {
    let database = try makeDatabase(Self.tables)
    let readOnly = TransactionContext(isReadOnly: true)
    for (name, rest) in [
      ("insert", #","table":"A","row":{}"#), ("update", #","table":"A","where":[],"row":{}"#),
      ("mutate", #","table":"A","where":[],"mutations":[]"#), ("delete", #","table":"A","where":[]"#),
      ("commit", #","durable":true"#),
    ] {
      let result = try database.run(#"{"op":"comment","comment":"x"},{"op":"\#(name)"\#(rest)},{"op":"abort"}"#, context: readOnly)
      let refusal = "\(name) operation not allowed when database server is in read only mode"
      #expect(result.text == "[{},{\"details\":\"\(refusal)\",\"error\":\"not allowed\"},null]")
    }
    let mistaken = try database.run(#"{"op":"insert","table":"A","row":{"n":"x"}}"#, context: readOnly)
    #expect(mistaken.text == #"[{"details":"expected integer","error":"syntax error","syntax":"\"x\""}]"#)
    let reading = try database.run(
      #"{"op":"select","table":"A","where":[]},{"op":"comment","comment":"x"},"#
        + #"{"op":"wait","table":"A","where":[],"until":"==","rows":[],"timeout":0}"#, context: readOnly)
    #expect(reading.text == #"[{"rows":[]},{},{}]"#)
  }

  /// RFC 7047 §5.2.10.
  @Test func assertionsAskTheSession() throws {
    let database = try makeDatabase(Self.tables)
    let context = TransactionContext(ownsLock: { $0 == "mine" })
    #expect(try database.run(#"{"op":"assert","lock":"mine"}"#, context: context).text == "[{}]")
    #expect(
      try database.run(#"{"op":"assert","lock":"yours"}"#, context: context).text
        == #"[{"details":"Asserted lock yours not held.","error":"not owner"}]"#)
  }

  /// RFC 7047 §5.2.7 and §5.2.9.
  @Test func commitsTellCommentsAndDurability() throws {
    let database = try makeDatabase(Self.tables)
    let result = try database.run(
      #"{"op":"comment","comment":"one"},{"op":"insert","table":"A","row":{}},{"op":"commit","durable":true},"#
        + #"{"op":"comment","comment":"two"},{"op":"commit","durable":false}"#)
    #expect(result.isDurable)
    #expect(result.commit?.comment == "one\ntwo")
    #expect(result.commit?.sequence == 1)
    let plain = try database.run(#"{"op":"insert","table":"A","row":{"n":1}},{"op":"commit","durable":false}"#)
    #expect(!plain.isDurable)
    #expect(plain.commit?.comment == nil)
    #expect(plain.commit?.sequence == 2)
  }

  /// Documentation/protocol/transactions.md#commit-checks: rows without a net change are dropped, and keep their version.
  @Test func withoutANetChangeThereIsNoCommit() throws {
    let database = try makeDatabase(Self.tables)
    _ = try database.run(#"{"op":"insert","table":"A","row":{"n":1,"s":["set",["a","b"]]}}"#)
    let contents = database.contents
    for operations in [
      "", #"{"op":"comment","comment":"x"}"#, #"{"op":"update","table":"A","where":[],"row":{"n":1}}"#,
      #"{"op":"update","table":"A","where":[],"row":{"n":2}},{"op":"update","table":"A","where":[],"row":{"n":1}}"#,
      #"{"op":"mutate","table":"A","where":[],"mutations":[["n","+=",1],["n","-=",1],["s","insert","a"]]}"#,
      #"{"op":"insert","table":"A","row":{"n":7}},{"op":"delete","table":"A","where":[["n","==",7]]}"#,
      #"{"op":"delete","table":"A","where":[["n","==",5]]}"#,
    ] {
      let result = try database.run(operations)
      guard case .committed(nil, _) = result.outcome else {
        Issue.record("\(operations) \(result)")
        return
      }
      #expect(database.contents == contents)
    }
    #expect(database.sequence == 1)
    let changed = try database.run(#"{"op":"update","table":"A","where":[],"row":{"n":2}}"#)
    #expect(changed.commit?.tables.count == 1)
    #expect(database.contents != contents)
  }

  /// Documentation/protocol/transactions.md#durability: only changes of persistent columns are written.
  @Test func ephemeralColumnsAreNotPersistent() throws {
    let database = try makeDatabase(Self.tables)
    #expect(try database.run(#"{"op":"insert","table":"A","row":{"e":1}}"#).commit?.isPersistent == true)
    #expect(try database.run(#"{"op":"update","table":"A","where":[],"row":{"e":2}}"#).commit?.isPersistent == false)
    #expect(try database.run(#"{"op":"update","table":"A","where":[],"row":{"e":3,"n":3}}"#).commit?.isPersistent == true)
    #expect(try database.run(#"{"op":"delete","table":"A","where":[]}"#).commit?.isPersistent == true)
  }

  /// architecture, invariant 1: a published row never changes, and a snapshot stays as it was.
  @Test func snapshotsStayAsTheyWere() throws {
    let database = try makeDatabase(Self.tables)
    _ = try database.run(#"{"op":"insert","table":"A","row":{"n":1}}"#)
    let snapshot = database.snapshot
    let row = try #require(snapshot.tables[0].rows.values.first)
    _ = try database.run(#"{"op":"update","table":"A","where":[],"row":{"n":2}}"#)
    _ = try database.run(#"{"op":"delete","table":"A","where":[]}"#)
    let column = try #require(database.schema.tables[0].column(named: "n"))
    #expect(snapshot.tables[0].rows.count == 1)
    #expect(snapshot.tables[0].rows.values.first?[column] == .integer(1))
    #expect(row[column] == .integer(1))
    #expect(database.tables[0].rows.isEmpty)
  }

  /// A reply is what was in the writer and then the result array, whatever becomes of the transaction.
  @Test(arguments: [
    #"{"op":"insert","table":"A","row":{}}"#, #"{"op":"abort"}"#,
    #"{"op":"wait","table":"A","where":[],"until":"!=","rows":[]}"#, "1", "",
    #"{"op":"insert","table":"B","row":{}},{"op":"insert","table":"A","row":{"n":1}},{"op":"insert","table":"A","row":{"n":1}}"#,
  ])
  func whatStoodInTheWriterStays(_ operations: String) throws {
    let database = try makeDatabase(Self.tables)
    let document = try JSONDocument.parse(operations.isEmpty ? "[\"db\"]" : "[\"db\",\(operations)]")
    var writer = ByteWriter()
    writer.append("before")
    let outcome = document.withRoot { database.transact(params: $0, context: TransactionContext(), into: &writer) }
    #expect(writer.string.hasPrefix("before"))
    if case .blocked = outcome {
      #expect(writer.string == "before")
    } else {
      _ = try JSONDocument.parse(String(writer.string.dropFirst(6)))
    }
  }

  /// RFC 7047 §5.2.1: conditions on an index find rows of the transaction as well as committed ones.
  @Test func indexesAreUsedTogetherWithWhatTheTransactionChanged() throws {
    let database = try makeDatabase(Self.tables)
    let inserts = (0..<20).map { #"{"op":"insert","table":"A","row":{"n":\#($0)}}"# }.joined(separator: ",")
    _ = try database.run(inserts)
    func select(_ n: Int) -> String { #"{"op":"select","table":"A","where":[["n","==",\#(n)]],"columns":["n"]}"# }
    let result = try database.run(
      #"{"op":"update","table":"A","where":[["n","==",3]],"row":{"n":103}},"# + select(3) + "," + select(103)
        + #",{"op":"insert","table":"A","row":{"n":3}},"# + select(3) + #",{"op":"delete","table":"A","where":[["n","==",4]]},"#
        + select(4) + "," + select(5))
    #expect(
      result.text.replacing(/"[0-9a-f-]{36}"/, with: "U")
        == #"[{"count":1},{"rows":[]},{"rows":[{"n":103}]},{"uuid":["uuid",U]},{"rows":[{"n":3}]},{"count":1},{"rows":[]},{"rows":[{"n":5}]}]"#
    )
    #expect(database.checkInvariants().isEmpty)
  }

  /// A transaction of ten thousand operations that find their rows by name or index does not look through all of them each time.
  @Test func manyOperationsThatNameTheirRowsAreDoneInOneTransaction() throws {
    let database = try makeDatabase(Self.tables)
    let count = 10_000
    let operations = (0..<count).flatMap { number in
      [
        #"{"op":"insert","table":"A","row":{"n":\#(number)}}"#,
        #"{"op":"update","table":"A","where":[["n","==",\#(number)]],"row":{"e":1}}"#,
      ]
    }
    let result = try database.run(operations.joined(separator: ","))
    #expect(result.commit?.tables.first?.rows.count == count)
    #expect(database.checkInvariants().isEmpty)
  }

  /// A long chain of rows that nothing holds any more is collected without recursion, and many referrers lose one row at once.
  @Test func longChainsAndManyReferrersAreDealtWith() throws {
    let database = try makeDatabase(
      """
      {"P":{"columns":{"c":{"type":{"key":{"type":"uuid","refTable":"C"},"min":0}},
        "w":{"type":{"key":{"type":"uuid","refTable":"C","refType":"weak"},"min":0,"max":"unlimited"}}},"isRoot":true},
      "C":{"columns":{"next":{"type":{"key":{"type":"uuid","refTable":"C"},"min":0}}}}}
      """)
    let count = 5000
    func uuid(_ number: Int) -> String { "[\"uuid\",\"\(UUID(high: 0x4000, low: UInt64(number)))\"]" }
    func name(_ number: Int) -> String { "\"\(UUID(high: 0x4000, low: UInt64(number)))\"" }
    let chain = (1...count).map { number in
      let next = number < count ? "\"next\":\(uuid(number + 1))" : ""
      return "{\"op\":\"insert\",\"table\":\"C\",\"uuid\":\(name(number)),\"row\":{\(next)}}"
    }
    let referrers = (0..<count).map { _ in
      "{\"op\":\"insert\",\"table\":\"P\",\"row\":{\"w\":[\"set\",[\(uuid(1)),\(uuid(2))]]}}"
    }
    let holder = "{\"op\":\"insert\",\"table\":\"P\",\"row\":{\"c\":\(uuid(1))}}"
    #expect(try database.run((chain + referrers + [holder]).joined(separator: ",")).commit != nil)
    #expect(database.tables[0].rows.count == count)
    #expect(database.checkInvariants().isEmpty)

    let result = try database.run("{\"op\":\"update\",\"table\":\"P\",\"where\":[],\"row\":{\"c\":[\"set\",[]]}}")
    let commit = try #require(result.commit)
    #expect(commit.tables.map(\.rows.count) == [count, count + 1])
    #expect(database.tables[0].rows.isEmpty)
    #expect(database.tables[0].weakReferrers.isEmpty)
    #expect(database.checkInvariants().isEmpty)
  }

  /// RFC 7047 §5.1 (`<named-uuid>`), with names that are given their UUID after they were used.
  @Test func namesUsedBeforeTheirRowsMeanThoseRows() throws {
    let database = try makeDatabase(
      #"{"P":{"columns":{"c":{"type":{"key":{"type":"uuid","refTable":"C"}}}},"isRoot":true},"C":{"columns":{"n":{"type":"integer"}}}}"#)
    let uuid = "0f000000-0000-4000-8000-000000000001"
    let result = try database.run(
      #"{"op":"insert","table":"P","row":{"c":["named-uuid","x"]}},"#
        + #"{"op":"insert","table":"C","row":{},"uuid-name":"x","uuid":"\#(uuid)"}"#)
    #expect(result.commit != nil, "\(result.text)")
    #expect(database.checkInvariants().isEmpty)
  }

  /// As versions after 3.1.0 word it.
  @Test func aRepeatedUUIDIsReportedWithItsTable() throws {
    let database = try makeDatabase(Self.tables)
    let insert = #"{"op":"insert","table":"B","row":{},"uuid":"0f000000-0000-4000-8000-000000000001"}"#
    _ = try database.run(insert)
    let details = #"""
      This UUID would duplicate a UUID already present within the \"B\" table or deleted from this table within the same transaction.
      """#
    for operations in [insert, #"{"op":"delete","table":"B","where":[]},"# + insert] {
      #expect(try database.run(operations).text.contains(details))
    }
  }

  /// As in versions after 3.1.0, whichever of the two has the smaller UUID.
  @Test(arguments: [1, 9]) func theRowThatWasThereIsNamedFirst(_ number: Int) throws {
    let database = try makeDatabase(Self.tables)
    func uuid(_ number: Int) -> String { "0f000000-0000-4000-8000-00000000000\(number)" }
    _ = try database.run(#"{"op":"insert","table":"A","row":{"n":7},"uuid":"\#(uuid(5))"}"#)
    let result = try database.run(#"{"op":"insert","table":"A","row":{"n":7},"uuid":"\#(uuid(number))"}"#)
    #expect(
      result.text.contains(
        """
        First row, with UUID \(uuid(5)), existed in the database before this transaction and was not modified by the transaction.  \
        Second row, with UUID \(uuid(number)), was inserted by this transaction.
        """), "\(result.text)")
  }

  /// As in versions after 3.1.0: who changes nothing needs no permission.
  @Test func aMutationOfNothingNeedsNoPermission() throws {
    let roles = #"""
      {"RBAC_Role":{"columns":{"name":{"type":"string"},"permissions":{"type":{"key":"string",
        "value":{"type":"uuid","refTable":"RBAC_Permission"},"min":0,"max":"unlimited"}}},"isRoot":true},
      "RBAC_Permission":{"columns":{"table":{"type":"string"}},"isRoot":true},
      "T":{"columns":{"n":{"type":"integer"}},"isRoot":true}}
      """#
    let database = try makeDatabase(roles)
    _ = try database.run(#"{"op":"insert","table":"T","row":{}},{"op":"insert","table":"T","row":{}}"#)
    let context = TransactionContext(role: AccessRole(name: "r", client: "c"))
    let nothing = try database.run(#"{"op":"mutate","table":"T","where":[],"mutations":[]}"#, context: context)
    #expect(nothing.text == #"[{"count":2}]"#)
    let something = try database.run(#"{"op":"mutate","table":"T","where":[],"mutations":[["n","+=",1]]}"#, context: context)
    #expect(try something.errorTag == "permission error")
  }
}
