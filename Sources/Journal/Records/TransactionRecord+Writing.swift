// SPDX-License-Identifier: Apache-2.0
//
// Transaction records as bytes: one for each commit that changes something persistent, and snapshots, which hold all rows of a
// database. The format is described in TransactionRecord+Reading.swift.
//
// Never written: `_uuid` as a column, `_version`, ephemeral columns, and columns of a new row that hold their default.

import Engine
import JSON
import OVSDB

package enum TransactionRecord {
  /// Appends the record of a commit, without final newline.
  ///
  /// - Parameter usesDifferences: Write changed sets and maps as differences (`_is_diff`), as servers have done since 2.15.
  /// - Returns: false when the commit changes nothing that is stored; then nothing was appended.
  package static func write(
    _ commit: Commit, dateMilliseconds: Int64, usesDifferences: Bool, into writer: inout ByteWriter
  ) -> Bool {
    // A difference of more elements than the column may have would be refused by readers of the peer's, though it writes
    // them; values in full are understood by everybody.
    let isDifference = usesDifferences && !hasOversizedDifference(commit)
    let start = writer.count
    writeHead(comment: commit.comment, dateMilliseconds, isDifference: isDifference, into: &writer)
    let headEnd = writer.count
    for change in commit.tables { write(change, isDifference: isDifference, into: &writer) }
    if writer.count == headEnd {
      writer.truncate(to: start)
      return false
    }
    writer.append("}")
    return true
  }

  /// Appends a record with all rows of a database in full, without final newline.
  ///
  /// - Parameter isDifference: Whether `_is_diff` stands in it, which means nothing for rows that are new. The peer's server
  ///   writes it, its tool does not.
  package static func write(
    _ snapshot: Snapshot, comment: String, dateMilliseconds: Int64, isDifference: Bool, into writer: inout ByteWriter
  ) {
    write(snapshot, comment: comment, dateMilliseconds: dateMilliseconds, isDifference: isDifference, into: &writer) { _ in }
  }

  /// As above, for a record that is not to be in memory as a whole.
  ///
  /// - Parameter afterRow: may take what was written so far out of the writer.
  static func write<Failure>(
    _ snapshot: Snapshot, comment: String, dateMilliseconds: Int64, isDifference: Bool, into writer: inout ByteWriter,
    afterRow: (inout ByteWriter) throws(Failure) -> Void
  ) throws(Failure) {
    writeHead(comment: comment, dateMilliseconds, isDifference: isDifference, into: &writer)
    for table in snapshot.tables where !table.rows.isEmpty {
      openTable(table.schema, into: &writer)
      var isFirst = true
      for (uuid, row) in table.rows {
        writeName(uuid, &isFirst, into: &writer)
        write(row, into: &writer)
        try afterRow(&writer)
      }
      writer.append("}")
    }
    writer.append("}")
  }

  private static func writeHead(
    comment: String?, _ dateMilliseconds: Int64, isDifference: Bool, into writer: inout ByteWriter
  ) {
    // The peer stores 15 digits; sets with elements that agree in those could then not be read back.
    writer.writesExactReals = true
    writer.append("{\"_date\":")
    writer.appendInteger(dateMilliseconds)
    if isDifference { writer.append(",\"_is_diff\":true") }
    if let comment {
      writer.append(",\"_comment\":")
      writer.appendQuoted(comment)
    }
  }

  private static func openTable(_ table: TableSchema, into writer: inout ByteWriter) {
    writer.append(",")
    writer.append(table.memberName)
    writer.append("{")
  }

  private static func writeName(_ uuid: UUID, _ isFirst: inout Bool, into writer: inout ByteWriter) {
    if !isFirst { writer.append(",") }
    isFirst = false
    writer.append("\"")
    uuid.write(to: &writer)
    writer.append("\":")
  }

  /// Appends the changes of a table, or nothing when none of them is persistent.
  private static func write(_ table: TableChange, isDifference: Bool, into writer: inout ByteWriter) {
    let start = writer.count
    openTable(table.table, into: &writer)
    var isFirst = true
    for change in table.rows {
      let mark = writer.count
      let wasFirst = isFirst
      writeName(change.uuid, &isFirst, into: &writer)
      guard let new = change.new else {
        writer.append("null")
        continue
      }
      guard let old = change.old else {
        write(new, into: &writer)
        continue
      }
      if !write(change, from: old, to: new, isDifference: isDifference, into: &writer) {
        writer.truncate(to: mark)
        isFirst = wasFirst
      }
    }
    if isFirst {
      writer.truncate(to: start)
    } else {
      writer.append("}")
    }
  }

  /// Appends a whole row: every persistent column that does not hold its default.
  private static func write(_ row: Row, into writer: inout ByteWriter) {
    writer.append("{")
    var isFirst = true
    let columns = row.table.columns
    for position in columns.indices {
      let column = columns[position]
      guard column.isPersistent, !row.holdsDefault(of: column) else { continue }
      writeColumnName(column, &isFirst, into: &writer)
      row[column].write(to: &writer, isMap: column.isMap)
    }
    writer.append("}")
  }

  /// Appends the changed persistent columns of a row; returns false when there are none.
  private static func write(
    _ change: RowChange, from old: Row, to new: Row, isDifference: Bool, into writer: inout ByteWriter
  ) -> Bool {
    writer.append("{")
    var isFirst = true
    for column in new.table.columns where column.isPersistent && change.changed.contains(column.index) {
      writeColumnName(column, &isFirst, into: &writer)
      let value =
        isDifference && column.type.max > 1
        ? Datum.difference(from: old[column], to: new[column], type: column.type) : new[column]
      value.write(to: &writer, isMap: column.isMap)
    }
    writer.append("}")
    return !isFirst
  }

  private static func writeColumnName(_ column: ColumnSchema, _ isFirst: inout Bool, into writer: inout ByteWriter) {
    if !isFirst { writer.append(",") }
    isFirst = false
    writer.append(column.memberName)
  }

  /// Whether a set or map of limited size changes by more elements than it may have.
  private static func hasOversizedDifference(_ commit: Commit) -> Bool {
    for table in commit.tables {
      let limited = table.table.limitedColumns
      guard !limited.isEmpty else { continue }
      for change in table.rows {
        guard let old = change.old, let new = change.new else { continue }
        for column in limited where change.changed.contains(column.index) {
          let difference = Datum.difference(from: old[column], to: new[column], type: column.type)
          if difference.count > column.type.max { return true }
        }
      }
    }
    return false
  }
}

