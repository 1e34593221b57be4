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

  private static let window = 4096
  private static let pairs = Pair.all.filter { $0.follower == .ours }

  /// Sends everything at once, and then takes the replies.
  private func send(_ load: Load, to server: DatabaseServer) throws -> [WireJSON] {
    let outcomes = Mutex<[Result<[WireJSON], any Error>]>([])
    let socket = server.socket
    DispatchQueue.concurrentPerform(iterations: load.clientCount) { client in
      let result = Result { try Self.send(load, over: WireSession(socket: socket), from: client * load.insertCount) }
      outcomes.withLock { $0.append(result) }
    }
    return try outcomes.withLock { try $0.flatMap { try $0.get() } }
  }

  private static func send(_ load: Load, over session: WireSession, from first: Int) throws -> [WireJSON] {
    let text = String(repeating: "x", count: load.valueBytes)
    for number in first..<first + load.insertCount {
      try session.request("transact", RelayTests.insert(number, text), id: .integer(number))
    }
    return try (first..<first + load.insertCount).map { number in
      try #require(try session.receive(untilReplyTo: .integer(number), seconds: 60).last).json
    }
  }

  private func expectSuccess(_ replies: [WireJSON], of load: Load) {
    #expect(replies.count == load.clientCount * load.insertCount)
    #expect(replies.allSatisfy { $0["error"] == .null }, "\(replies.first { $0["error"] != .null }?.text.prefix(200) ?? "")")
  }

  @Test(arguments: pairs, Load.all)
  func aRelayAndItsSourceNeverWaitForEachOther(pair: Pair, load: Load) throws {
    let source = try DatabaseServer(pair.source, [.schema(RelayTests.schema)])
    let proxy = try LinkProxy(source.directory.path("link.sock"), to: source.socket, window: Self.window)
    defer { proxy.close() }
    let relay = try RelayTests.relay(of: "unix:\(proxy.socket)")
    try RelayTests.waitUntilAvailable(relay)
    expectSuccess(try send(load, to: relay), of: load)
    // Nobody had to begin again.
    #expect(proxy.connectionCount == 1)
    let count: WireJSON = ["op": "select", "table": "T", "where": [], "columns": ["n"]]
    #expect(try relay.session().call("transact", ["D", count])[0]?["rows"]?.elements?.count == load.clientCount * load.insertCount)
  }
}
