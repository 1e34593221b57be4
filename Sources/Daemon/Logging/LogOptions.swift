// SPDX-License-Identifier: Apache-2.0
//
// The logging options of every program: `-v`, `--verbose`, `--log-file`, `--syslog-method`, `--syslog-target`.
// They take effect as they are read, in order.

package enum LogOptions {
  package static var options: [CommandLineOption] {
    [
      CommandLineOption("verbose", letter: "v", argument: .optional) { (text) throws(UsageError) in
        do throws(LogSpecificationError) {
          try LogSystem.shared.apply(specification: text ?? "")
        } catch {
          throw UsageError("processing \"\(text ?? "")\": \(error.text)")
        }
      },
      CommandLineOption("log-file", argument: .optional) { (path) throws(UsageError) in
        // The reason is in the log already: a WARN on the console, as the users' scripts know it.
        guard LogSystem.shared.openFile(path ?? defaultFile) == nil else { throw UsageError(nil) }
      },
      CommandLineOption("syslog-method") { (method) throws(UsageError) in
        do throws(LogSpecificationError) {
          try LogSystem.shared.setSyslogMethod(method)
        } catch {
          throw UsageError(error.text)
        }
      },
      CommandLineOption("syslog-target") { (target) throws(UsageError) in LogSystem.shared.setSyslogTarget(target) },
    ]
  }

  package static var defaultFile: String { "\(Paths.logDirectory)/\(Program.name).log" }

  package static var usage: String {
    """

    Logging options:
      -vSPEC, --verbose=SPEC   set logging levels
      -v, --verbose            set maximum verbosity level
      --log-file[=FILE]        enable logging to specified FILE
                               (default: \(defaultFile))
      --syslog-method=(libc|unix:file|udp:ip:port)
                               specify how to send messages to syslog daemon
      --syslog-target=HOST:PORT  also send syslog msgs to HOST:PORT via UDP

    """
  }
}
