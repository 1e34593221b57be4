// SPDX-License-Identifier: Apache-2.0
//
// ClientTool: everything of ovsdb-client but its `main`. A command line becomes `ToolOptions` and a `Command` of the table in
// `Commands.swift`; `ServerArguments` finds out which server and database are meant; each command has a file; what people
// read goes through a `TextTable` in one of five formats.

import Client
import Daemon
import Glibc
import NIOCore
import NIOPosix

/// A failure that ends the program with status 1.
struct ToolFailure: Error {
  /// The text behind `ovsdb-client: `.
  let message: String

  init(_ message: String) { self.message = message }
}

/// ovsdb-client.
package enum ClientTool {
  /// Runs the program. Threads are started only after going to the background, because they do not survive fork(2).
  package static func main() -> Never {
    Program.begin()
    let options = ToolOptions()
    let arguments = options.parser.parseOrExit()
    guard let name = arguments.first else { Program.fail("missing command name; use --help for help") }
    guard let command = Command.all.first(where: { $0.name == name }) else {
      Program.fail("unknown command '\(name)'; use --help for help")
    }
    if command.name == "help" {
      Output.write(Usage.text)
      Program.exit(EXIT_SUCCESS)
    }
    options.takeOver()
    let remaining = Array(arguments.dropFirst())
    guard command.runsInBackground else {
      do throws(UsageError) {
        try TerminationSignals.watch()
      } catch {
        error.exit()
      }
      execute(command, remaining, options, nil)
    }
    let daemonizer = Daemonizer(options: options.daemon)
    daemonizer.keepsStandardOutput = true
    daemonizer.start { execute(command, remaining, options, daemonizer) }
  }

  /// Runs a command, in the process that is to do so, and exits.
  private static func execute(
    _ command: Command, _ arguments: [String], _ options: ToolOptions, _ daemonizer: Daemonizer?
  ) -> Never {
    options.startTimeout()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let invocation = Invocation(
      command: command, options: options.values, loop: group.next(), daemonizer: daemonizer)
    let status = group.next().makeFutureWithTask { await run(invocation, arguments) }
    do {
      Program.exit(try status.wait())
    } catch {
      Program.fail("\(error)")
    }
  }

  /// Runs a command to its end.
  ///
  /// - Returns: the exit status.
  private static func run(_ invocation: Invocation, _ arguments: [String]) async -> Int32 {
    let options = invocation.options
    if invocation.command.isPaged, options.usesPager, let terminal = options.table.terminal {
      Output.page(chops: options.table.format == .table && terminal.fit != .wrap)
    }
    // What goes wrong is said when the terminal is ours again.
    defer { Pager.finish() }
    do {
      let resolved = try await ServerArguments.resolve(arguments, for: invocation)
      try await invocation.command.run(resolved)
      invocation.daemonizer?.complete()
      if let session = resolved.session { await session.close() }
      return EXIT_SUCCESS
    } catch {
      Pager.finish()
      Program.writeError("\(Program.name): \((error as? ToolFailure)?.message ?? "\(error)")\n")
    }
    return EXIT_FAILURE
  }
}

/// What was asked of the program.
struct Invocation: Sendable {
  let command: Command
  let options: ToolOptions.Values
  let loop: any EventLoop
  /// Nil for commands that never run in the background.
  let daemonizer: Daemonizer?
}
