// SPDX-License-Identifier: Apache-2.0
//
// What a new monitor is told first, read from a snapshot, piece by piece: a place in the contents is remembered and gone on from, on
// whatever thread, while the database goes on.

import Engine
import HashTreeCollections
import JSON
import OVSDB

/// A place in initial contents.
package struct ContentsCursor: Sendable {
  fileprivate var updates: TableUpdatesWriter
  /// The position in the specification's tables.
  fileprivate var table = 0
  /// The next row of that table; nil before its first.
  fileprivate var row: TreeDictionary<UUID, Row>.Index?

  package init(format: UpdateFormat) { updates = TableUpdatesWriter(format: format) }
}

/// All rows that a monitor shows, as `<table-updates>`.
package struct InitialContents: MessagePieces {
  private let specification: MonitorSpecification
  private let snapshot: Snapshot
  private var cursor: ContentsCursor

  package init(of snapshot: Snapshot, for specification: MonitorSpecification, format: UpdateFormat) {
    self.specification = specification
    self.snapshot = snapshot
    cursor = ContentsCursor(format: format)
  }

  package func prepare() {}

  package mutating func writePiece(until sizeMax: Int, looks: inout Int, to writer: inout ByteWriter) -> Bool {
    specification.writePiece(of: snapshot, from: &cursor, until: sizeMax, looks: &looks, to: &writer)
  }
}

extension MonitorSpecification {
  /// Rows that have to be looked at, an upper bound of what will be told.
  package func rowCount(in snapshot: Snapshot) -> Int {
    tables.reduce(0) { $0 + ($1.kinds.contains(.initial) ? snapshot.tables[$1.table.index].rows.count : 0) }
  }

  /// What these rows take, in bytes.
  package func byteCount(in snapshot: Snapshot) -> Int {
    tables.reduce(0) { $0 + ($1.kinds.contains(.initial) ? snapshot.tables[$1.table.index].byteCount : 0) }
  }

  /// Appends `<table-updates>` with all rows the monitor shows.
  package func writeInitialContents(of snapshot: Snapshot, format: UpdateFormat, to writer: inout ByteWriter) {
    var cursor = ContentsCursor(format: format)
    var looks = 0
    while writePiece(of: snapshot, from: &cursor, until: .max, looks: &looks, to: &writer) {}
  }

  /// Appends `<table-updates>` from a place on, until the writer holds `sizeMax` bytes, enough values were looked at, or everything is
  /// written.
  ///
  /// - Parameter looks: grows by the values that were looked at; a piece ends when it grew by `PieceLimits.looksMax`.
  /// - Returns: whether there is more.
  package func writePiece(
    of snapshot: Snapshot, from cursor: inout ContentsCursor, until sizeMax: Int, looks: inout Int, to writer: inout ByteWriter
  ) -> Bool {
    while cursor.table < tables.count {
      let table = tables[cursor.table]
      if table.kinds.contains(.initial), !table.write(snapshot, &cursor, sizeMax, &looks, &writer) { return true }
      cursor.table += 1
      cursor.row = nil
    }
    cursor.updates.finish(&writer)
    return false
  }
}

extension MonitoredTable {
  /// Appends the rows of the table from the cursor on.
  ///
  /// - Returns: whether the end of the table was reached.
  fileprivate func write(
    _ snapshot: Snapshot, _ cursor: inout ContentsCursor, _ sizeMax: Int, _ looks: inout Int, _ writer: inout ByteWriter
  ) -> Bool {
    let contents = snapshot.tables[table.index]
    if let named = namedRows(in: contents) {
      for row in named where shows(row) { cursor.updates.writeInitial(row, of: self, to: &writer) }
      return true
    }
    let rows = contents.rows
    var index = cursor.row ?? rows.startIndex
    let looksMax = sizeMax == .max ? .max : looks + PieceLimits.looksMax
    while index != rows.endIndex {
      if writer.count >= sizeMax || looks >= looksMax {
        cursor.row = index
        return false
      }
      looks += looksPerRow
      let row = rows[index].value
      if shows(row) { cursor.updates.writeInitial(row, of: self, to: &writer) }
      rows.formIndex(after: &index)
    }
    return true
  }

  /// The rows that may satisfy the condition when each clause names one, by `_uuid` or through an index; nil when all have to be
  /// looked at.
  private func namedRows(in table: Table) -> [Row]? {
    guard !condition.alternatives.isAlways else { return nil }
    var rows: [Row] = []
    var seen: Set<UUID> = []
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
      if let row, seen.insert(row.uuid).inserted { rows.append(row) }
    }
    return rows
  }
}
