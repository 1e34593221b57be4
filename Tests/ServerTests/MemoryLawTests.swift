// SPDX-License-Identifier: Apache-2.0
//
// Documentation/reliability.md#the-law: whatever clients do, what the server holds for them is within what its limits say, after every
// step.

import JSON
import NIOCore
import NIOEmbedded
import OVSDB
import TestSupport
import Testing

@testable import FuzzTargets
@testable import Server

/// A server with narrow limits, and clients that come, ask for much, stop reading and go.
private final class CrowdedServer {
  private let loop = EmbeddedEventLoop()
  private let embedded: EmbeddedServer
  private var clients: [EmbeddedPeer] = []
  private var random: SeededRandom
  private var number = 0
  /// The most that was held at any time, of each kind.
  private(set) var most = MemoryCounts()
  private(set) var cutCount = 0

  private static let clientsMax = 10

  static var limits: Limits {
    var limits = Limits()
    limits.messageBytesMax = 60_000
    limits.inputBytesMax = 150_000
    limits.outputBytesMax = 150_000
    limits.historyBytesMax = 30_000
    limits.contentsBytesMax = 50_000
    limits.inlineRowsMax = 10
    limits.pieceBytes = 1000
    limits.transactionWorkMax = 1000
    limits.monitorsMax = 100
    limits.keptBytesMax = 10_000
    limits.keptTotalBytesMax = 30_000
    return limits
  }

  init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    embedded = try EmbeddedServer(on: loop, rundir: try ScratchFile.directory(), limits: Self.limits)
    let text = """
      {"name":"db","version":"1.0.0","tables":{"T":{"columns":{"n":{"type":"integer"},"s":{"type":"string"}},"isRoot":true}}}
      """
    try embedded.addDatabase(text, file: "crowd-\(seed).db")
    for _ in 0..<4 { try connect() }
  }

  deinit {
    for client in clients { client.hangUp() }
    embedded.shutDown()
    EmbeddedPeer.end(loop)
  }

  private func connect() throws {
    clients.append(try embedded.connect("client \(clients.count)", on: loop))
  }

  func step() throws -> [String] {
    let open = clients.filter(\.isOpen)
    cutCount += clients.count - open.count
    clients = open
    if clients.count < 2 || clients.count < Self.clientsMax && random.chance(5) { try connect() }
    let client = clients[random.below(clients.count)]
    switch random.below(20) {
    case 0: client.setReading(true)
    case 1, 2: client.setReading(false)
    case 3:
      client.hangUp()
      clients.removeAll { $0 === client }
    case 4, 5: loop.advanceTime(by: .milliseconds(1))
    case 6: loop.advanceTime(by: .seconds(1))
    case 7: client.send(String(repeating: "[\"x\"", count: random.within(1...3000)))
    default: client.send(request())
    }
    loop.run()
    note()
    // What is being encoded is let go of when it is done, and what is begun by that.
    for _ in 0..<3 { loop.advanceTime(by: .milliseconds(1)) }
    for client in clients where client.isReading { try client.receive { _ in } }
    note()
    return embedded.server.checkInvariants()
  }

  private func note() {
    let counts = embedded.server.memoryCounts
    most.input = max(most.input, counts.input)
    most.output = max(most.output, counts.output)
    most.kept = max(most.kept, counts.kept)
    most.history = max(most.history, counts.history)
    most.pieces = max(most.pieces, counts.pieces)
    most.places = max(most.places, counts.places)
  }

  private func request() -> String {
    number += 1
    let (method, params) = random.weighted([
      (3, monitor("monitor")), (3, monitor("monitor_cond")), (6, ("transact", operations())), (2, ("transact", wait())),
      (1, ("lock", "\"\(number % 300)\"")), (1, ("monitor_cancel", "\(number - random.within(1...20))")),
    ] as [(weight: Int, value: (String, String))])
    return #"{"id":\#(number),"method":"\#(method)","params":[\#(params)]}"#
  }

  private func monitor(_ method: String) -> (String, String) {
    let condition = random.pick([#","where":[["n","<",\#(random.below(300))]]"#, #","where":[["n","==",\#(random.below(300))]]"#, ""])
    let request = method == "monitor" ? "{}" : #"[{"columns":["n","s"]\#(condition)}]"#
    return (method, #""db",\#(number),{"T":\#(request)}"#)
  }

  private func wait() -> String {
    let text = String(repeating: "w", count: random.pick([1, 1000]))
    return #""db",{"op":"wait","table":"T","where":[["n","==",-1]],"columns":["s"],"until":"==","rows":[{"s":"\#(text)"}]}"#
  }

  private func operations() -> String {
    let text = String(repeating: "x", count: random.pick([1, 10, 200, 3000]))
    let n = random.below(300)
    let durable = random.chance(20) ? #",{"op":"commit","durable":true}"# : ""
    switch random.below(5) {
    case 0, 1:
      let count = text.count > 200 ? random.within(1...15) : random.within(1...150)
      let inserts = (0..<count).map { #"{"op":"insert","table":"T","row":{"n":\#((n + $0) % 300),"s":"\#(text)"}}"# }
      return "\"db\"," + inserts.joined(separator: ",") + durable
    case 2: return #""db",{"op":"update","table":"T","where":[["n","<",\#(n)]],"row":{"s":"\#(text)"}}"# + durable
    case 3: return #""db",{"op":"delete","table":"T","where":[["n",">",\#(n)]]}"# + durable
    default: return #""db",{"op":"select","table":"T","where":[]}"# + durable
    }
  }
}

@Suite struct MemoryLawTests {
  @Test func afterEveryStepTheLimitsHold() throws {
    var reached: Set<String> = []
    for seed in 0..<8 as Range<UInt64> {
      let server = try CrowdedServer(seed: seed)
      for step in 0..<600 {
        let faults = try server.step()
        #expect(faults == [], "seed \(seed), step \(step)")
        if !faults.isEmpty { return }
      }
      print("seed \(seed): \(server.most), \(server.cutCount) clients cut or gone")
      // Half a limit is near it: nothing is out of reach of the steps.
      let most = CrowdedServer.limits.memoryMax(databases: [0], messageBytes: 0)
      for (name, amount, limit) in server.most.compared(with: most) where amount > limit / 2 { reached.insert(name) }
    }
    #expect(reached.isSuperset(of: ["input", "output", "history", "pieces", "places"]), "\(reached)")
  }

  /// Rows that only a client needs which reads no more count, and it is cut when they take too much.
  @Test func whoIsFurthestBehindIsCutWhenWhatOnlyItNeedsTakesTooMuch() throws {
    var limits = Limits()
    limits.outputBytesMax = 1 << 20
    limits.inlineRowsMax = 10
    limits.transactionWorkMax = .max
    let server = try LongServer(limits)
    for client in [1, 2] {
      server.send(client, #"{"id":"m","method":"monitor","params":["db","m",{"T":{}}]}"#)
      server.pass()
      _ = try server.replies(client)
    }
    server.setReading(1, false)
    let text = String(repeating: "x", count: 1000)
    for round in 0..<3 {
      server.send(0, LongServer.transact(round, #"{"op":"update","table":"T","where":[],"row":{"s":"\#(text)\#(round)"}}"#))
      server.pass()
      #expect(server.embedded.server.placesBytes <= 1 << 20)
    }
    #expect(!server.isOpen(1))
    #expect(server.isOpen(2))
    #expect(try server.replies(2).filter { $0 == "update" }.count == 3)
    server.check()
  }
}
