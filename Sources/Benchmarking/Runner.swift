// SPDX-License-Identifier: Apache-2.0
//
// Runs workloads, on one server or on two in turn, and gathers the results.

/// All results of one workload: for each server, for each round, its measurements.
package struct WorkloadResult: Sendable {
  package let workload: Workload
  package let rounds: [[[Measurement]]]

  /// The measurements of one name on one server, one of each round.
  func values(_ name: String, server: Int) -> [Double] {
    rounds[server].compactMap { round in round.first { $0.name == name }?.value }
  }
}

package struct Runner {
  /// One or two servers; the second is what the first is compared to.
  package var targets: [Bench.Target]
  package var sizes: Sizes
  package var rounds: Int
  /// Where the runs' directories are made.
  package var parent: String

  package init(targets: [Bench.Target], sizes: Sizes, rounds: Int, parent: String) {
    self.targets = targets
    self.sizes = sizes
    self.rounds = rounds
    self.parent = parent
  }

  /// When a workload's rounds have taken so long, no further one is begun: what takes long varies little.
  package var secondsMax = 20.0

  /// Runs a workload `rounds` times on each server. The servers take turns, so that what slows the machine down for a
  /// while slows both; and the turns alternate (AB BA AB), so that neither is always the first.
  package func run(_ workload: Workload) throws(BenchmarkFailure) -> WorkloadResult {
    var results = [[[Measurement]]](repeating: [], count: targets.count)
    let start = Clock.now()
    for round in 0..<rounds where round == 0 || Double(Clock.now() - start) < secondsMax * 1e9 {
      let order = Array(targets.indices)
      for index in round % 2 == 0 ? order : order.reversed() {
        let bench = try Bench(target: targets[index], sizes: sizes, parent: parent)
        if !workload.needsOwnServer { try bench.start() }
        results[index].append(try workload.run(bench))
        bench.stop()
      }
    }
    return WorkloadResult(workload: workload, rounds: results)
  }
}
