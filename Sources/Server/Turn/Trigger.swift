// SPDX-License-Identifier: Apache-2.0
//
// A transaction whose `wait` is not met. It holds nothing but its request; when a commit touches what it read, or its time is up, it is
// run again from the first operation.

import Engine
import JSON
import NIOCore
import Serving

/// A blocked transaction.
final class Trigger {
  unowned let session: Session
  let database: ServedDatabase
  /// The request's id as normal JSON text.
  let id: String
  /// The request's params, owned: the message they came in is long gone when they are run again.
  let params: JSONDocument
  let arrival: NIODeadline
  /// Those that are decided with it, while it is in its database's queue.
  var group: WaitGroup?
  /// The place in its database's queue.
  var number: UInt64 = 0
  /// What that queue knows it by.
  var handle = TriggerHandle.none
  /// It will be run again (`Server.wakeTriggers`).
  var isDue = false
  /// It is being run beside the loop, or comes behind those that are.
  var isLinedUp = false
  /// It is due, and its client does not read.
  var isPostponed = false
  private var timer: Scheduled<Void>?

  init(session: Session, database: ServedDatabase, id: String, params: JSONDocument, arrival: NIODeadline) {
    self.session = session
    self.database = database
    self.id = id
    self.params = params
    self.arrival = arrival
  }

  var elapsedMilliseconds: Int64 { (session.server.eventLoop.now - arrival).nanoseconds / 1_000_000 }

  func scheduleTimeout(_ milliseconds: Int64?, on eventLoop: any EventLoop, _ body: @escaping () -> Void) {
    timer?.cancel()
    timer = nil
    guard let milliseconds else { return }
    let deadline = arrival + .milliseconds(min(milliseconds, Self.timeoutMillisecondsMax))
    timer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline, body)
  }

  func cancelTimeout() {
    timer?.cancel()
    timer = nil
  }

  /// A wait longer than this is without end: nanoseconds of a deadline are 64 bits.
  private static let timeoutMillisecondsMax: Int64 = 100 * 365 * 86_400_000
}

extension Session {
  /// Has a blocked transaction run again when the client has taken what it is sent.
  func postpone(_ trigger: Trigger) {
    trigger.isPostponed = true
    hasPostponed = true
    isStalled = true
  }

  func wakePostponed() {
    hasPostponed = false
    for trigger in pending.values.filter(\.isPostponed).sorted(by: { $0.number < $1.number }) {
      trigger.isPostponed = false
      server.wake(trigger)
    }
    sendOwedReplies()
    if !owedReplies.isEmpty { hasPostponed = true }
  }
}
