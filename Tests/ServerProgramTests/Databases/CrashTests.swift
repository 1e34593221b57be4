// SPDX-License-Identifier: Apache-2.0
//
// The real server is killed at random moments under load, with compactions and conversions going on, and started again on what it left
// (Documentation/reliability.md, promises 1 to 4). The clients are in CrashLoad.swift; kills at chosen system calls in
// CrashPointTests.swift.

import Foundation
import TestSupport
import Testing

/// `OVSDB_CRASH_ROUNDS`: how often the server is killed; a few times by default.
private let roundCount = Programs.environment("OVSDB_CRASH_ROUNDS").flatMap { Int($0) } ?? 6
/// `OVSDB_CRASH_SEED`: where the random moments begin.
private let seed = Programs.environment("OVSDB_CRASH_SEED").flatMap { UInt64($0) } ?? 1

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "ovsdb-server, ours or Open vSwitch's, is missing"))
struct CrashTests {
  @Test func whateverAClientWasToldOrShownIsThereAfterAKill() throws {
    var random = SeededRandom(seed: seed)
    var round = 0
    while round < roundCount {
      // A new database now and then, so that it does not grow without end.
      let server = try DatabaseServer(.ours, [.schema(CrashLoad.schema(generation: 0))])
      try CrashLoad.prepare(try server.session())
      for _ in 0..<min(25, roundCount - round) {
        round += 1
        let load = CrashLoad(server: server, round: round, first: try CrashLoad.contents(of: try server.session()))
        load.start()
        usleep(UInt32(random.within(2_000...250_000)))
        try server.kill()
        load.join()
        try server.start()
        let found = try CrashLoad.contents(of: try server.session())
        let problems = load.problems(with: found)
        #expect(problems.isEmpty, "round \(round) of seed \(seed): \(problems)\n\(server.directory.path)")
        if !problems.isEmpty { return }
      }
    }
  }
}
