// SPDX-License-Identifier: Apache-2.0
//
// A conversion that goes on beside commits: a database converted from a snapshot (Conversion.swift) that then follows the database it
// was made of. The result is what the conversion of the last state would have been.

import Engine
import OVSDB

/// A database under a new schema that follows one under the old.
///
/// `@unchecked Sendable`: made on one thread for another; one at a time works with it.
package final class ConvertedDatabase: @unchecked Sendable {
  package let database: Database
  /// What follows depends on rows that this database does not have: the conversion has to begin anew.
  package private(set) var hasLostTrack = false

  /// For each table of the old schema: the table of the new one and the columns in both.
  private let pairs: [(table: TableSchema, columns: [Conversion.ColumnPair])?]
  /// Every row of the old database is in the new one, with all its references, so that changes of rows say everything.
  private let isComplete: Bool

  /// Converts a snapshot, by the rules of a server.
  ///
  /// - Throws: as `Conversion.convert`.
  package init(
    _ snapshot: Snapshot, to schema: DatabaseSchema, random: RandomSource = RandomSource()
  ) throws(OVSDBError) {
    database = try Conversion.convert(snapshot, to: schema, rules: .live, random: random)
    pairs = snapshot.tables.map { old in
      guard let new = schema.table(named: old.schema.name) else { return nil }
      return (new, Conversion.pairs(from: old.schema, to: new, .live))
    }
    var isComplete = true
    for (old, pair) in zip(snapshot.tables, pairs) {
      guard let pair else { continue }
      if database.tables[pair.table.index].rows.count != old.rows.count { isComplete = false }
      if pair.columns.contains(where: { !$0.isSame && ($0.old.isReference || $0.new.isReference) }) { isComplete = false }
    }
    self.isComplete = isComplete
  }

  /// Makes the changes that the old database has seen since.
  ///
  /// - Parameter commits: All commits since the snapshot or the last call, in order.
  /// - Returns: the changes as one commit; nil when they leave nothing changed.
  /// - Throws: what contradicts the new schema; with `hasLostTrack`, that the commits cannot be followed.
  package func follow(_ commits: [Commit]) throws(OVSDBError) -> Commit? {
    guard isComplete else { throw lost() }
    // Only what a row is in the end matters.
    var finals: [ReferenceTarget: Row?] = [:]
    for commit in commits {
      for table in commit.tables where pairs[table.table.index] != nil {
        for change in table.rows {
          finals[ReferenceTarget(tableIndex: table.table.index, uuid: change.uuid)] = .some(change.new)
        }
      }
    }
    var changes: [FollowedChange] = []
    changes.reserveCapacity(finals.count)
    for (target, row) in finals {
      guard let pair = pairs[target.tableIndex] else { continue }
      var values: [(ColumnSchema, Datum)]?
      if let row {
        var converted: [(ColumnSchema, Datum)] = []
        converted.reserveCapacity(pair.columns.count)
        for column in pair.columns { converted.append((column.new, try column.convert(row, .live))) }
        values = converted
      }
      changes.append(FollowedChange(table: pair.table, uuid: target.uuid, values: values))
    }
    let commit = try database.follow(changes)
    guard let commit else { return nil }
    let deletions = Set(changes.filter { $0.values == nil }.map { ReferenceTarget(tableIndex: $0.table.index, uuid: $0.uuid) })
    for table in commit.tables {
      for change in table.rows where change.new == nil {
        // Garbage here that is none there.
        if !deletions.contains(ReferenceTarget(tableIndex: table.table.index, uuid: change.uuid)) { throw lost() }
      }
    }
    return commit
  }

  private func lost() -> OVSDBError {
    hasLostTrack = true
    return OVSDBError(.ovsdbError, "the database changed too much during its conversion")
  }
}

extension ColumnSchema {
  /// Whether values refer to rows.
  fileprivate var isReference: Bool { type.key.reference != nil || type.value?.reference != nil }
}
