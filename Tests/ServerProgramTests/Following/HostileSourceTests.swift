// SPDX-License-Identifier: Apache-2.0
//
// Servers that follow a source which lies, is silent, talks without end, or is themselves: they say so in the log, keep what they have,
// and go on when there is something better.

import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "needs our server and the tools"))
struct HostileSourceTests {
  private static let schema: WireJSON = [
    "name": "D", "version": "1.0.0",
    "tables": [
      "T": [
        "columns": ["n": ["type": "integer"], "c": ["type": ["key": ["type": "uuid", "refTable": "T"], "min": 0, "max": 1]]],
        "indexes": [["n"]], "isRoot": true, "maxRows": 5,
      ]
    ],
  ]

  private static let row = "10000000-0000-4000-8000-000000000001"
  private static let other = "10000000-0000-4000-8000-000000000002"

  /// What a source tells as its contents, and what is wrong with it.
  static let lies: [(contents: String, isPlain: Bool)] = [
    (#"[]"#, true), (#"{"T": []}"#, true), (#"{"T": {"x": {}}}"#, true),
    (#"{"T": {"\#(row)": 3}}"#, true), (#"{"T": {"\#(row)": {}}}"#, true),
    (#"{"No": {"\#(row)": {"new": {}, "insert": {}}}}"#, true),
    (#"{"T": {"\#(row)": {"new": {"no": 1}, "insert": {"no": 1}}}}"#, true),
    (#"{"T": {"\#(row)": {"new": {"n": "text"}, "insert": {"n": "text"}}}}"#, true),
    (#"{"T": {"\#(row)": {"new": {"n": 1, "_version": 4}, "insert": {"n": 1, "_version": 4}}}}"#, true),
    (#"{"T": {"\#(row)": {"new": {"c": ["uuid", "\#(other)"]}, "insert": {"c": ["uuid", "\#(other)"]}}}}"#, true),
    (#"{"T": {"\#(row)": {"new": {"n": 1}, "insert": {"n": 1}}, "\#(other)": {"new": {"n": 1}, "insert": {"n": 1}}}}"#, true),
    (#"{"T": {"\#(row)": {"modify": {"n": 4}}}}"#, false), (#"{"T": {"\#(row)": {"delete": null}}}"#, false),
  ]

  private func waitForLog(_ server: DatabaseServer, _ texts: String...) throws {
    do {
      try waitUntil("\(texts) in the log", seconds: 60) {
        let log = try readText(server.logPath)
        return texts.contains { log.contains($0) }
      }
    } catch {
      throw ProcessError("\(error)\n\(server.fate)\n\(server.diagnosis)")
    }
  }

  @Test(arguments: lies.indices)
  func aRelayTakesNothingThatCannotBeAndServesWhenTheSourceIsHonest(position: Int) throws {
    let lie = try WireJSON(parsing: Array(Self.lies[position].contents.utf8))
    let directory = try RunDirectory()
    let isHonest = Atomic<Bool>(false)
    let good = HonestSource(schema: Self.schema, contents: ["T": [Self.row: ["initial": ["n": 7]]]] )
    let source = try FakeSource(directory.path("source.sock")) { client, method, request in
      if method == "monitor_cond_since", !isHonest.load(ordering: .acquiring) {
        client.reply([false, "00000000-0000-0000-0000-000000000000", lie], to: request)
      } else {
        good.answer(client, method, request)
      }
    }
    defer { source.close() }
    let relay = try RelayTests.relay(of: "unix:\(source.socket)")
    try waitForLog(relay, "tells what cannot be", "answers with what is no contents")
    #expect(try relay.session().exchange("get_schema", ["D"]).reply["error"]?["error"] == "database not available")
    isHonest.store(true, ordering: .releasing)
    try RelayTests.waitUntilAvailable(relay)
    #expect(try exactDump(of: "D", over: try relay.session()).count == 1)
  }

  @Test(arguments: lies.indices.filter { lies[$0].isPlain })
  func aBackupKeepsWhatItHasWhateverTheSourceTells(position: Int) throws {
    let lie = try WireJSON(parsing: Array(Self.lies[position].contents.utf8))
    let directory = try RunDirectory()
    let liar = HonestSource(schema: Self.schema, contents: lie)
    let source = try FakeSource(directory.path("source.sock")) { client, method, request in liar.answer(client, method, request) }
    defer { source.close() }
    let backup = try DatabaseServer(.ours, [.schema(Self.schema)], options: ["--sync-from=unix:\(source.socket)", "--active"])
    try backup.session().call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 5]]])
    let before = try exactDump(of: "D", over: try backup.session())
    try backup.command("ovsdb-server/connect-active-ovsdb-server")
    try waitForLog(backup, "the contents of the source do not fit")
    #expect(try exactDump(of: "D", over: try backup.session()) == before)
    #expect(try backup.command("ovsdb-server/sync-status").hasPrefix("state: active\nreplication ended: "))
    try backup.restart()
    try backup.command("ovsdb-server/disconnect-active-ovsdb-server")
    #expect(try exactDump(of: "D", over: try backup.session()) == before)
  }

  @Test func changesThatCannotBeMakeARelayAskForEverythingAnew() throws {
    let directory = try RunDirectory()
    let good = HonestSource(schema: Self.schema, contents: ["T": [Self.row: ["initial": ["n": 7]]]])
    let ids = Mutex<[String]>([])
    let source = try FakeSource(directory.path("source.sock")) { client, method, request in
      guard method == "monitor_cond_since" else { return good.answer(client, method, request) }
      ids.withLock { $0.append(request["params"]?[3]?.stringValue ?? "") }
      client.reply([false, "20000000-0000-4000-8000-000000000001", good.contents], to: request)
      // A row that is not there.
      client.notify("update3", [["monid", "D"], "20000000-0000-4000-8000-000000000002", ["T": [.init(stringLiteral: Self.other): ["modify": ["n": 8]]]]])
    }
    defer { source.close() }
    let relay = try RelayTests.relay(of: "unix:\(source.socket)")
    try waitUntil("several attempts", seconds: 60) { ids.withLock { $0.count } >= 2 }
    #expect(ids.withLock { $0.allSatisfy { $0 == "00000000-0000-0000-0000-000000000000" } })
    #expect(try readText(relay.logPath).contains("change of row \(Self.other) of table T, which is not here"))
    #expect(try exactDump(of: "D", over: try relay.session()).count == 1)
  }

  @Test func messagesThatAreNoneAndRequestsOfTheSourceEndNothing() throws {
    let directory = try RunDirectory()
    let good = HonestSource(schema: Self.schema, contents: ["T": [Self.row: ["initial": ["n": 7]]]])
    let clients = Mutex<[FakeSource.Client]>([])
    let source = try FakeSource(directory.path("source.sock")) { client, method, request in
      if method == "get_server_id" { clients.withLock { $0.append(client) } }
      good.answer(client, method, request)
    }
    defer { source.close() }
    let relay = try RelayTests.relay(of: "unix:\(source.socket)")
    try RelayTests.waitUntilAvailable(relay)
    let messages: [WireJSON] = [
      ["id": 77, "result": 3, "error": nil], ["id": 5, "method": "transact", "params": []], ["id": nil, "method": "locked", "params": []],
      ["id": nil, "method": "update3", "params": []], ["id": nil, "method": "update3", "params": [["monid", "D"], 4, [:]]],
      ["id": nil, "method": "update2", "params": [["relay _Server"], ["Database": 3]]], ["id": nil, "method": "monitor_canceled", "params": [4]],
      ["method": 3], [1, 2],
    ]
    for message in messages {
      try waitUntil("a connection", seconds: 60) { !clients.withLock { $0.isEmpty } }
      clients.withLock { $0.last }?.send(message)
      #expect(try exactDump(of: "D", over: try relay.session()).count == 1)
    }
    #expect(relay.isRunning)
    try relay.session().call("list_dbs", [])
  }

  @Test func aSourceThatTalksWithoutEndLeavesTimeForClients() throws {
    let directory = try RunDirectory()
    let good = HonestSource(schema: Self.schema, contents: ["T": [Self.row: ["initial": ["n": 7]]]])
    let isOver = Atomic<Bool>(false)
    let source = try FakeSource(directory.path("source.sock")) { client, method, request in
      good.answer(client, method, request)
      guard method == "monitor_cond_since" else { return }
      var number = 0
      while !isOver.load(ordering: .acquiring) {
        number += 1
        client.notify("update3", [["monid", "D"], "00000000-0000-0000-0000-000000000000", ["T": [.init(stringLiteral: Self.row): ["modify": ["n": .integer(number)]]]]])
      }
    }
    defer { source.close() }
    let relay = try RelayTests.relay(of: "unix:\(source.socket)")
    try RelayTests.waitUntilAvailable(relay)
    let session = try relay.session()
    for _ in 0..<50 { #expect(try exactDump(of: "D", over: session).count == 1) }
    let status = try readText("/proc/\(relay.pid)/status")
    let resident = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }.flatMap { Int($0.split(separator: " ")[1]) }
    #expect((resident ?? .max) < 300_000)
    isOver.store(true, ordering: .releasing)
  }

  @Test func aSourceThatHasLostItsOwnIsToldInTurn() throws {
    let directory = try RunDirectory()
    let good = HonestSource(schema: Self.schema, contents: ["T": [Self.row: ["initial": ["n": 7]]]])
    let clients = Mutex<[FakeSource.Client]>([])
    let source = try FakeSource(directory.path("source.sock")) { client, method, request in
      if method == "monitor_cond" { clients.withLock { $0.append(client) } }
      good.answer(client, method, request)
    }
    defer { source.close() }
    let relay = try RelayTests.relay(of: "unix:\(source.socket)")
    try RelayTests.waitUntilAvailable(relay)
    let select: WireJSON = ["_Server", ["op": "select", "table": "Database", "where": [["name", "==", "D"]], "columns": ["connected"]]]
    let session = try relay.session()
    #expect(try session.call("transact", select)[0]?["rows"] == [["connected": true]])
    for isConnected in [false, true] {
      let row: WireJSON = ["aaaaaaaa-0000-4000-8000-000000000000": ["modify": ["connected": .bool(isConnected)]]]
      clients.withLock { $0.last }?.notify("update2", [["monid", "_Server"], ["Database": row]])
      try waitUntil("connected \(isConnected)", seconds: 60) {
        try session.call("transact", select)[0]?["rows"] == [["connected": .bool(isConnected)]]
      }
      #expect(try exactDump(of: "D", over: session).count == 1)
    }
  }

  @Test func anOldSourceIsMonitoredInTheOldWay() throws {
    let directory = try RunDirectory()
    let good = HonestSource(schema: Self.schema, contents: ["T": [Self.row: ["new": ["n": 7, "c": ["set", []]]]]])
    let source = try FakeSource(directory.path("source.sock")) { client, method, request in
      guard ["get_schema", "monitor", "list_dbs"].contains(method) else { return client.fail("unknown method", of: request) }
      good.answer(client, method, request)
      guard method == "monitor" else { return }
      client.notify("update", [["monid", "D"], ["T": [.init(stringLiteral: Self.row): ["old": ["n": 7], "new": ["n": 8, "c": ["set", []]]]]]])
      client.notify("update", [["monid", "D"], ["T": [.init(stringLiteral: Self.other): ["new": ["n": 9, "c": ["set", []]]]]]])
    }
    defer { source.close() }
    let relay = try RelayTests.relay(of: "unix:\(source.socket)")
    try RelayTests.waitUntilAvailable(relay)
    try waitUntil("both rows", seconds: 60) {
      try exactDump(of: "D", over: try relay.session()).map { $0.contains("n=8") || $0.contains("n=9") } == [true, true]
    }
  }

  // MARK: - Loops

  @Test func relaysThatLeadToThemselvesSayWhy() throws {
    let directory = try RunDirectory()
    let socket = directory.path("db.sock")
    let own = try DatabaseServer(.ours, [], options: ["relay:D:unix:\(socket)"], directory: directory)
    try waitForLog(own, "is this server itself")
    let first = try RunDirectory()
    let second = try RelayTests.relay(of: "unix:" + first.path("db.sock"))
    let ring = try DatabaseServer(.ours, [], options: ["relay:D:\(second.remote)"], directory: first)
    try waitForLog(ring, "database not available")
    for server in [own, second, ring] {
      #expect(try server.session().exchange("get_schema", ["D"]).reply["error"]?["error"] == "database not available")
    }
    // One of them serves no such database at all.
    let empty = try DatabaseServer(.ours, [], options: ["--no-dbs"])
    let lost = try RelayTests.relay(of: empty.remote)
    try waitForLog(lost, "unknown database")
  }
}
