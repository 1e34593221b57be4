// SPDX-License-Identifier: Apache-2.0
//
// Latencies, recorded in constant time and memory however many there are.

/// Counts of values in buckets whose width grows with the value: 64 buckets for each power of two, so that a quantile
/// is at most 1.6 % off. The largest value and the sum are exact.
package struct Histogram {
  private var buckets = [UInt64](repeating: 0, count: 64 * 60)
  package private(set) var count: UInt64 = 0
  package private(set) var largest: UInt64 = 0
  private var sum: UInt64 = 0

  package init() {}

  package mutating func record(_ value: UInt64) {
    buckets[Histogram.bucket(of: value)] &+= 1
    count &+= 1
    sum &+= value
    if value > largest { largest = value }
  }

  package var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

  /// The smallest recorded value (to the precision of its bucket) that is not below `fraction` of all; 0 when empty.
  package func quantile(_ fraction: Double) -> UInt64 {
    guard count > 0 else { return 0 }
    let rank = max(1, UInt64((fraction * Double(count)).rounded(.up)))
    var seen: UInt64 = 0
    for (index, bucket) in buckets.enumerated() {
      seen += bucket
      if seen >= rank { return min(Histogram.top(of: index), largest) }
    }
    return largest
  }

  /// Values below 128 have buckets of their own; above, the seven leading bits choose.
  private static func bucket(of value: UInt64) -> Int {
    if value < 128 { return Int(value) }
    let shift = 57 - value.leadingZeroBitCount
    return (shift + 1) * 64 + Int(value >> UInt64(shift)) - 64
  }

  /// The largest value that falls into a bucket.
  private static func top(of bucket: Int) -> UInt64 {
    if bucket < 128 { return UInt64(bucket) }
    let shift = bucket / 64 - 1
    return (UInt64(bucket % 64 + 64) + 1) << UInt64(shift) - 1
  }
}
