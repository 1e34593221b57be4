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

  /// The row of a name for the caller to fill; one that holds defaults is added when there is none.
  package mutating func obtain(_ uuid: UUID, in table: TableSchema) -> (row: Row, isNew: Bool) {
    Self.obtain(uuid, of: table, &rows[table.index], &random)
  }

  private static func obtain(
    _ uuid: UUID, of table: TableSchema, _ rows: inout TreeDictionary<UUID, Row>, _ random: inout RandomSource
  ) -> (row: Row, isNew: Bool) {
    var isNew = false
    func make() -> Row {
      isNew = true
      return Row.make(table: table, uuid: uuid, version: UUID.random(using: &random), fields: table.defaults)
    }
    func read(_ row: inout Row) -> Row { row }
    // Found or added by one descent of the tree: this is done for every row of every record.
    let row = read(&rows[uuid, default: make()])
    return (row, isNew)
  }

  /// - Returns: false when there is no such row.
  package mutating func remove(_ uuid: UUID, from table: TableSchema) -> Bool {
    rows[table.index].removeValue(forKey: uuid) != nil
  }

  /// The values of a row, for `restore`; nil when there is no such row.
  package func fields(of uuid: UUID, in table: TableSchema) -> [Datum]? {
    rows[table.index][uuid].map { row in table.columns.map { row[$0] } }
  }

  /// Makes a row what it was when `fields` told it.
  package mutating func restore(_ fields: [Datum]?, of uuid: UUID, in table: TableSchema) {
    guard let fields else {
      _ = remove(uuid, from: table)
      return
    }
    let row = obtain(uuid, in: table).row
    for (column, value) in zip(table.columns, fields) { row.set(column, to: value) }
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
    var references = collectReferences()
    // Dropping a row takes away its references, and taking out a pair of a map may let a row go: count again until all is well.
    while try settle(references) { references = collectReferences() }
    try checkRowCounts()
    var tables: [Table] = []
    tables.reserveCapacity(schema.tables.count)
    for table in schema.tables {
      tables.append(
        Table(
          schema: table, rows: rows[table.index],
          strongCounts: TreeDictionary(uniqueKeysWithValues: references.strong[table.index]),
          weakReferrers: TreeDictionary(uniqueKeysWithValues: references.weak[table.index]),
          indexes: try fileIndexes(of: table)))
    }
    return Database(schema: schema, tables: tables, random: random)
  }

  /// All references, by the table of the row that is referenced.
  private struct References {
    var strong: [[UUID: Int]]
    var weak: [[UUID: Referrers]]
  }

  private func collectReferences() -> References {
    var references = References(
      strong: Array(repeating: [:], count: rows.count), weak: Array(repeating: [:], count: rows.count))
    for table in schema.tables where !table.strongColumns.isEmpty || !table.weakColumns.isEmpty {
      for (uuid, row) in rows[table.index] {
        Self.forEachStrongReference(of: row) { target in
          if target.uuid != uuid || target.tableIndex != table.index {
            references.strong[target.tableIndex][target.uuid, default: 0] += 1
          }
        }
        for column in table.weakColumns {
          let referrer = Referrer(tableIndex: Int32(table.index), columnIndex: Int32(column.index), uuid: uuid)
          Datum.forEachReferrerChange(from: .empty, to: row[column], type: column.type) { target, _ in
            let others = references.weak[target.tableIndex][target.uuid]
            references.weak[target.tableIndex][target.uuid] = others?.adding(referrer) ?? .one(referrer)
          }
        }
      }
    }
    return references
  }

  private static func forEachStrongReference(of row: Row, _ body: (ReferenceTarget) -> Void) {
    for column in row.table.strongColumns {
      Datum.forEachReferenceChange(from: .empty, to: row[column], type: column.type, isStrong: true) { target, _ in
        body(target)
      }
    }
  }

  /// Drops garbage and dangling weak references.
  ///
  /// - Returns: whether anything was dropped, so that `references` is no longer true.
  private mutating func settle(_ references: References) throws(OVSDBError) -> Bool {
    var garbage: [ReferenceTarget] = []
    var hasDanglingWeak = false
    for table in schema.tables {
      let (strong, weak) = (references.strong[table.index], references.weak[table.index])
      if table.isRoot, strong.isEmpty, weak.isEmpty { continue }
      // Looking at every row there is costs less than looking up every row that is referenced.
      var (strongFound, weakFound) = (0, 0)
      for uuid in rows[table.index].keys {
        if strong[uuid] != nil {
          strongFound += 1
        } else if !table.isRoot {
          garbage.append(ReferenceTarget(tableIndex: table.index, uuid: uuid))
        }
        if !weak.isEmpty, weak[uuid] != nil { weakFound += 1 }
      }
      if strongFound != strong.count { throw dangling(in: table, strong) }
      if weakFound != weak.count { hasDanglingWeak = true }
    }
    if !garbage.isEmpty {
      collectGarbage(garbage, references.strong)
      return true
    }
    if hasDanglingWeak { try pruneWeakReferences() }
    return hasDanglingWeak
  }

  /// Finds who references a row that does not exist.
  private func dangling(in target: TableSchema, _ counts: [UUID: Int]) -> OVSDBError {
    // The same row is named whenever the same rows are read.
    let missing = counts.keys.filter { rows[target.index][$0] == nil }.min() ?? .zero
    var holder: (row: Row, column: ColumnSchema)?
    for table in schema.tables {
      for row in rows[table.index].values {
        for column in table.strongColumns {
          Datum.forEachReferenceChange(from: .empty, to: row[column], type: column.type, isStrong: true) { found, _ in
            guard found == ReferenceTarget(tableIndex: target.index, uuid: missing) else { return }
            if holder.map({ row.uuid < $0.row.uuid }) ?? true { holder = (row, column) }
          }
        }
      }
    }
    guard let holder else {
      return OVSDBError(.referentialIntegrityViolation, "reference to nonexistent row \(missing) in table \(target.name)")
    }
    return .dangling(
      table: holder.row.table, column: holder.column, row: holder.row.uuid, target: missing, targetTable: target)
  }

  /// Drops rows that nothing references, and what only they referenced.
  private mutating func collectGarbage(_ garbage: [ReferenceTarget], _ strong: [[UUID: Int]]) {
    var counts = strong
    var candidates = garbage
    while let candidate = candidates.popLast() {
      guard let row = rows[candidate.tableIndex].removeValue(forKey: candidate.uuid) else { continue }
      Self.forEachStrongReference(of: row) { target in
        guard target != candidate, let count = counts[target.tableIndex][target.uuid] else { return }
        counts[target.tableIndex][target.uuid] = count == 1 ? nil : count - 1
        if count == 1, !schema.tables[target.tableIndex].isRoot { candidates.append(target) }
      }
    }
  }

  /// Takes weak references to rows that do not exist out of the columns that hold them.
  private func pruneWeakReferences() throws(OVSDBError) {
    for table in schema.tables {
      for column in table.weakColumns {
        for row in rows[table.index].values {
          let pruned = row[column].pruned(type: column.type) { rows[$0.tableIndex][$0.uuid] != nil }
          guard let (rest, lost) = pruned else { continue }
          if rest.count < column.type.min { throw .emptied(column, of: row, isNew: true, lost: lost) }
          row.set(column, to: rest)
        }
      }
    }
  }

  private func checkRowCounts() throws(OVSDBError) {
    for table in schema.tables where rows[table.index].count > table.rowsMax && table.rowsMax != TableSchema.rowsUnlimited {
      throw .tooManyRows(rows[table.index].count, in: table)
    }
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
