// SPDX-License-Identifier: Apache-2.0
//
// One turn of the event loop. Requests that all ready sessions have read are executed together, their log records written with one
// system call, and only then any reply or update leaves. If the write fails everything is taken back and done again one by one, so
// that each client is told the fate of its own transaction.

import Engine
import JSON
import Logging
import NIOCore
import OVSDB

/// The work between two writes of the log.
///
/// Invariants:
/// 1. While a segment is open nothing of it has left: sessions' output, and the input it came from, are kept until it closes.
/// 2. A segment holds transactions and echoes only. Every other request closes the segment before it, since what such a request does
///    (locks, monitors) is not taken back.
struct Segment {
  /// Commits in order, each with the id of the state before it.
  var commits: [(database: ServedDatabase, commit: Commit, previousID: UUID)] = []
  /// Sessions with new output or consumed input.
  var touched: [Session] = []
  /// Transactions that were blocked in this segment.
  var triggers: [Trigger] = []
  var number: UInt64 = 1
}

extension Server {
  /// How many requests are executed before their replies are sent and the sockets looked at again.
  private static let requestsPerTurnMax = 1024
  /// How many requests one session may have executed while others wait.
  private static let requestsPerSessionMax = 32

  /// How long a turn may go on executing requests; the one that is being executed is.
  private static let turnMax = TimeAmount.milliseconds(2)
  /// How many blocked transactions are run again in a row.
  private static let triggersPerTurnMax = 64

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
    if afterBreath { after(Self.breath, turn) } else { soon(turn) }
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

  /// Notes that a session has output, or consumed input, in the open segment.
  func touch(_ session: Session) {
    guard session.segmentNumber != segment.number else { return }
    session.segmentNumber = segment.number
    segment.touched.append(session)
  }

  /// Closes the segment before a request that cannot be taken back.
  ///
  /// - Returns: false when the segment had to be done again, and the request was answered with the rest of it.
  func settle(before session: Session) -> Bool {
    guard !segment.commits.isEmpty else { return true }
    guard writeLogs() else {
      redoSegment()
      return false
    }
    session.keepsInput = true
    defer { session.keepsInput = false }
    let commits = segment.commits
    sendSegment()
    wakeTriggers(commits)
    // The kept input is let go when the segment of the request closes; until then a failure would answer it twice.
    touch(session)
    return true
  }

  /// Writes the log and sends what the segment produced; then runs the transactions it may have woken.
  func closeSegment() {
    guard !segment.touched.isEmpty || !segment.commits.isEmpty else { return }
    if writeLogs() {
      let commits = segment.commits
      sendSegment()
      wakeTriggers(commits)
    } else {
      redoSegment()
    }
  }

  /// Hands the records of the segment's commits to the kernel.
  private func writeLogs() -> Bool {
    var isWritten = true
    for database in databasesToWrite {
      if !database.writeLog() { isWritten = false }
    }
    return isWritten
  }

  private func sendSegment() {
    let closed = segment
    segment = Segment()
    segment.number = closed.number + 1
    databasesToWrite.removeAll(keepingCapacity: true)
    if logsTables { tellTableLogs(closed.commits) }
    for session in closed.touched { session.send() }
  }

  /// Takes everything back that the segment did, and does it again, each transaction with a write of its own.
  private func redoSegment() {
    let failed = segment
    for (database, commit, previousID) in failed.commits.reversed() { database.undo(commit, previousID: previousID) }
    for trigger in failed.triggers { remove(trigger) }
    for database in databasesToWrite { database.discardLog() }
    databasesToWrite.removeAll(keepingCapacity: true)
    segment = Segment()
    segment.number = failed.number + 1
    let wasCareful = isCareful
    isCareful = true
    for session in failed.touched { session.takeBack() }
    for session in failed.touched { while session.process(limit: Self.requestsPerSessionMax) > 0 {} }
    closeSegment()
    isCareful = wasCareful
  }

  /// Records a commit: log, monitors, history.
  ///
  /// - Returns: an error when its record could not be written, which only a careful turn learns at once; the commit is undone then.
  func record(_ commit: Commit, in database: ServedDatabase, previousID: UUID) -> OVSDBError? {
    if database.appendToLog(commit) {
      if isCareful {
        if let error = database.writeLogNow() {
          database.takeBackUnpublished(commit, previousID: previousID)
          return error
        }
      } else if !databasesToWrite.contains(where: { $0 === database }) {
        databasesToWrite.append(database)
      }
    }
    segment.commits.append((database, commit, previousID))
    database.publish(commit)
    return nil
  }

