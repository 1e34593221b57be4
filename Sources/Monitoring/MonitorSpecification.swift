// SPDX-License-Identifier: Apache-2.0
//
// What a client asked to see, as a value. Two monitors with equal specifications form one group (MonitorGroup.swift) and share what is
// encoded for them. Reading the request is in MonitorSpecification+JSON.swift.

import Engine
import OVSDB

/// The kinds of change a monitor selects.
package struct ChangeKinds: OptionSet, Hashable, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let initial = ChangeKinds(rawValue: 1)
  package static let insert = ChangeKinds(rawValue: 2)
  package static let delete = ChangeKinds(rawValue: 4)
  package static let modify = ChangeKinds(rawValue: 8)
  package static let all: ChangeKinds = [.initial, .insert, .delete, .modify]
}

/// The notification a monitor is told its updates in.
package enum UpdateFormat: Sendable, Hashable {
  /// `update`: whole values. Source: RFC 7047 §4.1.6.
  case update
  /// `update2`: differences. Source: Documentation/protocol/monitors.md#update2.
  case update2
  /// `update3`: differences, with the id of the transaction. Source: Documentation/protocol/monitors.md#monitor_cond_since.
  case update3

  /// The form of the row updates inside; the last two share it.
  package var isDifferential: Bool { self != .update }

  package var method: StaticString {
    switch self {
    case .update: "update"
    case .update2: "update2"
    case .update3: "update3"
    }
  }
}

/// A column of a monitored table and the kinds of change it is told in.
package struct MonitoredColumn: Hashable, Sendable {
  package let column: ColumnSchema
  package let kinds: ChangeKinds

  package static func == (a: MonitoredColumn, b: MonitoredColumn) -> Bool {
    a.column === b.column && a.kinds == b.kinds
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(ObjectIdentifier(column))
    hasher.combine(kinds)
  }
}

/// One table of a monitor.
package struct MonitoredTable: Hashable, Sendable {
  package let table: TableSchema
  package let columns: [MonitoredColumn]
  /// The kinds that any request for the table selects; a row event needs no column.
  package let kinds: ChangeKinds
  package var condition: MonitorCondition
  /// The monitored columns that are stored.
  private let columnSet: ColumnSet
  /// `_version` is monitored, which every change changes.
  private let showsVersion: Bool

  package init(table: TableSchema, columns: [MonitoredColumn], kinds: ChangeKinds, condition: MonitorCondition) {
    self.table = table
    self.columns = columns
    self.kinds = kinds
    self.condition = condition
    columnSet = ColumnSet(columns.lazy.map(\.column).filter { !$0.isSynthetic })
    showsVersion = columns.contains { $0.column === ColumnSchema.version }
  }

  package static func == (a: MonitoredTable, b: MonitoredTable) -> Bool {
    a.table === b.table && a.columns == b.columns && a.kinds == b.kinds && a.condition == b.condition
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(ObjectIdentifier(table))
    hasher.combine(columns)
    hasher.combine(kinds)
    hasher.combine(condition)
  }

  func shows(_ row: Row?) -> Bool {
    guard let row else { return false }
    return condition.alternatives.hold { row[$0] }
  }

  /// Whether a change of columns of a row that is shown before and after it can be seen.
  func shows(_ changed: ColumnSet) -> Bool { showsVersion || columnSet.intersects(changed) }

  /// Whether a change makes a difference to who sees the table.
  func concerns(_ change: RowChange) -> Bool {
    switch (shows(change.old), shows(change.new)) {
    case (false, false): false
    case (true, true): shows(change.changed)
    case (true, false), (false, true): true
    }
  }
}

/// A condition with the JSON it was read from, by which it is compared.
package struct MonitorCondition: Hashable, Sendable {
  package let condition: Condition
  /// The same, made ready to be decided for rows.
  package let alternatives: Alternatives
  /// The clauses in normal form.
  let text: String

  package static let everything = MonitorCondition(Condition(), text: "[]")

  init(_ condition: Condition, text: String) {
    self.condition = condition
    alternatives = Alternatives(condition)
    self.text = text
  }

  package static func == (a: MonitorCondition, b: MonitorCondition) -> Bool { a.text == b.text }
  package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// All tables of a monitor, in the order of the schema.
package struct MonitorSpecification: Hashable, Sendable {
  package var tables: [MonitoredTable]

  package init(tables: [MonitoredTable]) {
    self.tables = tables.sorted { $0.table.index < $1.table.index }
  }

  package func table(_ index: Int) -> MonitoredTable? {
    tables.first { $0.table.index == index }
  }
}
