// SPDX-License-Identifier: Apache-2.0
//
// ovsdb-tool: what can be done to database files without a server. This file is the command line; the commands are in a table
// (CommandTable.swift) and each group of them in a file of its own:
//
//   InspectCommands.swift        names, versions, checksums, kinds
//   RewriteCommands.swift        create, compact, convert
//   TransactCommands.swift       query, transact
//   ShowLog.swift, ShowLog+Cluster.swift   the history
//   ClusterFile.swift, ClusterCommands.swift   files of cluster members
//   RepairCommands.swift         check, salvage: ours
//
// Source: ovsdb-tool(1) of Open vSwitch 3.1.0; ToolTests compares outputs and statuses with that program's.

import Daemon
import Glibc

/// What the options say.
struct ToolOptions {
  /// How often `-m` was given.
  var detail = 0
  var role: String?
}

/// One call of a command.
struct Invocation {
  let options: ToolOptions
  let arguments: [String]

  func argument(_ position: Int) -> String? { arguments.indices.contains(position) ? arguments[position] : nil }

  /// The database named by the first argument, or the one that Open vSwitch uses.
  var database: String { argument(0) ?? ToolDefaults.database }
}

enum ToolDefaults {
  static var database: String { "\(Paths.databaseDirectory)/conf.db" }
  static var schema: String { "\(Paths.dataDirectory)/vswitch.ovsschema" }
}

package enum DatabaseTool {
  /// Runs one command line.
  ///
  /// - Parameter arguments: With the program's name first.
  /// - Returns: The exit status: 0 done, 1 error (told on standard error), 2 a negative answer.
  package static func run(_ arguments: [String]) -> Int32 {
    Program.begin(arguments)
    var options = ToolOptions()
    do throws(UsageError) {
      guard let words = try parse(arguments, into: &options) else { return EXIT_SUCCESS }
      return try dispatch(words, options)
    } catch {
      if let message = error.message { Program.writeError("\(Program.name): \(message)\n") }
      return error.status
    }
  }

  /// Applies the options; returns the words that are left, nil when an option asked for something else than a command.
  private static func parse(_ arguments: [String], into options: inout ToolOptions) throws(UsageError) -> [String]? {
    let state = ParsedOptions()
    let table = state.table
    let words = try OptionParser(options: table).parse(arguments)
    options = state.options
    switch state.request {
    case .command: return words
    case .help: Program.writeOutput(ToolUsage.text)
    case .version: Program.writeOutput(Program.versionText)
    case .listing:
      // The peer's help speaks of these options, its list and its parser do not know them: here they work, and the list stays.
      let logging = LogOptions.options.compactMap(\.name).filter { $0 != "verbose" }
      let listed = table.filter { option in !logging.contains { $0 == option.name } }
      Program.writeOutput(OptionParser(options: listed).listing)
    }
    return nil
  }

  private static func dispatch(_ words: [String], _ options: ToolOptions) throws(UsageError) -> Int32 {
    guard let name = words.first else { throw UsageError("missing command name; use --help for help") }
    guard let command = ToolCommand.all.first(where: { $0.name == name }) else {
      throw UsageError("unknown command '\(name)'; use --help for help")
    }
    let arguments = Array(words.dropFirst())
    if arguments.count < command.minimum {
      throw UsageError("'\(name)' command requires at least \(command.minimum) arguments")
    }
    if let maximum = command.maximum, arguments.count > maximum {
      throw UsageError("'\(name)' command takes at most \(maximum) arguments")
    }
    do throws(ToolError) {
      return try command.run(Invocation(options: options, arguments: arguments))
    } catch {
      error.report()
      return error.status
    }
  }
}

/// What the option table writes into while the command line is read.
private final class ParsedOptions {
  /// What the command line asks for. The first of several wins, as the peer stops there.
  enum Request { case command, help, version, listing }

  var options = ToolOptions()
  var request = Request.command

  var table: [CommandLineOption] {
    [
      CommandLineOption("more", letter: "m") { [self] in options.detail += 1 },
      CommandLineOption("rbac-role") { [self] in options.role = $0 },
      CommandLineOption("cid") { (text) throws(UsageError) in
        guard ClusterFile.isUUID(text) else { throw UsageError("\(text): not a valid UUID") }
      },
      CommandLineOption("election-timer") { (text) throws(UsageError) in
        // Checked and not used, as there are no clusters to be made.
        guard (100...600_000).contains(atoll(text)) else {
          throw UsageError("ovsdb error: election timer must be between 100 and 600000, in msec.")
        }
      },
    ] + LogOptions.options + [
      CommandLineOption("help", letter: "h") { [self] in ask(.help) },
      CommandLineOption("option", letter: "o") { [self] in ask(.listing) },
      CommandLineOption("version", letter: "V") { [self] in ask(.version) },
    ]
  }

  private func ask(_ wanted: Request) {
    if request == .command { request = wanted }
  }
}
