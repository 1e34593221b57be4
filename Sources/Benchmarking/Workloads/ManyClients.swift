// SPDX-License-Identifier: Apache-2.0
//
// Ten thousand clients, each with a monitor, and a writer at a steady rate: all see every update.

import Glibc

extension Workload {
  static let manyClients = Workload(
    "many-clients", "updates at a steady rate that each of 10,000 clients sees, on Unix and TCP sockets"
  ) { bench throws(BenchmarkFailure) in
    let count = bench.sizes.manyClients
    let update = ItemUpdate(of: try bench.fill("Item", count: 100))
    let writer = try bench.controlConnection()
    let start = Clock.now()
    let clients = try bench.connectEverywhere(count)
    try bench.monitorItems(clients, rows: 100)
    let connected = Clock.now() - start
    let memory = try bench.memory()
    let (latencies, processorTime) = try bench.watchSteadily(clients, writer, update)
    var result = [
      Measurement("all connected and told", Double(connected) / 1e6, "ms"),
      Measurement("update seen p50", Double(latencies.quantile(0.5)) / 1e6, "ms"),
      Measurement("update seen p99", Double(latencies.quantile(0.99)) / 1e6, "ms"),
      Measurement("update seen p99.9", Double(latencies.quantile(0.999)) / 1e6, "ms", .none),
      Measurement("update seen by the last", Double(latencies.largest) / 1e6, "ms"),
    ]
    if let processorTime {
      result.append(Measurement("server CPU", Double(processorTime) / 1e3 / Double(max(1, latencies.count)), "us/update"))
    }
    return result + memory
  }
}

extension Bench {
  /// Connects clients, half of them by TCP from and to several addresses of the loopback network when the server can be told to
  /// listen there: one pair of addresses has some 28,000 ports.
  func connectEverywhere(_ count: Int) throws(BenchmarkFailure) -> [Connection] {
    var clients = try loop.connect(count: count - count / 2)
    guard let controlPath = try? controlPath() else { return clients + (try loop.connect(count: count / 2)) }
    let port = try Connection.freePort()
    let control = try loop.connect(to: controlPath)
    _ = try call(#"{"id":0,"method":"ovsdb-server/add-remote","params":["ptcp:\#(port):0.0.0.0"]}"#, on: control)
    for number in 0..<(count / 2) {
      let client = try connectInTime(port: port, address: UInt8(1 + number % 4))
      clients.append(client)
      // A server accepts a few at a time, and the queue before it is short: a client that comes over TCP to a full one is reset.
      if number % 8 == 0 { _ = try call(#"{"id":0,"method":"list_dbs","params":[]}"#, on: client) }
    }
    return clients
  }

  /// Connects by TCP. A server may open its remote a moment after it has answered.
  private func connectInTime(port: UInt16, address: UInt8) throws(BenchmarkFailure) -> Connection {
    let deadline = Clock.now() + UInt64(loop.patienceSeconds * 1e9)
    while true {
      do throws(BenchmarkFailure) {
        return try loop.connect(port: port, address: address)
      } catch .system(let operation, ECONNREFUSED) {
        guard Clock.now() < deadline else { throw .system(operation: operation, errno: ECONNREFUSED) }
        Clock.sleep(milliseconds: 10)
      }
    }
  }

  /// Has each client monitor the items, and waits until all have their rows.
  func monitorItems(_ clients: [Connection], rows: Int) throws(BenchmarkFailure) {
    var answered = 0
    var wrong: Int?
    for client in clients {
      client.handler = { _, summary, _ in
        answered += 1
        if summary.initialRows != rows { wrong = summary.initialRows }
      }
      client.send(
        #"{"id":1,"method":"monitor_cond","params":["\#(BenchSchema.databaseName)",1,{"Item":[{"columns":["name","number"]}]}]}"#)
      try loop.flush(client)
    }
    try loop.run { answered == clients.count }
    for client in clients { client.handler = nil }
    if let wrong { throw .wrongResult("a monitor got \(wrong) rows at first, not \(rows)") }
  }

  /// Writes ten times a second, whatever has arrived, and waits until all clients saw all of it.
  ///
  /// - Returns: how long each update took to each client, and the server's processor time.
  fileprivate func watchSteadily(
    _ clients: [Connection], _ writer: Connection, _ update: ItemUpdate
  ) throws(BenchmarkFailure) -> (Histogram, UInt64?) {
    let writes = max(3, Int(sizes.seconds * 50))
    let interval: UInt64 = 100_000_000
    var sent: [UInt64] = []
    var latencies = Histogram()
    for client in clients {
      var seen = 0
      client.handler = { _, summary, now throws(BenchmarkFailure) in
        for _ in 0..<summary.changedRows {
          guard seen < sent.count else { throw .wrongResult("more updates than writes") }
          latencies.record(now - sent[seen])
          seen += 1
        }
      }
    }
    defer { for client in clients { client.handler = nil } }
    let before = try serverProcessorTime()
    let start = Clock.now()
    loop.waitMilliseconds = 1
    defer { loop.waitMilliseconds = 100 }
    var failure: BenchmarkFailure?
    try loop.run {
      if sent.count < writes, Clock.now() >= start + UInt64(sent.count) * interval {
        update.write(to: writer, number: sent.count)
        sent.append(Clock.now())
        do throws(BenchmarkFailure) { try loop.flush(writer) } catch { failure = error }
      }
      return failure != nil || latencies.count == UInt64(writes * clients.count)
    }
    if let failure { throw failure }
    let after = try serverProcessorTime()
    guard let before, let after else { return (latencies, nil) }
    return (latencies, after - before)
  }
}
