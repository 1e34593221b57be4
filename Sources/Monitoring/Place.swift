// SPDX-License-Identifier: Apache-2.0
//
// Where a client stopped reading. What it is owed is not added up for it: it is found when it reads again, from the commits since, or
// by comparing the rows of then with those of now. Persistent maps share what did not change, and all who stopped at the same time share
// one place.

import Engine
import HashTreeCollections
import OVSDB

/// A state of the database that clients know which have not been told of what came after it.
package final class Place: Sendable {
  /// The number of the last commit it contains.
  package var sequence: UInt64 { hold.sequence }
  /// Counts what it keeps in memory.
  package let hold: StateHold
  private let tables: [Contents]

  private struct Contents: Sendable {
    let rows: TreeDictionary<UUID, Row>
    /// `Table.changeCount`; nil: it is not known.
    let changeCount: UInt64?
  }

  /// The state of a snapshot.
  init(_ snapshot: Snapshot, hold: StateHold) {
    self.hold = hold
    tables = snapshot.tables.map { Contents(rows: $0.rows, changeCount: $0.changeCount) }
  }

  /// The state before a commit.
  ///
  /// - Parameter snapshot: the database with the commit, and nothing after it.
  /// - Complexity: O(rows of the commit).
  init(before commit: Commit, in snapshot: Snapshot, hold: StateHold) {
    self.hold = hold
    var tables = snapshot.tables.map { Contents(rows: $0.rows, changeCount: $0.changeCount) }
    for change in commit.tables {
      var rows = tables[change.table.index].rows
      for row in change.rows { rows[row.uuid] = row.old }
      tables[change.table.index] = Contents(rows: rows, changeCount: nil)
    }
    self.tables = tables
  }

  func rows(of table: Int) -> TreeDictionary<UUID, Row> { tables[table].rows }

  /// Whether a table is known to have the same rows in a later snapshot.
  func isCurrent(_ table: Table) -> Bool { tables[table.schema.index].changeCount == table.changeCount }
}

/// The state before the commit that is being published, made when somebody needs it.
final class StateBefore {
  private let commit: Commit
  private let snapshot: () -> Snapshot
  private let makeHold: (Snapshot) -> StateHold

  /// - Parameter snapshot: the database with the commit.
  init(_ commit: Commit, _ snapshot: @escaping () -> Snapshot, makeHold: @escaping (Snapshot) -> StateHold) {
    self.commit = commit
    self.snapshot = snapshot
    self.makeHold = makeHold
  }

  private(set) lazy var hold = makeHold(snapshot())
  private(set) lazy var place = Place(before: commit, in: snapshot(), hold: hold)
}
