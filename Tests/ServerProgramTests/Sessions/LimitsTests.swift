// SPDX-License-Identifier: Apache-2.0
//
// What clients can make the server hold is bounded, and what is large arrives whole (Documentation/reliability.md, "Bounded memory").

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct LimitsTests {
  private static let schema: WireJSON = [
    "name": "D", "version": "1.0.0",
    "tables": ["T": ["columns": ["n": ["type": "integer"], "s": ["type": "string"]], "isRoot": true]],
  ]
  private static let rowCount = 3000

  private func fill(_ session: WireSession, _ count: Int = rowCount) throws {
    let text = WireJSON.string(String(repeating: "x", count: 200))
    for start in stride(from: 0, to: count, by: 500) {
      let inserts: [WireJSON] = (start..<min(count, start + 500)).map {
        ["op": "insert", "table": "T", "row": ["n": .integer($0), "s": text]]
      }
      try session.call("transact", .array(["D"] + inserts))
    }
  }

  private func setAll(_ session: WireSession, to number: Int) throws {
    let update: WireJSON = ["op": "update", "table": "T", "where": [], "row": ["n": .integer(number)]]
    try session.call("transact", ["D", update])
  }

  private func tag(_ reply: WireJSON) -> String? { reply["error"]?["error"]?.stringValue }

  @Test func largeRepliesArriveWholeAndInOrder() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)])
    let session = try server.session()
    try fill(session)
    let select: WireJSON = ["op": "select", "table": "T", "where": []]
    let narrow: WireJSON = ["op": "select", "table": "T", "where": [["n", "<", 5]], "columns": ["n"], "sort": ["n"]]
    // Several in one transaction, with others before and behind it in one go.
    try session.request("echo", ["before"], id: "a")
    try session.request("transact", ["D", select, narrow, select], id: "b")
    try session.request("monitor_cond_since", ["D", "m", ["T": [:]], "00000000-0000-0000-0000-000000000000"], id: "c")
    try session.request("echo", ["behind"], id: "d")
    let replies = try session.receive(untilReplyTo: "d").map(\.json)
    #expect(replies.map { $0["id"]?.stringValue } == ["a", "b", "c", "d"])
    let results = try #require(replies[1]["result"]?.elements)
    #expect(results.map { $0["rows"]?.elements?.count } == [Self.rowCount, 5, Self.rowCount])
    #expect(results[1].text == #"{"rows":[{"n":0},{"n":1},{"n":2},{"n":3},{"n":4}]}"#)
    #expect(replies[2]["result"]?[2]?["T"]?.members?.count == Self.rowCount)
    // A failing operation behind large ones leaves theirs as they are.
    let bad = try session.exchange("transact", ["D", select, ["op": "select", "table": "T", "where": [["none", "==", 1]]]]).reply
    #expect(bad["result"]?[0]?["rows"]?.elements?.count == Self.rowCount)
    #expect(bad["result"]?[1]?["error"] != nil)
  }

  @Test func clientsThatComeTogetherGetTheRowsOfOneMomentAndWhatCameAfter() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)])
    let writer = try server.session()
    try fill(writer)
    let clients = try (0..<10).map { _ in try server.session() }
    for (number, client) in clients.enumerated() {
      try client.request("monitor_cond", ["D", "m", ["T": ["columns": ["n"]]]], id: "m")
      try setAll(writer, to: -number)
    }
    for client in clients {
      try client.request("echo", [], id: "e")
      var values: [String: String] = [:]
      for message in try client.receive(untilReplyTo: "e") {
        let rows = message.json["result"]?["T"] ?? message.json["params"]?[1]?["T"]
        for row in rows?.members ?? [] {
          let change = row.value["initial"] ?? row.value["modify"]
          // A column that is left out of initial rows has its default.
          values[row.name] = change?["n"]?.text ?? "0"
        }
      }
      #expect(values.count == Self.rowCount)
      #expect(Set(values.values) == ["-9"])
    }
  }

  @Test func aClientThatDoesNotReadIsToldTheSumOfWhatItMissed() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)])
    let writer = try server.session()
    try fill(writer)
    let reader = try server.session()
    _ = try reader.call("monitor_cond", ["D", "m", ["T": [:]]])
    for number in 1...40 { try setAll(writer, to: -number) }
    // It asks for a great deal, too, and does not read that either.
    for number in 0..<20 { try reader.request("transact", ["D", ["op": "select", "table": "T", "where": []]], id: .integer(number)) }
    try writer.call("transact", ["D", ["op": "delete", "table": "T", "where": [["n", "==", 1]]]])
    let shown = try run(Side.peer.tool("ovs-appctl"), ["-t", server.controlSocket, "memory/show"], in: server.directory)
    #expect(shown.standardOutput.contains("backlog:"))

    try reader.request("echo", [], id: "e")
    let messages = try reader.receive(untilReplyTo: "e")
    #expect(messages.count { $0.method == "update2" } < 40)
    var values: [String: String] = [:]
    for message in messages where message.method == "update2" {
      for row in message.json["params"]?[1]?["T"]?.members ?? [] { values[row.name] = row.value["modify"]?["n"]?.text }
    }
    #expect(values.count == Self.rowCount && Set(values.values) == ["-40"])
    #expect(messages.count { $0.json["result"]?[0]?["rows"]?.elements?.count == Self.rowCount } == 20)
  }

  @Test func whatIsKeptForOneClientIsCounted() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)])
    let session = try server.session()
    for number in 0..<1000 {
      _ = try session.call("monitor", ["D", .integer(number), ["T": [:]]])
      _ = try session.call("lock", [.string("l\(number)")])
    }
    #expect(tag(try session.exchange("monitor", ["D", 1000, ["T": [:]]]).reply) == "resources exhausted")
    #expect(tag(try session.exchange("lock", ["one_more"]).reply) == "resources exhausted")
    // What is given back can be had again, and others have their own.
    _ = try session.call("monitor_cancel", [7])
    _ = try session.call("monitor", ["D", 1000, ["T": [:]]])
    _ = try session.call("unlock", ["l7"])
    _ = try session.call("lock", ["one_more"])
    let other = try server.session()
    _ = try other.call("monitor", ["D", 0, ["T": [:]]])
  }

  @Test func namesThatClientsGiveHaveALimitInBytes() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)])
    let session = try server.session()
    let longest = WireJSON.string(String(repeating: "l", count: 4096))
    let tooLong = WireJSON.string(String(repeating: "l", count: 4097))
    let manyParts = WireJSON.array(Array(repeating: 1, count: 4096))
    func details(_ method: String, _ params: WireJSON, id: WireJSON = 1) throws -> String? {
      try session.request(method, params, id: id)
      let reply = try #require(session.receive(untilReplyTo: id).last?.json)
      #expect(reply["error"] == .null || tag(reply) == "resources exhausted", "\(method)")
      return reply["error"]?["details"]?.stringValue
    }
    for method in ["lock", "steal"] { #expect(try details(method, [tooLong]) == "the name of a lock may have 4096 bytes") }
    #expect(try details("lock", [longest]) == nil)
    let monitor = "the id of a monitor may have 4096 bytes"
    for id in [tooLong, manyParts] { #expect(try details("monitor", ["D", id, ["T": [:]]]) == monitor) }
    #expect(try details("monitor_cond", ["D", longest, ["T": [:]]]) == nil)
    #expect(try details("monitor_cond_change", [longest, tooLong, [:]]) == monitor)
    let request = "the id of a request may have 4096 bytes"
    for id in [tooLong, manyParts] {
      #expect(try details("list_dbs", [], id: id) == request)
      #expect(try details("transact", ["D"], id: id) == request)
    }
    #expect(try details("list_dbs", [], id: longest) == nil)

    // Of rows: where it is given, and where it is used.
    let insert: WireJSON = ["op": "insert", "table": "T", "row": [:], "uuid-name": tooLong]
    let use: WireJSON = ["op": "delete", "table": "T", "where": [["_uuid", "==", ["named-uuid", tooLong]]]]
    for operation in [insert, use] {
      let result = try session.call("transact", ["D", operation])[0]
      #expect(result?["details"] == "the name of a row may have 4096 bytes")
    }
    _ = try session.call("transact", ["D", ["op": "insert", "table": "T", "row": [:], "uuid-name": longest]])
  }

  @Test func aThousandWaitsThatWakeOneAnotherAreAnswered() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)])
    let session = try server.session()
    try session.call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 0]]])
    for number in 1...1000 {
      let wait: WireJSON = [
        "op": "wait", "table": "T", "where": [], "columns": ["n"], "until": "==", "rows": [["n": .integer(number)]],
      ]
      let update: WireJSON = ["op": "update", "table": "T", "where": [], "row": ["n": .integer(number + 1)]]
      try session.request("transact", ["D", wait, update], id: .integer(number))
    }
    let wait: WireJSON = ["op": "wait", "table": "T", "where": [], "columns": ["n"], "until": "==", "rows": [["n": -1]]]
    try session.request("transact", ["D", wait], id: "one more")
    let refused = try #require(session.receive(untilReplyTo: "one more").last).json
    #expect(tag(refused) == "resources exhausted")
    try setAll(try server.session(), to: 1)
    _ = try session.receive(untilReplyTo: .integer(1000), seconds: 60)
    let rows = try server.session().call("transact", ["D", ["op": "select", "table": "T", "where": [], "columns": ["n"]]])
    #expect(rows[0]?["rows"]?[0]?["n"]?.text == "1001")
  }

  @Test func noMoreSessionsThanMayBe() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)], options: ["--max-sessions=2"])
    let first = try server.session()
    _ = try first.call("list_dbs", [])
    // The client that watched the start may be on its way out.
    try waitUntil("two sessions are served", seconds: 60) {
      let second = try server.session()
      guard (try? second.call("list_dbs", [])) != nil else { return false }
      let third = try server.session()
      #expect((try? third.call("list_dbs", [])) == nil)
      return true
    }
    _ = try first.call("list_dbs", [])
  }

  @Test func aMessageWithoutEndEndsItsConnection() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)], options: ["--max-message-size=1000000"])
    let other = try server.session()
    let session = try server.session()
    let piece = Array(repeating: UInt8(ascii: "x"), count: 100_000)
    try? session.send(Array(#"{"id":1,"method":"echo","params":[""#.utf8))
    // The server may hang up at any of them.
    for _ in 0..<20 { try? session.send(piece) }
    #expect((try? session.receiveUntilClosed(seconds: 60))?.isEmpty ?? true)
    _ = try other.call("list_dbs", [])
  }
}
