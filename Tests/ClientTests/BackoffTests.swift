// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Client

@Suite struct BackoffTests {
  @Test func pausesDoubleUpToTheLimitAndThenNothingIsSaid() {
    var backoff = Backoff()
    #expect(backoff.failed() == .init(milliseconds: 1000, announcement: nil))
    #expect(backoff.failed() == .init(milliseconds: 2000, announcement: "waiting 2 seconds before reconnect"))
    #expect(backoff.failed() == .init(milliseconds: 4000, announcement: "waiting 4 seconds before reconnect"))
    #expect(
      backoff.failed()
        == .init(
          milliseconds: 8000, announcement: "continuing to reconnect in the background but suppressing further logging"))
    #expect(!backoff.isAnnounced)
    #expect(backoff.failed() == .init(milliseconds: 8000, announcement: nil))
    backoff.succeeded()
    #expect(backoff.isAnnounced)
    #expect(backoff.failed().milliseconds == 1000)
  }

  @Test func aLimitBelowTheFirstPauseIsRaisedToIt() {
    var backoff = Backoff(limitMilliseconds: 1)
    for _ in 0..<3 { #expect(backoff.failed().milliseconds == 1000) }
    backoff.limitMilliseconds = -5
    #expect(backoff.limitMilliseconds == 1000)
  }

  /// The limit is what the column `max_backoff` or a file says: any integer.
  @Test(arguments: [Int64.min, -1, 0, 2_147_483_648, 9_007_199_254_740_992, Int64.max]) func pausesDoubleUpToAnyLimit(_ limit: Int64) {
    var backoff = Backoff(limitMilliseconds: limit)
    let pauses = (0..<100).map { _ in backoff.failed().milliseconds }
    #expect(pauses == pauses.sorted())
    #expect(pauses.last == max(limit, Backoff.firstMilliseconds))
  }

  @Test func attemptsToListenHaveTheirOwnWords() {
    var backoff = Backoff()
    _ = backoff.failed(isPassive: true)
    #expect(backoff.failed(isPassive: true).announcement == "waiting 2 seconds before trying to listen again")
  }
}
