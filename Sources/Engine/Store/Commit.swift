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

  /// Bytes that only the old state of the row has.
  fileprivate var oldByteCount: Int {
    guard let old else { return 0 }
    return new == nil ? old.byteCount : old.byteCount(differingIn: changed)
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
  /// Atoms in the rows it holds.
  package let atomCount: Int
  /// Bytes that it takes to remember it: what the database does not hold or will not hold any more, which is the rows as they were. What a
  /// row shares with its next state is not counted; the commit that changes it counts it.
  package let byteCount: Int
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
    var (atoms, bytes) = (0, Self.ownBytes + (comment?.utf8.count ?? 0))
    for table in tables {
      bytes += table.rows.count * MemoryLayout<RowChange>.stride
      for change in table.rows {
        atoms += (change.old?.atomCount ?? 0) + (change.new?.atomCount ?? 0)
        bytes += change.oldByteCount
      }
    }
    bytes += strongDeltas.count * MemoryLayout<StrongDelta>.stride + weakDeltas.count * MemoryLayout<WeakDelta>.stride
    atomCount = atoms
    byteCount = bytes
  }

  /// The object and its arrays, without their elements.
  private static let ownBytes = 256

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
