// SPDX-License-Identifier: Apache-2.0
//
// A condition made ready for looking at many rows. Looking at a row through a `Clause` copies the value it compares, and with it
// counts references up and down; a scan would spend two thirds of its time on that.

import OVSDB

/// The clauses of a condition, all of which must hold, with what each compares laid out flat.
struct PreparedCondition: Sendable {
  private struct Comparison: Sendable {
    let index: Int
    let function: ConditionFunction
    let operand: Datum
    let column: ColumnSchema
  }

  private var comparisons: [Comparison] = []
  private var isNever = false

  /// How many values of a row are compared.
  var count: Int { comparisons.count }

  init(_ condition: Condition) {
    for clause in condition.clauses {
      switch clause {
      case .constant(let holds): if !holds { isNever = true }
      case .comparison(let column, let function, let operand):
        comparisons.append(Comparison(index: column.index, function: function, operand: operand, column: column))
      }
    }
  }

  func holds(for row: Row) -> Bool {
    if isNever { return false }
    for position in comparisons.indices {
      let (index, function) = (comparisons[position].index, comparisons[position].function)
      // The usual functions compare the value where it is.
      if index >= 0, function == .equal || function == .notEqual {
        guard row.holds(comparisons[position].operand, at: index) == (function == .equal) else { return false }
      } else {
        let comparison = comparisons[position]
        guard function.holds(row[comparison.column], comparison.operand, comparison.column.type) else { return false }
      }
    }
    return true
  }
}
