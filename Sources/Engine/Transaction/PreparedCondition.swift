// SPDX-License-Identifier: Apache-2.0
//
// A condition made ready for looking at many rows. Looking at a row through a `Clause` copies the value it compares, and with it
// counts references up and down; a scan would spend two thirds of its time on that.

import OVSDB

/// The clauses of a condition, all of which must hold, with what each compares laid out flat.
struct PreparedCondition: Sendable {
  private struct Comparison: Sendable {
    let column: ColumnSchema
    let function: ConditionFunction
    let operand: Datum
    /// Where the value of a row stands, and whether it must be equal, or else must not; nil: neither is asked, or it stands elsewhere.
    let equality: (index: Int, isWanted: Bool)?

    init(_ column: ColumnSchema, _ function: ConditionFunction, _ operand: Datum) {
      (self.column, self.function, self.operand) = (column, function, operand)
      switch function {
      case .equal where column.index >= 0: equality = (column.index, true)
      case .notEqual where column.index >= 0: equality = (column.index, false)
      default: equality = nil
      }
    }
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
        comparisons.append(Comparison(column, function, operand))
      }
    }
  }

  func holds(for row: Row) -> Bool {
    if isNever { return false }
    for position in comparisons.indices {
      // The usual functions compare the value where it is.
      if let (index, isWanted) = comparisons[position].equality {
        guard row.holds(comparisons[position].operand, at: index) == isWanted else { return false }
      } else {
        let comparison = comparisons[position]
        guard comparison.function.holds(row[comparison.column], comparison.operand, comparison.column.type) else { return false }
      }
    }
    return true
  }
}
