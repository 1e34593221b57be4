// SPDX-License-Identifier: Apache-2.0
//
// What the log says once the server serves: the program, its databases and remotes, and limits that somebody has set.

import Daemon
import OVSDB

extension Server {
  /// Logs a line for each thing that the server serves. The remotes say themselves where they listen.
  func announceStart() {
    databaseLog.info("\(Program.ownVersion)")
    for database in databases.values.sorted(by: { Text($0.name) < Text($1.name) }) {
      if let line = Self.description(of: database) { databaseLog.info("\(line)") }
    }
    for line in limits.changes { databaseLog.info("\(line)") }
    if remotes.remotes.isEmpty { databaseLog.info("no remote is configured: no client can connect") }
  }

  private static func description(of database: ServedDatabase) -> String? {
    guard let store = database.store else { return nil }
    let rowCount = database.database.tables.reduce(0) { $0 + $1.rows.count }
    return "\(database.name): serving \(store.path): \(rowCount) rows, \(store.log.size) bytes"
  }
}

extension Limits {
  /// Those that the command line changed, in its words.
  var changes: [String] {
    let usual = Limits()
    let history = historyBytesMax.map { ["--history-size is \($0)"] } ?? []
    return history + [
      ("--max-sessions", sessionsMax, usual.sessionsMax),
      ("--max-database-remotes", databaseRemotesMax, usual.databaseRemotesMax),
      ("--max-message-size", messageBytesMax, usual.messageBytesMax),
      ("--max-pending-input", inputBytesMax, usual.inputBytesMax),
      ("--max-pending-output", outputBytesMax, usual.outputBytesMax),
    ].filter { $0.1 != $0.2 }.map { "\($0.0) is \($0.1)\($0.2 == 0 ? "" : " instead of \($0.2)")" }
  }
}
