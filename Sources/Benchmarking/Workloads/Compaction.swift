// SPDX-License-Identifier: Apache-2.0
//
// What a compaction, or the conversion to another schema, of a large database costs those who use it meanwhile.

extension Workload {
  static let compact = Workload(
    "compact", "compaction of a large database: its duration, and the longest wait of a light client meanwhile"
  ) { bench throws(BenchmarkFailure) in
    let control = try bench.loop.connect(to: try bench.controlPath())
    return try replace(bench) { (_) throws(BenchmarkFailure) in
      _ = try bench.call(
        #"{"id":0,"method":"ovsdb-server/compact","params":["\#(BenchSchema.databaseName)"]}"#, on: control)
    }
  }

  static let convert = Workload(
    "convert", "conversion of a large database to another schema, as for compact"
  ) { bench throws(BenchmarkFailure) in
    // Whoever does not know of changing databases loses its connection at each.
    _ = try bench.call(#"{"id":0,"method":"set_db_change_aware","params":[true]}"#)
    return try replace(bench) { (round) throws(BenchmarkFailure) in
      let schema = BenchSchema.text(hasNote: round % 2 == 0)
      _ = try bench.call(
        #"{"id":0,"method":"convert","params":["\#(BenchSchema.databaseName)",\#(schema)]}"#)
    }
  }

  /// How often the file is replaced, as long as that takes no more than some seconds.
  private static let roundsMax = 5
  private static let nanosecondsMax: UInt64 = 5_000_000_000
  /// About what a row takes in a compacted file.
  private static let fileByteCountPerRow = 185

  /// Replaces the file some times, each time beside a light client, which is then watched for as long beside a server at rest, and beside
  /// one at rest while something else writes a file as large: on a machine with few processors its longest wait is often the machine's
  /// doing.
  private static func replace(
    _ bench: Bench, _ body: (_ round: Int) throws(BenchmarkFailure) -> Void
  ) throws(BenchmarkFailure) -> [Measurement] {
    try bench.fill("Item", count: bench.sizes.fileRows)
    let residentBefore = try bench.serverProcess().map { (process) throws(BenchmarkFailure) in try ProcessMemory(of: process) }
    let serverBefore = try bench.serverProcessorTime()
    var (durations, waits, usualWaits, crowdedWaits) = (Histogram(), Histogram(), Histogram(), Histogram())
    var round = 0
    let begin = Clock.now()
    while round < roundsMax, round == 0 || Clock.now() - begin < nanosecondsMax {
      let probe = try bench.makeProbe()
      let start = Clock.now()
      try body(round)
      let duration = Clock.now() - start
      waits.record(try bench.end(probe).largest)
      durations.record(duration)
      let end = Clock.now() + duration
      usualWaits.record(try longestWait(bench) { Clock.now() > end })
      let work = try UnrelatedWork.start(
        in: bench.directory.path, byteCount: bench.sizes.fileRows * fileByteCountPerRow, nanoseconds: duration)
      crowdedWaits.record(try longestWait(bench) { () throws(BenchmarkFailure) in try work.isDone() })
      round += 1
    }
    var result = [
      Measurement("duration", Double(durations.quantile(0)) / 1e6, "ms", .none),
      Measurement("longest wait of others", Double(waits.quantile(0)) / 1e6, "ms"),
      Measurement("longest wait of others, worst", Double(waits.largest) / 1e6, "ms", .none),
      Measurement("their usual longest wait", Double(usualWaits.quantile(0)) / 1e6, "ms", .none),
      Measurement("their usual longest wait, worst", Double(usualWaits.largest) / 1e6, "ms", .none),
      Measurement("beside unrelated writing, worst", Double(crowdedWaits.largest) / 1e6, "ms", .none),
    ]
    if let serverBefore, let serverAfter = try bench.serverProcessorTime() {
      result.append(Measurement("server CPU", Double(serverAfter - serverBefore) / 1e6 / Double(round), "ms"))
    }
    try bench.expectRows("Item", bench.sizes.fileRows)
    if let residentBefore {
      result.append(Measurement("server memory before", Double(residentBefore.residentSize) / 1_048_576, "MiB", .none))
    }
    return result + (try bench.memory())
  }

  /// The longest wait of a light client until `isOver`, at least of one request, while nothing is asked of the server but what it asks.
  private static func longestWait(
    _ bench: Bench, until isOver: () throws(BenchmarkFailure) -> Bool
  ) throws(BenchmarkFailure) -> UInt64 {
    let probe = try bench.makeProbe()
    var failure: BenchmarkFailure?
    try bench.loop.run {
      do throws(BenchmarkFailure) {
        return try isOver() && probe.latencies.count > 0
      } catch {
        failure = error
        return true
      }
    }
    if let failure { throw failure }
    return try bench.end(probe).largest
  }
}
