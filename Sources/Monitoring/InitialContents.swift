// SPDX-License-Identifier: Apache-2.0
//
// What a new monitor is told first, read from a snapshot: small contents at once, large ones on a thread of their own while the
// database goes on.

import Engine
import HashTreeCollections
import JSON
import OVSDB

extension MonitorSpecification {
  /// Rows that have to be looked at, an upper bound of what will be told.
  package func rowCount(in snapshot: Snapshot) -> Int {
    tables.reduce(0) { $0 + ($1.kinds.contains(.initial) ? snapshot.tables[$1.table.index].rows.count : 0) }
  }

  /// Appends `<table-updates>` with all rows the monitor shows.
  ///
  /// - Parameter flush: called from time to time with the writer, which it may empty.
  package func writeInitialContents(
    of snapshot: Snapshot, format: UpdateFormat, to writer: inout ByteWriter,
    flush: (inout ByteWriter) -> Void = { _ in }
  ) {
    var updates = TableUpdatesWriter(format: format)
    for table in tables where table.kinds.contains(.initial) {
      for row in table.candidateRows(in: snapshot.tables[table.table.index]) where table.shows(row) {
        updates.writeInitial(row, of: table, to: &writer)
        if writer.count >= Self.pieceBytes { flush(&writer) }
      }
    }
    updates.finish(&writer)
  }

  /// How much is encoded before it is passed on.
  private static let pieceBytes = 64 * 1024

  /// Appends `<table-updates>` with the rows that enter and leave when the conditions change from another specification's to these.
  ///
  /// - Returns: whether there are any.
  package func writeConditionChange(
    from previous: MonitorSpecification, in snapshot: Snapshot, format: UpdateFormat, to writer: inout ByteWriter
  ) -> Bool {
    var updates = TableUpdatesWriter(format: format)
    for (before, after) in zip(previous.tables, tables) where before.condition != after.condition {
      for row in snapshot.tables[after.table.index].rows.values {
        let (knows, shows) = (before.shows(row), after.shows(row))
        guard knows != shows else { continue }
        after.writeEntering(row, shows, &updates, &writer)
      }
    }
    updates.finish(&writer)
    return !updates.isEmpty
  }
}

extension MonitoredTable {
  /// The rows that may satisfy the condition: one by `_uuid` or through an index where each clause names one, else all.
  fileprivate func candidateRows(in table: Table) -> [Row] {
    if let rows = namedRows(in: table) { return rows }
    return Array(table.rows.values)
  }

  private func namedRows(in table: Table) -> [Row]? {
    guard !condition.isEverything else { return nil }
    var rows: [Row] = []
    for clause in condition.condition.clauses {
      guard case .comparison(let column, .equal, let value) = clause else { return nil }
      let row: Row?
      if case .uuid(let uuid) = value, column === ColumnSchema.uuid {
        row = table.rows[uuid]
      } else if let index = table.schema.indexes.firstIndex(where: { $0.count == 1 && $0[0] === column }) {
        row = table.row(index: index, key: IndexKey([value]))
      } else {
        return nil
      }
      if let row, !rows.contains(where: { $0 === row }) { rows.append(row) }
    }
    return rows
  }

  /// A row that the old condition hides and the new one shows, or the other way round.
  fileprivate func writeEntering(
    _ row: Row, _ enters: Bool, _ updates: inout TableUpdatesWriter, _ writer: inout ByteWriter
  ) {
    var everything = self
    everything.condition = .everything
    let change = OwedChange(uuid: row.uuid, old: enters ? nil : row, new: enters ? row : nil)
    updates.write(change, of: everything, to: &writer)
  }
}
