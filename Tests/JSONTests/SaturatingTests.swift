// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import JSON

@Suite struct SaturatingTests {
  private static let values: [Int64] =
    [.min, -9_007_199_254_740_992, -2_147_483_648, -1000, -1, 0, 1, 2, 1000, 2_147_483_648, 9_007_199_254_740_992, .max]

  private static func nearest(_ wide: Int128) -> Int64 { Int64(clamping: wide) }

  @Test func resultsAreExactOrTheNearestInteger() {
    for a in Self.values {
      for b in Self.values {
        let (wideA, wideB) = (Int128(a), Int128(b))
        #expect(a.saturatingPlus(b) == Self.nearest(wideA + wideB))
        #expect(a.saturatingMinus(b) == Self.nearest(wideA - wideB))
        #expect(a.saturatingTimes(b) == Self.nearest(wideA * wideB))
      }
    }
  }

  @Test func unsignedNumbersEndAtZero() {
    #expect(UInt64(1).saturatingMinus(2) == 0)
    #expect(UInt64.max.saturatingPlus(1) == .max)
    #expect(UInt64.max.saturatingTimes(2) == .max)
  }
}
