// SPDX-License-Identifier: Apache-2.0
//
// Many clients that connect at once and want everything, as after a restart of the server or of a cloud.

extension Workload {
  static let dump = Workload(
    "dump", "initial rows to many clients that ask at once, and the longest wait of a light client meanwhile"
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.dumpRows
    try bench.fill("Item", count: rows)
    let request = #"{"id":1,"method":"monitor_cond","params":["\#(BenchSchema.databaseName)",1,{"Item":[{}]}]}"#
    return try bench.serveAll(bench.sizes.dumpClients, request, count: \.initialRows, rows: rows)
  }

  static let reconnect = Workload(
    "reconnect", "clients that come back at once after a restart of the server and want everything", needsOwnServer: true
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.dumpRows
    let file = bench.directory.path + "/large.db"
    try DatabaseFile.create(file, rows: rows, rowsPerRecord: rows)
    try bench.startServer(database: file)
    let request = #"{"id":1,"method":"monitor_cond","params":["\#(BenchSchema.databaseName)",1,{"Item":[{}]}]}"#
    return try bench.serveAll(bench.sizes.reconnectClients, request, count: \.initialRows, rows: rows)
  }
}

extension Bench {
  /// Has clients ask for everything at once, beside a light one.
  ///
  /// - Parameters:
  ///   - count: what of the answer counts its rows.
  func serveAll(
    _ clientCount: Int, _ request: String, count: KeyPath<MessageSummary, Int>, rows: Int
  ) throws(BenchmarkFailure) -> [Measurement] {
    let probe = try makeProbe()
    let clients = try loop.connect(count: clientCount)
    let rest = try memory()
    let serverBefore = try serverProcessorTime()
    let ownBefore = Clock.ownProcessorTime()
    let start = Clock.now()
    var arrivals = Histogram()
    var wrong: Int?
    for client in clients {
      client.handler = { _, summary, now in
        arrivals.record(now - start)
        if summary[keyPath: count] != rows { wrong = summary[keyPath: count] }
      }
      client.send(request)
      try loop.flush(client)
    }
    try loop.run { arrivals.count == UInt64(clients.count) }
    let serverAfter = try serverProcessorTime()
    let own = Clock.ownProcessorTime() - ownBefore
    let pause = try end(probe)
    for client in clients { client.handler = nil }
    if let wrong { throw .wrongResult("a client got \(wrong) rows, not \(rows)") }
    var result = [
      Measurement("all clients served", Double(arrivals.largest) / 1e6, "ms"),
      Measurement("first client served", Double(arrivals.quantile(0)) / 1e6, "ms", .none),
      Measurement("wait of others p99", Double(pause.quantile(0.99)) / 1e6, "ms"),
      Measurement("longest wait of others", Double(pause.largest) / 1e6, "ms"),
    ]
    if let serverBefore, let serverAfter {
      result.append(Measurement("server CPU", Double(serverAfter - serverBefore) / 1e6, "ms"))
    }
    result.append(Measurement("generator CPU", Double(own) / 1e6, "ms", .none))
    result.append(Measurement("answer for one", Double(clients.first?.receivedBytes ?? 0) / 1_048_576, "MiB", .none))
    return result + (try growth(since: rest))
  }
}

extension Bench {
  /// A light client that writes: it updates a row that nobody monitors, again and again.
  func makeProbe() throws(BenchmarkFailure) -> Probe {
    _ = try transact([
      #"{"op":"delete","table":"Record","where":[["name","==","probe"]]}"#,
      #"{"op":"insert","table":"Record","row":{"name":"probe"}}"#,
    ])
    let operation = #"{"op":"update","table":"Record","where":[["name","==","probe"]],"row":{"number":1########}}"#
    let client = try loop.connect()
    _ = try call(#"{"id":0,"method":"set_db_change_aware","params":[true]}"#, on: client)
    let probe = Probe(client, template: RequestTemplate(Bench.transaction([operation])))
    loop.probe = probe
    try loop.run { probe.latencies.count >= 20 }
    probe.forgetLatencies()
    return probe
  }

  /// Waits for the reply that a probe is waiting for, ends it, and returns its latencies.
  func end(_ probe: Probe) throws(BenchmarkFailure) -> Histogram {
    probe.isEnding = true
    try loop.run { !probe.isWaiting }
    loop.probe = nil
    guard probe.latencies.count > 0 else { throw .wrongResult("the light client got no answer") }
    return probe.latencies
  }
}
