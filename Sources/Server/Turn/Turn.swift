// SPDX-License-Identifier: Apache-2.0
//
// One turn of the event loop. Requests that all ready sessions have read are executed together, their log records written with one
// system call, and only then any reply or update leaves (Server+Segments.swift).

import NIOCore
import Streams

extension Server {
  /// How many requests are executed before their replies are sent and the sockets looked at again.
  private static let requestsPerTurnMax = 1024
  /// How many requests one session may have executed while others wait.
  static let requestsPerSessionMax = 32

  /// How long a turn may go on executing requests; the one that is being executed is.
  private static let turnMax = TimeAmount.milliseconds(2)

  /// Puts a session in the queue of those that have input.
  func enqueue(_ session: Session) {
    guard !session.isQueued else { return }
    session.isQueued = true
    ready.append(session)
    scheduleTurn()
  }

  /// - Parameter afterBreath: The sockets are looked at before: a loop that has a task looks at nothing else.
  func scheduleTurn(afterBreath: Bool = false) {
    guard !isTurnScheduled else { return }
    isTurnScheduled = true
    let turn = { [self] in
      isTurnScheduled = false
      runTurn()
    }
    if afterBreath { after(.breath, turn) } else { soon(turn) }
  }

  private func runTurn() {
    var budget = Self.requestsPerTurnMax
    let end = eventLoop.now + Self.turnMax
    isTurnScheduled = true
    while budget > 0, let session = ready.popFirst() {
      session.isQueued = false
      let used = session.process(limit: min(Self.requestsPerSessionMax, budget), until: end)
      budget -= used
      if session.hasMoreInput { enqueue(session) }
      if eventLoop.now >= end { budget = 0 }
    }
    closeSegment()
    runDueTriggers()
    isTurnScheduled = false
    if !ready.isEmpty || !dueTriggers.isEmpty { scheduleTurn(afterBreath: true) }
  }
}
