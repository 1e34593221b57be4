// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Control
@testable import Daemon

/// The log file is the process's: one test at a time.
@Suite(.serialized) struct MemoryReportTests {
  @Test func thePeakIsToldAfterTenSecondsAndWheneverItGrewByHalf() throws {
    let path = "/tmp/swift-ovsdb-memory-\(UUID().uuidString).log"
    defer { try? FileManager.default.removeItem(atPath: path) }
    LogSystem.shared.setLevel(.off, destination: .console)
    #expect(LogSystem.shared.openFile(path) == nil)
    defer { LogSystem.shared.closeFile() }
    var report = MemoryReport()
    let usage = { ["monitors": 0, "atoms": 14] }
    report.check(uptime: 9_999, peak: 1000, usage: usage)
    report.check(uptime: 10_020, peak: 1000, usage: usage)
    report.check(uptime: 20_000, peak: 1499, usage: usage)
    report.check(uptime: 35_520, peak: 1530, usage: usage)
    report.check(uptime: 40_000, peak: 1530, usage: usage)
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").filter { $0.contains("|memory|") }
    #expect(
      lines.map { $0.split(separator: "|").last.map(String.init) ?? "" } == [
        "1000 kB peak resident set size after 10.0 seconds", "atoms:14 monitors:0",
        "peak resident set size grew 53% in last 25.5 seconds, from 1000 kB to 1530 kB", "atoms:14 monitors:0",
      ])
  }
}
