// SPDX-License-Identifier: Apache-2.0
//
// Relays and backups whose links are full in both directions: large values go up while their updates come down. Whoever follows reads on
// while its output is full, so the two ends of a link never wait for each other.

import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "needs both servers"))
struct FullLinkTests {
  /// What clients send at once.
  struct Load: CustomTestStringConvertible, Sendable {
    let clientCount: Int
    let insertCount: Int
    let valueBytes: Int
    var rowCount: Int { clientCount * insertCount }
    /// Of the rows, as in JSON; not 0, which updates leave out as the default.
    var numbers: Set<String> { Set((1...rowCount).map(String.init)) }
    var text: String { String(repeating: "x", count: valueBytes) }
    var testDescription: String { "\(clientCount) clients, \(insertCount) inserts of \(valueBytes) bytes each" }

    /// Few large and many small ones, and some between that a seed chooses.
    static var all: [Load] {
      var random = SeededRandom(seed: UInt64(Programs.environment("OVSDB_MODELS_SEED") ?? "7") ?? 7)
      let drawn = (0..<2).map { _ in
        Load(clientCount: 2 + random.below(10), insertCount: 1 + random.below(20), valueBytes: 1 << (12 + random.below(8)))
      }
      return [
        Load(clientCount: 3, insertCount: 20, valueBytes: 1 << 20), Load(clientCount: 100, insertCount: 1, valueBytes: 20_000),
      ] + drawn
    }
  }

  /// What a link between two servers holds in each direction, in bytes.
  private static let window = 4096
  /// Less than the large loads take, in milliseconds.
  private static let probe = "5000"

  /// Clients of a server, each with a thread: they send everything at once, and then take the replies.
  private final class Clients: Sendable {
    private let outcomes = Mutex<[Result<[WireJSON], any Error>]>([])
    private let rest = DispatchGroup()

    init(_ load: Load, of server: DatabaseServer) {
      let socket = server.socket
      for client in 0..<load.clientCount {
        rest.enter()
        Thread.detachNewThread {
          let result = Result { try FullLinkTests.send(load, over: WireSession(socket: socket), from: 1 + client * load.insertCount) }
          self.outcomes.withLock { $0.append(result) }
          self.rest.leave()
        }
      }
    }

    /// The replies to all of them.
    func replies() throws -> [WireJSON] {
      rest.wait()
      return try outcomes.withLock { try $0.flatMap { try $0.get() } }
    }
  }

  private static func send(_ load: Load, over session: WireSession, from first: Int) throws -> [WireJSON] {
    for number in first..<first + load.insertCount {
      try session.request("transact", RelayTests.insert(number, load.text), id: .integer(number))
    }
    return try (first..<first + load.insertCount).map { number in
      try #require(try session.receive(untilReplyTo: .integer(number), seconds: 60).last).json
    }
  }

  private func expectSuccess(_ replies: [WireJSON], of load: Load) {
    #expect(replies.count == load.rowCount)
    #expect(replies.allSatisfy { $0["error"] == .null }, "\(replies.first { $0["error"] != .null }?.text.prefix(200) ?? "")")
  }

  /// The numbers of the rows whose value is whole.
  private func numbers(_ load: Load, in server: DatabaseServer) throws -> Set<String> {
    let select: WireJSON = ["op": "select", "table": "T", "where": [["s", "==", .string(load.text)]], "columns": ["n"]]
    let rows = try server.session().call("transact", ["D", select])[0]?["rows"]?.elements ?? []
    return Set(rows.compactMap { $0["n"]?.text })
  }

  /// All rows are at both ends, over the one connection that was made in the beginning, and nobody took the other for dead.
  private func expectEverything(_ load: Load, _ source: DatabaseServer, _ follower: DatabaseServer, _ proxy: LinkProxy) throws {
    for server in [source, follower] {
      try waitUntil("the rows of \(server.side)", seconds: 120) { try numbers(load, in: server).count >= load.rowCount }
      #expect(try numbers(load, in: server) == load.numbers)
      let log = try readText(server.logPath)
      #expect(!log.contains("no response to inactivity probe"), "\(server.side): \(log)")
    }
    #expect(proxy.connectionCount == 1)
  }

  /// Receives the rows of a monitor, each of them once.
  private func receive(_ load: Load, over session: WireSession) throws {
    var numbers: [String] = []
    while numbers.count < load.rowCount {
      let message = try #require(try session.receive(seconds: 120)).json
      for row in message["params"]?[1]?["T"]?.members ?? [] { numbers.append(try #require(row.value["insert"]?["n"]?.text)) }
    }
    #expect(numbers.count == load.rowCount && Set(numbers) == load.numbers)
  }

  /// Clients of one server send while a client of the follower has a monitor and reads.
  private func exchange(_ load: Load, through server: DatabaseServer, _ follower: DatabaseServer) throws {
    let watcher = try follower.session()
    try watcher.call("monitor_cond", ["D", "m", ["T": ["columns": ["n"]]]])
    let clients = Clients(load, of: server)
    try receive(load, over: watcher)
    expectSuccess(try clients.replies(), of: load)
  }

  @Test(arguments: Pair.all, Load.all)
  func aRelayAndItsSourceNeverWaitForEachOther(pair: Pair, load: Load) throws {
    let source = try DatabaseServer(pair.source, [.schema(RelayTests.schema)])
    let proxy = try LinkProxy(source.directory.path("link.sock"), to: source.socket, window: Self.window)
    defer { proxy.close() }
    let relay = try RelayTests.relay(pair.follower, of: "unix:\(proxy.socket)")
    try RelayTests.waitUntilAvailable(relay)
    // The peer has no command for it.
    if pair.follower == .ours { try relay.command("ovsdb-server/set-relay-source-probe-interval", Self.probe) }
    try exchange(load, through: relay, relay)
    try expectEverything(load, source, relay, proxy)
  }

  @Test(arguments: Pair.all, Load.all)
  func aBackupGetsAllThatItsSourceIsSent(pair: Pair, load: Load) throws {
    let source = try DatabaseServer(pair.source, [.schema(RelayTests.schema)])
    let proxy = try LinkProxy(source.directory.path("link.sock"), to: source.socket, window: Self.window)
    defer { proxy.close() }
    let backup = try DatabaseServer(
      pair.follower, [.schema(RelayTests.schema)], options: ["--sync-from=unix:\(proxy.socket)"])
    try backup.waitForStatus("replicating")
    try backup.command("ovsdb-server/set-active-ovsdb-server-probe-interval", Self.probe)
    try exchange(load, through: source, backup)
    try expectEverything(load, source, backup, proxy)
  }
}
