// SPDX-License-Identifier: Apache-2.0
//
// Changes that were committed elsewhere already, under another schema (Journal, ConvertedDatabase.swift): they are made like those of
// a transaction, with the same checks at the end.

import OVSDB

/// What became of one row.
package struct FollowedChange: Sendable {
  package let table: TableSchema
  package let uuid: UUID
  /// The values of the columns that are set; nil when the row is gone.
  package let values: [(ColumnSchema, Datum)]?

  package init(table: TableSchema, uuid: UUID, values: [(ColumnSchema, Datum)]?) {
    self.table = table
    self.uuid = uuid
    self.values = values
  }
}

extension Database {
  /// Makes changes of rows, each at most once, as one commit.
  ///
  /// - Returns: nil when nothing changed.
  /// - Throws: what contradicts each other, as a transaction would; nothing changed then.
  package func follow(_ changes: [FollowedChange]) throws(OVSDBError) -> Commit? {
    var transaction = Transaction(database: self)
    for change in changes {
      let exists = tables[change.table.index].rows[change.uuid] != nil
      guard let values = change.values else {
        if exists { transaction.delete(change.uuid, in: change.table.index) }
        continue
      }
      if exists {
        for (column, value) in values { transaction.set(column, of: change.uuid, in: change.table.index, to: value) }
      } else {
        let row = Row.make(
          table: change.table, uuid: change.uuid, version: makeUUID(), fields: change.table.defaults)
        for (column, value) in values { row.set(column, to: value) }
        transaction.insert(row)
      }
    }
    guard let commit = try transaction.makeCommit() else { return nil }
    transaction.apply(commit)
    return commit
  }
}
