// SPDX-License-Identifier: Apache-2.0
//
// Turns changes of rows into the row updates of the notifications, for one monitored table.

import Engine
import JSON
import OVSDB

/// A change of a row as a monitor is owed it.
package struct OwedChange: Sendable {
  package let uuid: UUID
  /// What the client knows; nil when it does not know the row.
  package let old: Row?
  /// What it shall know; nil when the row is gone.
  package let new: Row?

  package init(uuid: UUID, old: Row?, new: Row?) {
    self.uuid = uuid
    self.old = old
    self.new = new
  }

  /// What the larger of the two takes, in bytes.
  package var byteCount: Int { max(old?.byteCount ?? 0, new?.byteCount ?? 0) }
}

extension MonitoredTable {
  /// The states of a changed row that the client sees.
  func states(of change: OwedChange) -> RowStates {
    var states: RowStates = []
    if shows(change.old) { states.insert(.old) }
    if shows(change.new) { states.insert(.new) }
    return states
  }

  /// What a change is to a client that sees these states of the row; nil when it is nothing.
  private func kind(_ states: RowStates) -> ChangeKinds? {
    switch (states.contains(.old), states.contains(.new)) {
    case (false, false): nil
    case (false, true): kinds.contains(.insert) ? .insert : nil
    case (true, false): kinds.contains(.delete) ? .delete : nil
    case (true, true): kinds.contains(.modify) ? .modify : nil
    }
  }

  /// Appends `"UUID":<row-update>` for a change, with `separator` before it.
  ///
  /// - Parameter states: those that the client sees.
  /// - Returns: false, with nothing appended, when the client is owed nothing for the change.
  func write(
    _ change: OwedChange, _ states: RowStates, isDifferential: Bool, separator: StaticString, to writer: inout ByteWriter
  ) -> Bool {
    guard let kind = kind(states) else { return false }
    if kind == .modify, let old = change.old, let new = change.new,
      !hasVisibleChange(old, new, isDifferential: isDifferential)
    {
      return false
    }
    writer.append(separator)
    writer.append("\"")
    change.uuid.write(to: &writer)
    writer.append("\":")
    if isDifferential {
      writeUpdate2(kind, change, &writer)
    } else {
      writeUpdate(kind, change, &writer)
    }
    return true
  }

  /// Appends `"UUID":<row-update>` of the initial contents.
  func writeInitial(_ row: Row, isDifferential: Bool, to writer: inout ByteWriter) {
    writer.append("\"")
    row.uuid.write(to: &writer)
    if isDifferential {
      writer.append("\":{\"initial\":")
      writeNonDefaults(row, .initial, &writer)
    } else {
      writer.append("\":{\"new\":")
      writeColumns(row, .initial, &writer)
    }
    writer.append("}")
  }

  /// Whether a modified row is told at all.
  ///
  /// In the form of whole values, a change of a monitored column that does not select `modify` is told as well: `old` is empty then
  /// and `new` has the columns that do. So does the reference server.
  private func hasVisibleChange(_ old: Row, _ new: Row, isDifferential: Bool) -> Bool {
    columns.contains { (!isDifferential || $0.kinds.contains(.modify)) && old[$0.column] != new[$0.column] }
  }

  /// Source: RFC 7047 §4.1.6 (`<row-update>`).
  private func writeUpdate(_ kind: ChangeKinds, _ change: OwedChange, _ writer: inout ByteWriter) {
    switch kind {
    case .insert:
      writer.append("{\"new\":")
      if let new = change.new { writeColumns(new, .insert, &writer) }
    case .delete:
      writer.append("{\"old\":")
      if let old = change.old { writeColumns(old, .delete, &writer) }
    default:
      guard let old = change.old, let new = change.new else { break }
      writer.append("{\"old\":{")
      var isFirst = true
      for monitored in columns where monitored.kinds.contains(.modify) && old[monitored.column] != new[monitored.column] {
        writeMember(monitored.column, old[monitored.column], &isFirst, &writer)
      }
      writer.append("},\"new\":")
      writeColumns(new, .modify, &writer)
    }
    writer.append("}")
  }

