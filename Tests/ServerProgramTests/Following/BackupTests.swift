// SPDX-License-Identifier: Apache-2.0
//
// Active-backup with real servers of both sides: a backup has what its source has, row by row, whatever happens to either or to the
// link between them.

import Foundation
import TestSupport
import Testing

/// Who is backed up by whom.
struct Pair: CustomTestStringConvertible, Sendable {
  let source: Side
  let follower: Side

  var testDescription: String { "\(source) followed by \(follower)" }

  static let all = [Pair(source: .ours, follower: .ours), Pair(source: .peer, follower: .ours), Pair(source: .ours, follower: .peer)]
}

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "needs both servers"))
struct BackupTests {
  private static let schema = SteadyWriter.schema

  private func backup(_ side: Side, of source: String, _ options: String...) throws -> DatabaseServer {
    try DatabaseServer(side, [.schema(Self.schema)], options: ["--sync-from=unix:\(source)"] + options)
  }

  private func insert(_ number: Int, _ text: String = "x") -> WireJSON {
    ["D", ["op": "insert", "table": "T", "row": ["n": .integer(number), "s": .string(text)]]]
  }

  private func waitForEqualContents(_ source: DatabaseServer, _ backup: DatabaseServer, except: Set<String> = []) throws {
    var last: ([String], [String]) = ([], [])
    do {
      try waitUntil("equal contents", seconds: 60) {
        last = (
          try exactDump(of: "D", over: try source.session(), except: except),
          try exactDump(of: "D", over: try backup.session(), except: except)
        )
        return last.0 == last.1
      }
    } catch {
      throw ProcessError("\(error)\n\(differences(last.0, last.1))\n\(backup.diagnosis)")
    }
  }

  @Test(arguments: Pair.all)
  func aBackupHasWhatItsSourceHasThroughCrashesAndCutLinks(pair: Pair) throws {
    var random = SeededRandom(seed: UInt64(Programs.environment("OVSDB_MODELS_SEED") ?? "7") ?? 7)
    let rounds = Int(Programs.environment("OVSDB_MODELS_ROUNDS") ?? "5") ?? 5
    let source = try DatabaseServer(pair.source, [.schema(Self.schema)])
    let proxy = try LinkProxy(source.directory.path("link.sock"), to: source.socket)
    defer { proxy.close() }
    let follower = try backup(pair.follower, of: proxy.socket)
    let writer = SteadyWriter(socket: source.socket, seed: random.next(), range: 0..<1_000_000)
    for _ in 0..<rounds {
      let before = writer.promises.count
      try waitUntil("some writes", seconds: 60) { writer.promises.count > before + 20 + random.below(50) }
      try proxy.disturb(source, follower, &random)
    }
    proxy.mode = .passing
    let promises = writer.stop()
    try waitForEqualContents(source, follower)
    let lines = try exactDump(of: "D", over: try follower.session())
    #expect(promises.broken(by: lines, range: writer.range).isEmpty)
    #expect(promises.count > 50 && promises.refusals == 0)
    // What is in memory is in the file.
    try follower.command("ovsdb-server/disconnect-active-ovsdb-server")
    try follower.kill()
    let alone = try DatabaseServer(pair.follower, [.existing(file: "db.db")], directory: follower.directory)
    #expect(try exactDump(of: "D", over: try alone.session()) == lines)
  }

  @Test(arguments: Pair.all)
  func rolesAreSwitchedWhileClientsWrite(pair: Pair) throws {
    let servers = [try DatabaseServer(pair.source, [.schema(Self.schema)]), try DatabaseServer(pair.follower, [.schema(Self.schema)])]
    for (place, server) in servers.enumerated() {
      try server.command("ovsdb-server/set-active-ovsdb-server", servers[1 - place].remote)
    }
    try servers[1].command("ovsdb-server/connect-active-ovsdb-server")
    for round in 0..<4 {
      let (active, passive) = (servers[round % 2], servers[1 - round % 2])
      try passive.waitForStatus("replicating")
      let writer = SteadyWriter(socket: active.socket, seed: UInt64(round), range: (round * 100_000)..<((round + 1) * 100_000))
      let refused = SteadyWriter(socket: passive.socket, seed: UInt64(round), range: 900_000..<950_000)
      try waitUntil("some writes", seconds: 60) { writer.promises.count > 30 && refused.promises.refusals > 5 }
      let promises = writer.stop()
      #expect(refused.stop().count == 0)
      try waitForEqualContents(active, passive)
      #expect(promises.broken(by: try exactDump(of: "D", over: try passive.session()), range: writer.range).isEmpty)
      try passive.command("ovsdb-server/disconnect-active-ovsdb-server")
      try passive.waitForStatus("state: active")
      try active.command("ovsdb-server/connect-active-ovsdb-server")
    }
  }

