// SPDX-License-Identifier: Apache-2.0
//
// The last commits of a database, so that a client that comes back after a lost connection is told only what changed meanwhile.

import DequeModule
import Engine
import OVSDB

/// Recent commits, oldest first.
///
/// Bounded by number and by size: the rows it holds have at most as many atoms as the database, but the last commit is always kept.
/// The peer keeps 100 commits, of clustered databases only. More than this would be told to nobody sooner than all contents anew,
/// and commits that have left the processor's caches are dear to let go.
package struct History {
  package static let commitsMax = 2000

  private var commits: Deque<Commit> = []
  package private(set) var atomCount = 0
  /// The id of the state before the oldest commit.
  private var baseID: UUID

  package init(baseID: UUID) {
    self.baseID = baseID
  }

  package var count: Int { commits.count }

  /// - Parameter databaseAtoms: the database's size, which limits the history's.
  package mutating func append(_ commit: Commit, databaseAtoms: Int) {
    commits.append(commit)
    atomCount += commit.atomCount
    while commits.count > 1, commits.count > Self.commitsMax || atomCount > databaseAtoms {
      let oldest = commits.removeFirst()
      atomCount -= oldest.atomCount
      baseID = oldest.id
    }
  }

  /// Takes back the last commit.
  package mutating func removeLast() {
    guard let last = commits.popLast() else { return }
    atomCount -= last.atomCount
  }

  /// The commits after the one with an id, or nil when it is not remembered.
  ///
  /// - Complexity: O(`commitsMax`), once for each client that comes back.
  package func commits(after id: UUID) -> Deque<Commit>.SubSequence? {
    if id == baseID { return commits[...] }
    guard let position = commits.lastIndex(where: { $0.id == id }) else { return nil }
    return commits[(position + 1)...]
  }
}
