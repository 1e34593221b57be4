// SPDX-License-Identifier: Apache-2.0
//
// The result of a large select, left as rows: whoever sends the reply writes them piece by piece, as the client takes them, so that
// a client that does not read costs eight bytes a row and not the rows' text.

import JSON
import OVSDB

/// The rows of one select of a transaction.
package struct DeferredRows: Sendable {
  /// Where in the result array their text belongs: between `{"rows":[` and `]}`.
  package let offset: Int
  package let rows: [Row]
  package let columns: [ColumnSchema]

  /// Appends rows from a position on, until the writer holds `sizeMax` bytes.
  ///
  /// - Returns: the position of the first row that was not written; the count of rows when all are.
  package func write(from start: Int, until sizeMax: Int, to writer: inout ByteWriter) -> Int {
    var position = start
    while position < rows.count, writer.count < sizeMax {
      if position > 0 { writer.append(",") }
      rows[position].write(columns, to: &writer)
      position += 1
    }
    return position
  }
}

/// What one transaction may take.
package enum TransactionLimits {
  /// Rows of all selects of one transaction that are left to the caller.
  package static let deferredRowsMax = 1 << 24
  /// The result array, in bytes, without what is left to the caller. It is looked at between operations.
  package static let resultBytesMax = 256 << 20
}

extension OVSDBError {
  static let resultTooLarge = OVSDBError(.resourcesExhausted, "the result of the transaction is too large")
}

extension Transaction {
  /// Whether a select of a table may be left to the caller: the transaction only reads, so that nothing in it can fail once rows
  /// are on their way.
  mutating func mayDefer(_ table: TableSchema, _ params: JSONValue) -> Bool {
    guard let least = deferredRowsMin, tables[table.index].rows.count >= least else { return false }
    let isReading = params.elements.dropFirst().allSatisfy { $0.member("op").map { $0.isString("select") } ?? false }
    if !isReading { deferredRowsMin = nil }
    return isReading
  }

  /// Leaves rows to the caller, to be written where the writer stands.
  mutating func deferRows(_ rows: [Row], _ columns: [ColumnSchema], at offset: Int) throws(OVSDBError) {
    let count = deferred.reduce(rows.count) { $0 + $1.rows.count }
    guard count <= TransactionLimits.deferredRowsMax else { throw .resultTooLarge }
    deferred.append(DeferredRows(offset: offset, rows: rows, columns: columns))
  }
}
