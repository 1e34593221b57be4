// SPDX-License-Identifier: Apache-2.0
//
// When the room in a file system is worth a line in the log.

import Journal
import Testing

@testable import Server

struct SpaceWatchTests {
  private static let margin = SpaceWatch.bytesMin

  @Test func aWarningComesOnceUntilThereIsClearlyMoreThanTheMargin() {
    var watch = SpaceWatch()
    let steps: [(free: Int, report: SpaceWatch.Report?)] = [
      (.max, nil), (Self.margin, nil), (Self.margin - 1, .short(free: Self.margin - 1, margin: Self.margin)), (0, nil), (Self.margin, nil),
      (Self.margin - 1, nil), (Self.margin + Self.margin / 4, .enough(free: Self.margin + Self.margin / 4)), (Self.margin, nil),
      (5, .short(free: 5, margin: Self.margin)),
    ]
    for step in steps { #expect(watch.note(.success(step.free), fileSize: 0) == step.report, "\(step)") }
  }

  @Test func theMarginGrowsWithTheFileAndHasNoEnd() {
    #expect(SpaceWatch.margin(fileSize: 1 << 30) == 2 << 30)
    #expect(SpaceWatch.margin(fileSize: .max) == .max)
    var watch = SpaceWatch()
    #expect(watch.note(.success(.max - 1), fileSize: .max) == .short(free: .max - 1, margin: .max))
    #expect(watch.note(.success(.max), fileSize: .max) == .enough(free: .max))
  }

  @Test func aFileSystemThatGivesNoAnswerIsReportedOnce() {
    var watch = SpaceWatch()
    let error = SystemError(code: 5)
    #expect(watch.note(.failure(error), fileSize: 0) == .unknown(error))
    #expect(watch.note(.failure(error), fileSize: 0) == nil)
    #expect(watch.note(.success(.max), fileSize: 0) == nil)
    #expect(watch.note(.failure(error), fileSize: 0) == .unknown(error))
    #expect(watch.note(.success(1), fileSize: 0) == .short(free: 1, margin: Self.margin))
  }
}
