// SPDX-License-Identifier: Apache-2.0
//
// The file behind a database, as the server uses it: records in, compaction beside the commits, conversion.

import Daemon
import Engine
import Journal
import OVSDB

/// A database's log file and what is done with it over time.
final class DatabaseStore {
  let log: LogFile
  /// Write changed sets and maps as differences (`--disable-file-column-diff` turns it off).
  private let usesDifferences: Bool
  var schedule: CompactionSchedule
  /// A compaction or conversion writes a new file; there is one at a time.
  var isReplacing = false
  /// The last failure to write, until a write succeeds: what `get-db-storage-status` tells.
  private(set) var failure: LogError?

  init(log: LogFile, usesDifferences: Bool) {
    self.log = log
    self.usesDifferences = usesDifferences
    schedule = CompactionSchedule(nowMilliseconds: Clock.monotonicMilliseconds(), jitter: .random(in: 0...1))
  }

  var path: String { log.path }

  /// Frames the record of a commit; `flush` writes it.
  func append(_ commit: Commit) -> Bool {
    log.append(commit, dateMilliseconds: Clock.wallMilliseconds(), usesDifferences: usesDifferences)
  }

  func flush() throws(LogError) {
    do {
      try log.flush()
      failure = nil
    } catch {
      failure = error
      throw error
    }
  }

  func discardPending() { log.discardPending() }

  func noteFailedSync(_ error: LogError) { failure = error }

  var syncTarget: SyncTarget { log.syncTarget }

  /// Whether the file has grown so much that it should be compacted.
  func isCompactionDue() -> Bool {
    !isReplacing
      && schedule.isDue(
        nowMilliseconds: Clock.monotonicMilliseconds(), recordCount: log.recordCount, size: log.size, baseSize: log.baseSize)
  }

  func restartSchedule() {
    schedule.restart(nowMilliseconds: Clock.monotonicMilliseconds(), jitter: .random(in: 0...1))
  }
}
