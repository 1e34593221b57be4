// SPDX-License-Identifier: Apache-2.0
//
// A few rows may be as large as many: what tells of them is made piece by piece, too.

import JSON
import OVSDB
import Testing

@testable import FuzzTargets
@testable import Server

/// Documentation/reliability.md#bounded-memory.
@Suite struct LargeRowsTests {
  private static let count = 10
  private static let size = 20_000
  private static let isLarge = #"[["s","!=",""]]"#

  /// Ten of the rows are large, and no limit of numbers is near.
  ///
  /// - Parameter before: what is done before they are.
  private func makeServer(before: (LongServer) -> Void = { _ in }) throws -> LongServer {
    var limits = Limits()
    limits.inlineRowsMax = 1000
    limits.inlineBytesMax = 100_000
    limits.pieceBytes = 4096
    limits.transactionWorkMax = .max
    let server = try LongServer(limits)
    before(server)
    let text = String(repeating: "x", count: Self.size)
    for number in 0..<Self.count {
      server.send(0, LongServer.transact(number, #"{"op":"update","table":"T","where":[["n","==",\#(number)]],"row":{"s":"\#(text)\#(number)"}}"#))
    }
    server.pass()
    #expect(try server.replies(0).count == Self.count)
    return server
  }

  /// Has a client ask for something that tells all large rows.
  private func ask(_ server: LongServer, _ text: String) throws {
    server.send(1, text)
    #expect(server.isStreaming)
    server.pass()
    let received = try server.received(1).joined()
    for number in 0..<Self.count { #expect(received.contains("x\(number)\"")) }
    #expect(!server.isStreaming)
    server.check()
  }

  @Test(arguments: ["monitor", "monitor_cond", "monitor_cond_since"]) func initialContents(method: String) throws {
    let since = method.hasSuffix("since") ? #","00000000-0000-0000-0000-000000000000""# : ""
    try ask(try makeServer(), #"{"id":1,"method":"\#(method)","params":["db","m",{"T":{"columns":["s"]}}\#(since)]}"#)
  }

  @Test func whatAClientHasMissed() throws {
    var known = ""
    let server = try makeServer { known = $0.database?.database.lastCommitID.description ?? "" }
    try ask(server, #"{"id":1,"method":"monitor_cond_since","params":["db","m",{"T":{"columns":["s"]}},"\#(known)"]}"#)
  }

  @Test func aConditionThatChanges() throws {
    let server = try makeServer()
    server.send(1, #"{"id":0,"method":"monitor_cond","params":["db","m",{"T":{"columns":["s"],"where":[["s","==","none"]]}}]}"#)
    server.pass()
    #expect(try server.replies(1) == ["0 {}"])
    try ask(server, #"{"id":1,"method":"monitor_cond_change","params":["m","m",{"T":[{"where":\#(Self.isLarge)}]}]}"#)
  }

  @Test func aSelect() throws {
    try ask(try makeServer(), LongServer.transact(1, #"{"op":"select","table":"T","where":\#(Self.isLarge)}"#))
  }

  /// What it is owed goes ahead of what the new condition brings, with both in pieces and the reply last.
  @Test func aConditionThatChangesWhileMuchIsOwed() throws {
    let server = try makeServer()
    server.embedded.server.slowWork.delays = { lane in
      lane.name.hasPrefix("sync") ? (.zero, .seconds(20)) : (.milliseconds(1), .zero)
    }
    server.send(1, #"{"id":0,"method":"monitor_cond","params":["db","m",{"T":{"columns":["s"],"where":\#(Self.isLarge)}}]}"#)
    server.pass()
    _ = try server.replies(1)
    server.send(1, LongServer.transact(7, LongServer.insert(-1) + #",{"op":"commit","durable":true}"#))
    let text = String(repeating: "y", count: Self.size)
    for number in 0..<Self.count {
      server.send(0, LongServer.transact(number, #"{"op":"update","table":"T","where":[["n","==",\#(number)]],"row":{"s":"\#(text)\#(number)"}}"#))
    }
    server.send(1, #"{"id":8,"method":"monitor_cond_change","params":["m","m",{"T":[{"where":[true]}]}]}"#)
    #expect(server.heldBytesMax < 3 * Self.size)
    #expect(try server.replies(1) == [])
    server.pass(seconds: 21)
    let replies = try server.received(1)
    #expect(replies.first?.contains(#""id":7"#) == true)
    #expect(replies.last?.contains(#""id":8"#) == true)
    let updates = replies.filter { $0.contains("update2") }
    for number in 0..<Self.count { #expect(updates.dropLast().joined().contains("y\(number)\"")) }
    #expect(updates.last?.contains("insert") == true)
    server.check()
  }
}
