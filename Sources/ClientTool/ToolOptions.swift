// SPDX-License-Identifier: Apache-2.0
//
// The options of ovsdb-client.

import Daemon
import Glibc
import Streams

/// The command line's options.
final class ToolOptions {
  /// What commands look at.
  struct Values: Sendable {
    var table = TableStyle()
    var isChangeAware: Bool?
    var wantsLeader = true
    var isForced = false
    /// Whether to leave the terminal and listen for control commands.
    var detaches = false
  }

  var values = Values()
  let daemon = DaemonOptions()
  private let tls = TLSOptions()
  private var timeoutSeconds: UInt32 = 0

  var parser: OptionParser {
    OptionParser(options: own + daemon.options + LogOptions.options + tls.options)
  }

  private var own: [CommandLineOption] {
    [
      CommandLineOption("help", letter: "h") {
        Output.write(Usage.text)
        Program.exit(EXIT_SUCCESS)
      },
      CommandLineOption("version", letter: "V") {
        Output.write(Program.versionText)
        Program.exit(EXIT_SUCCESS)
      },
      CommandLineOption("format", letter: "f") { [self] (text) throws(UsageError) in
        guard let format = TableStyle.Format(rawValue: text) else { throw UsageError("unknown output format \"\(text)\"") }
        values.table.format = format
      },
      CommandLineOption("data", letter: "d") { [self] (text) throws(UsageError) in
        guard let cells = TableStyle.Cells(rawValue: text) else { throw UsageError("unknown data format \"\(text)\"") }
        values.table.cells = cells
      },
      CommandLineOption("no-headings") { [self] in values.table.hasHeadings = false },
      CommandLineOption("pretty") { [self] in values.table.isPretty = true },
      CommandLineOption("bare") { [self] in
        values.table.format = .list
        values.table.cells = .bare
        values.table.hasHeadings = false
      },
      CommandLineOption("max-column-width") { [self] text in
        // What is no positive number means no limit.
        values.table.columnBytesMax = Int(text).flatMap { $0 > 0 ? $0 : nil }
      },
      CommandLineOption("timestamp") { [self] in values.table.hasTimestamps = true },
      CommandLineOption("db-change-aware") { [self] in values.isChangeAware = true },
      CommandLineOption("no-db-change-aware") { [self] in values.isChangeAware = false },
      CommandLineOption("leader-only") { [self] in values.wantsLeader = true },
      CommandLineOption("no-leader-only") { [self] in values.wantsLeader = false },
      CommandLineOption("force") { [self] in values.isForced = true },
      CommandLineOption("timeout", letter: "t") { [self] (text) throws(UsageError) in
        guard let seconds = UInt32(text), seconds > 0 else {
          throw UsageError("value \(text) on -t or --timeout is invalid")
        }
        timeoutSeconds = seconds
      },
    ]
  }

  /// Takes over what other option groups and the environment decided.
  func takeOver() {
    values.detaches = daemon.detaches
    let tls = tls.values
    TLSContext.shared.configure(
      TLSSettings(
        privateKey: tls.privateKey, certificate: tls.certificate, authority: tls.authority,
        bootstraps: tls.bootstrapsAuthority, peerAuthority: tls.peerAuthority, protocols: tls.protocols,
        ciphers: tls.ciphers, ciphersuites: tls.ciphersuites, serverName: tls.serverName))
    if timeoutSeconds == 0, let text = Paths.environment("OVS_CTL_TIMEOUT") {
      // As with other users of the variable, nonsense in it is ignored.
      timeoutSeconds = UInt32(text) ?? 0
    }
  }

  /// Arranges for the end by SIGALRM. In the process that does the work: an alarm does not pass through fork(2).
  func startTimeout() {
    if timeoutSeconds > 0 { _ = alarm(timeoutSeconds) }
  }
}
