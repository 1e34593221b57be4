// SPDX-License-Identifier: Apache-2.0
//
// What clients may make the server hold, by name. Documentation/reliability.md tells what happens at each.

import Daemon
import Glibc
import JSON
import OVSDB

/// The server's limits. Those of a single layer stand there: nesting (`JSONLimits`), the result of a transaction (`TransactionLimits`),
/// the number of recent commits (`History.commitsMax`).
package struct Limits: Sendable {
  /// The longest message of a client, in bytes. The peer has no limit but memory; half a gigabyte is more than any database that
  /// can be served. `--max-message-size`.
  package var messageBytesMax = 512 << 20

  /// Memory for what all clients have sent and is not executed yet, in bytes, with what parsing makes of it. When it is exceeded the
  /// client that takes most of it is disconnected. `--max-pending-input`.
  package var inputBytesMax = 2 << 30

  /// Messages for all clients that are made and that the kernel has not taken, in bytes. When it is exceeded the client that most of it
  /// is for is disconnected. `--max-pending-output`.
  package var outputBytesMax = 2 << 30

  /// Recent commits that are remembered of a database, in bytes; nil: a quarter of what it takes, or `History.bytesMin` when that is
  /// more. `--history-size`.
  package var historyBytesMax: Int?

  /// Clients that may be connected at once; 0: as many as the process may have descriptors. `--max-sessions`.
  package var sessionsMax = 0

  /// Encoded initial contents that are kept for clients which ask for the same, in bytes over all databases. Beyond it they are
  /// encoded again for each client.
  package var contentsBytesMax = 256 << 20

  /// Rows up to which a reply or update is made at once; a thousand rows take about a millisecond. Larger ones are made piece by piece.
  package var inlineRowsMax = 500
  /// What such rows may take, in bytes: a few rows may be very large.
  package var inlineBytesMax = 1 << 20
  /// What a transaction may take on the loop, in units of `WorkUnits`: some five milliseconds' worth. One that takes more is run beside it.
  package var transactionWorkMax = 100_000
  /// Rows of the tables whose rows are sorted for selects, or told apart by some of their columns, until these are sent, over all
  /// clients; eight bytes each.
  package var arrangedRowsMax = 32 << 20
  /// Bytes of a piece; a single row may be larger.
  package var pieceBytes = 64 << 10

  /// Remotes that one column of a database may configure; each of them has a socket. `--max-database-remotes`.
  package var databaseRemotesMax = 1000

  /// Monitors of one client.
  package var monitorsMax = 1000
  /// Transactions of one client that wait, and conversions under way.
  package var waitsMax = 1000
  /// Locks that one client holds or awaits.
  package var locksMax = 1000
  /// The length of a name that a client gives to a lock, a monitor or a request, in bytes; of ids that are no strings, of what they take
  /// here. The longest known is the id of a backup's monitor with 80 bytes; others are a word or a UUID.
  package var nameBytesMax = 4 << 10
  /// What is reported of a remote's locks in each list of its row's status, in bytes: it is written to the database's file.
  package var statusListBytesMax = 4 << 10
  /// What one client's monitors, waiting transactions and locks say, in bytes of their requests.
  package var keptBytesMax = 256 << 20
  /// The same of all clients.
  package var keptTotalBytesMax = 2 << 30

  package init() {}
}

extension Limits {
  /// Reads the value of an option.
  static func number(_ text: String, of option: String, from least: Int) throws(UsageError) -> Int {
    guard let number = Int(text), number >= least, number <= 1 << 40 else {
      throw UsageError("\(option): \"\(text)\" is not a number from \(least) on")
    }
    return number
  }

  /// Takes as many descriptors as the process may have: each client takes one.
  static func raiseDescriptorLimit() {
    var limit = rlimit()
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    // What cannot be raised stays as it is, and connections beyond it wait.
    _ = setrlimit(resource, &limit)
  }
}

/// What the system has to give.
enum Memory {
  /// Whether there would be so much memory now, in one piece. What other programs do a moment later nobody knows, and a limit of a control
  /// group is not told beforehand.
  static func isAvailable(_ size: Int) -> Bool {
    guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), memory != MAP_FAILED else {
      return false
    }
    munmap(memory, size)
    return true
  }
}
