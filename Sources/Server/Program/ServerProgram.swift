// SPDX-License-Identifier: Apache-2.0
//
// The program ovsdb-server: its command line, its start and its end.
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

/// What the command line asks for.
private struct Arguments {
  var remotes: [String] = []
  /// Those of the remotes that a command added before a crash.
  var addedRemotes: Set<String> = []
  var databases: [String] = []
  /// They are what commands had made of the command line before a crash.
  var isAfterCrash = false
  var opensNoDatabase = false
  var runCommand: String?
  var controlSocket: String?
  /// Absolute; nil: none.
  var configurationFile: String?
  var configurationStrictness = ServerConfiguration.Strictness.strict
  /// Only checks the configuration file.
  var checksConfiguration = false
  /// Serve sockets that a service manager passed and that no remote names.
  var servesPassedSockets = true
  var storage = StorageOptions()
  var limits = Limits()
  var source: String?
  var excluded = ""
  var startsActive = false
  var tls = TLSOptions.Values()
  var identifiesUnixUsers = false
}

/// ovsdb-server.
package enum ServerProgram {
  /// Runs until the process is told to end.
  package static func main() -> Never {
    Program.begin()
    // A file that may not grow is an error of write(2), which clients are told, and not the end of the server.
    signal(SIGXFSZ, SIG_IGN)
    VlogHandler.bootstrap()
    posix_shim_join_freed_memory()
    Limits.raiseDescriptorLimit()
    let daemonOptions = DaemonOptions()
    let arguments = parse(daemonOptions)
    if arguments.checksConfiguration { checkConfiguration(arguments) }
    let inherited: InheritedRemotes
    do throws(ConfigurationError) {
      inherited = try InheritedRemotes.take(
        remotes: arguments.remotes, servesUnnamed: arguments.servesPassedSockets, detaches: daemonOptions.detaches,
        writesPIDFile: daemonOptions.pidFile != nil)
    } catch {
      Program.fail(error.description)
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
  private static func checkConfiguration(_ arguments: Arguments) -> Never {
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
    _ arguments: Arguments, _ inherited: InheritedRemotes, _ saved: SavedConfiguration?, _ watchdog: Watchdog?,
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
            LogModule("ovsdb_server").info(Program.versionLine)
          }
        } catch {
          Program.fail("\(error)")
        }
      }
    }
    while true { pause() }
  }

  /// After a crash: what commands had made of what the command line asks for.
  private static func restored(_ arguments: Arguments, _ saved: SavedConfiguration?) -> Arguments {
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
  private static func start(_ server: Server, _ arguments: Arguments, _ inherited: InheritedRemotes) throws {
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

  private static func startBackup(_ server: Server, _ arguments: Arguments) throws {
    server.backups.setExcluded(try ExcludedTables(arguments.excluded))
    guard let source = arguments.source else { return }
    try server.backups.setSource(source, origin: .commandLine)
    if !arguments.startsActive { _ = server.backups.connect(because: arguments.isAfterCrash ? "as before the crash" : "--sync-from") }
  }

  /// Keeps the server; touched on its loop only.
  nonisolated(unsafe) private static var running: Server?
  nonisolated(unsafe) private static var control: ControlServer?

  private static func startControl(_ server: Server, _ arguments: Arguments) throws {
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

  // MARK: - Command line

  private static func parse(_ daemonOptions: DaemonOptions) -> Arguments {
    var arguments = Arguments()
    let own: [CommandLineOption] = [
      CommandLineOption("remote", value: { arguments.remotes.append($0) }),
      CommandLineOption("unixctl", value: { arguments.controlSocket = $0 }),
      CommandLineOption("no-socket-activation", flag: { arguments.servesPassedSockets = false }),
      CommandLineOption("no-dbs", flag: { arguments.opensNoDatabase = true }),
      CommandLineOption("run", value: { arguments.runCommand = $0 }),
      CommandLineOption("disable-file-column-diff", flag: { arguments.storage.usesDifferences = false }),
      // Speaks of files of clusters, which this server does not write; scripts for later versions than 3.1.0 give it.
      CommandLineOption("disable-file-no-data-conversion", flag: {}),
      CommandLineOption("read-only-on-damage", flag: { arguments.storage.keepsDamaged = true }),
      CommandLineOption("sync-from", value: { arguments.source = $0 }),
      CommandLineOption("sync-exclude-tables", value: { arguments.excluded = $0 }),
      CommandLineOption("active", flag: { arguments.startsActive = true }),
      CommandLineOption(
        "config-file", value: { arguments.configurationFile = Paths.absolute($0, in: Paths.databaseDirectory) }),
      CommandLineOption("lenient-config", flag: { arguments.configurationStrictness = .lenient }),
      CommandLineOption("check-config", flag: { arguments.checksConfiguration = true }),
      CommandLineOption("record", argument: .optional) { (_) throws(UsageError) in try refuseReplay("record") },
      CommandLineOption("replay", argument: .optional) { (_) throws(UsageError) in try refuseReplay("replay") },
      CommandLineOption("unix-user-identity", flag: { arguments.identifiesUnixUsers = true }),
      CommandLineOption("help", letter: "h", flag: { printUsage() }),
      CommandLineOption("version", letter: "V", flag: { printVersion() }),
    ]
    let tls = TLSOptions()
    let limits = LimitOptions()
    let parser = OptionParser(options: own + limits.options + daemonOptions.options + LogOptions.options + tls.options)
    let names = parser.parseOrExit()
    arguments.tls = tls.values
    arguments.limits = limits.limits
    if arguments.configurationFile != nil {
      if arguments.source != nil || !arguments.excluded.isEmpty || arguments.startsActive {
        Program.fail("--config-file is mutually exclusive with --sync-from, --sync-exclude and --active")
      }
      if !arguments.remotes.isEmpty { Program.fail("--config-file is mutually exclusive with --remote") }
      if !names.isEmpty { Program.fail("Databases should be specified in a config file") }
      return arguments
    }
    for name in names {
      if arguments.databases.contains(name) {
        LogModule("ovsdb_server").warn("Duplicate database configuration: \(name)")
      } else {
        arguments.databases.append(name)
      }
    }
    if arguments.databases.isEmpty, !arguments.opensNoDatabase {
      arguments.databases = ["\(Paths.databaseDirectory)/conf.db"]
    }
    return arguments
  }

  private static func refuseReplay(_ option: String) throws(UsageError) {
    throw UsageError("--\(option): this server does not record its input; use --log-file with -vjsonrpc:file:dbg instead")
  }

  private static func printVersion() -> Never {
    Program.writeOutput(Program.versionText)
    Program.exit(EXIT_SUCCESS)
  }

  private static func printUsage() -> Never {
    Program.writeOutput(
      """
      \(Program.name): Open vSwitch database server
      usage: \(Program.name) [OPTIONS] [DATABASE...]
      where each DATABASE is a database file in ovsdb format.
      The default DATABASE, if none is given, is
      \(Paths.databaseDirectory)/conf.db.

      JSON-RPC options (may be specified any number of times):
        --remote=REMOTE         connect or listen to REMOTE

      Active JSON-RPC connection methods:
        tcp:HOST[:PORT]         connect to TCP PORT (default: 6640) of HOST
        ssl:HOST[:PORT]         the same with TLS
        unix:FILE               connect to the Unix domain socket FILE
      Passive JSON-RPC connection methods:
        ptcp:[PORT][:IP]        listen on TCP PORT (default: 6640) of IP
        pssl:[PORT][:IP]        the same with TLS
        punix:FILE              listen on the Unix domain socket FILE
        pfd:FD, pfd:NAME        listen on an inherited descriptor
      Remotes from a database:
        db:DB,TABLE,COLUMN      those that COLUMN of TABLE in DB names

      \(TLSOptions.usage)\(DaemonOptions.usage)\(LogOptions.usage)
      Syncing options:
        --sync-from=SERVER      sync databases from active SERVER and start in
                                backup mode (except with --active)
        --sync-exclude-tables=DB:TABLE,...
                                exclude the TABLE in DB from syncing
        --active                with --sync-from, start in active mode

      Other options:
        --config-file=PATH      take remotes and databases from a JSON file
        --check-config          say what the file would do, and exit
        --lenient-config        ignore options in the file that are unknown
        --no-dbs                start without a database
        --no-socket-activation  close passed sockets that no REMOTE names
        --run COMMAND           run COMMAND as subprocess then exit
        --unixctl=SOCKET        override default control socket name
        --unix-user-identity    rules of roles know clients of Unix sockets by user
        --disable-file-column-diff
                                write whole values, not differences, to files
        --disable-file-no-data-conversion
                                accepted; concerns files of clusters only
      \(LimitOptions.usage)\
        --read-only-on-damage   serve what stands before damage, read-only
        -h, --help              display this help message
        -V, --version           display version information

      """)
    Program.exit(EXIT_SUCCESS)
  }
}
