// SPDX-License-Identifier: Apache-2.0
//
// The options of programs that can run in the background. `Daemonizer` acts on them.

package final class DaemonOptions {
  package var detaches = false
  package var isMonitored = false
  package var changesDirectory = true
  /// Absolute; nil: no pid file.
  package var pidFile: String?
  package var overwritesPIDFile = false
  package var user: UserSwitch?

  package init() {}

  package var options: [CommandLineOption] {
    [
      CommandLineOption("detach") { [self] in detaches = true },
      CommandLineOption("monitor") { [self] in isMonitored = true },
      CommandLineOption("pidfile", argument: .optional) { [self] path in
        pidFile = Paths.absolute(path ?? "\(Program.name).pid", in: Paths.runDirectory)
      },
      CommandLineOption("overwrite-pidfile") { [self] in overwritesPIDFile = true },
      // Confinement never applied to these programs: any path may be used.
      CommandLineOption("no-self-confinement") {},
      CommandLineOption("no-chdir") { [self] in changesDirectory = false },
      CommandLineOption("user") { [self] (text) throws(UsageError) in user = try UserSwitch(parsing: text) },
    ]
  }

  package static var usage: String {
    """

    Daemon options:
      --detach                run in background as daemon
      --monitor               creates a process to monitor this daemon
      --user=username[:group] changes the effective daemon user:group
      --no-chdir              do not chdir to '/'
      --pidfile[=FILE]        create pidfile (default: \(Paths.runDirectory)/\(Program.name).pid)
      --overwrite-pidfile     with --pidfile, start even if already running

    """
  }
}
