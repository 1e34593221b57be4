// SPDX-License-Identifier: Apache-2.0
//
// The commands of ovsdb-tool as data: names, arguments, what they run. `list-commands` and the checks of argument counts read it.

import Daemon
import Glibc

struct ToolCommand: Sendable {
  let name: String
  /// As `list-commands` shows it.
  var usage: String = ""
  let minimum: Int
  /// Nil: any number.
  let maximum: Int?
  /// False for commands that the peer does not have: its lists are compared byte for byte by scripts and tests.
  var isListed = true
  let run: @Sendable (Invocation) throws(ToolError) -> Int32

  static let all: [ToolCommand] = [
    ToolCommand(name: "create", usage: "[db [schema]]", minimum: 0, maximum: 2, run: RewriteCommands.create),
    ToolCommand(name: "create-cluster", usage: "db contents local", minimum: 3, maximum: 3, run: ClusterCommands.create),
    ToolCommand(
      name: "join-cluster", usage: "db name local remote...", minimum: 4, maximum: nil, run: ClusterCommands.join),
    ToolCommand(name: "compact", usage: "[db [dst]]", minimum: 0, maximum: 2, run: RewriteCommands.compact),
    ToolCommand(name: "convert", usage: "[db [schema [dst]]]", minimum: 0, maximum: 3, run: RewriteCommands.convert),
    ToolCommand(name: "needs-conversion", minimum: 0, maximum: 2, run: InspectCommands.needsConversion),
    ToolCommand(name: "db-name", usage: "[db]", minimum: 0, maximum: 1, run: InspectCommands.databaseName),
    ToolCommand(name: "db-version", usage: "[db]", minimum: 0, maximum: 1, run: InspectCommands.databaseVersion),
    ToolCommand(name: "db-cksum", usage: "[db]", minimum: 0, maximum: 1, run: InspectCommands.databaseChecksum),
    ToolCommand(name: "db-cid", usage: "db", minimum: 1, maximum: 1, run: ClusterCommands.clusterID),
    ToolCommand(name: "db-sid", usage: "db", minimum: 1, maximum: 1, run: ClusterCommands.serverID),
    ToolCommand(name: "db-local-address", usage: "db", minimum: 1, maximum: 1, run: ClusterCommands.localAddress),
    ToolCommand(name: "db-is-clustered", usage: "db", minimum: 1, maximum: 1, run: InspectCommands.isClustered),
    ToolCommand(name: "db-is-standalone", usage: "db", minimum: 1, maximum: 1, run: InspectCommands.isStandalone),
    ToolCommand(name: "schema-name", usage: "[schema]", minimum: 0, maximum: 1, run: InspectCommands.schemaName),
    ToolCommand(name: "schema-version", usage: "[schema]", minimum: 0, maximum: 1, run: InspectCommands.schemaVersion),
    ToolCommand(name: "schema-cksum", usage: "[schema]", minimum: 0, maximum: 1, run: InspectCommands.schemaChecksum),
    ToolCommand(name: "query", usage: "[db] trns", minimum: 1, maximum: 2, run: TransactCommands.query),
    ToolCommand(name: "transact", usage: "[db] trns", minimum: 1, maximum: 2, run: TransactCommands.transact),
    ToolCommand(name: "show-log", usage: "[db]", minimum: 0, maximum: 1, run: ShowLog.run),
    ToolCommand(name: "check-cluster", usage: "db...", minimum: 1, maximum: nil, run: ClusterCheck.run),
    ToolCommand(name: "compare-versions", usage: "a op b", minimum: 3, maximum: 3, run: InspectCommands.compareVersions),
    ToolCommand(name: "help", minimum: 0, maximum: nil, run: help),
    ToolCommand(name: "list-commands", minimum: 0, maximum: nil, run: list),
    ToolCommand(
      name: "cluster-to-standalone", usage: "db clusterdb", minimum: 2, maximum: 2, run: ClusterCommands.toStandalone),
    ToolCommand(name: "check", usage: "[db]", minimum: 0, maximum: 1, isListed: false, run: RepairCommands.check),
    ToolCommand(
      name: "salvage", usage: "db dst [schema]", minimum: 2, maximum: 3, isListed: false, run: RepairCommands.salvage),
  ]

  @Sendable private static func help(_ invocation: Invocation) throws(ToolError) -> Int32 {
    Program.writeOutput(ToolUsage.text)
    return EXIT_SUCCESS
  }

  @Sendable private static func list(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let lines = all.filter(\.isListed).map { command in
      let padding = String(repeating: " ", count: max(0, 23 - command.name.utf8.count))
      return "  \(command.name)\(padding) \(command.usage)\n"
    }
    Program.writeOutput("The available commands are:\n" + lines.joined())
    return EXIT_SUCCESS
  }
}