  @Test func clientsOfABackupSeeTheDifferencesOnly() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    let follower = try backup(.ours, of: source.socket, "--active")
    for number in 0..<5 { try source.session().call("transact", insert(number)) }
    try follower.command("ovsdb-server/connect-active-ovsdb-server")
    try waitForEqualContents(source, follower)
    try follower.command("ovsdb-server/disconnect-active-ovsdb-server")
    try follower.session().call("transact", insert(100))
    let watcher = try follower.session()
    try watcher.call("monitor_cond", ["D", "m", ["T": ["columns": ["n"]]]])

    try follower.command("ovsdb-server/connect-active-ovsdb-server")
    let update = try #require(try watcher.receive()).json
    let rows = try #require(update["params"]?[1]?["T"]?.members)
    #expect(rows.count == 1 && rows[0].value["delete"] != nil)
    // One record in the log: after a crash there are the old rows or the new ones.
    try source.session().call("transact", insert(200))
    #expect(try watcher.receive()?.json["params"]?[1]?["T"]?.members?.count == 1)
    let log = try succeed(Side.peer.tool("ovsdb-tool"), ["show-log", follower.databasePath()], in: follower.directory)
    // The schema, the five rows, the local row, its end, the last one.
    #expect(log.split(separator: "\n").filter { $0.hasPrefix("record ") }.count == 5)
  }

  @Test func excludedTablesKeepTheirRowsAndTheRestIsCopied() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    let follower = try backup(.ours, of: source.socket, "--active", "--sync-exclude-tables=D:Local")
    for (server, name) in [(source, "there"), (follower, "here")] {
      try server.session().call("transact", ["D", ["op": "insert", "table": "Local", "row": ["name": .string(name)]]])
    }
    try follower.session().call("transact", insert(1))
    try source.session().call("transact", insert(2))
    try follower.command("ovsdb-server/connect-active-ovsdb-server")
    try waitForEqualContents(source, follower, except: ["Local"])
    let local = try exactDump(of: "D", over: try follower.session(), except: ["T", "C"])
    #expect(local.count == 1 && local[0].contains("\"here\""))
    #expect(try follower.command("ovsdb-server/get-sync-exclude-tables") == "D:Local\n")
    #expect(
      try follower.command("ovsdb-server/sync-status")
        == "state: backup\nreplicating: \(source.remote)\ndatabase: D\nexclude: D:Local\n")

    try follower.command("ovsdb-server/set-sync-exclude-tables", "")
    try waitForEqualContents(source, follower)
  }

  @Test func aBackupRefusesWritesAndGrantsLocks() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    let follower = try backup(.ours, of: source.socket)
    try follower.waitForStatus("replicating")
    let session = try follower.session()
    let result = try session.call("transact", insert(1))
    #expect(result[0]?["error"] == "not allowed")
    #expect(result[0]?["details"] == "insert operation not allowed when database server is in read only mode")
    #expect(try session.call("lock", ["l"]) == ["locked": true])
    let convert = try session.exchange("convert", ["D", Self.schema]).reply
    #expect(convert["error"]?["error"] == "not allowed")
    // A wait is met by what the source does.
    let wait: WireJSON = [
      "D", ["op": "wait", "table": "T", "where": [["n", "==", 5]], "columns": ["n"], "until": "==", "rows": [["n": 5]]],
    ]
    try session.request("transact", wait, id: "w")
    try source.session().call("transact", insert(5))
    #expect(try session.receive(untilReplyTo: "w").last?.json["result"] == [[:]])
  }

  @Test func aSchemaThatDoesNotFitEndsReplicationAndLosesNothing() throws {
    let other: WireJSON = ["name": "D", "version": "2.0.0", "tables": ["T": ["columns": ["n": ["type": "string"]]]]]
    let source = try DatabaseServer(.ours, [.schema(other)])
    let follower = try backup(.ours, of: source.socket, "--active")
    try follower.session().call("transact", insert(1))
    try follower.command("ovsdb-server/connect-active-ovsdb-server")
    try follower.waitForStatus("state: active")
    let log = try readText(follower.logPath)
    #expect(log.contains("Column n mismatch in local db schema table T.  D cannot be replicated."))
    #expect(log.contains("replication ends, this server is active: Nothing to replicate."))
    #expect(try exactDump(of: "D", over: try follower.session()).count == 1)
    try follower.session().call("transact", insert(2))
  }

  @Test func aSourceWithLessThanTheBackupIsFollowed() throws {
    let less: WireJSON = ["name": "D", "version": "0.9.0", "tables": ["T": ["columns": ["n": ["type": "integer"]]]]]
    let source = try DatabaseServer(.peer, [.schema(less)])
    let follower = try backup(.ours, of: source.socket)
    try source.session().call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 1]]])
    try waitUntil("the row", seconds: 60) { try exactDump(of: "D", over: try follower.session()).count == 1 }
  }

  @Test func aServerDoesNotFollowItself() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)])
    try server.session().call("transact", insert(1))
    try server.command("ovsdb-server/set-active-ovsdb-server", server.remote)
    try server.command("ovsdb-server/connect-active-ovsdb-server")
    try server.waitForStatus("state: active")
    #expect(try readText(server.logPath).contains("Self replicating is not allowed"))
    #expect(try exactDump(of: "D", over: try server.session()).count == 1)
  }

  /// Two servers with different rows, each of which names the other its source.
  private func makePair(_ side: Side) throws -> [DatabaseServer] {
    let servers = [try DatabaseServer(side, [.schema(Self.schema)]), try DatabaseServer(side, [.schema(Self.schema)])]
    for (place, server) in servers.enumerated() {
      try server.session().call("transact", insert(place))
      try server.command("ovsdb-server/set-active-ovsdb-server", servers[1 - place].remote)
    }
    return servers
  }

  /// As with 3.1.0, `connect-active` on both is no error, and what is done by hand or by a cluster's manager then works either way.
  @Test(arguments: Side.allCases)
  func twoBackupsOfEachOtherSwitchRolesEitherWay(side: Side) throws {
    let servers = try makePair(side)
    try servers[1].command("ovsdb-server/connect-active-ovsdb-server")
    try servers[1].waitForStatus("replicating")
    try waitForEqualContents(servers[0], servers[1])
    try servers[0].command("ovsdb-server/connect-active-ovsdb-server")
    for server in servers { try server.waitForStatus("replicating") }
    for (number, active) in [0, 1, 1, 0].enumerated() {
      try servers[active].command("ovsdb-server/disconnect-active-ovsdb-server")
      try servers[active].session().call("transact", insert(100 + number))
      try waitForEqualContents(servers[active], servers[1 - active])
      #expect(try exactDump(of: "D", over: try servers[1 - active].session()).contains { $0.contains("n=\(100 + number) ") })
      try servers[active].command("ovsdb-server/connect-active-ovsdb-server")
      for server in servers { try server.waitForStatus("replicating") }
    }
  }

  /// Each of several servers follows the next, the last the first.
  private func makeRing(_ count: Int, atOnce: Bool) throws -> [DatabaseServer] {
    let servers = try (0..<count).map { _ in try DatabaseServer(.ours, [.schema(Self.schema)]) }
    for (place, server) in servers.enumerated() {
      try server.session().call("transact", insert(place))
      try server.command("ovsdb-server/set-active-ovsdb-server", servers[(place + 1) % count].remote)
    }
    for server in servers {
      try server.command("ovsdb-server/connect-active-ovsdb-server")
      if !atOnce { try server.waitForStatus("replicating") }
    }
    return servers
  }

  /// Rows may go round a ring in which nobody writes, but not for ever: all have the same, and nothing is written any more.
  private func waitForRest(_ servers: [DatabaseServer]) throws {
    var last: [[String]] = []
    var sizes: [Int] = []
    var restCount = 0
    do {
      try waitUntil("rest", seconds: 60) {
        last = try servers.map { try exactDump(of: "D", over: try $0.session()) }
        let before = sizes
        sizes = try servers.map { try readBytes($0.directory.path("db.db")).count }
        restCount = sizes == before && last.allSatisfy { $0 == last[0] } ? restCount + 1 : 0
        return restCount > 20
      }
    } catch {
      throw ProcessError("\(error): \(last) \(sizes)\n\(servers.map(\.diagnosis).joined(separator: "\n"))")
    }
  }

  @Test(arguments: [(2, false), (2, true), (3, false), (3, true), (5, true)])
  func aRingOfBackupsComesToRestAndFollowsWhoeverIsMadeActive(count: Int, atOnce: Bool) throws {
    let servers = try makeRing(count, atOnce: atOnce)
    try waitForRest(servers)
    for server in servers {
      try waitUntil("the log", seconds: 60) { try readText(server.logPath).contains("this server follows itself, over others") }
    }
    for active in [1, 0] {
      try servers[active].command("ovsdb-server/disconnect-active-ovsdb-server")
      try servers[active].session().call("transact", insert(100 + active))
      for server in servers { try waitForEqualContents(servers[active], server) }
      try servers[active].command("ovsdb-server/connect-active-ovsdb-server")
      try waitForRest(servers)
      for server in servers { try server.waitForStatus("replicating") }
    }
  }

  /// What a client says of itself is not believed, neither in the id of a monitor nor in a notification.
  @Test func nobodyWhoClaimsToBeAServerStopsTheReplicationOfOthers() throws {
    let servers = try (0..<3).map { _ in try DatabaseServer(.ours, [.schema(Self.schema)]) }
    for (server, source) in zip(servers.dropFirst(), servers) {
      try server.command("ovsdb-server/set-active-ovsdb-server", source.remote)
      try server.command("ovsdb-server/connect-active-ovsdb-server")
      try server.waitForStatus("replicating")
    }
    let ids = try servers.map { try $0.session().call("get_server_id", []) }
    let liars = try servers.map { try $0.session() }
    for liar in liars {
      _ = try liar.call("monitor", ["D", .array(["replication", "D"] + ids), ["T": [:]]])
      try liar.send(Array(#"{"id":null,"method":"replication_followers","params":\#(WireJSON.array(["D"] + ids).text)}"#.utf8))
      _ = try liar.call("list_dbs", [])
    }
    for number in 0..<100 { try servers[0].session().call("transact", insert(number)) }
    for server in servers.dropFirst() {
      try waitForEqualContents(servers[0], server)
      try server.waitForStatus("replicating")
    }
    // One that begins now is not refused, either.
    try servers[2].command("ovsdb-server/connect-active-ovsdb-server")
    try servers[2].waitForStatus("replicating")
    for server in servers {
      let log = try readText(server.logPath)
      #expect(!log.contains("follows itself") && !log.contains("refused"))
    }
    withExtendedLifetime(liars) {}
  }

  @Test func aChainOfBackupsIsNoRing() throws {
    let servers = try (0..<4).map { _ in try DatabaseServer(.ours, [.schema(Self.schema)]) }
    for (server, source) in zip(servers.dropFirst(), servers) {
      try server.command("ovsdb-server/set-active-ovsdb-server", source.remote)
      try server.command("ovsdb-server/connect-active-ovsdb-server")
    }
    try servers[0].session().call("transact", insert(1))
    for server in servers.dropFirst() {
      try waitForEqualContents(servers[0], server)
      #expect(try server.command("ovsdb-server/sync-status").contains("replicating"))
    }
    // The last becomes the first: the chain is closed only after it was cut.
    try servers[1].command("ovsdb-server/disconnect-active-ovsdb-server")
    try servers[0].command("ovsdb-server/set-active-ovsdb-server", servers[3].remote)
    try servers[0].command("ovsdb-server/connect-active-ovsdb-server")
    try servers[1].session().call("transact", insert(2))
    try waitForEqualContents(servers[1], servers[0])
  }

  @Test func theConfigurationFileMakesSingleDatabasesBackups() throws {
    let source = try DatabaseServer(.peer, [.schema(Self.schema)])
    try source.session().call("transact", insert(1))
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("D", Self.schema, in: directory)
    try RemoteServer.makeDatabase("E", ["name": "E", "version": "1.0.0", "tables": ["T": ["columns": ["n": ["type": "integer"]]]]], in: directory)
    func configure(_ model: String) throws {
      let text = "{\"remotes\": {\"punix:db.sock\": null}, \"databases\": {\"D\": {\(model)}, \"E\": null}}"
      try write(text, to: directory.path("config.json"))
    }
    let backup = "\"service-model\": \"active-backup\", \"backup\": true, \"source\": {\"\(source.remote)\": {\"inactivity-probe\": 5000}}"
    try configure(backup + ", \"exclude-tables\": [\"Local\"]")
    let server = try RemoteServer(["--config-file=config.json"], directory: directory)
    try waitUntil("the row", seconds: 60) { try exactDump(of: "D", over: try server.session()).count == 1 }
    #expect(
      try server.lines("ovsdb-server/sync-status")
        == ["database: D", "state: backup", "replicating: \(source.remote)", "exclude: D:Local"])
    #expect(try server.session().call("transact", insert(2))[0]?["error"] == "not allowed")
    let other: WireJSON = ["E", ["op": "insert", "table": "T", "row": ["n": 1]]]
    #expect(try server.session().call("transact", other)[0]?["uuid"] != nil)
    #expect(try server.control("ovsdb-server/disconnect-active-ovsdb-server").status != 0)

    try configure("\"service-model\": \"active-backup\", \"backup\": false")
    #expect(try server.control("ovsdb-server/reload").status == 0)
    #expect(try server.lines("ovsdb-server/sync-status") == ["database: D", "state: active"])
    #expect(try server.session().call("transact", insert(2))[0]?["uuid"] != nil)
    try configure(backup)
    #expect(try server.control("ovsdb-server/reload").status == 0)
    try waitUntil("the copy", seconds: 60) { try exactDump(of: "D", over: try server.session()).count == 1 }
  }

  @Test func commandsAnswerAsKnown() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema)])
    #expect(try server.command("ovsdb-server/sync-status") == "state: active\n")
    #expect(
      try server.command("ovsdb-server/connect-active-ovsdb-server") == "Unable to connect: active server is not specified.\n")
    #expect(try server.command("ovsdb-server/get-active-ovsdb-server") == "")
    try server.command("ovsdb-server/set-active-ovsdb-server", "unix:nowhere")
    #expect(try server.command("ovsdb-server/get-active-ovsdb-server") == "unix:nowhere\n")
    #expect(try server.command("ovsdb-server/sync-status") == "state: active\n")
    try server.command("ovsdb-server/connect-active-ovsdb-server")
    #expect(try server.command("ovsdb-server/sync-status") == "state: backup\nconnecting: unix:nowhere\n")
    #expect(try server.session().call("transact", insert(1))[0]?["error"] == "not allowed")
    try server.command("ovsdb-server/disconnect-active-ovsdb-server")
    #expect(try server.session().call("transact", insert(1))[0]?["error"] == nil)
    #expect(
      try server.command("ovsdb-server/set-active-ovsdb-server-probe-interval", "x")
        == "Invalid probe interval, integer value expected\n")
    #expect(throws: ProcessError.self) { try server.command("ovsdb-server/set-sync-exclude-tables", "T") }
    #expect(throws: ProcessError.self) { try server.command("ovsdb-server/set-active-ovsdb-server", "pfd:3") }
  }
}
