// SPDX-License-Identifier: Apache-2.0
//
// Writes that monitors must see: one writer, many watchers, and a write is complete when its reply and every update
// that it causes have arrived.

/// A load whose operations change one row each.
package struct FanOut {
  /// Who sees an operation.
  package enum Audience { case everyWatcher, oneWatcher }

  package var writer: Connection
  package var watchers: [Connection]
  package var audience: Audience
  /// Operations under way. The rows that so many consecutive operations change must differ: a server may merge updates
  /// for a client that lags, and changes of one row then arrive as one.
  package var depth: Int
  package var limit: Load.Limit
  package var write: (Connection, Int) -> Void

  package init(
    _ writer: Connection, _ watchers: [Connection], _ audience: Audience, depth: Int, limit: Load.Limit,
    write: @escaping (Connection, Int) -> Void
  ) {
    self.writer = writer
    self.watchers = watchers
    self.audience = audience
    self.depth = depth
    self.limit = limit
    self.write = write
  }
}

/// Counts what is missing for each operation under way.
///
/// Invariant: operations complete in the order of their numbers, for replies and each watcher's updates come in that
/// order; with `oneWatcher` updates are attributed in the order of their arrival.
private struct Pending {
  private var missing: [Int]
  private var starts: [UInt64]
  private let perOperation: Int
  private(set) var completed = 0
  private(set) var issued = 0

  init(depth: Int, perOperation: Int) {
    missing = Array(repeating: 0, count: depth)
    starts = Array(repeating: 0, count: depth)
    self.perOperation = perOperation
  }

  mutating func issue(at now: UInt64) {
    let slot = issued % missing.count
    missing[slot] = perOperation
    starts[slot] = now
    issued += 1
  }

  /// Takes one event of an operation; returns when the operation started if this was the last.
  mutating func take(_ operation: Int) throws(BenchmarkFailure) -> UInt64? {
    guard operation >= completed, operation < issued else {
      throw .wrongResult("more replies or updates than were asked for")
    }
    let slot = operation % missing.count
    missing[slot] -= 1
    guard missing[slot] == 0 else { return nil }
    completed += 1
    return starts[slot]
  }
}

extension Bench {
  /// Runs a fan-out to its end. Numbers of requests start at `first`.
  package func run(_ load: FanOut, first: Int = 0) throws(BenchmarkFailure) -> LoadResult {
    var result = LoadResult()
    var pending = Pending(
      depth: load.depth, perOperation: load.audience == .everyWatcher ? load.watchers.count + 1 : 2)
    let serverBefore = try serverProcessorTime()
    let ownBefore = Clock.ownProcessorTime()
    let start = Clock.now()
    var end = UInt64.max
    var operationsMax = Int.max
    switch load.limit {
    case .seconds(let seconds): end = start + UInt64(seconds * 1e9)
    case .operations(let count): operationsMax = count
    }
    var latest = start
    var replies = 0
    var needsFlush = false

    func issue(_ now: UInt64) {
      load.write(load.writer, first + pending.issued)
      pending.issue(at: now)
      needsFlush = true
    }
    func take(_ operation: Int, _ now: UInt64) throws(BenchmarkFailure) {
      guard let started = try pending.take(operation) else { return }
      result.latencies.record(now - started)
      latest = now
      if pending.issued < operationsMax, now < end { issue(now) }
    }

    load.writer.handler = { _, _, now throws(BenchmarkFailure) in
      replies += 1
      try take(replies - 1, now)
      needsFlush = false  // the connection that is being read is flushed by itself
    }
    var arrived = 0
    for watcher in load.watchers {
      var seen = 0
      watcher.handler = { [self] _, summary, now throws(BenchmarkFailure) in
        for _ in 0..<summary.changedRows {
          if load.audience == .everyWatcher {
            seen += 1
            try take(seen - 1, now)
          } else {
            arrived += 1
            try take(arrived - 1, now)
          }
        }
        if needsFlush {
          needsFlush = false
          try loop.flush(load.writer)
        }
      }
    }
    defer { for connection in load.watchers + [load.writer] { connection.handler = nil } }
    for _ in 0..<min(load.depth, operationsMax) { issue(Clock.now()) }
    needsFlush = false
    try loop.flush(load.writer)
    try loop.run { pending.completed == pending.issued }
    result.operations = pending.completed
    result.nanoseconds = max(1, latest - start)
    result.ownProcessorTime = Clock.ownProcessorTime() - ownBefore
    if let before = serverBefore, let after = try serverProcessorTime() { result.serverProcessorTime = after - before }
    return result
  }

  /// Connects clients that each monitor something, and waits until all have their initial rows.
  ///
  /// - Parameters:
  ///   - requests: The monitor requests of a client, an object from table to request, by the client's number.
  ///   - initialRows: How many rows each must get at first.
  package func monitors(
    _ count: Int, method: String = "monitor_cond", initialRows: Int, requests: (Int) -> String
  ) throws(BenchmarkFailure) -> [Connection] {
    let clients = try loop.connect(count: count)
    var answered = 0
    var wrong: Int?
    for (number, client) in clients.enumerated() {
      client.handler = { _, summary, _ in
        answered += 1
        if summary.initialRows != initialRows { wrong = summary.initialRows }
      }
      client.send(
        #"{"id":1,"method":"\#(method)","params":["\#(BenchSchema.databaseName)",\#(number),\#(requests(number))]}"#)
      try loop.flush(client)
    }
    try loop.run { answered == count }
    for client in clients { client.handler = nil }
    if let wrong { throw .wrongResult("a monitor got \(wrong) rows at first, not \(initialRows)") }
    return clients
  }
}
