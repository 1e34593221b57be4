// SPDX-License-Identifier: Apache-2.0
//
// A few seeds of the stateful fuzzer; `ovsdb-fuzz-server` runs as many as one likes.

import Foundation
import StatefulFuzz
import TestSupport
import Testing

@Suite struct StatefulTests {
  /// `OVSDB_STATEFUL_SEEDS` is how many, `OVSDB_STATEFUL_STEPS` how long.
  @Test func whateverClientsDoBookkeepingFilesAndViewsAgree() throws {
    let seeds = Programs.environment("OVSDB_STATEFUL_SEEDS").flatMap { UInt64($0) } ?? 8
    let steps = Programs.environment("OVSDB_STATEFUL_STEPS").flatMap { Int($0) } ?? 120
    for seed in 0..<seeds {
      do {
        let report = try StatefulFuzzer.run(seed: seed, steps: steps)
        #expect(report.requests > steps / 3)
      } catch {
        Issue.record("seed \(seed), \(steps) steps: \(error)")
      }
    }
  }
}
