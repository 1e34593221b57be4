// SPDX-License-Identifier: Apache-2.0
//
// A condition made ready for looking at many rows. Looking at a row through a `Clause` copies the value it compares, and with it
// counts references up and down; a scan would spend two thirds of its time on that. Several clauses on one column are one look-up for
// each kind (`ColumnRequirements`).

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

  /// Columns with one clause each.
  private var comparisons: [Comparison] = []
  /// Columns with several.
  private var requirements: [ColumnRequirements] = []
  private var isNever = false

  /// How many values of a row are looked at.
  var count: Int { comparisons.count + requirements.count }

  init(_ condition: Condition) {
    if condition.clauses.count == 1, case .comparison(let column, let function, let operand) = condition.clauses[0] {
      comparisons = [Comparison(column, function, operand)]
      return
    }
    var columns: [(column: ColumnSchema, clauses: [(function: ConditionFunction, operand: Datum)])] = []
    var positions: [Int: Int] = [:]
    for clause in condition.clauses {
      switch clause {
      case .constant(let holds): if !holds { isNever = true }
      case .comparison(let column, let function, let operand):
        let position = positions[column.index] ?? columns.count
        if position == columns.count {
          columns.append((column, []))
          positions[column.index] = position
        }
        columns[position].clauses.append((function, operand))
      }
    }
    for (column, clauses) in columns {
      if clauses.count == 1 {
        comparisons.append(Comparison(column, clauses[0].function, clauses[0].operand))
      } else {
        requirements.append(ColumnRequirements(column, clauses))
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
    for position in requirements.indices where !requirements[position].hold(for: row[requirements[position].column]) { return false }
    return true
  }
}
