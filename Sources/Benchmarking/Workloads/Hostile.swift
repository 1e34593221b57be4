// SPDX-License-Identifier: Apache-2.0
//
// Clients that a server has to live with: what they cost, and what others feel of them.

import Glibc

extension Workload {
  static let selectAll = Workload(
    "select-all", "every row selected by 50 clients at once, and the longest wait of a light client meanwhile"
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.dumpRows
    try bench.fill("Item", count: rows)
    let request = Bench.transaction([#"{"op":"select","table":"Item","where":[]}"#], id: "1")
    return try bench.serveAll(bench.sizes.selectClients, request, count: \.selectedRows, rows: rows)
  }

  static let selectSorted = Workload(
    "select-sorted", "every row selected in order by 10 clients at once, and the longest wait of a light client meanwhile"
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.dumpRows
    try bench.fill("Item", count: rows)
    let request = Bench.transaction([#"{"op":"select","table":"Item","where":[],"sort":["name"]}"#], id: "1")
    return try bench.serveAll(bench.sizes.sortingClients, request, count: \.selectedRows, rows: rows)
  }

  static let slowReaders = Workload(
    "slow-readers", "100 clients that monitor everything and stop reading while all of it is written three times"
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.selectRows
    let uuids = try bench.fill("Item", count: rows)
    let clients = try bench.monitors(bench.sizes.slowClients, initialRows: rows) { _ in #"{"Item":[{}]}"# }
    let rest = try bench.memory()
    for client in clients { try bench.loop.stopReading(client) }
    let update = ItemUpdate(of: uuids)
    let writer = try bench.controlConnection()
    let result = try bench.run(Load([writer], depth: 32, limit: .operations(3 * rows), write: update.write))
    let growth = try bench.growth(since: rest)
    // What they read at the end is the truth: each row at least once, and the last value of the last row.
    let seen = clients.map(\.changedRows)
    let start = Clock.now()
    for client in clients { try bench.loop.goOnReading(client) }
    try bench.loop.run { zip(clients, seen).allSatisfy { $0.changedRows - $1 >= rows } }
    return [
      Measurement("throughput meanwhile", Double(result.operations) / (Double(result.nanoseconds) / 1e9), "op/s", .more),
      Measurement("all caught up", Double(Clock.now() - start) / 1e6, "ms"),
    ] + growth
  }

  static let flood = Workload(
    "flood", "a light client beside silent, broken, dripping and greedy ones"
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.selectRows
    try bench.fill("Item", count: rows)
    let probe = try bench.makeProbe()
    let rest = try bench.memory()
    let quiet = bench.sizes.seconds
    try bench.loop.wait(seconds: quiet)
    let before = probe.latencies
    probe.forgetLatencies()
    let flood = try Flood(bench, clients: bench.sizes.floodClients)
    let end = Clock.now() + UInt64(2 * quiet * 1e9)
    try bench.loop.run {
      flood.tick()
      return Clock.now() >= end
    }
    let during = probe.latencies
    let growth = try bench.growth(since: rest)
    flood.stop()
    _ = try bench.end(probe)
    return [
      Measurement("latency p99 without", Double(before.quantile(0.99)) / 1e3, "us", .none),
      Measurement("latency p50", Double(during.quantile(0.5)) / 1e3, "us"),
      Measurement("latency p99", Double(during.quantile(0.99)) / 1e3, "us"),
      Measurement("latency max", Double(during.largest) / 1e6, "ms"),
      Measurement("broken connections", Double(flood.brokenCount), "", .none),
    ] + growth
  }
}

extension Bench {
  /// The server's memory, and by how much its peak exceeds what it was.
  func growth(since rest: [Measurement]) throws(BenchmarkFailure) -> [Measurement] {
    let now = try memory()
    guard let before = rest.first, let most = now.last else { return [] }
    return [
      Measurement("server memory before", before.value, "MiB", .none),
      Measurement("growth, most", max(0, most.value - before.value), "MiB"),
    ]
  }
}

/// Clients that misbehave, on plain sockets: nothing they are told is read.
private final class Flood {
  private let path: String
  private var sockets: [Int32] = []
  private var dripping: [Int32] = []
  private(set) var brokenCount = 0

  /// A tenth of the clients each: half a message and no more; one byte at a time; large selects, pipelined and never read. The rest is
  /// silent.
  init(_ bench: Bench, clients: Int) throws(BenchmarkFailure) {
    path = bench.socketPath
    let select = Array(Bench.transaction([#"{"op":"select","table":"Item","where":[]}"#], id: "1").utf8)
    for number in 0..<clients {
      let socket = try Connection.connect(path)
      sockets.append(socket)
      switch number % 10 {
      case 0: send(socket, Array(#"{"id":1,"method":"transact","params":["#.utf8))
      case 1: dripping.append(socket)
      case 2 where number < 200: for _ in 0..<20 { send(socket, select) }
      default: break
      }
    }
    for socket in dripping { send(socket, Array(#"{"id":1,"method":"echo","params":[""#.utf8)) }
  }

  private func send(_ socket: Int32, _ bytes: [UInt8]) {
    _ = bytes.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
  }

  /// Another byte from each that drips, and a few connections that say nonsense and go.
  func tick() {
    for socket in dripping { send(socket, [UInt8(ascii: "a")]) }
    for text in ["nonsense", "{\"id\":", "{}", "[[[[[[[["] {
      guard let socket = try? Connection.connect(path) else { continue }
      send(socket, Array(text.utf8))
      close(socket)
      brokenCount += 1
    }
  }

  func stop() {
    for socket in sockets { close(socket) }
    sockets = []
  }
}
