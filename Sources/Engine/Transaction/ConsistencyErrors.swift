// SPDX-License-Identifier: Apache-2.0
//
// What is said when rows contradict each other, be it at the end of a transaction or when a whole database is put together.

import OVSDB

extension OVSDBError {
  /// A strong reference to a row that does not exist.
  static func dangling(
    table: TableSchema, column: ColumnSchema, row: UUID, target: UUID, targetTable: TableSchema
  ) -> OVSDBError {
    OVSDBError(
      .referentialIntegrityViolation,
      """
      Table \(table.name) column \(column.name) row \(row) references nonexistent row \(target) in table \(targetTable.name).
      """)
  }

  static func tooManyRows(_ count: Int, in table: TableSchema) -> OVSDBError {
    .constraintViolation(
      """
      transaction causes "\(table.name)" table to contain \(count) rows, \
      greater than the schema-defined limit of \(table.rowsMax) row(s)
      """)
  }

  /// Two rows with equal values in the columns of an index, each with the story of how it came to have them.
  static func duplicate(
    _ key: IndexKey, in columns: [ColumnSchema], first: (row: Row, history: String), second: (row: Row, history: String)
  ) -> OVSDBError {
    let list = englishList(columns.map { "\"\($0.name)\"" })
    let values = englishList(zip(columns, key.values).map { $1.text(of: $0.type) })
    return .constraintViolation(
      """
      Transaction causes multiple rows in "\(first.row.table.name)" table to have identical values (\(values)) for index on \
      column\(columns.count == 1 ? "" : "s") \(list).  First row, with UUID \(first.row.uuid), \(first.history)  \
      Second row, with UUID \(second.row.uuid), \(second.history)
      """)
  }

  /// A column that must not be empty lost its weak references because the rows they name do not exist.
  static func emptied(_ column: ColumnSchema, of row: Row, isNew: Bool, lost: [UUID]) -> OVSDBError {
    let phrase = isNew ? " (inserted within this transaction)" : ""
    if lost.contains(.zero) {
      return .constraintViolation(
        """
        Weak reference column "\(column.name)" in "\(row.table.name)" row \(row.uuid)\(phrase) contained all-zeros UUID \
        (probably as the default value for this column) but deleting this value caused a constraint volation because this \
        column is not allowed to be empty.
        """)
    }
    return .constraintViolation(
      """
      Deletion of \(lost.count) weak reference(s) to deleted (or never-existing) rows from column "\(column.name)" in \
      "\(row.table.name)" row \(row.uuid)\(phrase) caused this column to become empty, but constraints on this column \
      disallow an empty column.
      """)
  }
}

/// `a`, `a and b`, `a, b, and c`.
func englishList(_ items: [String]) -> String {
  guard items.count > 2, let last = items.last else { return items.joined(separator: " and ") }
  return items.dropLast().joined(separator: ", ") + ", and " + last
}
