// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Journal

/// When a file is compacted without being asked (checklist F-018).
@Suite struct CompactionScheduleTests {
  private static let minute: Int64 = 60_000
  private static let mebibyte = 1 << 20

  /// A file that has grown enough: 100 records, more than 10 MiB, more than twice what it was.
  private func isDue(
    after minutes: Int64, jitter: Double = 0, recordCount: Int = 100, size: Int = 11 * mebibyte, baseSize: Int? = 5 * mebibyte
  ) -> Bool {
    var schedule = CompactionSchedule(nowMilliseconds: 1000, jitter: jitter)
    return schedule.isDue(
      nowMilliseconds: 1000 + minutes * Self.minute, recordCount: recordCount, size: size, baseSize: baseSize)
  }

  @Test func theFirstLookIsTenToTwentyMinutesAfterTheOpening() {
    #expect(!isDue(after: 9) && isDue(after: 10))
    #expect(!isDue(after: 19, jitter: 1) && isDue(after: 20, jitter: 1))
  }

  @Test func aFileMustHaveGrownInEveryRespect() {
    #expect(!isDue(after: 30, recordCount: 99))
    #expect(!isDue(after: 30, size: 10 * Self.mebibyte, baseSize: Self.mebibyte))
    #expect(!isDue(after: 30, baseSize: 11 * Self.mebibyte / 2))
    #expect(!isDue(after: 30, baseSize: nil))
  }

  @Test func afterADayAnyRecordIsEnough() {
    #expect(!isDue(after: 24 * 60 - 1, recordCount: 3, size: 1000, baseSize: 900))
    #expect(isDue(after: 24 * 60, recordCount: 3, size: 1000, baseSize: 900))
    // Schema and snapshot alone: nothing to be gained.
    #expect(!isDue(after: 24 * 60, recordCount: 2, size: 1000, baseSize: 1000))
  }

  @Test func anotherLookIsTakenEachMinuteAndACompactionStartsAnew() {
    var schedule = CompactionSchedule(nowMilliseconds: 0, jitter: 0)
    func look(_ minutes: Int64, _ size: Int) -> Bool {
      schedule.isDue(nowMilliseconds: minutes * Self.minute, recordCount: 200, size: size, baseSize: Self.mebibyte)
    }
    #expect(!look(10, Self.mebibyte))
    #expect(look(11, 20 * Self.mebibyte))
    schedule.restart(nowMilliseconds: 11 * Self.minute, jitter: 0)
    #expect(!look(20, 20 * Self.mebibyte))
    #expect(look(21, 20 * Self.mebibyte))
  }
}
