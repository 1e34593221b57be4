// SPDX-License-Identifier: Apache-2.0
//
// The last commits of a database, so that a client that comes back after a lost connection is told only what changed meanwhile.

import DequeModule
import Engine
import OVSDB

/// Recent commits, oldest first.
///
/// Bounded by number and by bytes. The peer keeps 100 commits, of clustered databases only. A client that missed more than a quarter of the
/// database is sent all contents about as soon, and to free commits that have left the processor's caches takes long.
package struct History {
  package static let commitsMax = 2000
  /// What the history of a small database may take.
  package static let bytesMin = 8 << 20

  private var commits: Deque<Commit> = []
  /// Bytes of the commits, beyond what the database holds (`Commit.byteCount`).
  package private(set) var byteCount = 0
  package private(set) var atomCount = 0
  /// The id of the state before the oldest commit.
  private var baseID: UUID
  /// Nil: it depends on the size of the database.
  private let bytesMax: Int?

  /// - Parameter bytesMax: what the commits may take; nil: a quarter of what the database takes, at least `bytesMin`.
  package init(baseID: UUID, bytesMax: Int? = nil) {
    self.baseID = baseID
    self.bytesMax = bytesMax
  }

  package var count: Int { commits.count }

  /// What it may take beside a database of so many bytes.
  package func limit(databaseBytes: Int) -> Int { bytesMax ?? max(Self.bytesMin, databaseBytes / 4) }

  /// Remembers a commit and forgets what there is no room for. A commit that there is no room for at all is not kept, nor what was
  /// before it.
  ///
  /// - Parameter databaseBytes: the database's size with the commit.
  package mutating func append(_ commit: Commit, databaseBytes: Int) {
    let limit = limit(databaseBytes: databaseBytes)
    guard commit.byteCount <= limit else {
      self = History(baseID: commit.id, bytesMax: bytesMax)
      return
    }
    commits.append(commit)
    atomCount += commit.atomCount
    byteCount += commit.byteCount
    while commits.count > Self.commitsMax || byteCount > limit {
      let oldest = commits.removeFirst()
      atomCount -= oldest.atomCount
      byteCount -= oldest.byteCount
      baseID = oldest.id
    }
  }

  /// Takes back the last commit that was appended.
  ///
  /// - Parameter previousID: the id of the state before it.
  package mutating func remove(_ commit: Commit, previousID: UUID) {
    guard commits.last === commit else {
      // It was not kept.
      if commits.isEmpty { baseID = previousID }
      return
    }
    commits.removeLast()
    atomCount -= commit.atomCount
    byteCount -= commit.byteCount
  }

  /// What is wrong with the bookkeeping; empty when all is well.
  package func checkInvariants() -> [String] {
    let bytes = commits.reduce(0) { $0 + $1.byteCount }
    var faults: [String] = []
    if bytes != byteCount { faults.append("the history has \(bytes) bytes, \(byteCount) are counted") }
    if let bytesMax, bytes > bytesMax { faults.append("the history has \(bytes) bytes, \(bytesMax) are allowed") }
    return faults
  }

  /// The commits after the one with an id, or nil when it is not remembered.
  ///
  /// - Complexity: O(`commitsMax`), once for each client that comes back.
  package func commits(after id: UUID) -> Deque<Commit>.SubSequence? {
    if id == baseID { return commits[...] }
    guard let position = commits.lastIndex(where: { $0.id == id }) else { return nil }
    return commits[(position + 1)...]
  }

  /// The commits after the one with a number, or nil when not all of them are remembered.
  package func commits(afterSequence sequence: UInt64) -> Deque<Commit>.SubSequence? {
    guard let first = commits.first?.sequence, first <= sequence &+ 1 else { return nil }
    let position = Int(clamping: sequence &+ 1 &- first)
    guard position < commits.count, commits[position].sequence == sequence &+ 1 else { return nil }
    return commits[position...]
  }
}
