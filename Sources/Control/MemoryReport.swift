// SPDX-License-Identifier: Apache-2.0
//
// How much memory the program took at most, told in the log ten seconds after the start and whenever it grew by half,
// together with what it holds.

import Daemon
import Glibc
internal import JSON
package import NIOCore

/// Watches the peak of the resident set. Owned by one thread or event loop, which calls `check` now and then.
package struct MemoryReport {
  private static let log = LogModule("memory")
  /// Early enough to be of use, late enough that the program has read its files.
  package static let firstCheckMilliseconds: Int64 = 10_000

  private var lastPeak = 0
  private var lastReport: Int64 = 0

  package init() {}

  /// Reports for as long as the event loop lives.
  ///
  /// - Parameter usage: what the program holds; called on the loop, when something is logged.
  package static func start(on loop: any EventLoop, usage: @escaping @Sendable () -> [String: Int]) {
    let report = NIOLoopBoundBox<MemoryReport>.makeBoxSendingValue(MemoryReport(), eventLoop: loop)
    let delay = TimeAmount.milliseconds(max(0, firstCheckMilliseconds.saturatingMinus(Program.uptimeMilliseconds)))
    loop.scheduleRepeatedTask(initialDelay: delay, delay: .seconds(5)) { _ in report.value.check(usage: usage) }
  }

  /// Logs if it is time.
  ///
  /// - Parameters:
  ///   - uptime: milliseconds since the start.
  ///   - peak: of the resident set, in kB.
  ///   - usage: what the program holds; asked only when something is logged.
  package mutating func check(
    uptime: Int64 = Program.uptimeMilliseconds, peak: Int = MemoryReport.peakKilobytes, usage: () -> [String: Int]
  ) {
    guard uptime >= Self.firstCheckMilliseconds else { return }
    if lastPeak == 0 {
      Self.log.info("\(peak) kB peak resident set size after \(Self.seconds(uptime)) seconds")
    } else if peak >= lastPeak + lastPeak / 2 {
      let growth = (peak - lastPeak) * 100 / lastPeak
      Self.log.info(
        "peak resident set size grew \(growth)% in last \(Self.seconds(uptime - lastReport)) seconds, "
          + "from \(lastPeak) kB to \(peak) kB")
    } else {
      return
    }
    lastPeak = max(1, peak)
    lastReport = uptime
    let text = Self.text(usage())
    if !text.isEmpty { Self.log.info(text) }
  }

  /// What `memory/show` answers. Shape: `atoms:14 cells:20 monitors:0`, sorted.
  package static func text(_ usage: [String: Int]) -> String {
    usage.sorted { $0.key < $1.key }.map { "\($0.key):\($0.value)" }.joined(separator: " ")
  }

  /// The largest resident set that this process had, in kB.
  package static var peakKilobytes: Int {
    var usage = rusage()
    return getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 ? usage.ru_maxrss : 0
  }

  private static func seconds(_ milliseconds: Int64) -> String {
    fixed(Double(milliseconds) / 1000, decimals: 1, width: 0)
  }
}
