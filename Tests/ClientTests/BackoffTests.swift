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

  @Test func attemptsToListenHaveTheirOwnWords() {
    var backoff = Backoff()
    _ = backoff.failed(isPassive: true)
    #expect(backoff.failed(isPassive: true).announcement == "waiting 2 seconds before trying to listen again")
  }
}
