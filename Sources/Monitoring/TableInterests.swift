// SPDX-License-Identifier: Apache-2.0
//
// Which groups may want a changed row. Groups whose condition names a column and a value are found by the value, so that a thousand
// clients with a thousand different conditions cost what one does.

import Engine
import OVSDB

/// The groups that monitor one table.
struct TableInterests {
  /// Groups that have to look at every change.
  private var general: [MonitorGroup] = []
  /// Groups that only want rows with a certain value in a column.
  private var byColumn: [ColumnInterests] = []

  private struct ColumnInterests {
    let column: ColumnSchema
    var groups: [Datum: [MonitorGroup]]
  }

  var isEmpty: Bool { general.isEmpty && byColumn.isEmpty }

  mutating func add(_ group: MonitorGroup, _ table: MonitoredTable) {
    guard let values = Self.namedValues(table.condition) else {
      general.append(group)
      return
    }
    for (column, value) in values {
      let position = byColumn.firstIndex { $0.column === column } ?? byColumn.count
      if position == byColumn.count { byColumn.append(ColumnInterests(column: column, groups: [:])) }
      byColumn[position].groups[value, default: []].append(group)
    }
  }

  mutating func remove(_ group: MonitorGroup, _ table: MonitoredTable) {
    guard let values = Self.namedValues(table.condition) else {
      general.removeAll { $0 === group }
      return
    }
    for (column, value) in values {
      guard let position = byColumn.firstIndex(where: { $0.column === column }) else { continue }
      byColumn[position].groups[value]?.removeAll { $0 === group }
      if byColumn[position].groups[value]?.isEmpty == true { byColumn[position].groups[value] = nil }
      if byColumn[position].groups.isEmpty { byColumn.remove(at: position) }
    }
  }

  /// The column and value of each clause, when every clause of the condition is of the kind that an index can answer.
  private static func namedValues(_ condition: MonitorCondition) -> [(ColumnSchema, Datum)]? {
    guard !condition.isEverything else { return nil }
    var values: [(ColumnSchema, Datum)] = []
    for clause in condition.condition.clauses {
      switch clause {
      case .constant(false): continue
      case .comparison(let column, .equal, let value): values.append((column, value))
      // On a scalar "includes" is "==".
      case .comparison(let column, .includes, let value) where column.type.isScalar: values.append((column, value))
      case .constant(true), .comparison: return nil
      }
    }
    return values
  }

  /// Calls `body` with each group that the change may concern; perhaps more than once with the same.
  func forEachGroup(_ change: RowChange, _ body: (MonitorGroup) -> Void) {
    for group in general { body(group) }
    for interests in byColumn {
      let old = change.old?[interests.column]
      let new = change.new?[interests.column]
      if let old { interests.groups[old]?.forEach(body) }
      if let new, new != old { interests.groups[new]?.forEach(body) }
    }
  }
}
