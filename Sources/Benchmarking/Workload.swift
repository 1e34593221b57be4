// SPDX-License-Identifier: Apache-2.0
//
// The table of everything that can be measured. Each entry is a value in a file of its own under Workloads/.

/// A benchmark: it fills an empty database, puts a load on the server, checks what came of it, and returns numbers.
package struct Workload: Sendable {
  package let name: String
  /// What it measures, in one line for `--list`.
  package let summary: String
  /// True when the server must be started by the benchmark, as a running one has nothing to tell about its start.
  package let needsOwnServer: Bool
  /// Runs it once.
  package let run: @Sendable (Bench) throws(BenchmarkFailure) -> [Measurement]

  init(
    _ name: String, _ summary: String, needsOwnServer: Bool = false,
    run: @escaping @Sendable (Bench) throws(BenchmarkFailure) -> [Measurement]
  ) {
    self.name = name
    self.summary = summary
    self.needsOwnServer = needsOwnServer
    self.run = run
  }

  package static let all: [Workload] = [
    .insert, .insertPipelined, .insertConcurrent, .update, .portInsert,
    .selectUUID, .selectIndexed, .selectScan,
    .durable, .durableConcurrent,
    .monitorsEqual, .monitorsConditions, .idleClients, .idleMonitors,
    .manyClients, .selectAll, .selectSorted, .slowReaders, .flood,
    .dump, .reconnect, .compact, .convert, .startSnapshot, .startHistory,
  ]
}
