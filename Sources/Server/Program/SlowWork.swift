// SPDX-License-Identifier: Apache-2.0
//
// Slow work of the server, off the loop: each kind has a lane of its own, so that what waits for the disk does not wait for what
// computes. A server without threads (EmbeddedServer.swift) does it on the loop, a moment later; a simulation chooses the moments, so
// that commits, faults and crashes come between.

import Daemon
import NIOCore

package struct SlowWork {
  /// Compactions and conversions, one after the other, so that the others find their threads free.
  let rewriting = Lane(name: "rewriting", threadsMax: 1)
  /// Sorts the rows of large selects (RowArranger.swift), which may take seconds.
  let sorting = Lane(name: "sorting", threadsMax: 1)
  /// Looks up the names of hosts to listen on. A name server that does not answer takes seconds for each.
  let names = Lane(name: "names", threadsMax: 2)
  /// Initial contents, long transactions.
  let others = Lane(name: "work", threadsMax: 2)
  fileprivate let hasThreads: Bool

  /// Of a server without threads: how long work waits for its lane, and how long it takes there. What it reads and writes, it does at
  /// the beginning.
  package var delays: (Lane) -> (wait: TimeAmount, duration: TimeAmount) = { _ in (.milliseconds(1), .zero) }
  /// When each lane of one thread is done with what it has, by the lane's name.
  private var ends: [String: NIODeadline] = [:]

  init(hasThreads: Bool) { self.hasThreads = hasThreads }

  /// Chooses the moments of one piece of work. Those of one thread are done one after the other, in order.
  fileprivate mutating func schedule(_ lane: Lane, now: NIODeadline) -> (begin: NIODeadline, end: NIODeadline) {
    let (wait, duration) = delays(lane)
    var begin = now + wait
    if lane.threadsMax == 1, let end = ends[lane.name] { begin = max(begin, end) }
    let end = begin + duration
    ends[lane.name] = end
    return (begin, end)
  }
}

extension Server {
  /// Does slow work on a thread of its own and comes back to the loop with the result.
  ///
  /// A lane that gets no thread from the system has its work done by the loop, which waits for it: nothing is refused for lack of one.
  ///
  /// - Parameter lane: nil: the one for everything that has none of its own.
  func inBackground<R: Sendable>(
    on lane: Lane? = nil, _ work: @escaping @Sendable () -> R, then done: @escaping (R) -> Void
  ) {
    let lane = lane ?? slowWork.others
    guard slowWork.hasThreads else { return doLater(lane, work, then: done) }
    let bound = NIOLoopBound(done, eventLoop: eventLoop)
    let eventLoop = eventLoop
    let error = lane.submit {
      let result = work()
      eventLoop.execute { bound.value(result) }
    }
    guard let error else { return }
    log.warning(
      "no thread for \(lane.name) (\(SystemError.text(error))); the server waits for its work meanwhile",
      metadata: [VlogHandler.rateLimitKey: "threads"])
    soon { done(work()) }
  }

  /// Does slow work on the loop of a server without threads.
  private func doLater<R: Sendable>(_ lane: Lane, _ work: @escaping @Sendable () -> R, then done: @escaping (R) -> Void) {
    let (begin, end) = slowWork.schedule(lane, now: eventLoop.now)
    _ = eventLoop.assumeIsolated().scheduleTask(deadline: begin) { [self] in
      let result = work()
      guard end > begin else { return done(result) }
      _ = eventLoop.assumeIsolated().scheduleTask(deadline: end) { done(result) }
    }
  }

  /// Ends the threads of a server that is done with, in a program that goes on.
  package func endThreads() {
    for lane in [slowWork.rewriting, slowWork.sorting, slowWork.names, slowWork.others] { lane.end() }
    for database in databases.values { database.syncing.end() }
  }
}
