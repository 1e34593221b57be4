// SPDX-License-Identifier: Apache-2.0
//
// Compaction of a served database: its file is replaced by one with the schema and one record, written from a snapshot.

import Engine
import JSON
import Journal
import NIOCore
import OVSDB

extension Server {
  private static let compactionCheckInterval = TimeAmount.seconds(60)

  /// Looks from time to time whether a file should be compacted.
  func watchCompaction() {
    for database in databases.values where database.store?.isCompactionDue() == true {
      databaseLog.info("\(database.name): compacting, because the file has grown")
      compact(database) { _ in }
    }
    after(Self.compactionCheckInterval) { [self] in watchCompaction() }
  }

  /// Replaces a database's file by one with the schema and one record.
  ///
  /// - Parameter done: gets nil, or what went wrong; the old file is in use then.
  func compact(_ database: ServedDatabase, done: @escaping (String?) -> Void) {
    guard let store = database.store else { return done(nil) }
    guard !store.rewriting.isHeld else { return done("\(store.path): a compaction or conversion is going on") }
    let (before, start) = (store.log.size, nowMilliseconds)
    rewrite(database, comment: "compacting database online") { [self] failure in
      if let failure {
        databaseLog.error("\(database.name): compaction failed: \(failure)")
      } else {
        let milliseconds = nowMilliseconds.saturatingMinus(start)
        databaseLog.info("\(database.name): compacted from \(before) to \(store.log.size) bytes in \(milliseconds) ms")
      }
      done(failure.map { "\($0)" })
    }
  }

  /// Writes a database into a new file that takes the place of the old one. No other replacement may be going on.
  func rewrite(_ database: ServedDatabase, comment: String, done: @escaping (LogError?) -> Void) {
    guard let store = database.store else { return done(nil) }
    closeSegment()
    let replacement: LogReplacement
    do {
      replacement = try store.log.beginReplacement()
    } catch {
      return done(error)
    }
    if let warning = replacement.unkeptAttribute, !store.hasWarnedOfAttribute {
      databaseLog.warning("\(warning)")
      store.hasWarnedOfAttribute = true
    }
    store.rewriting.take()
    let snapshot = database.database.snapshot
    let finish: (LogError?) -> Void = { [self] failure in
      discard(failure == nil ? nil : replacement) { [self] in
        endRewrite(of: store)
        store.restartSchedule()
        done(failure)
      }
    }
    let wallMilliseconds = surroundings.wallMilliseconds
    inBackground(on: slowWork.rewriting) { () -> LogError? in
      do throws(LogError) {
        try replacement.append(
          snapshot, comment: comment, dateMilliseconds: wallMilliseconds(), isDifference: true)
        try replacement.catchUp()
      } catch {
        return error
      }
      return nil
    } then: { [self] failure in
      if let failure { return finish(failure) }
      putInPlace(of: database) {
        replacement.catchUpResult()
      } swap: { () throws(LogError) in
        Remains(try store.log.swap(to: replacement))
      } done: {
        finish($0)
      }
    }
  }
}

extension LogReplacement {
  /// Catches up, with the error as a value.
  func catchUpResult(copiesCommits: Bool = true) -> LogError? {
    do throws(LogError) {
      try catchUp(copiesCommits: copiesCommits)
      return nil
    } catch {
      return error
    }
  }
}
