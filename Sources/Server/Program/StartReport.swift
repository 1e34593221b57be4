// SPDX-License-Identifier: Apache-2.0
//
// What the log says once the server serves: the program, its databases and remotes, and limits that somebody has set.

import Daemon
import OVSDB

extension Server {
  /// Logs a line for each thing that the server serves, now that it does; from now on each thing that comes is announced.
  func announceStart() {
    hasAnnouncedStart = true
    databaseLog.info("\(Program.ownVersion)")
    for database in databases.values.sorted(by: { Text($0.name) < Text($1.name) }) { announce(database) }
    for line in limits.changes { databaseLog.info("\(line)") }
    remotes.announce()
  }

  /// Logs what a database is served from.
  func announce(_ database: ServedDatabase) {
    if let store = database.store {
      let rowCount = database.database.tables.reduce(0) { $0 + $1.rows.count }
      databaseLog.info(
        """
        \(database.name): serving \(store.path): \(rowCount) rows, \(store.log.size) bytes, opened in \(database.openingMilliseconds) ms
        """)
    } else if let relay = database.relay {
      databaseLog.info("\(database.name): serving as a relay of \(relay.sources.joined(separator: ", "))")
    }
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
