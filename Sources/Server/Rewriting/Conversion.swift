// SPDX-License-Identifier: Apache-2.0
//
// Conversion of a served database to another schema, beside its clients: all rows of a snapshot are converted and written on a thread
// of their own, then, in ever smaller rounds, what was committed meanwhile; the last few commits are converted on the loop, and
// database and file are swapped in one step (FileRewrite.swift). Whatever is refused on the way leaves everything as it was.

import Engine
import Journal
import NIOCore
import OVSDB

/// One conversion under way: as a client requests, or as the source of a backup was.
final class ServerConversion {
  private let database: ServedDatabase
  private let schema: DatabaseSchema
  private let server: Server
  private let isWanted: () -> Bool
  /// Whether clients see the new schema.
  private(set) var isInPlace = false
  private var attempt = 0
  private var round = 0

  /// How often a conversion is begun anew because commits could not be followed; then it is done at one go.
  private static let attemptsMax = 3
  /// How many commits the loop converts by itself, when they can be made to be so few.
  private static let lastCommitsMax = 64
  private static let roundsMax = 16

  /// - Parameter isWanted: asked until the new schema is in place; once false, the conversion is given up with `canceled`.
  init(
    of database: ServedDatabase, to schema: DatabaseSchema, on server: Server, while isWanted: @escaping () -> Bool = { true }
  ) {
    self.database = database
    self.schema = schema
    self.server = server
    self.isWanted = isWanted
  }

  /// Starts.
  ///
  /// - Parameters:
  ///   - swapped: called when the database has its new schema, before anybody works with it.
  ///   - done: gets nil when the conversion is on stable storage, or why nothing was changed. A failed sync is told as well, though
  ///     `isInPlace` is true then.
  func run(swapped: @escaping () -> Void, done: @escaping (OVSDBError?) -> Void) {
    server.closeSegment()
    if let store = database.store, store.rewriting.isHeld {
      return store.rewriting.wait { [self] in run(swapped: swapped, done: done) }
    }
    guard isServed else { return done(Self.removed) }
    guard isWanted() else { return done(Self.unwanted) }
    let replacement: LogReplacement?
    do {
      replacement = try database.store?.log.beginReplacement()
    } catch {
      return done(error.object)
    }
    attempt += 1
    round = 0
    database.store?.rewriting.take()
    database.followed = []
    let work = ConversionWork(
      database.database.snapshot, to: schema, in: replacement, random: server.makeRandom(),
      wallMilliseconds: server.surroundings.wallMilliseconds)
    let finish: (OVSDBError?) -> Void = { [self] error in
      server.discard(error == nil ? nil : work.replacement) { [self] in
        server.endRewrite(of: database.store)
        database.followed = nil
        if error != nil, !isInPlace, work.hasLostTrack, isServed { return run(swapped: swapped, done: done) }
        if isInPlace { database.store?.restartSchedule() }
        done(error)
      }
    }
    if attempt > Self.attemptsMax {
      return convertAtOnce(work, swapped, finish)
    }
    server.inBackground(on: server.slowWork.rewriting) { work.convertAll() } then: { [self] error in follow(work, error, swapped, finish) }
  }

  private var isServed: Bool { server.databases[database.name] === database }

  private static var removed: OVSDBError {
    OVSDBError(.canceled, "database conversion canceled because the database was removed")
  }

  private static var unwanted: OVSDBError { OVSDBError(.canceled, "database conversion canceled because it is not wanted any more") }

  /// Hands over the commits since the last look.
  private func takeCommits() -> [Commit] {
    server.closeSegment()
    defer { database.followed = [] }
    return database.followed ?? []
  }

  private func follow(
    _ work: ConversionWork, _ error: LogError?, _ swapped: @escaping () -> Void, _ finish: @escaping (OVSDBError?) -> Void
  ) {
    if let error { return finish(error.object) }
    server.closeSegment()
    guard let count = database.followed?.count, count > Self.lastCommitsMax, round < Self.roundsMax else {
      return putInPlace(work, swapped, finish)
    }
    round += 1
    let commits = takeCommits()
    server.inBackground(on: server.slowWork.rewriting) {
      work.follow(commits)
    } then: { [self] error in follow(work, error, swapped, finish) }
  }

