// SPDX-License-Identifier: Apache-2.0
//
// Updates of a monitor as tables: one line for a row that came, went or was changed by difference, two for old and new.

import Daemon
import Glibc
import JSON
import OVSDB

extension MonitoredTable {
  /// The update of this table.
  ///
  /// - Parameters:
  ///   - updates: `<table-updates>` or, when conditional, `<table-updates2>`.
  ///   - isInitial: whether rows that are there come from the answer to the request.
  /// - Returns: nil when there is nothing about this table.
  func text(of updates: JSONValue, isConditional: Bool, isInitial: Bool, caption: String?) -> TextTable? {
    var name = schema.name
    guard let rows = name.withUTF8({ updates.member($0) }), Self.isObject(rows, "<table-update>"), rows.count > 0 else { return nil }
    var text = TextTable(caption: caption, headings: ["row", "action"] + columns.map(\.name))
    let sorted = rows.members.map { (uuid: $0.name.string ?? "", update: $0.value) }.sorted { Text($0.uuid) < Text($1.uuid) }
    for (uuid, update) in sorted {
      if isConditional {
        append(conditional: update, uuid, to: &text)
      } else {
        append(update, uuid, isInitial: isInitial, to: &text)
      }
    }
    return text.rows.isEmpty ? nil : text
  }

  /// What a server should not send is told, and passed over: the next update may be good.
  ///
  /// - Parameter name: of the thing in RFC 7047.
  static func isObject(_ value: JSONValue, _ name: String) -> Bool {
    guard value.kind != .object else { return true }
    Program.writeError("\(Program.name): \(name) is not object\n")
    return false
  }

  private func append(_ update: JSONValue, _ uuid: String, isInitial: Bool, to text: inout TextTable) {
    guard Self.isObject(update, "<row-update>") else { return }
    let old = update.member("old")
    let new = update.member("new")
    switch (old, new) {
    case (let old?, let new?):
      append(uuid, "old", old, to: &text)
      append("", "new", new, to: &text)
    case (let old?, nil): append(uuid, "delete", old, to: &text)
    case (nil, let new?): append(uuid, isInitial ? "initial" : "insert", new, to: &text)
    case (nil, nil): break
    }
  }

  private func append(conditional update: JSONValue, _ uuid: String, to text: inout TextTable) {
    guard Self.isObject(update, "<row-update2>") else { return }
    if let row = update.member("initial") {
      append(uuid, "initial", row, to: &text)
    } else if let row = update.member("insert") {
      append(uuid, "insert", row, to: &text)
    } else if let row = update.member("modify") {
      append(uuid, "modify", row, isDifference: true, to: &text)
    } else if update.member("delete") != nil {
      // There are no values to show.
      text.append([.text(uuid), .text("delete")])
    }
  }

  private func append(_ uuid: String, _ action: String, _ row: JSONValue, isDifference: Bool = false, to text: inout TextTable) {
    guard Self.isObject(row, "<row>") else { return }
    let cells = columns.map { column -> Cell in
      var name = column.name
      guard let value = name.withUTF8({ row.member($0) }) else { return .empty }
      // A difference may hold more or fewer elements than the column.
      var type = column.type
      if isDifference { type = type.max > 1 ? type.ofAnyCount : ColumnType(key: type.key, value: type.value, min: 0, max: 1) }
      guard let datum = try? Datum(json: value, type: type, symbols: nil) else { return .json(value.detached()) }
      return .datum(datum, type)
    }
    text.append([.text(uuid), .text(action)] + cells)
  }
}

/// Times as tables show them.
enum TimeStamp {
  /// Shape: `2026-11-21 00:41:00.123`, UTC.
  static func now() -> String {
    var time = timespec()
    _ = clock_gettime(CLOCK_REALTIME, &time)
    var parts = tm()
    gmtime_r(&time.tv_sec, &parts)
    func digits(_ number: Int, _ count: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
    }
    let day = "\(digits(Int(parts.tm_year) + 1900, 4))-\(digits(Int(parts.tm_mon) + 1, 2))-\(digits(Int(parts.tm_mday), 2))"
    let clock = "\(digits(Int(parts.tm_hour), 2)):\(digits(Int(parts.tm_min), 2)):\(digits(Int(parts.tm_sec), 2))"
    return "\(day) \(clock).\(digits(time.tv_nsec / 1_000_000, 3))"
  }
}
