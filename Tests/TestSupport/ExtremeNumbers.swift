// SPDX-License-Identifier: Apache-2.0
//
// Numbers at the ends of what programs count with, and texts that are nearly numbers, for every place that takes one.

package enum ExtremeNumbers {
  package static let integers: [Int64] = [
    .min, .min + 1, -9_007_199_254_740_992, -2_147_483_649, -2_147_483_648, -1, 0, 1, 255, 65_535, 65_536, 2_147_483_647, 2_147_483_648,
    4_294_967_295, 4_294_967_296, 9_007_199_254_740_992, .max / 1000, .max / 2 + 1, .max - 1, .max,
  ]

  /// The same as words of a command line, and what lies beyond.
  package static let words: [String] =
    integers.map { "\($0)" } + [
      "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
      String(repeating: "9", count: 400), "-" + String(repeating: "9", count: 400), "0x7fffffffffffffff", "1e400", "-1e400", "nan", "inf",
      "+1", "-0", "00", " 1", "1 ", "1.5", "",
    ]

  /// The same as JSON.
  package static let json: [String] =
    integers.map { "\($0)" } + [
      "9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e18", "1e19", "-1e19", "1.7e308", "-1.7e308", "5e-324",
      "0.5", "-0.0",
    ]
}
