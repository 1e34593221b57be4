// SPDX-License-Identifier: Apache-2.0
//
// Many blocked transactions: which of them a commit has run again, counted by the server (`coverage/read-counter wait_runs`).

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "needs our server and ovsdb-tool"))
struct WaitTests {
  private static let schema: WireJSON = [
    "name": "D", "version": "1.0.0",
    "tables": [
      "T": ["columns": ["n": ["type": "integer"], "s": ["type": "string"]], "isRoot": true],
      "Count": ["columns": ["n": ["type": "integer"]], "isRoot": true],
    ],
  ]

  private static func start() throws -> DatabaseServer { try DatabaseServer(.ours, [.schema(schema)]) }

  private static func wait(_ condition: WireJSON, _ rows: WireJSON = [["n": 7]], until: String = "==", timeout: Int = 600_000) -> WireJSON {
    ["op": "wait", "table": "T", "where": condition, "columns": ["n"], "until": .string(until), "rows": rows, "timeout": .integer(timeout)]
  }

  private static func insert(_ number: Int) -> WireJSON { ["D", ["op": "insert", "table": "T", "row": ["n": .integer(number)]]] }

  private func runs(_ server: DatabaseServer) throws -> Int {
    let result = try server.control("coverage/read-counter", "wait_runs")
    // A counter is there from its first event on.
    guard result.status == 0 else { return 0 }
    return try #require(Int(result.standardOutput.trimmingCharacters(in: .whitespacesAndNewlines)))
  }

  private func waitForTriggers(_ server: DatabaseServer, _ count: Int) throws {
    try waitUntil("\(count) blocked transactions", seconds: 60) {
      let words = try server.command("memory/show").split { " \n".contains($0) }
      return words.contains("triggers:\(count)") || (count == 0 && !words.contains { $0.hasPrefix("triggers:") })
    }
  }

  @Test func aCommitRunsOnlyTheWaitsThatReadWhatItTouches() throws {
    let server = try Self.start()
    let (waiting, writer) = (try server.session(), try server.session())
    for number in 1000..<1200 { try waiting.request("transact", ["D", Self.wait([["n", "==", .integer(number)]])], id: "\(number)") }
    try waitForTriggers(server, 200)
    let before = try runs(server)
    for number in 0..<100 { try writer.call("transact", Self.insert(number)) }
    // Other columns of rows that are looked at make no difference, either.
    try writer.call("transact", Self.insert(1000))
    try writer.call("transact", ["D", ["op": "update", "table": "T", "where": [["n", "==", 1000]], "row": ["s": "x"]]])
    #expect(try runs(server) - before == 1)
  }

  @Test func equalWaitsAreDecidedOnceACommit() throws {
    let server = try Self.start()
    var clients = try (0..<4).map { _ in try server.session() }
    let writer = try server.session()
    for client in clients { for number in 0..<50 { try client.request("transact", ["D", Self.wait([])], id: "\(number)") } }
    try waitForTriggers(server, 200)
    let before = try runs(server)
    for number in 0..<20 { try writer.call("transact", Self.insert(number)) }
    #expect(try runs(server) - before == 20)
    // One that goes away leaves the others awake.
    clients.removeFirst()
    try waitForTriggers(server, 150)
    try writer.call("transact", ["D", ["op": "delete", "table": "T", "where": []]])
    try writer.call("transact", Self.insert(7))
    for client in clients {
      for number in 0..<50 { #expect(try client.receive(untilReplyTo: "\(number)").last?.json["result"] == [[:]]) }
    }
  }

  /// The first of equal transactions changes what the others wait for: they are woken, and wait again.
  @Test func onlyOneOfEqualTransactionsTakesWhatAllWaitFor() throws {
    let server = try Self.start()
    let (clients, writer) = (try (0..<3).map { _ in try server.session() }, try server.session())
    let take: WireJSON = ["op": "delete", "table": "T", "where": [["n", "==", 7]]]
    for client in clients { try client.request("transact", ["D", Self.wait([["n", "==", 7]]), take], id: "w") }
    try waitForTriggers(server, 3)
    for left in [2, 1, 0] {
      try writer.call("transact", Self.insert(7))
      try waitForTriggers(server, left)
    }
    for client in clients { #expect(try client.receive(untilReplyTo: "w").last?.json["result"] == [[:], ["count": 1]]) }
  }

  /// The last of a thousand waits is another client's: it is the second that is run.
  @Test func aClientWithManyWaitsHoldsUpNoOther() throws {
    let server = try Self.start()
    let (busy, light, writer) = (try server.session(), try server.session(), try server.session())
    try writer.call("transact", ["D", ["op": "insert", "table": "Count", "row": [:]]])
    func transaction(_ number: Int) -> WireJSON {
      [
        "D", Self.wait([["n", "==", 7]], timeout: 600_000 + number),
        ["op": "mutate", "table": "Count", "where": [], "mutations": [["n", "+=", 1]]],
        ["op": "select", "table": "Count", "where": [], "columns": ["n"]],
      ]
    }
    for number in 0..<300 { try busy.request("transact", transaction(number), id: "\(number)") }
    try waitForTriggers(server, 300)
    try light.request("transact", transaction(300), id: "w")
    try waitForTriggers(server, 301)
    try writer.call("transact", Self.insert(7))
    let reply = try #require(try light.receive(untilReplyTo: "w").last?.json)
    #expect(reply["result"]?[2]?["rows"]?[0]?["n"] == 2)
    try waitForTriggers(server, 0)
  }
}
