// SPDX-License-Identifier: Apache-2.0
//
// The line on standard error that tells a person how far long work has come: only on a terminal, only after a second, gone when
// the work is done. What the line says is in `ProgressLine`.
//
// How: the work sets a number, which costs one store; a thread of the meter's looks at it and draws. So work that just waits (for a
// server's answer, for a disk) shows the time that passes. Everything that our programs write to standard error goes through
// `Program.writeError`, which takes the line away first; the thread draws it again below.

import Glibc
import Synchronization

/// One piece of work that may take long. May be used from any thread.
///
///     let meter = ProgressMeter("compact", of: size, in: .bytes)
///     defer { meter.finish() }
///     while let record = try reader.next() { meter.advance(to: reader.offset) }
package final class ProgressMeter: Sendable {
  /// Silent for so long.
  package static let delayMilliseconds: Int64 = 1000
  private static let intervalMilliseconds: Int32 = 200

  private let unit: ProgressLine.Unit
  private let startMilliseconds = Clock.monotonicMilliseconds()
  private let done = Atomic<Int64>(0)
  private let state: Mutex<State>

  private struct State {
    var activity: String
    var total: Int64?
    var isFinished = false
    var isDrawn = false
  }

  /// The meter whose line stands on the terminal, or will.
  private static let current = Mutex<ProgressMeter?>(nil)

  /// Begins. Does nothing at all unless standard error is a terminal.
  ///
  /// - Parameters:
  ///   - activity: what is going on, `compact`, `restore: reading`.
  ///   - total: nil when nobody knows.
  package init(_ activity: String, of total: Int64? = nil, in unit: ProgressLine.Unit = .bytes) {
    self.unit = unit
    state = Mutex(State(activity: activity, total: total))
    guard Terminal.isCapable(STDERR_FILENO) else { return }
    Self.current.withLock { $0 = self }
    // A program that is stopped by a signal leaves a clean line behind, too. Without a thread there is just nothing to see.
    Cleanup.register { Self.current.withLock { $0 }?.finish() }
    _ = PosixThread.start(name: "progress") { [self] in drawUntilFinished() }
  }

  /// How much is done, in the unit.
  package func advance(to count: Int64) { done.store(count, ordering: .relaxed) }

  package func advance(by count: Int64) { done.wrappingAdd(count, ordering: .relaxed) }

  /// Goes on to another part of the work; what was counted begins anew.
  package func begin(_ activity: String, of total: Int64? = nil) {
    state.withLock {
      $0.activity = activity
      $0.total = total
    }
    done.store(0, ordering: .relaxed)
  }

  /// Takes the line away for good. Afterwards the terminal is the caller's.
  package func finish() {
    state.withLock {
      $0.isFinished = true
      Self.erase(&$0)
    }
    Self.current.withLock { if $0 === self { $0 = nil } }
  }

  /// Takes the line away, lets something else be written, and has the line come again below.
  package static func aside(_ body: () -> Void) {
    guard let meter = current.withLock({ $0 }) else { return body() }
    meter.state.withLock {
      erase(&$0)
      body()
    }
  }

  private static func erase(_ state: inout State) {
    guard state.isDrawn else { return }
    state.isDrawn = false
    write("\r\u{1B}[K")
  }

  private func drawUntilFinished() {
    while true {
      _ = poll(nil, 0, Self.intervalMilliseconds)
      let elapsed = Clock.monotonicMilliseconds() - startMilliseconds
      let isFinished = state.withLock { state in
        if !state.isFinished, elapsed >= Self.delayMilliseconds, Self.mayDraw {
          let line = ProgressLine(
            activity: state.activity, done: done.load(ordering: .relaxed), total: state.total, unit: unit,
            elapsedMilliseconds: elapsed)
          // The last column stays free: some terminals go to the next line when it is taken.
          Self.write("\r\(line.text(columns: Terminal.size(of: STDERR_FILENO).columns - 1))\u{1B}[K")
          state.isDrawn = true
        }
        return state.isFinished
      }
      if isFinished { return }
    }
  }

  /// A program in the background of a shell keeps quiet.
  private static var mayDraw: Bool { tcgetpgrp(STDERR_FILENO) == getpgrp() }

  private static func write(_ text: String) { _ = FileDescriptorWriter.writeAll(text, to: STDERR_FILENO) }
}
