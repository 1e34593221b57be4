// SPDX-License-Identifier: Apache-2.0
//
// What code calls to log: `let log = LogModule("ovsdb_server")`, then `log.info("text")`. Asking whether a level goes
// anywhere is one relaxed load, and the text is built only when it does. Where it goes is `LogSystem`'s business.

import Synchronization

/// Importance, from "nothing" to everything.
package enum LogLevel: UInt8, Sendable, CaseIterable, Comparable {
  case off, emer, err, warn, info, dbg

  /// As shown in messages and lists.
  package var name: String {
    switch self {
    case .off: "OFF"
    case .emer: "EMER"
    case .err: "ERR"
    case .warn: "WARN"
    case .info: "INFO"
    case .dbg: "DBG"
    }
  }

  /// The priority of syslog(3).
  var syslogPriority: Int32 {
    switch self {
    case .off, .dbg: 7
    case .emer: 1
    case .err: 3
    case .warn: 4
    case .info: 5
    }
  }

  package static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// Where messages go.
package enum LogDestination: Int, Sendable, CaseIterable {
  case syslog, console, file

  package var name: String {
    switch self {
    case .syslog: "SYSLOG"
    case .console: "CONSOLE"
    case .file: "FILE"
    }
  }
}

/// One named part of the program that logs. A value that refers to the shared state of that name.
@frozen package struct LogModule: Sendable {
  @usableFromInline let state: LogModuleState

  /// The module of that name; made on first use.
  package init(_ name: String) { state = LogSystem.shared.module(named: name) }

  init(state: LogModuleState) { self.state = state }

  package var name: String { state.name }

  /// Whether a message of this level would be seen anywhere.
  @inlinable package func isEnabled(_ level: LogLevel) -> Bool {
    level.rawValue <= state.threshold.load(ordering: .relaxed)
  }

  @inlinable package func log(_ level: LogLevel, _ text: @autoclosure () -> String) {
    if isEnabled(level) { emit(level, text()) }
  }

  @inlinable package func emer(_ text: @autoclosure () -> String) { log(.emer, text()) }
  @inlinable package func err(_ text: @autoclosure () -> String) { log(.err, text()) }
  @inlinable package func warn(_ text: @autoclosure () -> String) { log(.warn, text()) }
  @inlinable package func info(_ text: @autoclosure () -> String) { log(.info, text()) }
  @inlinable package func dbg(_ text: @autoclosure () -> String) { log(.dbg, text()) }

  /// Logs unless too many messages came through `limit` lately; says later how many were dropped.
  @inlinable package func log(_ level: LogLevel, _ limit: LogRateLimit, _ text: @autoclosure () -> String) {
    if isEnabled(level), admits(level, limit) { emit(level, text()) }
  }

  @inlinable package func err(_ limit: LogRateLimit, _ text: @autoclosure () -> String) { log(.err, limit, text()) }
  @inlinable package func warn(_ limit: LogRateLimit, _ text: @autoclosure () -> String) { log(.warn, limit, text()) }
  @inlinable package func info(_ limit: LogRateLimit, _ text: @autoclosure () -> String) { log(.info, limit, text()) }
  @inlinable package func dbg(_ limit: LogRateLimit, _ text: @autoclosure () -> String) { log(.dbg, limit, text()) }

  /// Logs why the program cannot start; standard error gets the reason as `PROGRAM: TEXT` from whoever ends the program.
  package func lastWords(_ text: String) { LogSystem.shared.emit(state, .emer, text, skipsConsole: true) }

  @usableFromInline func emit(_ level: LogLevel, _ text: String) { LogSystem.shared.emit(state, level, text) }

  @usableFromInline func admits(_ level: LogLevel, _ limit: LogRateLimit) -> Bool {
    guard state.honorsRateLimits.load(ordering: .relaxed) else { return true }
    switch limit.admit(now: Clock.monotonicMilliseconds()) {
    case .dropped: return false
    case .admitted(nil): return true
    case .admitted(let summary?):
      emit(level, summary)
      return true
    }
  }
}

/// The shared state of one module.
package final class LogModuleState: Sendable {
  package let name: String
  /// The highest level that any destination wants: `LogLevel.rawValue`.
  @usableFromInline let threshold = Atomic<UInt8>(LogLevel.off.rawValue)
  let honorsRateLimits = Atomic<Bool>(true)
  /// One byte per destination, in the order of `LogDestination`.
  private let levels = Atomic<UInt32>(0)

  init(name: String) { self.name = name }

  func level(_ destination: LogDestination) -> LogLevel {
    let byte = UInt8(truncatingIfNeeded: levels.load(ordering: .relaxed) >> (8 * UInt32(destination.rawValue)))
    return LogLevel(rawValue: byte) ?? .off
  }

  /// Only under the lock of `LogSystem`: changes of one module must not cross.
  func setLevel(_ level: LogLevel, _ destination: LogDestination) {
    let shift = 8 * UInt32(destination.rawValue)
    let old = levels.load(ordering: .relaxed)
    levels.store((old & ~(0xff << shift)) | UInt32(level.rawValue) << shift, ordering: .relaxed)
  }
}

/// A limit on how often one kind of message is logged: `perMinute` on average, `burst` at once.
///
/// A token bucket. A message costs `tokensPerMessage`; `perMinute` tokens come in each millisecond.
package final class LogRateLimit: Sendable {
  private static let tokensPerMessage: Int64 = 60_000

  private struct State {
    var tokens: Int64
    var lastFill: Int64?
    var dropped = 0
    var firstDrop: Int64 = 0
    var lastDrop: Int64 = 0
  }

  package enum Verdict: Equatable, Sendable {
    case dropped
    /// With the text to log first when messages were dropped before this one.
    case admitted(String?)
  }

  private let perMinute: Int64
  private let capacity: Int64
  private let state: Mutex<State>

  package init(perMinute: Int, burst: Int) {
    self.perMinute = Int64(perMinute)
    capacity = Int64(burst) * Self.tokensPerMessage
    state = Mutex(State(tokens: capacity))
  }

  /// - Parameter now: Milliseconds of a clock that does not go back.
  package func admit(now: Int64) -> Verdict {
    state.withLock { state in
      let elapsed = max(0, now - (state.lastFill ?? now))
      let (gain, overflow) = elapsed.multipliedReportingOverflow(by: perMinute)
      state.tokens = overflow ? capacity : min(capacity, state.tokens.addingReportingOverflow(gain).partialValue)
      state.lastFill = now
      guard state.tokens >= Self.tokensPerMessage else {
        if state.dropped == 0 { state.firstDrop = now }
        state.lastDrop = now
        state.dropped += 1
        return .dropped
      }
      state.tokens -= Self.tokensPerMessage
      guard state.dropped > 0 else { return .admitted(nil) }
      let summary =
        "Dropped \(state.dropped) log messages in last \((now - state.firstDrop) / 1000) seconds "
        + "(most recently, \((now - state.lastDrop) / 1000) seconds ago) due to excessive rate"
      state.dropped = 0
      return .admitted(summary)
    }
  }
}
