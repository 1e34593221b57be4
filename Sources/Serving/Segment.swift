// SPDX-License-Identifier: Apache-2.0
//
// What requests did between two writes of the log.

package import Engine
package import OVSDB

/// A commit of a segment.
package struct SegmentCommit: Sendable {
  package let database: DatabaseHandle
  package let commit: Commit
  /// The id of the state before it.
  package let previousID: UUID
}

/// A transaction that was blocked in a segment.
package struct BlockedTransaction: Hashable, Sendable {
  package let database: DatabaseHandle
  package let trigger: TriggerHandle

  package init(database: DatabaseHandle, trigger: TriggerHandle) {
    self.database = database
    self.trigger = trigger
  }
}

/// Requests that are executed together: their records are written with one call, and what they say to clients leaves after that.
///
/// Invariants:
/// 1. Until the log has taken a segment, nothing of it has left: the output of its sessions, and the input that it came from, are kept.
/// 2. Commits of a segment come from transactions, which can be executed again. Every other request closes the segment before it, since
///    what such a request does (locks, monitors) is not taken back.
package struct Segment: Sendable {
  package internal(set) var number: UInt64
  /// In order.
  package internal(set) var commits: [SegmentCommit] = []
  /// Sessions with new output or consumed input, in the order in which they first had some.
  package internal(set) var sessions: [SessionHandle] = []
  /// Transactions that were blocked in it.
  package internal(set) var blocked: [BlockedTransaction] = []
  /// Databases with records that are not written.
  package internal(set) var unwritten: [DatabaseHandle] = []
  /// The session whose request is being answered around the end of the segment: it keeps its input, which holds the request.
  package internal(set) var answering = SessionHandle.none

  var isEmpty: Bool { sessions.isEmpty && commits.isEmpty }

  init(number: UInt64) { self.number = number }

  /// Forgets everything but the memory it took.
  mutating func reset() {
    commits.removeAll(keepingCapacity: commits.capacity <= Self.retainedCountMax)
    sessions.removeAll(keepingCapacity: sessions.capacity <= Self.retainedCountMax)
    if !blocked.isEmpty { blocked = [] }
    unwritten.removeAll(keepingCapacity: true)
    answering = .none
  }

  /// As many as a turn usually has.
  private static let retainedCountMax = 1024
}
