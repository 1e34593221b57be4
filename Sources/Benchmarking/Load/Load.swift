// SPDX-License-Identifier: Apache-2.0
//
// A closed loop: each connection always has `depth` requests under way; a reply lets the next one out.

/// A load of requests that are complete with their reply. `FanOut` is the load whose requests are complete when
/// monitors saw them.
package struct Load {
  package enum Limit {
    case seconds(Double)
    case operations(Int)
  }

  package var connections: [Connection]
  package var depth: Int
  package var limit: Limit
  /// Appends the request with a number, from 0, to a connection (which does not send it yet).
  package var write: (Connection, Int) -> Void
  /// Judges a reply, beyond its being no error.
  package var check: (MessageSummary) -> Bool = { _ in true }

  package init(
    _ connections: [Connection], depth: Int, limit: Limit, write: @escaping (Connection, Int) -> Void
  ) {
    self.connections = connections
    self.depth = depth
    self.limit = limit
    self.write = write
  }
}

/// What a load came to.
package struct LoadResult {
  package var operations = 0
  package var nanoseconds: UInt64 = 0
  package var latencies = Histogram()
  /// Processor time of the server, nil when its process is not known, and of the load generator.
  package var serverProcessorTime: UInt64?
  package var ownProcessorTime: UInt64 = 0

  /// The figures of every load.
  package var measurements: [Measurement] {
    let operations = Double(max(1, operations))
    var result = [
      Measurement("throughput", operations / (Double(nanoseconds) / 1e9), "op/s", .more),
      Measurement("latency p50", Double(latencies.quantile(0.5)) / 1e3, "us"),
      Measurement("latency p99", Double(latencies.quantile(0.99)) / 1e3, "us"),
      Measurement("latency max", Double(latencies.largest) / 1e3, "us", .none),
    ]
    if let time = serverProcessorTime {
      result.append(Measurement("server CPU", Double(time) / 1e3 / operations, "us/op"))
    }
    result.append(Measurement("generator CPU", Double(ownProcessorTime) / 1e3 / operations, "us/op", .none))
    return result
  }
}

extension Bench {
  /// Runs a load to its end. Numbers of requests start at `first`.
  ///
  /// - Throws: `.wrongResult` when a reply does not pass the load's check, besides what the loop throws.
  package func run(_ load: Load, first: Int = 0) throws(BenchmarkFailure) -> LoadResult {
    var result = LoadResult()
    var issued = 0
    let serverBefore = try serverProcessorTime()
    let ownBefore = Clock.ownProcessorTime()
    let start = Clock.now()
    let end: UInt64
    let operationsMax: Int
    switch load.limit {
    case .seconds(let seconds): (end, operationsMax) = (start + UInt64(seconds * 1e9), Int.max)
    case .operations(let count): (end, operationsMax) = (UInt64.max, count)
    }
    var latest = start
    let check = load.check
    let write = load.write
    for connection in load.connections {
      connection.handler = { connection, summary, now throws(BenchmarkFailure) in
        result.latencies.record(now - connection.sendTimes.removeFirst())
        result.operations += 1
        latest = now
        guard check(summary) else { throw .wrongResult("a reply lacks what was asked for: \(summary)") }
        if issued < operationsMax, now < end {
          write(connection, first + issued)
          connection.sendTimes.append(now)
          issued += 1
        }
      }
    }
    defer { for connection in load.connections { connection.handler = nil } }
    for connection in load.connections {
      for _ in 0..<load.depth where issued < operationsMax {
        write(connection, first + issued)
        connection.sendTimes.append(Clock.now())
        issued += 1
      }
      try loop.flush(connection)
    }
    try loop.run { result.operations == issued }
    result.nanoseconds = max(1, latest - start)
    result.ownProcessorTime = Clock.ownProcessorTime() - ownBefore
    if let before = serverBefore, let after = try serverProcessorTime() { result.serverProcessorTime = after - before }
    return result
  }

  /// Replaces all connections by new ones. Any connection beyond those asked for would make the generator use epoll
  /// where one blocking read is enough.
  package func onlyConnections(_ count: Int) throws(BenchmarkFailure) -> [Connection] {
    try dropConnections()
    var clients: [Connection] = []
    for _ in 0..<max(1, count) { clients.append(clients.isEmpty ? try controlConnection() : try loop.connect()) }
    return clients
  }

  /// Runs a load for a moment to warm the server up, and then for the time of `sizes`.
  ///
  /// - Returns: The result, and how many operations ran in all, so that their effects can be counted.
  package func measure(
    connections: Int, depth: Int, write: @escaping (Connection, Int) -> Void,
    check: @escaping (MessageSummary) -> Bool = { _ in true }
  ) throws(BenchmarkFailure) -> (result: LoadResult, total: Int) {
    let clients = try onlyConnections(sizes.connections ?? connections)
    var load = Load(clients, depth: sizes.depth ?? depth, limit: .seconds(sizes.seconds / 6), write: write)
    load.check = check
    let warmUp = try run(load)
    load.limit = .seconds(sizes.seconds)
    let result = try run(load, first: warmUp.operations)
    return (result, warmUp.operations + result.operations)
  }
}
