// SPDX-License-Identifier: Apache-2.0
//
// The file behind a database, as the server uses it: records in, what is wrong with it, when to compact it. How a file is replaced by
// another one stands in FileRewrite.swift.

import Engine
import Glibc
import Journal
import Logging
import OVSDB

/// A database's log file and what is done with it over time.
final class DatabaseStore {
  let log: LogFile
  /// Write changed sets and maps as differences (`--disable-file-column-diff` turns it off).
  var usesDifferences: Bool
  var schedule: CompactionSchedule
  /// Who writes a new file.
  var rewriting = RewriteQueue()
  /// Whether the log says already that a new file could not get the old one's owner or mode.
  var hasWarnedOfAttribute = false
  /// Why the last write failed; nil when it succeeded.
  private var writeFailure: LogError?
  /// Writes that failed since the last one that succeeded.
  private var failedWriteCount = 0
  private let logger: Logger
  private unowned let server: Server

  init(log: LogFile, usesDifferences: Bool, server: Server) {
    self.log = log
    self.usesDifferences = usesDifferences
    logger = server.log
    self.server = server
    schedule = CompactionSchedule(nowMilliseconds: server.nowMilliseconds, jitter: .random(in: 0...1, using: &server.random))
  }

  var path: String { log.path }

  /// Whether a path leads to this file, by whatever way.
  func isAt(_ other: String) -> Bool {
    if other == path { return true }
    guard let resolved = Self.resolved(other) else { return false }
    return resolved == Self.resolved(log.resolvedPath)
  }

  private static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Frames the record of a commit; `write` writes it.
  func append(_ commit: Commit) -> Bool {
    log.append(commit, dateMilliseconds: server.surroundings.wallMilliseconds(), usesDifferences: usesDifferences)
  }

  /// Hands the framed records to the kernel; `keepWritten` makes them part of the file, `cutWritten` removes them again.
  func write() throws(LogError) {
    do {
      try log.writePending()
    } catch {
      noteFailedWrite(error)
      throw error
    }
    if failedWriteCount > 0 { noteRecovery() }
  }

  func beginAppendix() throws(LogError) -> LogAppendix {
    do {
      return try log.beginAppendix()
    } catch {
      noteFailedWrite(error)
      throw error
    }
  }

  /// - Returns: why the record is not in the file although it is wanted.
  func endAppendix(_ written: Result<Int, LogError>, isKept: Bool) -> LogError? {
    do throws(LogError) {
      let end = try written.get()
      try log.endAppendix(keeping: isKept ? end : nil)
      if failedWriteCount > 0 { noteRecovery() }
      return nil
    } catch {
      if log.hasAppendix { try? log.endAppendix(keeping: nil) }
      noteFailedWrite(error)
      return error
    }
  }

  func keepWritten() { log.keepWritten() }

  func cutWritten() { log.cutWritten() }

  func discardPending() { log.discardPending() }

  var syncTarget: SyncTarget { log.syncTarget }

  // MARK: - What is wrong

  /// What keeps commits from being stored at this moment: a write that failed is tried once more for the answer.
  func presentFailure() -> LogError? {
    if let failure = log.damage ?? log.syncFailure { return failure }
    guard failedWriteCount > 0 else { return nil }
    do throws(LogError) {
      try log.probe()
      noteRecovery()
      return nil
    } catch {
      writeFailure = error
      return error
    }
  }

  /// A full disk can refuse thousands of commits a second; its log need not fill up with that.
  private func noteFailedWrite(_ error: LogError) {
    if failedWriteCount == 0 || writeFailure != error { logger.error("\(error); commits are refused until writing succeeds") }
    writeFailure = error
    failedWriteCount += 1
  }

  private func noteRecovery() {
    logger.info("\(path): writing succeeds again, after \(failedWriteCount) failed writes")
    writeFailure = nil
    failedWriteCount = 0
  }

  // MARK: - When to compact

  /// Whether the file has grown so much that it should be compacted.
  func isCompactionDue() -> Bool {
    !rewriting.isHeld && log.damage == nil
      && schedule.isDue(
        nowMilliseconds: server.nowMilliseconds, recordCount: log.recordCount, size: log.size, baseSize: log.baseSize)
  }

  func restartSchedule() {
    schedule.restart(nowMilliseconds: server.nowMilliseconds, jitter: .random(in: 0...1, using: &server.random))
  }
}
