// SPDX-License-Identifier: Apache-2.0
//
// Relays with real servers of both sides: what a relay shows is what its source has, what is written through it is written there, and
// whatever is lost comes back.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "needs both servers"))
struct RelayTests {
  static let schema = SteadyWriter.schema

  static func relay(_ side: Side = .ours, of remotes: String..., options: String...) throws -> DatabaseServer {
    try DatabaseServer(side, [], options: options + ["relay:D:" + remotes.joined(separator: ",")])
  }

  /// When the contents come, clients that are not aware of changes lose their connections: they have to look again.
  private static func isAvailable(_ server: DatabaseServer) -> Bool {
    (try? server.session().exchange("get_schema", ["D"]))?.reply["result"]?.members != nil
  }

  static func waitUntilAvailable(_ server: DatabaseServer) throws {
    do {
      try waitUntil("the source's contents", seconds: 60) { isAvailable(server) }
    } catch {
      throw ProcessError("\(error)\n\(server.diagnosis)")
    }
  }

  static func insert(_ number: Int, _ text: String = "x") -> WireJSON {
    ["D", ["op": "insert", "table": "T", "row": ["n": .integer(number), "s": .string(text)]]]
  }

  static func waitForEqualContents(_ source: DatabaseServer, _ relay: DatabaseServer) throws {
    var last: ([String], [String]) = ([], [])
    do {
      try waitUntil("equal contents", seconds: 60) {
        guard isAvailable(relay) else { return false }
        last = (try exactDump(of: "D", over: try source.session()), try exactDump(of: "D", over: try relay.session()))
        return last.0 == last.1
      }
    } catch {
      throw ProcessError("\(error)\n\(differences(last.0, last.1))\n\(relay.diagnosis)")
    }
  }

  private static func serverRow(_ session: WireSession, _ columns: String...) throws -> [WireJSON?] {
    let select: WireJSON = ["op": "select", "table": "Database", "where": [["name", "==", "D"]]]
    let row = try session.call("transact", ["_Server", select])[0]?["rows"]?[0]
    return columns.map { row?[$0] }
  }

  // MARK: - Under stress

  @Test(arguments: Pair.all)
  func aRelayShowsAndWritesWhatItsSourceHasThroughCrashesAndCutLinks(pair: Pair) throws {
    var random = SeededRandom(seed: UInt64(Programs.environment("OVSDB_MODELS_SEED") ?? "11") ?? 11)
    let rounds = Int(Programs.environment("OVSDB_MODELS_ROUNDS") ?? "5") ?? 5
    let source = try DatabaseServer(pair.source, [.schema(Self.schema)])
    let proxy = try LinkProxy(source.directory.path("link.sock"), to: source.socket)
    defer { proxy.close() }
    let relay = try Self.relay(pair.follower, of: "unix:\(proxy.socket)")
    try Self.waitUntilAvailable(relay)
    let writers = [
      SteadyWriter(socket: relay.socket, seed: random.next(), range: 0..<100_000),
      SteadyWriter(socket: relay.socket, seed: random.next(), range: 100_000..<200_000),
      SteadyWriter(socket: source.socket, seed: random.next(), range: 200_000..<300_000),
    ]
    for _ in 0..<rounds {
      let before = writers.map(\.promises.count)
      do {
        try waitUntil("some writes", seconds: 60) {
          zip(writers, before).allSatisfy { $0.promises.count > $1 + 5 + random.below(20) }
        }
      } catch {
        throw ProcessError("\(error): \(before) \(writers.map(\.promises.count))\n\(relay.fate)\n\(relay.diagnosis)")
      }
      try proxy.disturb(source, relay, &random)
    }
    proxy.mode = .passing
    let promises = writers.map { $0.stop() }
    try Self.waitForEqualContents(source, relay)
    let lines = try exactDump(of: "D", over: try relay.session())
    for (writer, promise) in zip(writers, promises) {
      #expect(promise.broken(by: lines, range: writer.range).isEmpty)
      #expect(promise.count > 5 * rounds)
    }
    #expect(try exactDump(of: "D", over: try source.session()) == lines)
  }

