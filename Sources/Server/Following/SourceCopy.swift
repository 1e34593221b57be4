// SPDX-License-Identifier: Apache-2.0
//
// What a source tells in large (Backup.swift, Relay.swift): read and made a commit on a thread of its own, of a snapshot, while
// clients are served; then put in place in one step. A database with a file gets a new one for it, with one record that holds all,
// as a conversion does (FileRewrite.swift). What changes few rows is a commit like any other.
//
//     loop        begin ─┐                       ┌─ begin file ─┐               ┌─ swap: file, rows, monitors ─┐
//     background         └─ read, compare, check ┘              └─ write, sync ─┘                              └─ sync name, let go
//
// Nobody writes to a database that follows another one, so it is at the end what it was at the beginning; if not, it follows no more,
// and the copy is dropped.

import CPosixShims
import Engine
import JSON
import Journal
import NIOCore
import OVSDB

/// Rows of a source on their way into a database.
///
/// `@unchecked Sendable`: the loop makes it, one thread at a time works with it, and the loop gets it back.
final class SourceCopy: @unchecked Sendable {
  /// What the values of `updates` last with.
  private var message: [JSONDocument]
  private let updates: JSONValue
  private let format: SourceFormat
  /// Of the database that the source was asked for.
  let schema: DatabaseSchema
  /// The tables of which every row is told.
  private let complete: [TableSchema]
  private let terms: ReplicaTerms
  private(set) var rowCount = 0
  /// Rows that are not as they were.
  private(set) var changedRowCount = 0
  /// The database with the rows.
  private(set) var database: Database?
  /// What is new in it; nil when nothing is.
  private(set) var commit: Commit?

  init(
    _ updates: JSONValue, of message: [JSONDocument], _ format: SourceFormat, schema: DatabaseSchema,
    complete: [TableSchema], terms: ReplicaTerms
  ) {
    self.message = message
    self.updates = updates
    self.format = format
    self.schema = schema
    self.complete = complete
    self.terms = terms
  }

  /// A message of this size is not worth another thread.
  static let smallMessageBytesMax = 64 << 10
  /// Of a database's rows the share that is worth a new file: less is a record behind the others.
  private static let rewrittenShare = 32

  /// Makes the rows those of a database.
  func run(_ database: Database) -> OVSDBError? {
    do throws(OVSDBError) {
      for text in message { text.settle() }
      let rows = try SourceRows(database: database).read(updates, format)
      rowCount = rows.count
      message = []
      commit = try database.replicate(rows, complete: complete, terms: terms)
      changedRowCount = commit?.tables.reduce(0) { $0 + $1.rows.count } ?? 0
      self.database = database
      return nil
    } catch {
      message = []
      return error
    }
  }

  /// Whether the file is better written anew than grown.
  var isWorthRewriting: Bool {
    guard let database else { return false }
    return changedRowCount > database.tables.reduce(0) { $0 + $1.rows.count } / Self.rewrittenShare
  }

  /// Takes everything out, to be let go of elsewhere.
  func takeRemains() -> Any {
    defer { (database, commit, message) = (nil, nil, []) }
    return (database, commit, message)
  }
}

