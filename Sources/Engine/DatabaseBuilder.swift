// SPDX-License-Identifier: Apache-2.0
//
// Makes a database from rows that come from somewhere else than transactions: a log that is read at start-up, the rows of
// another schema. Rows go in one by one, and what must hold between them is counted and checked once at the end: a start-up
// that ran every record as a transaction would take several times as long.

import HashTreeCollections
import OVSDB

/// A database under construction.
package struct DatabaseBuilder: ~Copyable {
  package let schema: DatabaseSchema
  /// By table. The rows are not published before `finish`, so they may be changed in place until then.
  private var rows: [TreeDictionary<UUID, Row>]
  private var random: RandomSource

  package init(schema: DatabaseSchema, random: RandomSource = RandomSource()) {
    self.schema = schema
    self.random = random
    rows = Array(repeating: [:], count: schema.tables.count)
  }

  /// The row of a name, which the caller may change.
  package func row(_ uuid: UUID, in table: TableSchema) -> Row? { rows[table.index][uuid] }

  /// Adds a row that holds defaults, for the caller to fill. A row of the same name is replaced.
  package mutating func add(_ uuid: UUID, to table: TableSchema) -> Row {
    let row = Row.make(
      table: table, uuid: uuid, version: UUID.random(using: &random), fields: table.defaults)
    rows[table.index][uuid] = row
    return row
  }

  /// - Returns: false when there is no such row.
  package mutating func remove(_ uuid: UUID, from table: TableSchema) -> Bool {
    rows[table.index].removeValue(forKey: uuid) != nil
  }

  /// Checks the rows and makes the database of them.
  ///
  /// As at the end of a transaction, rows of non-root tables that nothing references are dropped, and weak references to rows
  /// that do not exist are taken out.
  ///
  /// - Throws: `.referentialIntegrityViolation` for a strong reference to a row that does not exist, `.constraintViolation` for
  ///   too many rows, equal values in an index, or a column that must not be empty and only had dangling weak references.
  /// - Complexity: O(rows and references).
  package consuming func finish() throws(OVSDBError) -> Database {
    while true {
      var counts = try countStrongReferences()
      collectGarbage(&counts)
      try checkRowCounts()
      let (referrers, lostStrong) = try fileWeakReferences()
      // A pair of a map may hold a weak reference and a strong one; what went with it may be garbage now.
      if lostStrong { continue }
      var tables: [Table] = []
      tables.reserveCapacity(schema.tables.count)
      for table in schema.tables {
        tables.append(
          Table(
            schema: table, rows: rows[table.index], strongCounts: TreeDictionary(uniqueKeysWithValues: counts[table.index]),
            weakReferrers: referrers[table.index], indexes: try fileIndexes(of: table)))
      }
      return Database(schema: schema, tables: tables, random: random)
    }
  }

  // MARK: - Strong references

  /// How often each row is referenced by others, by table.
  private func countStrongReferences() throws(OVSDBError) -> [[UUID: Int]] {
    var counts = [[UUID: Int]](repeating: [:], count: rows.count)
    for table in schema.tables where !table.strongColumns.isEmpty {
      for (uuid, row) in rows[table.index] {
        Self.forEachStrongReference(of: row) { target in
          if target.uuid != uuid || target.tableIndex != table.index { counts[target.tableIndex][target.uuid, default: 0] += 1 }
        }
      }
    }
    for table in schema.tables {
      for uuid in counts[table.index].keys where rows[table.index][uuid] == nil {
        throw dangling(ReferenceTarget(tableIndex: table.index, uuid: uuid))
      }
    }
    return counts
  }

  private static func forEachStrongReference(of row: Row, _ body: (ReferenceTarget) -> Void) {
    for column in row.table.strongColumns {
      Datum.forEachReferenceChange(from: .empty, to: row[column], type: column.type, isStrong: true) { target, _ in
        body(target)
      }
    }
  }

  /// Finds who references a row that does not exist.
  private func dangling(_ missing: ReferenceTarget) -> OVSDBError {
    var holders: [(row: Row, column: ColumnSchema)] = []
    for table in schema.tables {
      for row in rows[table.index].values {
        for column in table.strongColumns {
          Datum.forEachReferenceChange(from: .empty, to: row[column], type: column.type, isStrong: true) { target, _ in
            if target == missing { holders.append((row, column)) }
          }
        }
      }
    }
    // The same row is named whenever the same rows are read.
    guard let holder = holders.min(by: { $0.row.uuid < $1.row.uuid }) else {
      return OVSDBError(.referentialIntegrityViolation, "reference to nonexistent row \(missing.uuid)")
    }
    return .dangling(
      table: holder.row.table, column: holder.column, row: holder.row.uuid, target: missing.uuid,
      targetTable: schema.tables[missing.tableIndex])
  }

  /// Drops rows of non-root tables that nothing references, and what only they referenced.
  private mutating func collectGarbage(_ counts: inout [[UUID: Int]]) {
    var candidates: [ReferenceTarget] = []
    for table in schema.tables where !table.isRoot {
      for uuid in rows[table.index].keys where counts[table.index][uuid] == nil {
        candidates.append(ReferenceTarget(tableIndex: table.index, uuid: uuid))
      }
    }
    while let candidate = candidates.popLast() {
      guard let row = rows[candidate.tableIndex].removeValue(forKey: candidate.uuid) else { continue }
      Self.forEachStrongReference(of: row) { target in
        guard target != candidate, let count = counts[target.tableIndex][target.uuid] else { return }
        counts[target.tableIndex][target.uuid] = count == 1 ? nil : count - 1
        if count == 1, !schema.tables[target.tableIndex].isRoot { candidates.append(target) }
      }
    }
  }

  // MARK: - The other rules

  private func checkRowCounts() throws(OVSDBError) {
    for table in schema.tables where rows[table.index].count > table.rowsMax && table.rowsMax != TableSchema.rowsUnlimited {
      throw .tooManyRows(rows[table.index].count, in: table)
    }
  }

  /// Files who references whom weakly, and takes out references to rows that do not exist.
  ///
  /// - Returns: the files by table, and whether strong references went as well; then the files are of no use.
  private func fileWeakReferences() throws(OVSDBError) -> ([TreeDictionary<UUID, Referrers>], lostStrong: Bool) {
    var files = [TreeDictionary<UUID, Referrers>](repeating: [:], count: rows.count)
    var lostStrong = false
    for table in schema.tables {
      for column in table.weakColumns {
        for (uuid, row) in rows[table.index] {
          if try prune(column, of: row) { lostStrong = true }
          let referrer = Referrer(tableIndex: Int32(table.index), columnIndex: Int32(column.index), uuid: uuid)
          Datum.forEachReferrerChange(from: .empty, to: row[column], type: column.type) { target, _ in
            let others = files[target.tableIndex][target.uuid]
            files[target.tableIndex][target.uuid] = others?.adding(referrer) ?? .one(referrer)
          }
        }
      }
    }
    return (files, lostStrong)
  }

  /// - Returns: whether strong references went as well.
  private func prune(_ column: ColumnSchema, of row: Row) throws(OVSDBError) -> Bool {
    let before = row[column]
    if before.isEmpty { return false }
    let pruned = before.pruned(type: column.type) { rows[$0.tableIndex][$0.uuid] != nil }
    guard let (rest, lost) = pruned else { return false }
    if rest.count < column.type.min { throw .emptied(column, of: row, isNew: true, lost: lost) }
    row.set(column, to: rest)
    return column.type.key.reference?.isStrong == true || column.type.value?.reference?.isStrong == true
  }

  private func fileIndexes(of table: TableSchema) throws(OVSDBError) -> [TreeDictionary<IndexKey, UUID>] {
    var files: [TreeDictionary<IndexKey, UUID>] = []
    for columns in table.indexes {
      var file: TreeDictionary<IndexKey, UUID> = [:]
      for (uuid, row) in rows[table.index] {
        let key = IndexKey(row, columns)
        if let other = file.updateValue(uuid, forKey: key), let first = rows[table.index][other] {
          let inserted = "was inserted by this transaction."
          throw .duplicate(key, in: columns, first: (first, inserted), second: (row, inserted))
        }
      }
      files.append(file)
    }
    return files
  }
}
