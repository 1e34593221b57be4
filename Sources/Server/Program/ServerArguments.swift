// SPDX-License-Identifier: Apache-2.0
//
// The command line of ovsdb-server.
//
// Source: ovsdb-server(1).

import Daemon
import Glibc
import Streams

/// What the command line asks for.
struct ServerArguments {
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
  /// Backups are converted when their sources are.
  var syncsSchema = false
  var tls = TLSOptions.Values()
  var identifiesUnixUsers = false
}

extension ServerArguments {
  /// Reads the command line; ends the process when it cannot be meant, or only asks for help.
  static func parse(_ daemonOptions: DaemonOptions) -> ServerArguments {
    var arguments = ServerArguments()
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
      CommandLineOption("sync-schema", flag: { arguments.syncsSchema = true }),
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
        --sync-schema           convert backups when their source is converted
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