extension Server {
  /// Has a copy made of what a database is now, and puts it in place.
  ///
  /// - Parameters:
  ///   - isWanted: whether what the source told still counts.
  ///   - done: gets nil when the database has the rows, or why it has not; not called when the copy is not wanted any more.
  func take(
    _ copy: SourceCopy, into database: ServedDatabase, isWanted: @escaping () -> Bool, done: @escaping (OVSDBError?) -> Void
  ) {
    guard isWanted(), databases[database.name] === database else { return }
    if let store = database.store, store.rewriting.isHeld {
      return store.rewriting.wait { [self] in take(copy, into: database, isWanted: isWanted, done: done) }
    }
    guard database.database.schema === copy.schema else { return done(Self.changedMeanwhile(database)) }
    closeSegment()
    database.store?.rewriting.take()
    let (snapshot, random) = (database.database.snapshot, makeRandom())
    let isPossible = {
      isWanted() && database.database.schema === snapshot.schema && database.database.sequence == snapshot.sequence
    }
    let finish: (OVSDBError?) -> Void = { [self] error in
      endRewrite(of: database.store)
      letGo(Remains(copy.takeRemains()))
      if isWanted() { done(error) }
    }
    inBackground(on: slowWork.rewriting) { copy.run(Database(snapshot, random: random)) } then: { [self] error in
      closeSegment()
      if let error { return finish(error) }
      guard isPossible() else { return finish(Self.changedMeanwhile(database)) }
      guard let commit = copy.commit else { return finish(nil) }
      if copy.changedRowCount <= limits.inlineRowsMax || (database.store != nil && !copy.isWorthRewriting) {
        finish(make(commit, in: database))
      } else if database.store != nil {
        write(copy, into: database, isPossible: isPossible, done: finish)
      } else {
        let remains = adopt(copy, in: database)
        finish(nil)
        if let remains { letGo(remains) }
      }
    }
  }

  private static func changedMeanwhile(_ database: ServedDatabase) -> OVSDBError {
    OVSDBError(.canceled, "\(database.name) was changed while it was copied")
  }

  /// Makes a commit that was made of the same rows elsewhere.
  func make(_ commit: Commit, in database: ServedDatabase) -> OVSDBError? {
    let previousID = database.database.lastCommitID
    database.database.apply(commit)
    return recordAlone(commit, in: database, previousID: previousID)
  }

  /// Writes a new file and puts it in place together with the rows.
  private func write(
    _ copy: SourceCopy, into database: ServedDatabase, isPossible: @escaping () -> Bool,
    done: @escaping (OVSDBError?) -> Void
  ) {
    guard let store = database.store, let snapshot = copy.database?.snapshot else { return done(nil) }
    let replacement: LogReplacement
    do {
      replacement = try store.log.beginReplacement()
    } catch {
      return done(error.object)
    }
    let finish: (LogError?) -> Void = { [self] failure in
      discard(failure == nil ? nil : replacement) { done(failure?.object) }
    }
    let wallMilliseconds = surroundings.wallMilliseconds
    inBackground(on: slowWork.rewriting) { () -> LogError? in
      do throws(LogError) {
        try replacement.append(
          snapshot, comment: "copied from an active server", dateMilliseconds: wallMilliseconds(), isDifference: true)
        try replacement.catchUp(copiesCommits: false)
        return nil
      } catch {
        return error
      }
    } then: { [self] failure in
      if let failure { return finish(failure) }
      putInPlace(of: database) {
        replacement.catchUpResult(copiesCommits: false)
      } swap: { [self] () throws(LogError) in
        guard isPossible() else { throw LogError(Self.changedMeanwhile(database)) }
        let file = try store.log.swap(to: replacement, copiesCommits: false)
        store.restartSchedule()
        return adopt(copy, in: database)?.with(file) ?? Remains(file)
      } done: {
        finish($0)
      }
    }
  }

  /// Puts the rows in place and tells everyone.
  ///
  /// - Returns: what was there before.
  private func adopt(_ copy: SourceCopy, in database: ServedDatabase) -> Remains? {
    guard let made = copy.database, let commit = copy.commit else { return nil }
    let previousID = database.database.lastCommitID
    let remains = database.adopt(made, commit)
    segments.add(commit, of: database.handle, previousID: previousID, isWritten: true)
    closeSegment()
    for session in sessions where session.isOwed { session.resume() }
    return remains
  }

  /// Lets go of something on a thread that has the time.
  func letGo(_ remains: Remains) {
    let isTrimming = trimsMemory
    inBackground(on: slowWork.rewriting) {
      remains.release(isTrimming: isTrimming)
    } then: { _ in }
  }
}
