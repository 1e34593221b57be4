// SPDX-License-Identifier: Apache-2.0
//
// The slow work of a server without threads (EmbeddedServer.swift). It is done on the loop, a moment later; a simulation chooses the
// moments, so that commits, faults and crashes come between.

import NIOCore

/// When slow work begins and when the loop learns of its end.
package struct EmbeddedWork {
  /// How long work waits for its thread, and how long the thread takes. What it reads and writes, it does at the beginning.
  package var delays: (Server.BackgroundWork) -> (wait: TimeAmount, duration: TimeAmount) = { _ in (.milliseconds(1), .zero) }
  /// When each of the threads is done with what it has.
  private var ends: [Server.BackgroundWork: NIODeadline] = [:]

  init() {}

  /// Chooses the moments of one piece of work. Those of one thread are done one after the other, in order.
  mutating func schedule(_ kind: Server.BackgroundWork, now: NIODeadline) -> (begin: NIODeadline, end: NIODeadline) {
    let (wait, duration) = delays(kind)
    var begin = now + wait
    // For the others there are as many threads as are wanted.
    if kind != .other, let end = ends[kind] { begin = max(begin, end) }
    let end = begin + duration
    ends[kind] = end
    return (begin, end)
  }
}

extension Server {
  /// Does slow work on the loop.
  func doLater<R: Sendable>(_ kind: BackgroundWork, _ work: @escaping @Sendable () -> R, then done: @escaping (R) -> Void) {
    let (begin, end) = embeddedWork.schedule(kind, now: eventLoop.now)
    _ = eventLoop.assumeIsolated().scheduleTask(deadline: begin) { [self] in
      let result = work()
      guard end > begin else { return done(result) }
      _ = eventLoop.assumeIsolated().scheduleTask(deadline: end) { done(result) }
    }
  }
}
