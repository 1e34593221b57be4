// SPDX-License-Identifier: Apache-2.0
//
// What a transaction changed, once it is decided. The journal writes it, monitors tell it, and a failed write takes it back.

import OVSDB

/// The change of one row: inserted (`old` nil), deleted (`new` nil) or modified.
package struct RowChange: Sendable {
  package let uuid: UUID
  package let old: Row?
  package let new: Row?
  /// The columns whose values differ; all columns of an inserted or deleted row count as changed and are not listed.
  package let changed: ColumnSet

  package init(uuid: UUID, old: Row?, new: Row?, changed: ColumnSet) {
    self.uuid = uuid
    self.old = old
    self.new = new
    self.changed = changed
  }
}

/// The changes of one table.
package struct TableChange: Sendable {
  package let table: TableSchema
  package var rows: [RowChange]

  package init(table: TableSchema, rows: [RowChange]) {
    self.table = table
    self.rows = rows
  }
}

/// One committed transaction.
package final class Commit: Sendable {
  /// A number that grows by one with each commit of a database.
  package let sequence: UInt64
  /// The transaction's id, as `monitor_cond_since` tells it.
  package let id: UUID
  /// Changed tables in the order of the schema; none is empty.
  package let tables: [TableChange]
  /// The transaction's comments, joined by newline.
  package let comment: String?
  /// Atoms in the rows it holds, the measure of the history's size.
  package let atomCount: Int
  /// How much larger the database is by it, in atoms.
  package let atomGrowth: Int
  /// How many more references each row has now; undone when the commit is.
  let strongDeltas: [StrongDelta]
  let weakDeltas: [WeakDelta]

  init(
    sequence: UInt64, id: UUID, tables: [TableChange], comment: String?, strongDeltas: [StrongDelta],
    weakDeltas: [WeakDelta]
  ) {
    self.sequence = sequence
    self.id = id
    self.tables = tables
    self.comment = comment
    self.strongDeltas = strongDeltas
    self.weakDeltas = weakDeltas
    var (before, after) = (0, 0)
    for table in tables {
      for change in table.rows {
        before += change.old?.atomCount ?? 0
        after += change.new?.atomCount ?? 0
      }
    }
    atomCount = before + after
    atomGrowth = after - before
  }

  /// Whether anything that is stored on disk changed.
  package var isPersistent: Bool {
    tables.contains { table in
      table.rows.contains { change in
        guard change.old != nil, change.new != nil else { return true }
        return table.table.columns.contains { $0.isPersistent && change.changed.contains($0.index) }
      }
    }
  }
}

/// A change of a row's number of strong references.
struct StrongDelta: Sendable {
  let tableIndex: Int
  let uuid: UUID
  let delta: Int
}

/// A weak reference that appeared or went.
struct WeakDelta: Sendable {
  let targetTable: Int
  let target: UUID
  let referrer: Referrer
  let isAdded: Bool
}
