// SPDX-License-Identifier: Apache-2.0
//
// The log of tables: every change of a row in a table that an operator chose becomes a line of the log, `ovsdb-server/tlog-set` and
// `tlog-list`. Server+Segments.swift calls it for commits whose records are written.
//
// Shape of a line (module `transaction`): `table:T,op:inserted,COLUMN:VALUE,...,_uuid:UUID,_version:UUID` with the new values, or the
// old ones for `op:deleted`.
//
// Source: observed of ovsdb-server 3.1.

import Control
import Daemon
import Engine
import OVSDB
import Serving

/// The tables of one database whose changes are logged. A conversion of the database forgets them.
struct TableLog {
  private static let log = LogModule("transaction")
  /// A longer value is cut: a line is for people to read.
  private static let lineBytesMax = 64 << 10

  private(set) var tables: Set<String> = []

  mutating func set(_ table: String, _ isLogged: Bool) {
    if isLogged { tables.insert(table) } else { tables.remove(table) }
  }

  /// Logs what a commit did to the chosen tables.
  func tell(_ commit: Commit) {
    guard Self.log.isEnabled(.info) else { return }
    for change in commit.tables where tables.contains(change.table.name) {
      for row in change.rows { Self.log.info(Self.line(row, of: change.table)) }
    }
  }

  private static func line(_ change: RowChange, of table: TableSchema) -> String {
    let operation = change.old == nil ? "inserted" : change.new == nil ? "deleted" : "updated"
    var line = "table:\(table.name),op:\(operation)"
    guard let row = change.new ?? change.old else { return line }
    for column in table.columns {
      line += ",\(column.name):\(row[column].text(of: column.type))"
      if line.utf8.count > lineBytesMax {
        line = String(decoding: line.utf8.prefix(lineBytesMax), as: UTF8.self) + "..."
        break
      }
    }
    return line + ",_uuid:\(row.uuid),_version:\(row.version)"
  }
}

extension Server {
  /// Logs the commits whose records are written.
  func tellTableLogs(_ commits: [SegmentCommit]) {
    for made in commits {
      guard let database = servedDatabases[made.database], !database.tableLog.tables.isEmpty else { continue }
      database.tableLog.tell(made.commit)
    }
  }

  /// `tlog-set DB:TABLE on|off`.
  func setTableLog(_ target: String, _ word: String) throws(ControlError) {
    guard ["on", "off"].contains(word.lowercased()) else { throw ControlError("invalid command argument") }
    let parts = target.split(separator: ":", omittingEmptySubsequences: true)
    guard parts.count == 2 else { throw ControlError("invalid DB:TABLE argument") }
    guard let database = databases[String(parts[0])] else { throw ControlError("no such database") }
    guard let table = database.database.schema.table(named: String(parts[1])) else { throw ControlError("no such table") }
    database.tableLog.set(table.name, word.lowercased() == "on")
    logsTables = databases.values.contains { !$0.tableLog.tables.isEmpty }
  }

  /// What `tlog-list` answers: a block for each database.
  var tableLogList: String {
    var text = "database        table                       logging\n--------        -----                       -------\n"
    for database in databases.values.sorted(by: { Text($0.name) < Text($1.name) }) {
      text += database.name.padded(to: 16) + " \n"
      for table in database.database.schema.tables.map(\.name).sorted(by: { Text($0) < Text($1) }) {
        text += String(repeating: " ", count: 16) + table.padded(to: 27) + " "
        text += (database.tableLog.tables.contains(table) ? "ON" : "OFF") + "\n"
      }
    }
    return text
  }
}