  @Test func chainsOfRelaysOfBothSidesEndAtTheSource() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    let first = try Self.relay(.ours, of: source.remote)
    try Self.waitUntilAvailable(first)
    let second = try Self.relay(.peer, of: first.remote)
    let third = try Self.relay(.ours, of: second.remote)
    for server in [second, third] { try Self.waitUntilAvailable(server) }
    let writer = SteadyWriter(socket: third.socket, seed: 3, range: 0..<10_000)
    try waitUntil("some writes", seconds: 60) { writer.promises.count > 50 }
    let promises = writer.stop()
    for server in [first, second, third] { try Self.waitForEqualContents(source, server) }
    #expect(promises.broken(by: try exactDump(of: "D", over: try source.session()), range: writer.range).isEmpty)
  }

  @Test(arguments: [Side.ours, .peer])
  func aRelayNamesItsMonitorsByTheDatabase(side: Side) throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)], options: ["-vfile:jsonrpc:dbg"])
    try Self.waitUntilAvailable(try Self.relay(side, of: source.remote))
    let log = try readText(source.logPath)
    for name in ["_Server", "D"] { #expect(log.contains(#"["\#(name)",["monid","\#(name)"],{"#), "\(name)") }
  }

  // MARK: - Requests

  @Test func theUpdateComesBeforeTheReply() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    let relay = try Self.relay(of: source.remote)
    try Self.waitUntilAvailable(relay)
    let session = try relay.session()
    try session.call("monitor_cond", ["D", "m", ["T": ["columns": ["n"]]]])
    for number in 0..<20 {
      let (reply, before) = try session.exchange("transact", Self.insert(number))
      #expect(reply["result"]?[0]?["uuid"] != nil)
      #expect(before.count == 1 && before[0].method == "update2")
    }
    // Errors of the source are passed on in its words.
    let result = try session.call("transact", Self.insert(3))
    #expect(result[1]?["error"] == "constraint violation")
    // The lock of an assert is one of the source.
    #expect(try session.call("lock", ["l"]) == ["locked": true])
    let assert: WireJSON = ["D", ["op": "assert", "lock": "l"], ["op": "insert", "table": "T", "row": ["n": 99]]]
    #expect(try session.call("transact", assert)[0]?["error"] == "not owner")
    #expect(try session.call("transact", ["D", ["op": "assert", "lock": "l"]]) == [[:]])
  }

  @Test func beforeTheFirstConnectionTheDatabaseIsNotAvailable() throws {
    let directory = try RunDirectory()
    let remote = "unix:" + directory.path("db.sock")
    let relay = try Self.relay(of: "unix:" + directory.path("nobody.sock"), remote)
    let session = try relay.session()
    for (method, params) in [
      ("get_schema", ["D"] as WireJSON), ("transact", Self.insert(1)), ("monitor_cond", ["D", "m", ["T": [[:]]]]),
    ] {
      let error = try session.exchange(method, params).reply["error"]
      #expect(error?["error"] == "database not available")
      #expect(
        error?["details"]?.stringValue?.hasPrefix(
          "\(method) request specifies database D which is not yet available because it has not completed joining its cluster: ") == true)
    }
    #expect(try session.call("list_dbs", []) == ["D", "_Server"])
    #expect(try Self.serverRow(session, "model", "connected", "leader", "schema") == ["relay", false, false, ["set", []]])
    // With one of its sources it serves.
    let source = try DatabaseServer(.ours, [.schema(Self.schema)], directory: directory)
    try source.session().call("transact", Self.insert(1))
    try Self.waitForEqualContents(source, relay)
    let row = try Self.serverRow(try relay.session(), "model", "connected", "leader", "schema")
    #expect(Array(row.prefix(3)) == ["relay", true, false])
    #expect(row[3]?.stringValue?.hasPrefix("{\"name\":\"D\"") == true)
  }

  @Test func aSourceThatLacksTheDatabaseIsNamedWhereverSomebodyLooks() throws {
    let other: WireJSON = ["name": "Other", "version": "1.0.0", "tables": ["T": ["columns": ["n": ["type": "integer"]]]]]
    let source = try DatabaseServer(.ours, [.schema(other)])
    let relay = try Self.relay(of: source.remote)
    let problem = "the source \(source.remote) does not serve it: "
    try waitUntil("the status", seconds: 60) { try relay.command("ovsdb-server/sync-status").contains("relay: D: \(problem)") }
    #expect(try relay.command("ovsdb-server/sync-status").hasPrefix("state: active\n"))
    #expect(try relay.command("ovsdb-server/get-db-storage-status", "D").hasPrefix("status: \(problem)"))
    let details = try relay.session().exchange("get_schema", ["D"]).reply["error"]?["details"]?.stringValue
    #expect(details?.contains("which is not yet available because it has not completed joining its cluster: \(problem)") == true)
  }

  @Test func withoutTheSourceReadsGoOnAndWritesWait() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    let relay = try Self.relay(of: source.remote)
    try Self.waitUntilAvailable(relay)
    let session = try relay.session()
    try session.call("transact", Self.insert(1))
    // What is at the source when it goes is canceled: nobody knows what became of it.
    let blocked: WireJSON = [
      "D", ["op": "wait", "table": "T", "where": [["n", "==", 1]], "columns": ["n"], "until": "==", "rows": []],
      ["op": "insert", "table": "T", "row": ["n": 77]],
    ]
    try session.request("transact", blocked, id: "blocked")
    _ = try session.call("transact", Self.insert(2))
    try source.kill()
    let canceled = try #require(try session.receive(untilReplyTo: "blocked").last).json
    #expect(canceled["error"] == "canceled")
    #expect(try exactDump(of: "D", over: session).count == 2)
    #expect(try Self.serverRow(session, "connected") == [true])
    for number in 3..<6 { try session.request("transact", Self.insert(number), id: .integer(number)) }
    // Reads overtake what waits, and so do other methods.
    #expect(try exactDump(of: "D", over: session).count == 2)
    try session.notify("cancel", [4])
    try source.start()
    #expect(try session.receive(untilReplyTo: 3).last?.json["result"]?[0]?["uuid"] != nil)
    #expect(try session.receive(untilReplyTo: 5).last?.json["result"]?[0]?["uuid"] != nil)
    try Self.waitForEqualContents(source, relay)
    #expect(try exactDump(of: "D", over: session).count == 4)
  }

  @Test func aWaitIsMetByAChangeAtTheSource() throws {
    let source = try DatabaseServer(.peer, [.schema(Self.schema)])
    let relay = try Self.relay(of: source.remote)
    try Self.waitUntilAvailable(relay)
    let session = try relay.session()
    func wait(_ number: Int) -> WireJSON {
      ["op": "wait", "table": "T", "where": [["n", "==", .integer(number)]], "columns": ["n"], "until": "==", "rows": [["n": .integer(number)]]]
    }
    func delete(_ number: Int) -> WireJSON { ["op": "delete", "table": "T", "where": [["n", "==", .integer(number)]]] }
    // Not for the same row: a source may add up that it came and that it went, and the relay never sees it.
    try session.request("transact", ["D", wait(3)], id: "here")
    try session.request("transact", ["D", wait(1), delete(1)], id: "there")
    try session.request("transact", ["D", wait(2), delete(2)], id: "taken back")
    try source.session().call("transact", Self.insert(1))
    try source.session().call("transact", Self.insert(3))
    var answered: Set<String> = []
    while answered.count < 2, let message = try session.receive() { answered.insert(message.json["id"]?.stringValue ?? "") }
    #expect(answered == ["here", "there"])
    try session.call("set_db_change_aware", [true])
    try session.notify("cancel", ["taken back"])
    #expect(try session.receive(untilReplyTo: "taken back").last?.json["error"] == "canceled")
  }

  @Test func aClientThatGoesTakesItsWaitsBack() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    let relay = try Self.relay(of: source.remote)
    try Self.waitUntilAvailable(relay)
    let leaving = try relay.session()
    let blocked: WireJSON = [
      "D", ["op": "wait", "table": "T", "where": [], "columns": ["n"], "until": "!=", "rows": []],
      ["op": "insert", "table": "T", "row": ["n": 77]],
    ]
    try leaving.request("transact", blocked, id: 1)
    try waitUntil("the wait at the source", seconds: 60) {
      try source.command("memory/show").contains("triggers:1")
    }
    leaving.disconnect()
    try waitUntil("the end of the wait", seconds: 60) { try !source.command("memory/show").contains("triggers:") }
    try source.session().call("transact", Self.insert(1))
    #expect(try exactDump(of: "D", over: try source.session()).count == 1)
  }

  // MARK: - Schemas

  @Test(arguments: [Side.ours, .peer])
  func aConversionAtTheSourceIsOneOfTheRelay(side: Side) throws {
    let source = try DatabaseServer(side, [.schema(Self.schema)])
    let relay = try Self.relay(of: source.remote)
    try Self.waitUntilAvailable(relay)
    let aware = try relay.session()
    try aware.call("set_db_change_aware", [true])
    try aware.call("monitor_cond", ["D", "m", ["T": ["columns": ["n"]]]])
    let unaware = try relay.session()
    try unaware.call("transact", Self.insert(1))
    _ = try aware.receive()
    let new: WireJSON = [
      "name": "D", "version": "2.0.0",
      "tables": ["T": ["columns": ["n": ["type": "integer"], "new": ["type": "string"]], "isRoot": true]],
    ]
    // Through the relay: it is the source that is converted.
    let converter = try relay.session()
    try converter.call("set_db_change_aware", [true])
    try converter.call("convert", ["D", new])
    #expect(try source.session().call("get_schema", ["D"])["version"] == "2.0.0")
    let notice = try #require(try aware.receive()).json
    #expect(notice["method"] == "monitor_canceled" && notice["params"] == ["m"])
    #expect(try unaware.receiveUntilClosed().isEmpty)
    #expect(try aware.call("get_schema", ["D"])["version"] == "2.0.0")
    let rows = try aware.call("monitor_cond", ["D", "again", ["T": ["columns": ["n", "new"]]]])
    #expect(rows["T"]?.members?.count == 1)
    let row = try Self.serverRow(aware, "schema")[0]?.stringValue
    #expect(row?.contains("\"version\":\"2.0.0\"") == true)
  }

  // MARK: - Coming back

  @Test func clientsAndRelaysResumeWhereTheyWere() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    let proxy = try LinkProxy(source.directory.path("link.sock"), to: source.socket)
    defer { proxy.close() }
    let relay = try Self.relay(of: "unix:\(proxy.socket)")
    try Self.waitUntilAvailable(relay)
    let monitor: WireJSON = ["T": [["columns": ["n"]]]]
    func resume(_ server: DatabaseServer, _ id: WireJSON) throws -> WireJSON {
      try server.session().call("monitor_cond_since", ["D", "m", monitor, id])
    }
    for number in 0..<5 { try relay.session().call("transact", Self.insert(number)) }
    // An id of the source is one of the relay, and the other way round.
    let id = try #require(try resume(source, "00000000-0000-0000-0000-000000000000")[1])
    try relay.session().call("transact", Self.insert(5))
    for server in [relay, source] {
      let reply = try resume(server, id)
      #expect(reply[0] == true && reply[2]?["T"]?.members?.count == 1)
    }
    // A relay that comes back is told what it missed, and so are its clients.
    let seen = try #require(try resume(relay, id)[1])
    proxy.mode = .refusing
    for number in 6..<9 { try source.session().call("transact", Self.insert(number)) }
    proxy.mode = .passing
    try Self.waitForEqualContents(source, relay)
    #expect(try readText(relay.logPath).contains("from where it was"))
    let reply = try resume(relay, seen)
    #expect(reply[0] == true && reply[2]?["T"]?.members?.count == 3)
    // An id that nobody knows gets everything.
    let stranger = try resume(relay, "12345678-1234-4234-8234-123456789abc")
    #expect(stranger[0] == false && stranger[2]?["T"]?.members?.count == 9)
    // A source that was started anew has forgotten: the relay gets everything, its clients what changed.
    let current = try #require(try resume(relay, seen)[1])
    try source.kill()
    try source.start()
    try source.session().call("transact", Self.insert(9))
    try Self.waitForEqualContents(source, relay)
    let after = try resume(relay, current)
    #expect(after[0] == true && after[2]?["T"]?.members?.count == 1)
  }

  @Test func sourcesAreTriedInTurn() throws {
    let servers = [try DatabaseServer(.ours, [.schema(Self.schema)]), try DatabaseServer(.ours, [.schema(Self.schema)])]
    for (place, server) in servers.enumerated() { try server.session().call("transact", Self.insert(place)) }
    let relay = try Self.relay(of: servers[0].remote, servers[1].remote)
    try Self.waitUntilAvailable(relay)
    for _ in 0..<3 {
      let lines = try exactDump(of: "D", over: try relay.session())
      let place = lines.contains { $0.contains("n=0 ") } ? 0 : 1
      try servers[place].kill()
      try Self.waitForEqualContents(servers[1 - place], relay)
      try servers[place].start()
    }
  }

  @Test(.enabled(if: Programs.has("openssl"), "needs openssl"))
  func sourcesAreReachedOverTLS() throws {
    let directory = try RunDirectory()
    let (key, certificate) = (directory.path("key.pem"), directory.path("cert.pem"))
    try succeed(
      "openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2", "-keyout", key, "-out", certificate],
      in: directory)
    let options = ["--private-key=\(key)", "--certificate=\(certificate)", "--ca-cert=\(certificate)"]
    let port = 20_000 + Int(getpid()) % 20_000
    let source = try DatabaseServer(.peer, [.schema(Self.schema)], options: options + ["--remote=pssl:\(port):127.0.0.1"])
    let remote = "ssl:127.0.0.1:\(port)"
    let relay = try DatabaseServer(.ours, [], options: options + ["relay:D:\(remote)"])
    let backup = try DatabaseServer(.ours, [.schema(Self.schema)], options: options + ["--sync-from=\(remote)"])
    try Self.waitUntilAvailable(relay)
    try relay.session().call("transact", Self.insert(1))
    for server in [relay, backup] {
      try Self.waitForEqualContents(source, server)
      #expect(try !readText(server.logPath).contains("must be configured"))
    }
  }

  // MARK: - Commands

  @Test func relaysComeAndGoByCommand() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    let relay = try Self.relay(of: source.remote)
    try Self.waitUntilAvailable(relay)
    for (name, text) in [
      ("relay:E", "ovsdb error: relay:E: invalid syntax"), ("relay:E:", "ovsdb error: relay:E:: invalid syntax"),
      ("relay::unix:x", "ovsdb error: relay::unix:x: invalid syntax"),
      ("relay:D:unix:x", "ovsdb error: D: duplicate database name"),
      ("relay:_E:unix:x", "ovsdb error: _E: names beginning with \"_\" are reserved"),
    ] {
      #expect(try relay.control("ovsdb-server/add-db", name).standardError.hasPrefix(text))
    }
    try relay.command("ovsdb-server/add-db", "relay:E:unix:nobody")
    #expect(try relay.command("ovsdb-server/list-dbs") == "D\nE\n_Server\n")
    #expect(try relay.command("ovsdb-server/get-db-storage-status", "E").hasPrefix("status: the source unix:nobody "))
    try relay.command("ovsdb-server/compact", "E")
    try relay.command("ovsdb-server/set-relay-source-probe-interval", "7000")
    #expect(try relay.control("ovsdb-server/set-relay-source-probe-interval", "x").status != 0)
    let session = try relay.session()
    try session.call("set_db_change_aware", [true])
    try relay.command("ovsdb-server/remove-db", "E")
    try source.kill()
    try session.request("transact", Self.insert(1), id: "waiting")
    _ = try session.call("list_dbs", [])
    try relay.command("ovsdb-server/remove-db", "D")
    #expect(try session.receive(untilReplyTo: "waiting").last?.json["error"] == "canceled")
    #expect(try session.call("list_dbs", []) == ["_Server"])
  }

  @Test func aRelayComesFromTheConfigurationFile() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.schema)])
    try source.session().call("transact", Self.insert(1))
    let directory = try RunDirectory()
    func configure(_ remote: String) throws {
      let text =
        "{\"remotes\": {\"punix:db.sock\": null, \"db:D,Local,name\": null}, \"databases\": {\"D\": {\"service-model\": \"relay\", \"source\": {\"\(remote)\": {\"inactivity-probe\": 9000}}}}}"
      try write(text, to: directory.path("config.json"))
    }
    try configure("unix:nobody")
    let server = try RemoteServer(["--config-file=config.json"], directory: directory)
    #expect(try server.session().exchange("get_schema", ["D"]).reply["error"]?["error"] == "database not available")
    try configure(source.remote)
    #expect(try server.control("ovsdb-server/reload").status == 0)
    try waitUntil("the source's contents", seconds: 60) {
      (try? server.session().exchange("get_schema", ["D"]))?.reply["result"]?.members != nil
    }
    #expect(try exactDump(of: "D", over: try server.session()).count == 1)
    // A remote that the source's rows name.
    let listen: WireJSON = ["D", ["op": "insert", "table": "Local", "row": ["name": "punix:second.sock"]]]
    try source.session().call("transact", listen)
    try waitUntil("the remote", seconds: 60) { (try? server.session("second.sock")) != nil }
  }
}
