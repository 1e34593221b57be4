// SPDX-License-Identifier: Apache-2.0
//
// Clients that live and cannot show it at the moment a probe wants them to: nobody is cut for a silence that is the server's, and any
// byte counts (Documentation/reliability.md, "Connections").

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct FalseDeathTests {
  private static let schema: WireJSON = [
    "name": "D", "version": "1.0.0",
    "tables": ["T": ["columns": ["n": ["type": "integer"], "s": ["type": "string"]], "isRoot": true]],
  ]

  /// A server that asks who is silent for a second, and drops who is silent for another.
  private static func start() throws -> RemoteServer {
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("db", schema, in: directory)
    let configuration = #"{"remotes": {"punix:db.sock": {"inactivity-probe": 1000}, "punix:calm.sock": {"inactivity-probe": 0}}, "databases": {"db": null}}"#
    try write(configuration, to: directory.path("config.json"))
    return try RemoteServer(["--config-file=config.json"], directory: directory)
  }

  private static func fill(_ session: WireSession, rows: Int, size: Int) throws {
    let text = WireJSON.string(String(repeating: "x", count: size))
    for start in stride(from: 0, to: rows, by: 500) {
      let inserts: [WireJSON] = (start..<min(rows, start + 500)).map {
        ["op": "insert", "table": "T", "row": ["n": .integer($0), "s": text]]
      }
      try session.call("transact", .array(["D"] + inserts))
    }
  }

  /// The control: who says nothing and answers nothing is dropped.
  @Test func theDeadAreDropped() throws {
    let server = try Self.start()
    let session = try server.session()
    #expect(try session.receiveUntilClosed(seconds: 60).allSatisfy { $0.method == "echo" })
    try server.waitForLog("no response to inactivity probe after 1 seconds, disconnecting")
  }

  @Test func whoSendsALongMessageSlowlyLivesThoughItAnswersNoProbe() throws {
    let server = try Self.start()
    let session = try server.session()
    try session.send(Array(#"{"id":"m","method":"transact","params":["D",{"op":"insert","table":"T","row":{"s":""#.utf8))
    // Twenty times 0.3 s, longer than three probes.
    for _ in 0..<20 {
      try session.send(Array(repeating: UInt8(ascii: "x"), count: 200_000))
      usleep(300_000)
    }
    try session.send(Array(#""}}]}"#.utf8))
    #expect(try session.receive(untilReplyTo: "m", seconds: 60).last?.json["result"]?[0]?["uuid"] != nil)
  }

  @Test func whoReadsALongAnswerSlowlyLivesThoughItAnswersNoProbe() throws {
    let server = try Self.start()
    try Self.fill(server.session("calm.sock"), rows: 4000, size: 1000)
    let session = try server.session()
    try session.request("monitor_cond", ["D", "m", ["T": [:]]], id: "m")
    // 4 MB at a steady pace, longer than three probes.
    for _ in 0..<20 {
      #expect(try session.receiveSome(150_000) > 0)
      usleep(250_000)
    }
    let reply = try #require(session.receive(untilReplyTo: "m", seconds: 60).last)
    #expect(reply.json["result"]?["T"]?.members?.count == 4000)
    #expect(!server.log.contains("no response to inactivity probe"))
  }

  @Test func nobodyIsCutBecauseTheServerWasBusyAndEchosAreAnswered() throws {
    let server = try Self.start()
    let calm = try server.session("calm.sock")
    try Self.fill(calm, rows: 500, size: 10)
    let busy = try server.session()
    let others = try (0..<5).map { _ in try server.session() }
    // One transaction that takes some seconds, which nothing may interrupt.
    let clauses: [WireJSON] = (0..<8000).map { ["n", "<", .integer(1_000_000 + $0)] }
    let update: WireJSON = ["op": "update", "table": "T", "where": .array(clauses), "row": ["s": "y"]]
    try busy.request("transact", ["D", update, update], id: "t")
    try busy.request("echo", ["behind"], id: "e")
    usleep(100_000)
    for (number, session) in others.enumerated() { try session.request("echo", [.integer(number)], id: "e") }
    // They say nothing more, and answer no probe before theirs is answered.
    for (number, session) in others.enumerated() {
      #expect(try session.receive(untilReplyTo: "e", seconds: 60).last?.json["result"]?[0] == .integer(number))
      try session.request("list_dbs", [], id: "l")
    }
    #expect(try busy.receive(untilReplyTo: "t", seconds: 60).last?.json["result"]?[1]?["count"] == 500)
    #expect(try busy.receive(untilReplyTo: "e", seconds: 60).last?.json["result"]?[0] == "behind")
    for session in others { #expect(try session.receive(untilReplyTo: "l", seconds: 60).last?.json["result"] != nil) }
    #expect(!server.log.contains("no response to inactivity probe"))
  }
}
