// SPDX-License-Identifier: Apache-2.0
//
// The service manager's watchdog: it wants to hear `WATCHDOG=1` now and then, or it takes the program for stuck and starts it anew. How
// often stands in `WATCHDOG_USEC`. Whoever sends it must be the one whose health is in question: the event loop, not a thread beside it.
//
// Source: sd_watchdog_enabled(3).

import Glibc

package struct Watchdog: Equatable, Sendable {
  /// How often to send, in microseconds: half of what the manager allows.
  package let intervalMicroseconds: Int64

  /// Reads what the service manager asks for, and removes it, so that no program started from here answers for us. To be called in the
  /// first process: that is the one the manager means, also when it hands its work to a child.
  ///
  /// - Returns: nil when it asks for nothing, or asks another process.
  package static func take() -> Watchdog? {
    let values = ["WATCHDOG_USEC", "WATCHDOG_PID"].map { Paths.environment($0) }
    unsetenv("WATCHDOG_USEC")
    unsetenv("WATCHDOG_PID")
    guard let text = values[0] else { return nil }
    if let process = values[1], process != "\(getpid())" { return nil }
    guard let watchdog = Watchdog(microseconds: text) else {
      LogModule("daemon_unix").warn("ignoring WATCHDOG_USEC: \"\(text)\" is no time in microseconds")
      return nil
    }
    return watchdog
  }

  /// - Parameter text: `WATCHDOG_USEC`.
  package init?(microseconds text: String) {
    guard let limit = Int64(text), limit > 1 else { return nil }
    // No more often than a program that does nothing else could.
    intervalMicroseconds = max(limit / 2, 1000)
  }

  /// Shows that the program is alive.
  package static func feed() { ReadinessNotice.send("WATCHDOG=1\n") }
}