extension LogFile {
  /// Frames the record of a commit. It is in the file after the next `flush`.
  ///
  /// - Returns: false when the commit changes nothing that is stored, so that nothing is to be written.
  @discardableResult
  package func append(_ commit: Commit, dateMilliseconds: Int64, usesDifferences: Bool = true) -> Bool {
    scratch.removeAll()
    guard TransactionRecord.write(
      commit, dateMilliseconds: dateMilliseconds, usesDifferences: usesDifferences, into: &scratch)
    else { return false }
    scratch.withBytes { append($0) }
    // A commit of a million rows is rare; what it needed is not kept.
    if scratch.count > 1 << 20 { scratch.removeAll(keepingCapacity: false) }
    return true
  }

  /// Frames a schema, as record 0 of a new file.
  package func append(_ schema: DatabaseSchema) {
    var writer = ByteWriter(capacity: 4096)
    schema.write(to: &writer)
    writer.withBytes { append($0) }
  }
}

extension LogReplacement {
  /// Adds the record of a commit, unless it changes nothing that is stored.
  package func append(_ commit: Commit, dateMilliseconds: Int64) throws(LogError) {
    var writer = ByteWriter(capacity: 4096)
    guard TransactionRecord.write(commit, dateMilliseconds: dateMilliseconds, usesDifferences: false, into: &writer)
    else { return }
    try writer.withBytes { (bytes) throws(LogError) in try append(bytes) }
  }

  /// Adds the two records of a compacted file: the schema and all rows.
  package func append(
    _ snapshot: Snapshot, comment: String, dateMilliseconds: Int64, isDifference: Bool
  ) throws(LogError) {
    var writer = ByteWriter(capacity: 1 << 16)
    snapshot.schema.write(to: &writer)
    try writer.withBytes { (bytes) throws(LogError) in try append(bytes) }
    writer.removeAll()
    try TransactionRecord.write(
      snapshot, comment: comment, dateMilliseconds: dateMilliseconds, isDifference: isDifference, into: &writer
    ) { (writer) throws(LogError) in
      guard writer.count >= Self.pieceByteCount else { return }
      try writer.withBytes { (bytes) throws(LogError) in try append(piece: bytes) }
      writer.removeAll()
    }
    try writer.withBytes { (bytes) throws(LogError) in try append(lastPiece: bytes) }
  }

  /// How much of a record is in memory at a time.
  private static let pieceByteCount = 1 << 20
}

extension TransactionRecord {
  /// Appends a record as it stands in the file of a standalone database: for those who write a database elsewhere than
  /// into a file of their own.
  ///
  /// - Parameter data: One JSON object without the final newline.
  package static func frame(_ data: UnsafeRawBufferPointer, into bytes: inout [UInt8]) {
    RecordHeader.frame(data, kind: .standalone, into: &bytes)
  }
}
