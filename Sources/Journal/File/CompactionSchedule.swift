// SPDX-License-Identifier: Apache-2.0
//
// When a log has grown so much that a server compacts it by itself. Pure: the clock and the chance are handed in.
//
// Source: Documentation/protocol/files.md#compaction.

import JSON

/// Decides when a server looks at its file, and what it must have grown to.
package struct CompactionSchedule: Sendable {
  /// Milliseconds of a clock that never goes back.
  private var lastMilliseconds: Int64
  private var nextCheckMilliseconds: Int64

  static let minuteMilliseconds: Int64 = 60 * 1000
  static let dayMilliseconds: Int64 = 24 * 60 * 60 * 1000
  static let firstLookMilliseconds: Int64 = 10 * 60 * 1000
  static let recordCountMin = 100
  static let sizeMin = 10 * 1024 * 1024

  /// Starts at the opening of a file: the first look is 10 to 20 minutes later, so that servers started together do not
  /// compact together.
  ///
  /// - Parameter jitter: From 0 to 1.
  package init(nowMilliseconds: Int64, jitter: Double) {
    lastMilliseconds = nowMilliseconds
    nextCheckMilliseconds = nowMilliseconds
    restart(nowMilliseconds: nowMilliseconds, jitter: jitter)
  }

  /// A compaction was done, or tried: the next look is 10 to 20 minutes later.
  package mutating func restart(nowMilliseconds: Int64, jitter: Double) {
    lastMilliseconds = nowMilliseconds
    let spread = Int64(min(max(jitter, 0), 1) * Double(Self.firstLookMilliseconds))
    nextCheckMilliseconds = nowMilliseconds.saturatingPlus(Self.firstLookMilliseconds).saturatingPlus(spread)
  }

  /// True when a file of this shape should be compacted now.
  ///
  /// - Parameters:
  ///   - recordCount: Records in the file, the schema included.
  ///   - size: Bytes of the file.
  ///   - baseSize: What they were after schema and snapshot; nil while there are fewer than two records.
  package mutating func isDue(nowMilliseconds: Int64, recordCount: Int, size: Int, baseSize: Int?) -> Bool {
    guard nowMilliseconds >= nextCheckMilliseconds else { return false }
    nextCheckMilliseconds = nowMilliseconds.saturatingPlus(Self.minuteMilliseconds)
    guard recordCount > 2, let baseSize else { return false }
    if nowMilliseconds.saturatingMinus(lastMilliseconds) >= Self.dayMilliseconds { return true }
    return recordCount >= Self.recordCountMin && size > Self.sizeMin && size / 2 > baseSize
  }
}
