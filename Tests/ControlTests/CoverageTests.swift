// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Control

@Suite struct CoverageTests {
  /// The slots are the process's: a control server of another suite must not end them, so none lives longer than that.
  @Test func ratesAreOfWholeSlotsAndTotalsAreNot() {
    let counter = Coverage.counter("test_rates")
    counter.increment(by: 14)
    #expect(line("test_rates") == "test_rates                 0.0/sec     0.000/sec        0.0000/sec   total: 14")
    Coverage.endSlot()
    #expect(line("test_rates") == "test_rates                 2.8/sec     0.233/sec        0.0039/sec   total: 14")
    counter.increment()
    Coverage.endSlot()
    #expect(line("test_rates") == "test_rates                 0.2/sec     0.250/sec        0.0042/sec   total: 15")
    for _ in 0..<12 { Coverage.endSlot() }
    #expect(line("test_rates") == "test_rates                 0.0/sec     0.000/sec        0.0042/sec   total: 15")
    for _ in 0..<720 { Coverage.endSlot() }
    #expect(line("test_rates") == "test_rates                 0.0/sec     0.000/sec        0.0000/sec   total: 15")
  }

  private func line(_ name: String) -> String? {
    Coverage.table.split(separator: "\n").first { $0.hasPrefix(name + " ") }.map(String.init)
  }

  @Test func aCounterThatWasNeverHitIsOnlyCounted() {
    _ = Coverage.counter("test_never")
    #expect(line("test_never") == nil)
    #expect(Coverage.table.hasSuffix(" events never hit\n"))
    #expect(Coverage.existing("test_never")?.total == 0)
    #expect(Coverage.existing("test_missing") == nil)
  }

  @Test(arguments: [
    (0.25, 1, 5, "  0.3"), (1.0, 3, 9, "    1.000"), (411.84, 1, 5, "411.8"), (0.00061, 4, 13, "       0.0006"),
  ])
  func numbersAreWrittenWithDecimals(value: Double, decimals: Int, width: Int, text: String) {
    #expect(fixed(value, decimals: decimals, width: width) == text)
  }
}
