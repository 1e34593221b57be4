// SPDX-License-Identifier: Apache-2.0
//
// The options that set limits.

import Daemon

/// Limits as the command line sets them.
final class LimitOptions {
  private(set) var limits = Limits()

  /// To be parsed together with the program's other options.
  var options: [CommandLineOption] {
    [
      option("max-sessions", from: 1, \.sessionsMax),
      option("max-database-remotes", from: 1, \.databaseRemotesMax),
      option("max-message-size", from: 1 << 16, \.messageBytesMax),
      option("max-pending-input", from: 1 << 20, \.inputBytesMax),
      option("max-pending-output", from: 1 << 20, \.outputBytesMax),
      CommandLineOption("history-size") { [self] (text: String) throws(UsageError) in
        limits.historyBytesMax = try Limits.number(text, of: "--history-size", from: 0)
      },
    ]
  }

  private func option(_ name: String, from least: Int, _ limit: WritableKeyPath<Limits, Int>) -> CommandLineOption {
    CommandLineOption(name) { [self] (text: String) throws(UsageError) in
      limits[keyPath: limit] = try Limits.number(text, of: "--\(name)", from: least)
    }
  }

  static let usage = """
      --max-sessions=N        refuse connections beyond N sessions
      --max-database-remotes=N
                              remotes that one column configures (default: 1000)
      --max-message-size=BYTES
                              refuse longer messages (default: 512 MiB)
      --max-pending-input=BYTES, --max-pending-output=BYTES
                              disconnect the greediest client when so much of
                              all clients waits (default: 2 GiB each)
      --history-size=BYTES    remember recent commits up to BYTES for clients
                              that reconnect (default: a quarter of a
                              database's size in memory, at least 8 MiB)

    """
}
