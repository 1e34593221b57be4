// SPDX-License-Identifier: Apache-2.0
//
// Every system call of the server fails once, with each error that it can have here: nothing that was acknowledged is lost, nothing is
// refused longer than the cause lasts, and nothing but the lack of memory ends a server that serves.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer && Strace.isUsable, "ovsdb-server or strace is missing"), .serialized)
struct SystemCallFaultTests {
  /// `OVSDB_SYSTEM_CALLS=all`: every error at every call; the name of a call: every error of this one; else one error of each call, at
  /// one place.
  private static let thorough = Programs.environment("OVSDB_SYSTEM_CALLS")
  private static let fixture = Result { try FaultFixture() }
  /// Calls of an undisturbed run.
  private static let counts = Result {
    let run = try fixture.get().run([], calls: nil)
    run.perform()
    // Refusals there may be: the relay has its contents a moment after the server serves, and those who ask meanwhile are cut.
    try #require(run.hasRecovered && run.status == 0, "without a fault: \(run.refusals) \(run.log)")
    return run.counts
  }

  @Test func theListHasEveryCallThatTheServerMakes() throws {
    let listed = Set(SystemCall.all.map(\.name)).union(SystemCall.infallible.values.flatMap { $0 })
    let made = Set(try Self.counts.get().keys)
    #expect(made.isSubset(of: listed), "not in the list: \(made.subtracting(listed).sorted())")
    // The list is for this run: a script that does less than before would try less.
    let needed: Set = ["accept4", "connect", "fdatasync", "fsync", "openat", "pwrite64", "read", "rename", "write"]
    #expect(needed.isSubset(of: made), "not made: \(needed.subtracting(made).sorted())")
  }

  @Test(arguments: SystemCall.all) func aCallThatFailsOnceCostsNothing(call: SystemCall) throws {
    guard let count = try Self.counts.get()[call.name] else { return }
    guard Self.thorough == nil || Self.thorough == "all" || Self.thorough == call.name else { return }
    guard Self.thorough == nil else {
      for place in 1...count {
        for error in call.errors { _ = try fail(call, error, at: place) }
      }
      return
    }
    let error = call.errors[count % call.errors.count]
    var place = max(1, count * 2 / 3)
    while try !fail(call, error, at: place) { place += 1 }
  }

  /// - Returns: false when the call cannot fail in reality.
  private func fail(_ call: SystemCall, _ error: String, at place: Int) throws -> Bool {
    let run = try Self.fixture.get().run(["\(call.name):error=\(error):when=\(place)"], calls: [call.name])
    run.perform()
    guard !run.injected.contains(where: SystemCall.isInfallible) else { return false }
    let what: Comment = "\(call.name) fails with \(error), call \(place): \(run.injected) \(run.refusals.suffix(40)) \(run.errors)\n\(run.log)"
    if run.hasServed {
      #expect(run.status == 0 && run.hasRecovered || call.endsServer != nil && !run.injected.isEmpty, what)
    } else {
      // Killed by the loader (127), or refused in order.
      #expect(run.status == 1 || run.status == 127 || call.endsServer != nil, what)
      #expect(!run.errors.isEmpty, what)
    }
    let found = try run.contents()
    #expect(run.acknowledged.isSubset(of: found), "\(what)\nlost: \(run.acknowledged.subtracting(found).sorted())")
    return true
  }
}
