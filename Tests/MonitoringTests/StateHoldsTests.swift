// SPDX-License-Identifier: Apache-2.0
//
// What past states of a database keep in memory.

import Testing

@testable import Monitoring

/// Documentation/reliability.md#the-law.
@Suite struct StateHoldsTests {
  private static let databaseBytes = 1 << 20

  @Test func aStateKeepsWhatWasDisplacedSinceIt() {
    var holds = StateHolds()
    let state = holds.hold(1, databaseBytes: Self.databaseBytes)
    holds.note(displacedBytes: 100)
    #expect(holds.byteCount() == 100)
    withExtendedLifetime(state) {}
  }

  @Test func aStateThatNobodyNeedsKeepsNothing() {
    var holds = StateHolds()
    _ = holds.hold(1, databaseBytes: Self.databaseBytes)
    holds.note(displacedBytes: 100)
    #expect(holds.byteCount() == 0)
  }

  /// A client comes back that knows an older state than those which somebody needs already.
  @Test func theOldestStateCountsInWhateverOrderTheyAreHeld() {
    var holds = StateHolds()
    holds.note(displacedBytes: 500)
    let newer = holds.hold(5, databaseBytes: Self.databaseBytes)
    holds.note(displacedBytes: 20)
    let older = holds.hold(2, databaseBytes: Self.databaseBytes, displacing: 300)
    #expect(holds.byteCount() == 300)
    let newest = holds.hold(6, databaseBytes: Self.databaseBytes)
    holds.note(displacedBytes: 1)
    #expect(holds.byteCount() == 301)
    withExtendedLifetime((newer, older, newest)) {}
  }
}