  /// Runs blocked transactions that look at a table which changed.
  private func wakeTriggers(_ commits: [(database: ServedDatabase, commit: Commit, previousID: UUID)]) {
    for (database, commit, _) in commits where !database.triggers.isEmpty {
      let woken = database.triggers.inOrder { trigger in
        !trigger.isDue && commit.tables.contains { trigger.tables.contains($0.table.index) }
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
    guard trigger.database.triggers.contains(trigger) else { return }
    closeSegment()
    let session = trigger.session
    // The reply may be large, and a client that does not read gets no more.
    if session.isClogged { return session.postpone(trigger) }
    // A trigger's request cannot be taken back to its session's input: it has the log to itself.
    let wasCareful = isCareful
    isCareful = true
    defer { isCareful = wasCareful }
    let outcome = trigger.params.withRoot { params in
      execute(params, in: trigger.database, for: session, elapsedMilliseconds: trigger.elapsedMilliseconds)
    }
    switch outcome {
    case .blocked(let timeout, let tables):
      trigger.tables = tables
      if let timeout { scheduleTimeout(of: trigger, timeout) }
    case .done(let isDurable):
      remove(trigger)
      session.replyToTransact(idText: trigger.id, database: trigger.database, isDurable: isDurable)
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

  func remove(_ trigger: Trigger) {
    trigger.cancelTimeout()
    trigger.database.triggers.remove(trigger)
    trigger.session.pending[trigger.id] = nil
    trigger.session.forget(.waits, trigger.id)
  }
}

/// What became of a run of a transaction, whose result array is in `Server.results`.
enum Execution {
  case done(isDurable: Bool)
  case blocked(timeoutMilliseconds: Int64?, tables: ColumnSet)
}

extension Server {
  /// Memory that is kept for the next result.
  private static let retainedResultBytesMax = 1 << 20

  /// Runs a transaction; its result array is in `results` afterwards.
  func execute(
    _ params: JSONValue, in database: ServedDatabase, for session: Session, elapsedMilliseconds: Int64
  ) -> Execution {
    results.removeAll(keepingCapacity: results.count <= Self.retainedResultBytesMax)
    let previousID = database.database.lastCommitID
    let context = TransactionContext(
      isReadOnly: session.isReadOnly || database.isReadOnly, ownsLock: session.ownsLock,
      elapsedMilliseconds: elapsedMilliseconds, readOnlyReason: database.readOnlyReason,
      deferral: DeferralTerms(rowsMin: limits.inlineRowsMax, arrangedRowsMax: limits.arrangedRowsMax - rowArranger.rowCount),
      role: session.role)
    switch database.database.transact(params: params, context: context, into: &results) {
    case .failed:
      if let role = session.role { noteMissing(role, in: database) }
      return .done(isDurable: false)
    case .blocked(let timeout, let tables): return .blocked(timeoutMilliseconds: timeout, tables: tables)
    case .committed(let commit, let isDurable):
      if let commit, let error = record(commit, in: database, previousID: previousID) {
        results.truncate(to: results.count - 1)
        if results.count > 1 { results.append(",") }
        error.write(to: &results)
        results.append("]")
        return .done(isDurable: false)
      }
      return .done(isDurable: isDurable)
    }
  }

  /// Whether the rules allow what a relay is to pass on; its source sees the relay and not the relay's client. Else `results` has the
  /// result array that says why not.
  func mayForward(_ params: JSONValue, in database: ServedDatabase, for session: Session, as role: AccessRole) -> Bool {
    results.removeAll()
    let context = TransactionContext(ownsLock: session.ownsLock, role: role)
    let isAllowed = database.database.rehearse(
      params: params, context: context, blocked: role.refusal("waiting in a transaction that writes through a relay."),
      into: &results)
    if !isAllowed { noteMissing(role, in: database) }
    return isAllowed
  }

  /// A role that no row defines is likely a mistake, and the errors do not show it.
  private func noteMissing(_ role: AccessRole, in database: ServedDatabase) {
    let schema = database.database.schema
    guard schema.table(named: "RBAC_Role") != nil, !database.database.hasRole(role.name) else { return }
    Self.accessLog.info(
      "rbac: role \"\(role.name)\" not found in rbac roles table", metadata: ["rate-limit": "role"])
  }

  private static let accessLog = Logger(label: "ovsdb_rbac")
}
