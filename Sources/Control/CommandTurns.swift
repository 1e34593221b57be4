// SPDX-License-Identifier: Apache-2.0
//
// The order in which commands of several connections are executed: one of each connection in turn, and after a millisecond the event
// loop looks at its other sockets. So a client that sends commands without waiting for their answers holds up nobody.

internal import DequeModule
internal import NIOCore
internal import Streams

/// The sessions of one event loop that may have a request to execute. Lives on that loop.
final class CommandTurns {
  private let loop: any EventLoop
  private let now: () -> NIODeadline
  private var waiting: Deque<ControlSession> = []
  private var isScheduled = false

  /// How long commands are executed before the sockets are looked at.
  static let turn = TimeAmount.milliseconds(1)

  /// - Parameter now: the time by which turns end; that of the loop if nil.
  init(loop: any EventLoop, now: (() -> NIODeadline)? = nil) {
    self.loop = loop
    self.now = now ?? { loop.now }
  }

  /// Has a session take a request after those that wait already. A session that waits already keeps its place.
  func join(_ session: ControlSession) {
    guard !session.isWaitingForTurn else { return }
    session.isWaitingForTurn = true
    waiting.append(session)
    schedule(after: .zero)
  }

  private func schedule(after delay: TimeAmount) {
    guard !isScheduled else { return }
    isScheduled = true
    let bound = NIOLoopBound(self, eventLoop: loop)
    if delay == .zero { loop.execute { bound.value.run() } } else { loop.scheduleTask(in: delay) { bound.value.run() } }
  }

  private func run() {
    let end = now() + Self.turn
    repeat {
      guard let session = waiting.popFirst() else { break }
      session.isWaitingForTurn = false
      session.takeRequest()
    } while now() < end
    // Until here a turn counts as scheduled: a session that joins meanwhile must not begin the next one before the breath.
    isScheduled = false
    if !waiting.isEmpty { schedule(after: .breath) }
  }
}
