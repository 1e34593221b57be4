// SPDX-License-Identifier: Apache-2.0
//
// The table that `watch` shows: its rows, and which of their cells changed lately. Knows nothing of servers and screens.

import JSON
import OVSDB

/// The rows of a table as a monitor tells of them.
struct WatchTable: Sendable {
  /// A row that is there, or was a moment ago.
  struct Row: Sendable {
    var uuid: UUID
    var values: [Datum]
    /// Since when each value is what it is, in milliseconds; 0: since before we looked.
    var changedAt: [Int64]
    /// When the row came; 0: before we looked.
    var insertedAt: Int64 = 0
    /// When the row went away. It stays in sight for a while.
    var deletedAt: Int64?
  }

  /// For how long a change is marked.
  static let markMilliseconds: Int64 = 5000

  /// `_uuid` is not among the columns that a monitor is asked for: rows are named by it.
  let columns: [ColumnSchema]
  private(set) var changeCount = 0
  private var rows: [UUID: Row] = [:]

  init(columns: [ColumnSchema]) { self.columns = columns }

  /// How many rows there are, without those that are on their way out.
  var count: Int { rows.values.lazy.filter { $0.deletedAt == nil }.count }

  /// What a monitor has to ask for: `{"columns":[...]}`.
  func writeRequest(to writer: inout ByteWriter) {
    writer.append("{\"columns\":[")
    for (index, column) in columns.filter({ $0 !== ColumnSchema.uuid }).enumerated() {
      if index > 0 { writer.append(",") }
      writer.appendQuoted(column.name)
    }
    writer.append("]}")
  }

  /// Begins with the contents that a new monitor told, as a `<table-update>` or nothing at all. What differs from what we knew before,
  /// from another connection, counts as changed.
  mutating func begin(_ update: JSONValue?, isFirst: Bool, now: Int64) throws(ToolFailure) {
    let known = rows
    rows = [:]
    if let update {
      for (name, change) in update.members {
        guard let new = change.member("new") else { continue }
        let uuid = try Self.uuid(name)
        let values = try self.values(new, uuid)
        var row = Row(uuid: uuid, values: values, changedAt: Array(repeating: 0, count: columns.count))
        if let before = known[uuid] {
          row.changedAt = values.indices.map { before.values[$0] == values[$0] ? before.changedAt[$0] : now }
          row.insertedAt = before.insertedAt
        } else if !isFirst {
          row.insertedAt = now
        }
        rows[uuid] = row
      }
    }
    for (uuid, row) in known where rows[uuid] == nil {
      var row = row
      row.deletedAt = row.deletedAt ?? now
      rows[uuid] = row
    }
  }

  /// Takes a `<table-update>`.
  mutating func apply(_ update: JSONValue, now: Int64) throws(ToolFailure) {
    for (name, change) in update.members {
      let uuid = try Self.uuid(name)
      changeCount += 1
      guard let new = change.member("new") else {
        rows[uuid]?.deletedAt = now
        continue
      }
      let values = try self.values(new, uuid)
      if var row = rows[uuid], row.deletedAt == nil {
        for index in values.indices where row.values[index] != values[index] { row.changedAt[index] = now }
        row.values = values
        rows[uuid] = row
      } else {
        rows[uuid] = Row(
          uuid: uuid, values: values, changedAt: Array(repeating: 0, count: columns.count), insertedAt: now)
      }
    }
  }

  /// Forgets the rows that went away long ago.
  ///
  /// - Returns: whether anything looks different now: a row is gone, or a mark has faded since the last time.
  mutating func fade(now: Int64, since last: Int64) -> Bool {
    let limit = now.saturatingMinus(Self.markMilliseconds)
    let before = last.saturatingMinus(Self.markMilliseconds)
    var hasFaded = false
    for (uuid, row) in rows {
      if let deletedAt = row.deletedAt, deletedAt <= limit {
        rows[uuid] = nil
        hasFaded = true
      } else if !hasFaded {
        hasFaded = ([row.insertedAt] + row.changedAt).contains { $0 > before && $0 <= limit }
      }
    }
    return hasFaded
  }

  /// The rows as they are shown: by the values of their columns, as `dump` does.
  func sortedRows() -> [Row] {
    let positions = columns.indices.filter { columns[$0] !== ColumnSchema.uuid }
    return rows.values.sorted { a, b in
      for position in positions {
        let order = a.values[position].order(b.values[position], type: columns[position].type.key.type)
        if order != 0 { return order < 0 }
      }
      return a.uuid < b.uuid
    }
  }

  private static func uuid(_ name: JSONValue) throws(ToolFailure) -> UUID {
    guard let uuid = name.string.flatMap({ UUID($0) }) else {
      throw ToolFailure("the server names a row \(name.text()), which is no UUID")
    }
    return uuid
  }

  private func values(_ row: JSONValue, _ uuid: UUID) throws(ToolFailure) -> [Datum] {
    var values: [Datum] = []
    for column in columns {
      if column === ColumnSchema.uuid {
        values.append(.uuid(uuid))
        continue
      }
      var name = column.name
      guard row.kind == .object, let value = name.withUTF8({ row.member($0) }) else {
        throw ToolFailure("the server left out column \(column.name) of row \(uuid)")
      }
      do {
        values.append(try Datum(json: value, type: column.type, symbols: nil))
      } catch {
        throw ToolFailure("\(error)")
      }
    }
    return values
  }
}
