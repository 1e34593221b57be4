// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Daemon

@Suite struct ProgressLineTests {
  private func line(
    _ done: Int64, of total: Int64?, in unit: ProgressLine.Unit = .bytes, after milliseconds: Int64 = 12_000, columns: Int = 79
  ) -> String {
    ProgressLine(activity: "compact", done: done, total: total, unit: unit, elapsedMilliseconds: milliseconds)
      .text(columns: columns)
  }

  @Test func aKnownTotalGivesAShareAndTheTimeThatIsLeft() {
    #expect(line(1_288_490_188, of: 2_899_102_924) == "compact: 44% (1.2 of 2.7 GiB), 0:12, 0:15 left")
    #expect(line(450_000, of: 1_000_000, in: .things("rows")) == "compact: 45% (450,000 of 1,000,000 rows), 0:12, 0:14 left")
    #expect(line(0, of: 1000) == "compact: 0% (0 of 1000 B), 0:12")
    #expect(line(2000, of: 1000, in: .things("rows")) == "compact: 100% (1,000 of 1,000 rows), 0:12")
  }

  @Test func withoutATotalThereIsWhatWasDone() {
    #expect(line(1536, of: nil) == "compact: 1.5 KiB, 0:12")
    #expect(line(1000, of: nil, in: .things("rows"), after: 3_723_000) == "compact: 1,000 rows, 1:02:03")
    #expect(line(0, of: nil) == "compact: 0:12")
    #expect(line(0, of: 0) == "compact: 0:12")
  }

  @Test func anyNumberIsShown() {
    let numbers: [Int64] = [.min, -1, 0, 1, 2_147_483_648, 9_007_199_254_740_992, .max - 1, .max]
    for done in numbers {
      for total in numbers {
        for unit in [ProgressLine.Unit.bytes, .things("rows")] {
          for time in [0, 1, Int64.max] { #expect(line(done, of: total, in: unit, after: time).hasPrefix("compact: ")) }
        }
      }
    }
    #expect(line(1, of: .max) == "compact: 0% (0.0 of 8589934592.0 GiB), 0:12")
  }

  @Test func aLineIsCutToTheTerminal() {
    #expect(line(1536, of: nil, columns: 11) == "compact: 1.")
    #expect(line(1536, of: nil, columns: -1) == "")
  }
}

@Suite struct DisplayWidthTests {
  @Test func wideLettersTakeTwoColumnsAndMarksNone() {
    #expect(DisplayWidth.of("abc") == 3)
    #expect(DisplayWidth.of("日本語") == 6)
    #expect(DisplayWidth.of("한글") == 4)
    #expect(DisplayWidth.of("ｆｕｌｌ") == 8)
    #expect(DisplayWidth.of("e\u{301}\u{200D}") == 1)
    #expect(DisplayWidth.of("😀") == 2)
    #expect(DisplayWidth.of("λé€") == 3)
  }

  @Test func aBeginningKeepsItsMarksAndNoHalfLetters() {
    let (text, columns) = DisplayWidth.prefix("日e\u{301}本", columns: 4)
    #expect(String(text).unicodeScalars.elementsEqual("日e\u{301}".unicodeScalars))
    #expect(columns == 3)
    #expect(DisplayWidth.prefix("ab", columns: 9).text == "ab")
    #expect(DisplayWidth.prefix("ab", columns: 0).text == "")
  }
}