  /// Source: Documentation/protocol/monitors.md#differences.
  private func writeUpdate2(_ kind: ChangeKinds, _ change: OwedChange, _ writer: inout ByteWriter) {
    switch kind {
    case .insert:
      writer.append("{\"insert\":")
      if let new = change.new { writeNonDefaults(new, .insert, &writer) }
    case .delete:
      writer.append("{\"delete\":null")
    default:
      guard let old = change.old, let new = change.new else { break }
      writer.append("{\"modify\":{")
      var isFirst = true
      for monitored in columns where monitored.kinds.contains(.modify) {
        let (before, after) = (old[monitored.column], new[monitored.column])
        guard before != after else { continue }
        let type = monitored.column.type
        writeMember(monitored.column, Datum.difference(from: before, to: after, type: type), &isFirst, &writer)
      }
      writer.append("}")
    }
    writer.append("}")
  }

  private func writeColumns(_ row: Row, _ kind: ChangeKinds, _ writer: inout ByteWriter) {
    writer.append("{")
    var isFirst = true
    for monitored in columns where monitored.kinds.contains(kind) {
      writeMember(monitored.column, row[monitored.column], &isFirst, &writer)
    }
    writer.append("}")
  }

  private func writeNonDefaults(_ row: Row, _ kind: ChangeKinds, _ writer: inout ByteWriter) {
    writer.append("{")
    var isFirst = true
    for monitored in columns where monitored.kinds.contains(kind) {
      let datum = row[monitored.column]
      if datum == monitored.column.defaultDatum { continue }
      writeMember(monitored.column, datum, &isFirst, &writer)
    }
    writer.append("}")
  }

  private func writeMember(
    _ column: ColumnSchema, _ datum: Datum, _ isFirst: inout Bool, _ writer: inout ByteWriter
  ) {
    if !isFirst { writer.append(",") }
    isFirst = false
    writer.append(column.memberName)
    datum.write(to: &writer, isMap: column.isMap)
  }
}

/// Writes `<table-updates>`: opens each table's object at its first row and closes what was opened.
package struct TableUpdatesWriter: Sendable {
  private let isDifferential: Bool
  private var openTable: Int?
  package private(set) var isEmpty = true

  package init(format: UpdateFormat) {
    isDifferential = format.isDifferential
  }

  /// Appends a change when the client is owed something for it. Changes come table by table.
  package mutating func write(_ change: OwedChange, of table: MonitoredTable, to writer: inout ByteWriter) {
    write(change, states: table.states(of: change), of: table, to: &writer)
  }

  /// Appends a change of which it is known what states of the row fulfil the condition.
  mutating func write(_ change: OwedChange, states: RowStates, of table: MonitoredTable, to writer: inout ByteWriter) {
    let mark = writer.count
    let isOpen = openTable == table.table.index
    if !isOpen { begin(table, &writer) }
    if table.write(change, states, isDifferential: isDifferential, separator: isOpen ? "," : "", to: &writer) {
      openTable = table.table.index
      isEmpty = false
    } else {
      writer.truncate(to: mark)
    }
  }

  package mutating func writeInitial(_ row: Row, of table: MonitoredTable, to writer: inout ByteWriter) {
    if openTable == table.table.index {
      writer.append(",")
    } else {
      begin(table, &writer)
      openTable = table.table.index
    }
    table.writeInitial(row, isDifferential: isDifferential, to: &writer)
    isEmpty = false
  }

  private func begin(_ table: MonitoredTable, _ writer: inout ByteWriter) {
    writer.append(openTable == nil ? "{" : "},")
    writer.append(table.table.memberName)
    writer.append("{")
  }

  /// Closes what is open; an update without any row is `{}`.
  package mutating func finish(_ writer: inout ByteWriter) {
    writer.append(isEmpty ? "{}" : "}}")
  }
}
