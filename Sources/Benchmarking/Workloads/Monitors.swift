// SPDX-License-Identifier: Apache-2.0
//
// Writes that other clients see: all of them, or one of many that each ask for something else.

extension Workload {
  static let monitorsEqual = Workload(
    "monitors-equal", "updates of a row that many clients with equal monitors see; complete when all have it; 8 deep"
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.updateRows
    let update = ItemUpdate(of: try bench.fill("Item", count: rows))
    let watchers = try bench.monitors(bench.sizes.equalMonitors, initialRows: rows) { _ in
      #"{"Item":[{"columns":["name","number"]}]}"#
    }
    return try measure(bench, watchers, .everyWatcher, depth: min(8, rows), update)
  }

  static let monitorsConditions = Workload(
    "monitors-conditions", "updates that one of many clients with different conditions sees; 8 deep"
  ) { bench throws(BenchmarkFailure) in
    let count = bench.sizes.conditionMonitors
    let uuids = try bench.fill("Item", count: count) { #"{"name":"x\#(Int($0) ?? 0)","number":1\#($0)}"# }
    let watchers = try bench.monitors(count, initialRows: 1) {
      #"{"Item":[{"columns":["name","number"],"where":[["name","==","x\#($0)"]]}]}"#
    }
    let result = try measure(bench, watchers, .oneWatcher, depth: min(8, count), ItemUpdate(of: uuids))
    // The writes went round the rows, so no watcher has seen more than one more than another.
    let seen = watchers.map(\.changedRows)
    guard let least = seen.min(), let most = seen.max(), most - least <= 1 else {
      throw .wrongResult("some monitors saw more updates than others")
    }
    return result
  }

  private static func measure(
    _ bench: Bench, _ watchers: [Connection], _ audience: FanOut.Audience, depth: Int, _ update: ItemUpdate
  ) throws(BenchmarkFailure) -> [Measurement] {
    let writer = try bench.controlConnection()
    var load = FanOut(
      writer, watchers, audience, depth: depth, limit: .seconds(bench.sizes.seconds / 6), write: update.write)
    let warmUp = try bench.run(load)
    load.limit = .seconds(bench.sizes.seconds)
    let result = try bench.run(load, first: warmUp.operations)
    let expected = (warmUp.operations + result.operations) * (audience == .everyWatcher ? watchers.count : 1)
    let seen = watchers.reduce(0) { $0 + $1.changedRows }
    guard seen == expected else { throw .wrongResult("monitors saw \(seen) updates, not \(expected)") }
    return result.measurements
  }
}
