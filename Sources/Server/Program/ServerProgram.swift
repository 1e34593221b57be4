// SPDX-License-Identifier: Apache-2.0
//
// The program ovsdb-server: its start and its end. Its command line is in ServerArguments.swift.
//
// Source: ovsdb-server(1).

import CPosixShims
import Control
import Daemon
import Glibc
import NIOCore
import NIOPosix
import OVSDB
import Streams

/// ovsdb-server.
package enum ServerProgram {
  private static let log = LogModule("ovsdb_server")

  /// Runs until the process is told to end.
  package static func main() -> Never {
    Program.begin()
    // A file that may not grow is an error of write(2), which clients are told, and not the end of the server.
    signal(SIGXFSZ, SIG_IGN)
    VlogHandler.bootstrap()
    posix_shim_join_freed_memory()
    Limits.raiseDescriptorLimit()
    let daemonOptions = DaemonOptions()
    let arguments = ServerArguments.parse(daemonOptions)
    if arguments.checksConfiguration { checkConfiguration(arguments) }
    let inherited: InheritedRemotes
    do throws(ConfigurationError) {
      inherited = try InheritedRemotes.take(
        remotes: arguments.remotes, servesUnnamed: arguments.servesPassedSockets, detaches: daemonOptions.detaches,
        writesPIDFile: daemonOptions.pidFile != nil)
    } catch {
      Program.failToStart(error.description, module: log)
    }
    let watchdog = Watchdog.take()
    let daemonizer = Daemonizer(options: daemonOptions)
    let saved: SavedConfiguration?
    do throws(UsageError) {
      saved = daemonOptions.isMonitored ? try SavedConfiguration() : nil
    } catch {
      error.exit()
    }
    daemonizer.start {
      serve(restored(arguments, saved), inherited, saved, watchdog, daemonizer)
    }
  }

  /// Says what the configuration file would have the server do, and ends.
  private static func checkConfiguration(_ arguments: ServerArguments) -> Never {
    guard let path = arguments.configurationFile else { Program.fail("--check-config needs --config-file") }
    MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
      loop.execute {
        let server = Server(group: loop, hasThreads: false, rundir: Paths.runDirectory)
        do throws(ServerConfiguration.Failure) {
          Program.writeOutput(try server.checkConfiguration(at: path, strictness: arguments.configurationStrictness))
        } catch {
          Program.fail(error.reason)
        }
        Program.exit(EXIT_SUCCESS)
      }
    }
    while true { pause() }
  }

  /// Serves, in the process that is to do so.
  private static func serve(
    _ arguments: ServerArguments, _ inherited: InheritedRemotes, _ saved: SavedConfiguration?, _ watchdog: Watchdog?,
    _ daemonizer: Daemonizer
  ) -> Never {
    // The loop runs on the process's first thread: glibc gives memory to other threads' heaps a page at a time, with a system call for
    // each, and to that thread's in larger steps. Everything is opened on the loop that will serve it.
    MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
      loop.execute {
        do {
          let server = Server(
            group: loop, hasThreads: true, rundir: Paths.runDirectory, limits: arguments.limits,
            storageOptions: arguments.storage)
          server.savedConfiguration = saved
          try start(server, arguments, inherited)
          ServiceNotices.start(server, watchdog)
          let command = arguments.runCommand.map(runCommand)
          daemonizer.complete()
          if command == nil {
            server.announceStart()
            log.info(Program.versionLine)
          }
        } catch {
          Program.failToStart("\(error)", module: log)
        }
      }
    }
    while true { pause() }
  }

  /// After a crash: what commands had made of what the command line asks for.
  private static func restored(_ arguments: ServerArguments, _ saved: SavedConfiguration?) -> ServerArguments {
    guard let set = saved?.load() else { return arguments }
    var restored = arguments
    restored.isAfterCrash = true
    restored.databases = set.databases
    restored.remotes = set.remotes
    (restored.source, restored.excluded, restored.startsActive) = (set.source, set.excluded, !set.follows)
    // Inherited descriptors do not come from commands.
    restored.addedRemotes = Set(set.remotes.filter { !$0.hasPrefix("pfd:") }).subtracting(arguments.remotes)
    return restored
  }

  /// Opens databases and remotes. The server lives as long as the process.
  private static func start(_ server: Server, _ arguments: ServerArguments, _ inherited: InheritedRemotes) throws {
    running = server
    server.identifiesUnixUsers = arguments.identifiesUnixUsers
    try server.makeServerDatabase()
    for path in arguments.databases {
      do {
        try server.openDatabase(path)
      } catch {
        throw ConfigurationError(description: "\(error)")
      }
    }
    // Before anything connects, unless it needs databases that the configuration file names.
    let followsDatabase = TLSColumns.isFollowing(arguments.tls)
    if !followsDatabase { _ = try TLSColumns(arguments.tls, of: server) }
    if let path = arguments.configurationFile { try server.configure(from: path, strictness: arguments.configurationStrictness) }
    if followsDatabase {
      server.tlsColumns = try TLSColumns(arguments.tls, of: server, afterCrash: arguments.isAfterCrash)
    }
    try server.remotes.serve(inherited)
    for remote in arguments.remotes {
      try server.remotes.add(
        remote, origin: arguments.addedRemotes.contains(remote) ? .controlSocket : .commandLine,
        mayBeMissing: arguments.isAfterCrash)
    }
    server.remotes.run()
    try startBackup(server, arguments)
    server.watchCompaction()
    server.watchSpace()
    server.watchCertificates()
    try startControl(server, arguments)
  }

  private static func startBackup(_ server: Server, _ arguments: ServerArguments) throws {
    server.backups.syncsSchema = arguments.syncsSchema
    server.backups.setExcluded(try ExcludedTables(arguments.excluded))
    guard let source = arguments.source else { return }
    try server.backups.setSource(source, origin: .commandLine)
    if !arguments.startsActive { _ = server.backups.connect(because: arguments.isAfterCrash ? "as before the crash" : "--sync-from") }
  }

  /// Keeps the server; touched on its loop only.
  nonisolated(unsafe) private static var running: Server?
  nonisolated(unsafe) private static var control: ControlServer?

  private static func startControl(_ server: Server, _ arguments: ServerArguments) throws {
    let commands = ControlCommands()
    server.addCommands(to: commands)
    do {
      control = try ControlServer.open(arguments.controlSocket, on: server.eventLoop, commands: commands)
    } catch {
      throw ConfigurationError(description: error.message ?? "could not initialize control socket")
    }
  }

  private static func runCommand(_ command: String) -> ChildProcess {
    do throws(UsageError) {
      return try ChildProcess.run(command) { failure in
        if let failure { Program.fail(failure) }
        Program.exit(EXIT_SUCCESS)
      }
    } catch {
      error.exit()
    }
  }
}
