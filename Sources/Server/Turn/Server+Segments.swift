// SPDX-License-Identifier: Apache-2.0
//
// Does what the machine of segments says (Segments.swift in Serving): records go to the logs, output leaves, and what a log refuses is
// taken back and executed again. The log of a file answers in the same call.

import Engine
import OVSDB
import Serving

extension Server {
  /// Notes that a session has output, or consumed input, in the open segment.
  func touch(_ session: Session) {
    guard session.segmentNumber != segments.open.number else { return }
    session.segmentNumber = segments.open.number
    segments.touch(session.handle)
  }

  /// Prepares for a request that cannot be executed again: it gets a segment of its own.
  ///
  /// - Returns: false when the segment before was refused; with the rest of it the request was executed, too.
  func beginFinalRequest(of session: Session) -> Bool {
    if segments.mustCloseBeforeFinal {
      guard closeSegment(answering: session) else { return false }
      // The kept input is let go when the segment of the request closes; until then a refusal would answer it twice.
      touch(session)
    }
    segments.beginFinal()
    return true
  }

  /// Writes the log and sends what the segment produced; then runs the transactions it may have woken.
  func closeSegment() {
    _ = closeSegment(answering: nil)
  }

  /// - Parameter answering: a session whose request is being answered; its input stays.
  /// - Returns: false when requests had to be executed again.
  private func closeSegment(answering: Session?) -> Bool {
    if let offer = segments.close(answering: answering?.handle ?? .none) {
      segments.report(writeLogs(of: offer.databases) ? .taken : .refused, of: offer.number)
    }
    var isTaken = true
    while let step = segments.next() {
      switch step {
      case .send(let segment): send(segment)
      case .redo(let refused):
        redo(refused)
        isTaken = false
      }
    }
    return isTaken
  }

  /// Hands the records of the databases' commits to the kernel: of all or of none, since all of them are made again.
  private func writeLogs(of databases: [DatabaseHandle]) -> Bool {
    for (position, handle) in databases.enumerated() where servedDatabases[handle]?.writeLog() != nil {
      for written in databases[..<position] { servedDatabases[written]?.cutLog() }
      return false
    }
    for handle in databases { servedDatabases[handle]?.keepLog() }
    return true
  }

  private func send(_ segment: Segment) {
    if logsTables { tellTableLogs(segment.commits) }
    for handle in segment.sessions { sessions[handle]?.send(keepsInput: handle == segment.answering) }
    wakeTriggers(segment.commits)
    segments.reuse(segment)
  }

  /// Takes everything back that segments did, and does it again, each transaction with a write of its own.
  func redo(_ refused: [Segment]) {
    for segment in refused {
      for made in segment.commits.reversed() { servedDatabases[made.database]?.undo(made.commit, previousID: made.previousID) }
      for blocked in segment.blocked {
        if let trigger = servedDatabases[blocked.database]?.triggers[blocked.trigger] { remove(trigger) }
      }
      for handle in segment.unwritten { servedDatabases[handle]?.discardLog() }
    }
    let touched = refused.reversed().flatMap(\.sessions).compactMap { sessions[$0] }
    for session in touched { session.takeBack() }
    for session in touched { while session.process(limit: Self.requestsPerSessionMax) > 0 {} }
    closeSegment()
    segments.redone()
  }

  /// Records a commit: log, monitors, history.
  ///
  /// - Parameter alone: the commit's request cannot be executed again. The open segment has no records that are not written.
  /// - Returns: an error when the record could not be written, as far as that is known by now; the commit is undone then.
  func record(_ commit: Commit, in database: ServedDatabase, previousID: UUID, alone: Bool = false) -> OVSDBError? {
    var isWritten = !database.appendToLog(commit)
    if !isWritten, segments.appendsAtOnce(alone: alone) {
      if let error = database.writeLog() {
        database.takeBackUnpublished(commit, previousID: previousID)
        return error
      }
      database.keepLog()
      isWritten = true
    }
    segments.add(commit, of: database.handle, previousID: previousID, isWritten: isWritten)
    database.publish(commit)
    return nil
  }
}
