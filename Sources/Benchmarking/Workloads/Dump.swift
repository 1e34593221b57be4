// SPDX-License-Identifier: Apache-2.0
//
// Many clients that connect at once and want everything, as after a restart of the server or of a cloud.

extension Workload {
  static let dump = Workload(
    "dump", "initial rows to many clients that ask at once, and the longest wait of a light client meanwhile"
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.dumpRows
    try bench.fill("Item", count: rows)
    let probe = try bench.makeProbe()
    let clients = try bench.loop.connect(count: bench.sizes.dumpClients)
    let serverBefore = try bench.serverProcessorTime()
    let ownBefore = Clock.ownProcessorTime()
    let start = Clock.now()
    var arrivals = Histogram()
    var wrong: Int?
    for client in clients {
      client.handler = { _, summary, now in
        arrivals.record(now - start)
        if summary.initialRows != rows { wrong = summary.initialRows }
      }
      client.send(
        #"{"id":1,"method":"monitor_cond","params":["\#(BenchSchema.databaseName)",1,{"Item":[{}]}]}"#)
      try bench.loop.flush(client)
    }
    try bench.loop.run { arrivals.count == UInt64(clients.count) }
    let serverAfter = try bench.serverProcessorTime()
    let own = Clock.ownProcessorTime() - ownBefore
    let pause = try bench.end(probe)
    for client in clients { client.handler = nil }
    if let wrong { throw .wrongResult("a client got \(wrong) rows, not \(rows)") }
    var result = [
      Measurement("all clients served", Double(arrivals.largest) / 1e6, "ms"),
      Measurement("first client served", Double(arrivals.quantile(0)) / 1e6, "ms", .none),
      Measurement("longest wait of others", Double(pause.largest) / 1e6, "ms"),
    ]
    if let serverBefore, let serverAfter {
      result.append(Measurement("server CPU", Double(serverAfter - serverBefore) / 1e6, "ms"))
    }
    result.append(Measurement("generator CPU", Double(own) / 1e6, "ms", .none))
    return result + (try bench.memory())
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
