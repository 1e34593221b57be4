// SPDX-License-Identifier: Apache-2.0
//
// Large selects, left as a question to the table as it was: whoever sends the reply finds and writes the rows piece by piece, as the
// client takes them. So a select of everything costs the others nothing when it is executed, and a client that does not read costs
// no rows' text.

import HashTreeCollections
import JSON
import OVSDB

/// The rows of one select of a transaction, of a table that the transaction has not touched before.
package struct DeferredRows: Sendable {
  /// Where in the result array their text belongs: between `{"rows":[` and `]}`.
  package let offset: Int
  private let table: TreeDictionary<UUID, Row>
  private let condition: PreparedCondition
  private let columns: [ColumnSchema]
  private let sort: [ColumnSchema]
  private let isDistinct: Bool
  private var place = Place.scan(nil)
  private var isFirst = true

  private enum Place: Sendable {
    /// The next row of the table to look at; nil before the first.
    case scan(TreeDictionary<UUID, Row>.Index?)
    case arranged([Row], next: Int)
  }

  /// Values that are looked at for one piece: some tenths of a millisecond's worth.
  private static let looksPerPieceMax = 8192
  private var rowsPerPieceMax: Int { max(1, Self.looksPerPieceMax / (1 + condition.count)) }

  init(
    _ table: Table, _ condition: Condition, columns: [ColumnSchema], sort: [ColumnSchema], isDistinct: Bool, offset: Int
  ) {
    self.table = table.rows
    self.condition = PreparedCondition(condition)
    self.columns = columns
    self.sort = sort
    self.isDistinct = isDistinct
    self.offset = offset
  }

  /// Whether all rows have to be known before the first can be written: they are sorted, or those that look alike are told once.
  package var needsArrangement: Bool {
    if case .arranged = place { return false }
    return !sort.isEmpty || !isDistinct
  }

  /// How many rows arranging may have to keep.
  package var rowCountMax: Int { table.count }

  /// Finds all rows and puts them in order. This may take long; it can be done on any thread.
  package func arranged() -> DeferredRows {
    var result = self
    var rows = table.values.filter(condition.holds)
    arrange(&rows, by: sort, for: columns, isDistinct: isDistinct)
    result.place = .arranged(rows, next: 0)
    return result
  }

  /// The rows, when it takes a short look to find them all, and they are few and small.
  func few(below rowsMax: Int, bytesMax: Int) -> [Row]? {
    var rows: [Row] = []
    var lookedAt = 0
    var bytes = 0
    let lookedAtMax = rowsPerPieceMax
    for row in table.values {
      lookedAt += 1
      guard lookedAt <= lookedAtMax, rows.count < rowsMax, bytes <= bytesMax else { return nil }
      guard condition.holds(for: row) else { continue }
      rows.append(row)
      bytes = bytes.saturatingPlus(row.byteCount)
    }
    return rows.count < rowsMax && bytes <= bytesMax ? rows : nil
  }

  /// Appends the next rows, until the writer holds `sizeMax` bytes or enough rows were looked at. They must be arranged if they need to.
  ///
  /// - Returns: whether there is more.
  package mutating func writePiece(until sizeMax: Int, to writer: inout ByteWriter) -> Bool {
    precondition(!needsArrangement, "rows are written before they are arranged")
    switch place {
    case .scan(let start): return scan(from: start, until: sizeMax, to: &writer)
    case .arranged(let rows, var next):
      while next < rows.count, writer.count < sizeMax {
        write(rows[next], to: &writer)
        next += 1
      }
      place = .arranged(rows, next: next)
      return next < rows.count
    }
  }

  private mutating func scan(
    from start: TreeDictionary<UUID, Row>.Index?, until sizeMax: Int, to writer: inout ByteWriter
  ) -> Bool {
    var index = start ?? table.startIndex
    var lookedAt = 0
    let lookedAtMax = rowsPerPieceMax
    while index != table.endIndex, writer.count < sizeMax, lookedAt < lookedAtMax {
      let row = table[index].value
      if condition.holds(for: row) { write(row, to: &writer) }
      lookedAt += 1
      table.formIndex(after: &index)
    }
    place = .scan(index)
    return index != table.endIndex
  }

  private mutating func write(_ row: Row, to writer: inout ByteWriter) {
    if !isFirst { writer.append(",") }
    isFirst = false
    row.write(columns, to: &writer)
  }
}

/// What one transaction may take.
package enum TransactionLimits {
  /// Selects of one transaction that are left to the caller.
  package static let deferredSelectsMax = 10_000
  /// The result array, in bytes, without what is left to the caller. It is looked at between operations.
  package static let resultBytesMax = 256 << 20
}

extension OVSDBError {
  static let resultTooLarge = OVSDBError(.resourcesExhausted, "the result of the transaction is too large")
}

extension Transaction {
  /// Whether a select is left to the caller: it has to look at all rows of a large table, which are as they were, and nothing is to be
  /// said behind the results later on, as when a sync fails.
  mutating func mayDefer(_ table: TableSchema, _ condition: Condition) -> Bool {
    guard let terms = deferral, let params, terms.concern(tables[table.index]), needsScan(of: table, condition) else { return false }
    if !isDeferralChecked {
      isDeferralChecked = true
      if params.elements.dropFirst().contains(where: { $0.member("op")?.isString("commit") ?? false }) { deferral = nil }
    }
    return deferral != nil && overlayPosition(table.index) == nil
  }

  /// Leaves a select to the caller, to be written where its offset says.
  mutating func leave(_ rows: DeferredRows) throws(OVSDBError) {
    guard deferred.count < TransactionLimits.deferredSelectsMax else { throw .resultTooLarge }
    if rows.needsArrangement, let terms = deferral {
      guard rows.rowCountMax <= terms.arrangedRowsMax else {
        throw OVSDBError(.resourcesExhausted, "too many rows are being sorted, or told apart by some of their columns")
      }
      deferral?.arrangedRowsMax -= rows.rowCountMax
    }
    deferred.append(rows)
  }
}
