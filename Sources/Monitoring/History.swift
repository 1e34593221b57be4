// SPDX-License-Identifier: Apache-2.0
//
// The last commits of a database, so that a client that comes back after a lost connection is told only what changed meanwhile.

import DequeModule
import Engine
import OVSDB

/// Recent commits by their ids.
///
/// Bounded by number and by size: the rows it holds have at most as many atoms as the database, but the last commit is always kept.
/// The peer keeps 100 commits, of clustered databases only.
package struct History {
  package static let commitsMax = 10_000

  private var commits: Deque<Commit> = []
  private var atomCounts: Deque<Int> = []
  package private(set) var atomCount = 0
  private var sequences: [UUID: UInt64] = [:]
  /// The id of the state before the oldest commit.
  private var baseID: UUID

  package init(baseID: UUID) {
    self.baseID = baseID
  }

  package var count: Int { commits.count }

  /// - Parameter databaseAtoms: the database's size, which limits the history's.
  package mutating func append(_ commit: Commit, databaseAtoms: Int) {
    let atoms = commit.atomCount
    commits.append(commit)
    atomCounts.append(atoms)
    atomCount += atoms
    sequences[commit.id] = commit.sequence
    while commits.count > 1, commits.count > Self.commitsMax || atomCount > databaseAtoms { dropOldest() }
  }

  private mutating func dropOldest() {
    guard let oldest = commits.popFirst(), let atoms = atomCounts.popFirst() else { return }
    atomCount -= atoms
    // The base's id is in `sequences` as long as something follows it: it names the state the first commit was made on.
    sequences[baseID] = nil
    baseID = oldest.id
  }

  /// Takes back the last commit.
  package mutating func removeLast() {
    guard let last = commits.popLast(), let atoms = atomCounts.popLast() else { return }
    atomCount -= atoms
    sequences[last.id] = nil
  }

  /// The commits after the one with an id, or nil when it is not remembered.
  package func commits(after id: UUID) -> Deque<Commit>.SubSequence? {
    if id == baseID { return commits[...] }
    guard let sequence = sequences[id], let first = commits.first else { return nil }
    return commits[(Int(sequence - first.sequence) + 1)...]
  }
}
