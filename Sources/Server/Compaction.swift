// SPDX-License-Identifier: Apache-2.0
//
// Compaction and conversion of a served database. Both write a new file from a snapshot on a thread of their own, while the database
// goes on, and put it in the old one's place in one step.

import CPosixShims
import Daemon
import Engine
import Journal
import NIOCore
import OVSDB

extension Server {
  private static let compactionCheckInterval = TimeAmount.seconds(60)
  /// How often a conversion is begun anew because the database changed meanwhile; then it is done at one go.
  private static let conversionAttemptsMax = 3

  /// Looks from time to time whether a file should be compacted.
  func watchCompaction() {
    for database in databases.values where database.store?.isCompactionDue() == true {
      log.info("\(database.name): compacting, because the file has grown")
      compact(database) { _ in }
    }
    after(Self.compactionCheckInterval) { [self] in watchCompaction() }
  }

  /// Replaces a database's file by one with the schema and one record.
  ///
  /// - Parameter done: gets nil, or what went wrong; the old file is in use then.
  func compact(_ database: ServedDatabase, done: @escaping (String?) -> Void) {
    guard let store = database.store else { return done(nil) }
    guard !store.isReplacing else { return done("\(store.path): a compaction or conversion is going on") }
    closeSegment()
    let replacement: LogReplacement
    do {
      replacement = try store.log.beginReplacement()
    } catch {
      return done("\(error)")
    }
    store.isReplacing = true
    let snapshot = database.database.snapshot
    let isTrimming = trimsMemory
    inBackground { () -> LogError? in
      do throws(LogError) {
        try replacement.append(
          snapshot, comment: "compacting database online", dateMilliseconds: Clock.wallMilliseconds(), isDifference: true)
        try replacement.catchUp()
      } catch {
        return error
      }
      if isTrimming { posix_shim_trim_memory() }
      return nil
    } then: { [self] failure in
      store.isReplacing = false
      store.restartSchedule()
      if let failure { return done("\(failure)") }
      closeSegment()
      done(finish(replacement, of: store))
    }
  }

  private func finish(_ replacement: LogReplacement, of store: DatabaseStore) -> String? {
    do {
      try store.log.finish(replacement)
      return nil
    } catch {
      log.error("\(store.path): \(error)")
      return "\(error)"
    }
  }

  /// Puts a database under another schema.
  ///
  /// - Parameter done: gets nil, or why nothing was changed.
  func convert(
    _ database: ServedDatabase, to schema: DatabaseSchema, attempt: Int = 1, done: @escaping (OVSDBError?) -> Void
  ) {
    closeSegment()
    if database.store?.isReplacing == true {
      // A compaction is going on; it takes seconds at most.
      return after(.milliseconds(10)) { [self] in convert(database, to: schema, attempt: attempt, done: done) }
    }
    let replacement: LogReplacement?
    do {
      replacement = try database.store?.log.beginReplacement()
    } catch {
      return done(error.object)
    }
    database.store?.isReplacing = true
    let snapshot = database.database.snapshot
    let work: @Sendable () -> Result<ConvertedDatabase, OVSDBError> = {
      Result { () throws(OVSDBError) in try ConvertedDatabase(snapshot, schema, replacement) }
    }
    if attempt > Self.conversionAttemptsMax {
      finishConversion(of: database, work(), replacement, done)
      return
    }
    inBackground(work) { [self] result in
      closeSegment()
      if database.database.sequence != snapshot.sequence, case .success = result {
        database.store?.isReplacing = false
        return convert(database, to: schema, attempt: attempt + 1, done: done)
      }
      finishConversion(of: database, result, replacement, done)
    }
  }

  private func finishConversion(
    of database: ServedDatabase, _ result: Result<ConvertedDatabase, OVSDBError>, _ replacement: LogReplacement?,
    _ done: (OVSDBError?) -> Void
  ) {
    database.store?.isReplacing = false
    switch result {
    case .failure(let error): done(error)
    case .success where databases[database.name] !== database:
      done(OVSDBError(.canceled, "database conversion canceled because the database was removed"))
    case .success(let converted):
      if let store = database.store, let replacement {
        if let failure = finish(replacement, of: store) { return done(OVSDBError(.ioError, failure)) }
        store.restartSchedule()
      }
      database.replace(with: converted.database)
      done(nil)
    }
  }
}

/// A database made on one thread for another. Nobody else has it until it is handed over, which makes it sound to send.
private struct ConvertedDatabase: @unchecked Sendable {
  let database: Database

  init(_ snapshot: Snapshot, _ schema: DatabaseSchema, _ replacement: LogReplacement?) throws(OVSDBError) {
    database = try Conversion.convert(snapshot, to: schema, rules: .live)
    guard let replacement else { return }
    do {
      try replacement.append(
        database.snapshot, comment: "converted by ovsdb-server", dateMilliseconds: Clock.wallMilliseconds(),
        isDifference: true)
      try replacement.catchUp()
    } catch {
      throw error.object
    }
  }
}
