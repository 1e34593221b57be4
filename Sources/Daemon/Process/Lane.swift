// SPDX-License-Identifier: Apache-2.0
//
// Threads for one kind of slow work, started when there is something to do. A thread that cannot be created delays work and ends
// nothing: whoever submits it learns of it.

import DequeModule
import NIOConcurrencyHelpers

/// A queue of work that blocks, and the threads that do it in the order in which it was submitted.
package final class Lane: Sendable {
  /// What the lock is waited for: there is nothing to take, or there may be.
  private enum Signal { case idle, wake }

  private struct State {
    var work: Deque<@Sendable () -> Void> = []
    var threads = 0
    var busyThreads = 0
    var isEnded = false
  }

  /// Names the threads; at most 15 bytes of it are seen from outside.
  package let name: String
  /// How many pieces of work are done at the same time.
  package let threadsMax: Int
  private let lock = ConditionLock(value: Signal.idle)
  /// Guarded by `lock`.
  nonisolated(unsafe) private var state = State()

  package init(name: String, threadsMax: Int) {
    precondition(threadsMax > 0, "lane \(name): \(threadsMax) threads")
    self.name = name
    self.threadsMax = threadsMax
  }

  /// Has a thread do the work.
  ///
  /// - Returns: nil, or the errno value of pthread_create(3): there is no thread, and the work was not taken.
  package func submit(_ work: @escaping @Sendable () -> Void) -> Int32? {
    lock.lock()
    var error: Int32?
    if state.threads - state.busyThreads <= state.work.count, state.threads < threadsMax {
      error = PosixThread.start(name: name) { [self] in
        while runNext() {}
      }
      if error == nil { state.threads += 1 }
    }
    defer { unlock() }
    guard state.threads > 0 else { return error }
    state.work.append(work)
    return nil
  }

  /// Ends the threads once they have done what was submitted. What is submitted later is done by another thread.
  package func end() {
    lock.lock()
    state.isEnded = true
    unlock()
  }

  /// Waits for a piece of work and runs it.
  ///
  /// - Returns: false at the end.
  private func runNext() -> Bool {
    lock.lock(whenValue: .wake)
    guard let work = state.work.popFirst() else {
      // Nothing wakes threads without work but the end.
      state.threads -= 1
      unlock()
      return false
    }
    state.busyThreads += 1
    unlock()
    work()
    lock.lock()
    state.busyThreads -= 1
    unlock()
    return true
  }

  private func unlock() { lock.unlock(withValue: state.work.isEmpty && !state.isEnded ? .idle : .wake) }
}
