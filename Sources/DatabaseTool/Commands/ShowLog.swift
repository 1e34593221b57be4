// SPDX-License-Identifier: Apache-2.0
//
// `show-log`: the records of a file for people. `-m` adds the rows each record touches, `-mm` their columns. Records of cluster
// members' files are in ShowLog+Cluster.swift.
//
// Rows and columns appear in the order of the file. (The peer shows them in the order of a hash table.)

import Daemon
import Glibc
import JSON
import Journal
import OVSDB

/// Prints the records of one file, remembering what rows are called.
struct ShowLog {
  let path: String
  /// How often `-m` was given.
  let detail: Int
  /// The schema that the next record's values are of.
  var schema: DatabaseSchema?
  /// Rows seen, by table and UUID, with their newest `name` as JSON; nil for rows without one.
  private var rows: [String: [RowKey: String?]] = [:]

  /// What a row is filed under. A log may have millions: a UUID needs no memory of its own.
  private enum RowKey: Hashable {
    case uuid(UUID)
    /// A member that is no UUID, in a log that no server wrote.
    case text(String)

    init(_ text: String) { self = UUID(text).map(RowKey.uuid) ?? .text(text) }
  }
  /// What is not printed yet.
  var output = ""

  private static let outputByteCount = 1 << 16

  @Sendable static func run(_ invocation: Invocation) throws(ToolError) -> Int32 {
    var show = ShowLog(path: invocation.database, detail: invocation.options.detail)
    do throws(LogError) {
      try show.run()
    } catch {
      // What came before the error is printed first.
      Program.writeOutput(show.output)
      throw ToolError(error)
    }
    Program.writeOutput(show.output)
    return EXIT_SUCCESS
  }

  init(path: String, detail: Int) {
    self.path = path
    self.detail = detail
  }

  mutating func run() throws(LogError) {
    var reader = try RecordReader(path: path, accepting: [.standalone, .clustered])
    let kind = reader.kind
    while let record = try reader.next() {
      let document = try record.document(of: path)
      defer { withExtendedLifetime(document) {} }
      output += "record \(record.index):"
      switch kind {
      case .standalone: try showStandalone(document.root, isFirst: record.index == 0)
      case .clustered: try showClustered(document.root, isFirst: record.index == 0)
      }
      if output.utf8.count > Self.outputByteCount {
        Program.writeOutput(output)
        output = ""
      }
    }
  }

  private mutating func showStandalone(_ root: JSONValue, isFirst: Bool) throws(LogError) {
    if isFirst {
      try adopt(schema: root)
      output += " \(schemaSummary)\n\n"
    } else {
      showTransaction(root)
    }
  }

  /// Goes on with another schema.
  mutating func adopt(schema json: JSONValue) throws(LogError) {
    do throws(OVSDBError) {
      schema = try DatabaseSchema(json: json)
    } catch {
      throw LogError(error)
    }
  }

  /// `"NAME" schema, version="V", cksum="C"`.
  var schemaSummary: String { schemaText(" schema") }

  func schemaText(_ noun: String) -> String {
    "\"\(schema?.name ?? "")\"\(noun), version=\"\(schema?.version ?? "")\", cksum=\"\(schema?.cksum ?? "")\""
  }

  // MARK: - Transactions

  /// Shows date and comment, then the changes as far as they are wanted.
  mutating func showTransaction(_ root: JSONValue) {
    if let date = root.member("_date")?.integer { output += " \(DateText.utc(date))" }
    if let comment = root.member("_comment")?.string { output += " \"\(comment)\"" }
    output += "\n"
    guard detail > 0 else { return }
    let isDifference = root.member("_is_diff")?.boolean == true
    var hasTable = false
    for (name, changes) in root.members where changes.kind == .object {
      if name.utf8?.first == UInt8(ascii: "_") { continue }
      hasTable = true
      let table = name.string ?? ""
      for (uuid, change) in changes.members {
        show(change, of: uuid.string ?? "", in: table, isDifference: isDifference)
      }
    }
    if hasTable { output += "\n" }
  }

  private mutating func show(_ change: JSONValue, of uuid: String, in table: String, isDifference: Bool) {
    let short = String(uuid.prefix(8))
    let key = RowKey(uuid)
    let newName = change.member("name")?.text(sorted: true)
    if let known = rows[table]?[key] {
      output += "  table \(table) row \(known ?? short) (\(short))\(isDifference ? " diff" : ""):\n"
    } else if let newName {
      output += "  table \(table) insert row \(newName) (\(short)):\n"
    } else {
      output += "  table \(table) insert row \(short):\n"
    }
    if change.isNull {
      rows[table]?[key] = nil
      output += "    delete row\n"
      return
    }
    let oldName = rows[table]?[key] ?? nil
    rows[table, default: [:]][key] = .some(newName ?? oldName)
    guard detail > 1, change.kind == .object else { return }
    let columns = schema?.table(named: table)
    for (column, value) in change.members {
      output += "    \(column.string ?? "")=\(text(of: value, column: columns?.column(column)))\n"
    }
  }

  /// The value in text form when it is one of its column's, else as JSON.
  private func text(of value: JSONValue, column: ColumnSchema?) -> String {
    guard let column, let datum = try? Datum(json: value, type: column.type, symbols: nil) else {
      return value.text(sorted: true)
    }
    return datum.text(of: column.type)
  }
}

/// Dates as `show-log` prints them.
enum DateText {
  /// `YEAR-MM-DD HH:MM:SS.mmm` in UTC; the year has as many digits as it needs.
  ///
  /// - Parameter date: Milliseconds since 1970, or seconds when less than 2^31-1, as old files have them. Seconds too far in the past
  ///   to be counted in milliseconds wrap around, as with the peer.
  static func utc(_ date: Int64) -> String {
    let instant = date < Int64(Int32.max) ? date &* 1000 : date
    let seconds = floorDivide(instant, 1000)
    let milliseconds = remainder(instant, 1000)
    let days = floorDivide(seconds, 86_400)
    let rest = remainder(seconds, 86_400)
    let (year, month, day) = civil(days)
    let clock = [rest / 3600, rest / 60 % 60, rest % 60].map { padded($0, 2) }.joined(separator: ":")
    return "\(year)-\(padded(month, 2))-\(padded(day, 2)) \(clock).\(padded(milliseconds, 3))"
  }

  private static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
    let quotient = a / b
    return a % b < 0 ? quotient - 1 : quotient
  }

  /// What `floorDivide` leaves. `a - quotient * b` could not be computed for the least integers.
  private static func remainder(_ a: Int64, _ b: Int64) -> Int64 {
    let remainder = a % b
    return remainder < 0 ? remainder + b : remainder
  }

  private static func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }

  /// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
  ///
  /// Counts from March on, so that the leap day is the last of its year; an era is 400 years.
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = floorDivide(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}
