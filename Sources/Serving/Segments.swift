// SPDX-License-Identifier: Apache-2.0
//
// What becomes of segments: a machine that is told what requests did and what the log said, and says what is to be done next.
//
//     open ── close ──▶ offered ── report ──▶ taken ──────▶ .send: output leaves, input is let go
//      ▲                 │    ▲
//      │                 ▼    │
//      │                in doubt (neither is done until the log knows)
//      │                 │
//      │   report        ▼
//      └────────────── refused ──▶ .redo: all that came since is taken back, newest first, and its requests are executed again
//
// A log is in order: when it has taken a segment it has those before, and when it has refused one it has none behind it. So results
// are reported in the order of the segments' numbers, and a refusal is one of everything that was offered since, and of the open segment.
//
// While requests are executed again each commit is appended by itself, so that each client gets the result of its own transaction. The
// same is done for a commit whose request cannot be executed again: of a transaction that was blocked, and of a source.

import DequeModule
package import Engine
package import OVSDB

/// The segments of a server's log.
package struct Segments {
  /// What the log says of a segment.
  package enum Report: Sendable {
    /// The records are where a crash of the process does not reach them.
    case taken
    /// Nothing of it is in the log.
    case refused
    /// The log cannot tell yet; it will report again.
    case inDoubt
  }

  /// What is to be done.
  package enum Step {
    /// The log has it: send what its sessions were given and let go of the input that it came from; then `reuse` it.
    case send(Segment)
    /// Take back what these did, which are in the order from the newest to the oldest, execute their sessions' input again, and call
    /// `redone()`.
    case redo([Segment])
  }

  /// Records to be appended; the result is to be reported.
  package struct Offer: Hashable, Sendable {
    package let number: UInt64
    /// Whose records wait.
    package let databases: [DatabaseHandle]
  }

  private enum State {
    case offered
    case inDoubt
    case taken
  }

  /// What executing a request means for the segment it is in.
  private enum Request {
    /// It can be executed again: transactions and echoes.
    case repeatable
    /// It cannot: its segment is closed when it is answered.
    case final
  }

  /// The segment in which requests are executed.
  package private(set) var open = Segment(number: 1)
  /// Invariant: behind one that is not taken there may be others that are, with no records of their own.
  private var closed: Deque<(segment: Segment, state: State)> = []
  /// What the log refused, newest first.
  private var refused: [Segment] = []
  private var request = Request.repeatable
  /// Requests are executed again, between `.redo` and `redone()`.
  private(set) var isRedoing = false
  /// Memory for the next segment.
  private var spare: Segment?

  package init() {}

  // MARK: - What requests do

  /// Notes that a session has output, or consumed input, in the open segment; once for each segment and session, of which the caller
  /// keeps track by the segment's number.
  package mutating func touch(_ session: SessionHandle) { open.sessions.append(session) }

  package mutating func block(_ transaction: BlockedTransaction) { open.blocked.append(transaction) }

  /// Whether a commit's record is to be appended before anything else is done, and its result is the transaction's.
  ///
  /// - Parameter alone: whether the request cannot be executed again.
  package func appendsAtOnce(alone: Bool) -> Bool { alone || isRedoing }

  /// Notes a commit of the open segment.
  ///
  /// - Parameter isWritten: whether the log has its record, or needs none.
  package mutating func add(_ commit: Commit, of database: DatabaseHandle, previousID: UUID, isWritten: Bool) {
    open.commits.append(SegmentCommit(database: database, commit: commit, previousID: previousID))
    if !isWritten, !open.unwritten.contains(database) { open.unwritten.append(database) }
  }

  /// Begins a request that cannot be executed again. What is in the open segment must have been closed if it has commits
  /// (`mustCloseBeforeFinal`).
  package mutating func beginFinal() {
    precondition(!mustCloseBeforeFinal, "segment \(open.number) has \(open.commits.count) commits before a final request")
    request = .final
  }

  /// Whether the open segment holds what a request that cannot be executed again must not share its fate with.
  package var mustCloseBeforeFinal: Bool { !open.commits.isEmpty }

  /// Ends the request that is being answered.
  ///
  /// - Returns: whether the open segment is to be closed now.
  package mutating func endRequest() -> Bool {
    guard case .final = request else { return false }
    request = .repeatable
    return true
  }

  // MARK: - What becomes of segments

  /// Closes the open segment. Steps may follow (`next`).
  ///
  /// - Parameter answering: a session whose request is being answered; its input stays.
  /// - Returns: what is to be appended; nil when nothing is.
  package mutating func close(answering: SessionHandle = .none) -> Offer? {
    guard !open.isEmpty else { return nil }
    var next = spare.take() ?? Segment(number: 0)
    next.number = open.number + 1
    swap(&next, &open)
    next.answering = answering
    let offer = next.unwritten.isEmpty ? nil : Offer(number: next.number, databases: next.unwritten)
    closed.append((next, offer == nil ? .taken : .offered))
    return offer
  }

  /// Notes what the log says of the oldest segment that it has not taken.
  package mutating func report(_ report: Report, of number: UInt64) {
    guard let position = closed.firstIndex(where: { $0.state != .taken }), closed[position].segment.number == number else {
      preconditionFailure("the log reports on segment \(number), which is not the next one")
    }
    switch report {
    case .taken: closed[position].state = .taken
    case .inDoubt: closed[position].state = .inDoubt
    case .refused: refuse(from: position)
    }
  }

  private mutating func refuse(from position: Int) {
    precondition(!isRedoing && refused.isEmpty, "what is executed again is appended at once, and not refused as a whole")
    refused = (open.isEmpty ? [] : [open]) + closed[position...].reversed().map(\.segment)
    closed.removeSubrange(position...)
    open = Segment(number: open.number + 1)
  }

  /// What is to be done next; nil: nothing until the log reports or more is executed.
  package mutating func next() -> Step? {
    if let first = closed.first {
      guard case .taken = first.state else { return nil }
      closed.removeFirst()
      return .send(first.segment)
    }
    guard !refused.isEmpty else { return nil }
    isRedoing = true
    defer { refused = [] }
    return .redo(refused)
  }

  /// All that was refused has been executed again.
  package mutating func redone() {
    precondition(isRedoing, "nothing was to be executed again")
    isRedoing = false
  }

  /// Takes back the memory of a segment whose output has left.
  package mutating func reuse(_ segment: consuming Segment) {
    segment.reset()
    spare = segment
  }
}
