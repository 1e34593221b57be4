// SPDX-License-Identifier: Apache-2.0
//
// What a compaction of a large database costs those who use it meanwhile.

extension Workload {
  static let compact = Workload(
    "compact", "compaction of a large database: its duration, and the longest wait of a light client meanwhile"
  ) { bench throws(BenchmarkFailure) in
    let controlPath = try bench.controlPath()
    try bench.fill("Item", count: bench.sizes.fileRows)
    let probe = try bench.makeProbe()
    let control = try bench.loop.connect(to: controlPath)
    let serverBefore = try bench.serverProcessorTime()
    let start = Clock.now()
    _ = try bench.call(
      #"{"id":0,"method":"ovsdb-server/compact","params":["\#(BenchSchema.databaseName)"]}"#, on: control)
    let duration = Clock.now() - start
    let pause = try bench.end(probe)
    var result = [
      Measurement("duration", Double(duration) / 1e6, "ms", .none),
      Measurement("longest wait of others", Double(pause.largest) / 1e6, "ms"),
    ]
    if let serverBefore, let serverAfter = try bench.serverProcessorTime() {
      result.append(Measurement("server CPU", Double(serverAfter - serverBefore) / 1e6, "ms"))
    }
    try bench.expectRows("Item", bench.sizes.fileRows)
    return result + (try bench.memory())
  }
}
