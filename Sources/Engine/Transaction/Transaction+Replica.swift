// SPDX-License-Identifier: Apache-2.0
//
// Changes that another server has committed, made here in one commit: what a relay and a backup do with what their source tells
// them. The checks at the end are those of a transaction (Transaction+Commit.swift).

import HashTreeCollections
import OVSDB

/// How the source of a copy has a row.
package struct ReplicaRow {
  package let table: TableSchema
  package let uuid: UUID
  /// The columns that were told; nil when the source does not have the row. Others stay as they are, in a new row at their default.
  package let columns: [(ColumnSchema, Datum)]?
  /// The row's `_version` at the source, where it was told.
  package let version: UUID?

  package init(table: TableSchema, uuid: UUID, columns: [(ColumnSchema, Datum)]?, version: UUID? = nil) {
    self.table = table
    self.uuid = uuid
    self.columns = columns
    self.version = version
  }
}

/// On which terms another server's changes are taken over.
package struct ReplicaTerms {
  /// The id of the commit; a random one when nil.
  package var commitID: UUID?
  /// The source's rows are taken as they are, checked, but neither collected nor pruned: a copy of everything the source has needs
  /// none of that. A copy of some tables does.
  package var isVerbatim: Bool
  /// Versions of changed rows, where the source tells them.
  var versions: [UUID: UUID] = [:]

  package init(commitID: UUID? = nil, isVerbatim: Bool = false) {
    self.commitID = commitID
    self.isVerbatim = isVerbatim
  }
}

extension Database {
  /// Makes rows as a source has them, in one commit.
  ///
  /// - Parameters:
  ///   - complete: tables of which `rows` has every row there is: others are deleted.
  /// - Returns: the commit, applied already; nil when the rows were as told before.
  /// - Throws: what contradicts the schema or each other; nothing changed then.
  package func replicate(
    _ rows: [ReplicaRow], complete: [TableSchema] = [], terms: ReplicaTerms
  ) throws(OVSDBError) -> Commit? {
    var transaction = Transaction(database: self)
    return try transaction.replicate(rows, complete: complete, terms: terms)
  }
}

extension Transaction {
  fileprivate mutating func replicate(
    _ rows: [ReplicaRow], complete: [TableSchema], terms: ReplicaTerms
  ) throws(OVSDBError) -> Commit? {
    replica = terms
    deleteRows(of: complete, except: rows)
    for row in rows { put(row) }
    guard let commit = try makeCommit() else { return nil }
    apply(commit)
    return commit
  }

  private mutating func deleteRows(of complete: [TableSchema], except rows: [ReplicaRow]) {
    guard !complete.isEmpty else { return }
    var kept: [Set<UUID>] = Array(repeating: [], count: tables.count)
    for row in rows where row.columns != nil { kept[row.table.index].insert(row.uuid) }
    for table in complete {
      let gone = tables[table.index].rows.keys.filter { !kept[table.index].contains($0) }
      for uuid in gone { delete(uuid, in: table.index) }
    }
  }

  private mutating func put(_ row: ReplicaRow) {
    guard let columns = row.columns else { return delete(row.uuid, in: row.table.index) }
    if let known = self.row(row.uuid, in: row.table.index) {
      var isChanged = false
      for (column, datum) in columns where known[column] != datum {
        set(column, of: row.uuid, in: row.table.index, to: datum)
        isChanged = true
      }
      if isChanged, let version = row.version { replica?.versions[row.uuid] = version }
      return
    }
    let new = Row.make(
      table: row.table, uuid: row.uuid, version: row.version ?? database.makeUUID(), fields: row.table.defaults)
    for (column, datum) in columns { new.set(column, to: datum) }
    insert(new)
  }
}
