// SPDX-License-Identifier: Apache-2.0
//
// When blocked transactions are run again.

import Engine
import NIOCore
import Serving

extension Server {
  /// How many blocked transactions are run again in a row.
  private static let triggersPerTurnMax = 64

  /// Runs blocked transactions that look at a table which changed.
  func wakeTriggers(_ commits: [SegmentCommit]) {
    for made in commits {
      guard let database = servedDatabases[made.database], !database.triggers.isEmpty else { continue }
      let woken = database.triggers.inOrder { trigger in
        !trigger.isDue && made.commit.tables.contains { trigger.tables.contains($0.table.index) }
      }
      for trigger in woken { wake(trigger) }
    }
    runDueTriggers()
  }

  func wake(_ trigger: Trigger) {
    guard !trigger.isDue else { return }
    trigger.isDue = true
    dueTriggers.append(trigger)
  }

  /// Runs blocked transactions that are due, those first that came first. One may make the next possible, and so on: they are a queue
  /// and not calls within calls, and after some of them everybody else has a turn.
  func runDueTriggers() {
    guard !isRunningTriggers, !dueTriggers.isEmpty else { return }
    isRunningTriggers = true
    var budget = Self.triggersPerTurnMax
    while budget > 0, let trigger = dueTriggers.popFirst() {
      budget -= 1
      trigger.isDue = false
      run(trigger)
    }
    isRunningTriggers = false
    closeSegment()
    if !dueTriggers.isEmpty { scheduleTurn(afterBreath: true) }
  }

  /// Runs a blocked transaction again.
  func run(_ trigger: Trigger) {
    guard trigger.database.triggers.contains(trigger), !trigger.isLinedUp else { return }
    closeSegment()
    let session = trigger.session
    // The reply may be large, and a client that does not read gets no more.
    if session.isClogged { return session.postpone(trigger) }
    // A trigger's request cannot be taken back to its session's input: it has the log to itself.
    let execution = trigger.params.withRoot { params in
      execute(params, in: trigger.database, for: session, elapsedMilliseconds: trigger.elapsedMilliseconds, from: .trigger)
    }
    switch consume execution {
    case .blocked(let timeout, let tables):
      trigger.tables = tables
      if let timeout { scheduleTimeout(of: trigger, timeout) }
    case .exceeded:
      line(
        up: LongTransaction(
          session: session, database: trigger.database, id: trigger.id, key: trigger.id, params: .params(trigger.params),
          arrival: trigger.arrival, trigger: trigger))
    case .done(let result, let isDurable):
      remove(trigger)
      session.replyToTransact(idText: trigger.id, result, database: trigger.database, isDurable: isDurable)
    }
    closeSegment()
  }

  func scheduleTimeout(of trigger: Trigger, _ milliseconds: Int64?) {
    trigger.scheduleTimeout(milliseconds, on: eventLoop) { [weak self, weak trigger] in
      guard let self, let trigger else { return }
      self.wake(trigger)
      self.runDueTriggers()
    }
  }

  /// Adds a transaction that is blocked.
  func add(_ trigger: Trigger) {
    trigger.database.triggers.append(trigger)
    segments.block(BlockedTransaction(database: trigger.database.handle, trigger: trigger.handle))
  }

  func remove(_ trigger: Trigger) {
    trigger.cancelTimeout()
    trigger.database.triggers.remove(trigger)
    trigger.session.pending[trigger.id] = nil
    trigger.session.forget(.waits, trigger.id)
  }
}
