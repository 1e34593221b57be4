// SPDX-License-Identifier: Apache-2.0
//
// The commands of ovsdb-client, as a table.

import Client

/// One command.
struct Command: Sendable {
  /// Which parts of the command line name a server and a database.
  enum Needs: Sendable {
    /// Neither: the command finds its server itself.
    case nothing
    case server
    /// A server, and one of its databases.
    case database
    /// A server that serves the database which the last argument names, a transaction.
    case transaction
  }

  let name: String
  let needs: Needs
  /// The number of arguments behind server and database.
  let arguments: ClosedRange<Int>
  let runsInBackground: Bool
  /// Whether a person gets the output through a pager.
  let isPaged: Bool
  let run: @Sendable (Target) async throws -> Void

  init(
    _ name: String, _ needs: Needs, _ arguments: ClosedRange<Int>, runsInBackground: Bool = false, isPaged: Bool = false,
    run: @escaping @Sendable (Target) async throws -> Void
  ) {
    self.name = name
    self.needs = needs
    self.arguments = arguments
    self.runsInBackground = runsInBackground
    self.isPaged = isPaged
    self.run = run
  }

  static let all: [Command] = [
    Command("list-dbs", .server, 0...0, isPaged: true, run: listDatabases),
    Command("get-schema", .database, 0...0, isPaged: true, run: getSchema),
    Command("get-schema-version", .database, 0...0, run: getSchemaVersion),
    Command("get-schema-cksum", .database, 0...0, run: getSchemaCksum),
    Command("list-tables", .database, 0...0, isPaged: true, run: listTables),
    Command("list-columns", .database, 0...1, isPaged: true, run: listColumns),
    Command("transact", .transaction, 1...1, runsInBackground: true, isPaged: true, run: transact),
    Command("query", .transaction, 1...1, runsInBackground: true, isPaged: true, run: query),
    Command("dump", .database, 0...Int.max, isPaged: true, run: dump),
    Command("monitor", .database, 1...Int.max, runsInBackground: true, run: monitor),
    Command("monitor-cond", .database, 2...3, runsInBackground: true, run: monitorConditionally),
    Command("monitor-cond-since", .database, 2...4, runsInBackground: true, run: monitorSince),
    Command("watch", .database, 1...Int.max, run: watch),
    Command("wait", .nothing, 2...3, run: wait),
    Command("convert", .nothing, 1...2, run: convert),
    Command("needs-conversion", .nothing, 1...2, run: needsConversion),
    Command("backup", .database, 0...0, run: backup),
    Command("restore", .database, 0...0, run: restore),
    Command("lock", .server, 1...1, runsInBackground: true) { try await lock($0, method: "lock") },
    Command("steal", .server, 1...1, runsInBackground: true) { try await lock($0, method: "steal") },
    Command("unlock", .server, 1...1, runsInBackground: true) { try await lock($0, method: "unlock") },
    Command("help", .nothing, 0...Int.max) { _ in },
  ]
}
