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
    /// How tables become as wide as the terminal, if there is one.
    var fit = TerminalStyle.Fit.cut
    var usesPager = true
  }

  var values = Values()
  let daemon = DaemonOptions()
  private let tls = TLSOptions()
  private var timeoutSeconds: UInt32 = 0

  /// In the order of the peer's table: a message about an ambiguous abbreviation names the options in it.
  var parser: OptionParser {
    // The client never had an option for a peer's certificate authority.
    let tlsOptions = tls.options.filter { $0.name != "peer-ca-cert" }
    return OptionParser(
      options: general + LogOptions.options + daemon.options + tlsOptions + output + terminal)
  }

  private var general: [CommandLineOption] {
    [
      CommandLineOption("help", letter: "h") {
        Output.write(Usage.text)
        Program.exit(EXIT_SUCCESS)
      },
      CommandLineOption("version", letter: "V") {
        Output.write(Program.versionText)
        Program.exit(EXIT_SUCCESS)
      },
      CommandLineOption("timestamp") { [self] in values.table.hasTimestamps = true },
      CommandLineOption("timeout", letter: "t") { [self] (text) throws(UsageError) in
        // Blanks before the number are passed over, as strtol(3) does.
        guard let seconds = UInt32(text.drop(while: \.isWhitespace)), seconds > 0 else {
          throw UsageError("value \(text) on -t or --timeout is invalid")
        }
        timeoutSeconds = seconds
      },
      CommandLineOption("db-change-aware") { [self] in values.isChangeAware = true },
      CommandLineOption("no-db-change-aware") { [self] in values.isChangeAware = false },
      CommandLineOption("force") { [self] in values.isForced = true },
      CommandLineOption("leader-only") { [self] in values.wantsLeader = true },
      CommandLineOption("no-leader-only") { [self] in values.wantsLeader = false },
    ]
  }

  private var output: [CommandLineOption] {
    [
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
        // The number at the beginning of the text, as atoi(3) reads it; what is no positive number means no limit.
        let limit = atoi(text)
        values.table.columnBytesMax = limit > 0 ? Int(limit) : nil
      },
    ]
  }

  /// For people. None of them begins as one of the others does, so that every abbreviation means what it always did.
  private var terminal: [CommandLineOption] {
    [
      CommandLineOption("fit") { [self] (text) throws(UsageError) in
        guard let fit = TerminalStyle.Fit(rawValue: text) else {
          throw UsageError("unknown way to fit tables \"\(text)\", use cut, wrap or off")
        }
        values.fit = fit
      },
      CommandLineOption("no-pager") { [self] in values.usesPager = false },
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
        ciphers: tls.ciphers, ciphersuites: tls.ciphersuites, serverName: tls.serverName, expiryGrace: tls.expiryGrace),
      mayWait: true)
    if !values.detaches, Terminal.isCapable(STDOUT_FILENO) {
      values.table.terminal = TerminalStyle(fit: values.fit, columns: Terminal.size(of: STDOUT_FILENO).columns)
    }
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
