// SPDX-License-Identifier: Apache-2.0
//
// When blocked transactions are run again: once a commit touches what they read (WaitGroup.swift), or their time is up.

import Control
import Engine
import NIOCore
import Serving

extension Server {
  /// How many blocked transactions are run again in a row, and for how long.
  private static let triggersPerTurnMax = 64
  private static let triggersTurnMax = TimeAmount.milliseconds(1)
  private static let runs = Coverage.counter("wait_runs")

  /// Has blocked transactions run that read what commits touch.
  func wakeTriggers(_ commits: [SegmentCommit]) {
    for made in commits {
      guard let database = servedDatabases[made.database], !database.triggers.isEmpty else { continue }
      for group in database.triggers.touched(by: made.commit) { wake(group) }
    }
    runDueTriggers()
  }

  /// Has one of a group run again, for all.
  func wake(_ group: WaitGroup?) {
    guard let group else { return }
    group.isUndecided = true
    guard let trigger = group.next else { return }
    group.runner = trigger
    wake(trigger)
  }

  func wake(_ trigger: Trigger) {
    guard !trigger.isDue else { return }
    trigger.isDue = true
    dueTriggers.append(trigger)
  }

  /// Runs blocked transactions that are due, one of each client in turn. One may make the next possible, and so on: they are a queue
  /// and not calls within calls, and after some of them everybody else has a turn.
  func runDueTriggers() {
    guard !isRunningTriggers, !dueTriggers.isEmpty else { return }
    isRunningTriggers = true
    closeSegment()
    var budget = Self.triggersPerTurnMax
    let end = eventLoop.now + Self.triggersTurnMax
    while budget > 0, let trigger = dueTriggers.popFirst() {
      budget = eventLoop.now < end ? budget - 1 : 0
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
    let group = trigger.group
    if group?.runner === trigger { group?.runner = nil }
    let session = trigger.session
    // The reply may be large, and a client that does not read gets no more. Others do not wait for it.
    if session.isClogged {
      session.postpone(trigger)
      if group?.isUndecided == true { wake(group) }
      return
    }
    Self.runs.increment()
    // A trigger's request cannot be taken back to its session's input: it has the log to itself.
    let execution = trigger.params.withRoot { params in
      execute(params, in: trigger.database, for: session, elapsedMilliseconds: trigger.elapsedMilliseconds, from: .trigger)
    }
    switch consume execution {
    case .blocked(let timeout, let reads):
      if let timeout { scheduleTimeout(of: trigger, timeout) }
      noteBlocked(trigger, reads, isChanged: false)
    case .exceeded:
      group?.runner = trigger
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

  /// Notes that a transaction was blocked again, and with it all of its group.
  ///
  /// - Parameter isChanged: the database is not what the transaction has seen.
  func noteBlocked(_ trigger: Trigger, _ reads: ReadSet, isChanged: Bool) {
    guard trigger.database.triggers.contains(trigger), let group = trigger.group else { return }
    trigger.database.triggers.file(trigger, reads)
    if group.runner === trigger { group.runner = nil }
    if isChanged { wake(group) } else { group.isUndecided = false }
  }

  func scheduleTimeout(of trigger: Trigger, _ milliseconds: Int64?) {
    trigger.scheduleTimeout(milliseconds, on: eventLoop) { [weak self, weak trigger] in
      guard let self, let trigger else { return }
      self.wake(trigger)
      self.runDueTriggers()
    }
  }

  /// Adds a transaction that is blocked.
  func add(_ trigger: Trigger, _ reads: ReadSet) {
    trigger.database.triggers.append(trigger, reads)
    segments.block(BlockedTransaction(database: trigger.database.handle, trigger: trigger.handle))
  }

  func remove(_ trigger: Trigger) {
    forget(trigger)
    trigger.session.pending[trigger.id] = nil
    trigger.session.forget(.waits, trigger.id)
  }

  /// Takes a transaction out of its database's queue. Those that it would have been run for are not left waiting.
  func forget(_ trigger: Trigger) {
    trigger.cancelTimeout()
    trigger.database.triggers.remove(trigger)
    let group = trigger.group
    trigger.group = nil
    guard group?.isUndecided == true else { return }
    wake(group)
    scheduleTurn()
  }
}