  private func putInPlace(
    _ work: ConversionWork, _ swapped: @escaping () -> Void, _ finish: @escaping (OVSDBError?) -> Void
  ) {
    server.putInPlace(of: database) {
      work.replacement?.catchUpResult(copiesCommits: false)
    } swap: { [self] () throws(LogError) in
      try swap(to: work, swapped)
    } done: {
      finish($0?.object)
    }
  }

  /// Converts while everybody waits: when the rows that commits mean are others than those that they name.
  private func convertAtOnce(
    _ work: ConversionWork, _ swapped: @escaping () -> Void, _ finish: @escaping (OVSDBError?) -> Void
  ) {
    do throws(LogError) {
      if let error = work.convertAll() { throw error }
      let remains = try swap(to: work, swapped)
      database.holdSyncs {}
      server.settle(database, remains) { finish($0?.object) }
    } catch {
      finish(error.object)
    }
  }

  private func swap(to work: ConversionWork, _ swapped: () -> Void) throws(LogError) -> Remains {
    guard isServed else { throw LogError(Self.removed) }
    guard isWanted() else { throw LogError(Self.unwanted) }
    if let error = work.follow(takeCommits()) { throw error }
    guard let converted = work.converted else { throw LogError(.ovsdbError, "\(database.name): nothing was converted") }
    var file: Descriptor?
    if let store = database.store, let replacement = work.replacement {
      file = try store.log.swap(to: replacement, copiesCommits: false)
    }
    let contents = database.replace(with: converted.database)
    isInPlace = true
    swapped()
    return contents.with((file, work))
  }
}

/// What a conversion does away from the loop.
///
/// `@unchecked Sendable`: one thread at a time works with it; the loop hands it out and gets it back.
private final class ConversionWork: @unchecked Sendable {
  private var snapshot: Snapshot?
  private let schema: DatabaseSchema
  private let random: RandomSource
  private let wallMilliseconds: @Sendable () -> Int64
  let replacement: LogReplacement?
  private(set) var converted: ConvertedDatabase?
  /// Commits could not be followed; another attempt from the beginning is needed.
  private(set) var hasLostTrack = false

  init(
    _ snapshot: Snapshot, to schema: DatabaseSchema, in replacement: LogReplacement?, random: RandomSource,
    wallMilliseconds: @escaping @Sendable () -> Int64
  ) {
    self.random = random
    self.wallMilliseconds = wallMilliseconds
    self.snapshot = snapshot
    self.schema = schema
    self.replacement = replacement
  }

  /// Converts and writes all rows.
  func convertAll() -> LogError? {
    guard let snapshot = snapshot.take() else { return nil }
    do throws(OVSDBError) {
      let converted = try ConvertedDatabase(snapshot, to: schema, random: random)
      self.converted = converted
      return written { [wallMilliseconds] (replacement) throws(LogError) in
        try replacement.append(
          converted.database.snapshot, comment: "converted by ovsdb-server", dateMilliseconds: wallMilliseconds(),
          isDifference: true)
        try replacement.catchUp(copiesCommits: false)
      }
    } catch {
      return LogError(error)
    }
  }

  /// Converts and writes what was committed since.
  func follow(_ commits: [Commit]) -> LogError? {
    guard !commits.isEmpty, let converted else { return nil }
    do throws(OVSDBError) {
      guard let commit = try converted.follow(commits) else { return nil }
      return written { [wallMilliseconds] (replacement) throws(LogError) in
        try replacement.append(commit, dateMilliseconds: wallMilliseconds())
      }
    } catch {
      hasLostTrack = converted.hasLostTrack
      return LogError(error)
    }
  }

  private func written(_ body: (LogReplacement) throws(LogError) -> Void) -> LogError? {
    guard let replacement else { return nil }
    do throws(LogError) {
      try body(replacement)
      return nil
    } catch {
      return error
    }
  }
}
