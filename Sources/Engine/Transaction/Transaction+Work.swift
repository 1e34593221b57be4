// SPDX-License-Identifier: Apache-2.0
//
// The work of a transaction, counted while it is done: nobody can tell before what a request will take. One that takes more than its
// caller has time for is given up, of which nothing is left, and can be run elsewhere.

import JSON
import OVSDB

/// What a transaction's steps take, in units: a value that is compared with a clause is one, some 50 ns.
package enum WorkUnits {
  static let operation = 20
  /// A value in the request.
  static let value = 2
  /// A row that is inserted, changed or deleted: its draft, its checks, its part of the record and of updates.
  static let changedRow = 60
  /// A row that is written into the result.
  static let selectedRow = 20
}

extension Transaction {
  /// Counts work that is about to be done.
  ///
  /// - Throws: `.exceeded` when it comes to more than the caller has time for.
  mutating func charge(_ units: Int) throws(OperationFailure) {
    guard units <= workMax &- work else { throw .exceeded }
    count(units)
  }

  /// Counts work; whoever goes on for long looks at `isExceeded`.
  mutating func count(_ units: Int) { work &+= units }

  var isExceeded: Bool { work > workMax }

  /// Counts looking at all rows of a table for a condition.
  mutating func chargeScan(of table: TableSchema, _ condition: Condition) throws(OperationFailure) {
    let drafts = overlayPosition(table.index).map { overlays[$0].drafts.count } ?? 0
    let (units, isOverflow) = (tables[table.index].rows.count + drafts)
      .multipliedReportingOverflow(by: max(1, condition.clauses.count))
    try charge(isOverflow ? .max / 2 : units)
  }
}
