// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Daemon

@Suite struct LogRateLimitTests {
  @Test func aBurstPassesThenMessagesAreCountedAndTheNextOneSaysSo() {
    let limit = LogRateLimit(perMinute: 6, burst: 3)
    for _ in 0..<3 { #expect(limit.admit(now: 1000) == .admitted(nil)) }
    #expect(limit.admit(now: 1000) == .dropped)
    #expect(limit.admit(now: 4000) == .dropped)
    // Six a minute: the first token is whole after ten seconds.
    #expect(limit.admit(now: 10_999) == .dropped)
    let text =
      "Dropped 3 log messages in last 10 seconds (most recently, 0 seconds ago) due to excessive rate"
    #expect(limit.admit(now: 11_000) == .admitted(text))
    #expect(limit.admit(now: 11_000) == .dropped)
  }

  @Test func aLongSilenceFillsTheBucketToTheBurstAndNoFurther() {
    let limit = LogRateLimit(perMinute: 60, burst: 2)
    #expect(limit.admit(now: 0) == .admitted(nil))
    #expect(limit.admit(now: Int64.max / 2) == .admitted(nil))
    #expect(limit.admit(now: Int64.max / 2) == .admitted(nil))
    #expect(limit.admit(now: Int64.max / 2) == .dropped)
  }

  @Test func aClockThatGoesBackGivesNothing() {
    let limit = LogRateLimit(perMinute: 60, burst: 1)
    #expect(limit.admit(now: 5000) == .admitted(nil))
    #expect(limit.admit(now: 0) == .dropped)
  }
}
