// SPDX-License-Identifier: Apache-2.0
//
// Active-backup: databases of this server kept equal to those of another one, the source. Which source, and for which databases, is
// the business of BackupManager.swift; what a source's words mean is in SourceRows.swift; whether its schema fits, in
// Backup+Schemas.swift.
//
// A backup does not empty its tables before it copies: it makes the difference between what the source has and what is here, in one
// commit. So its clients see what changed and nothing else, and a crash leaves the old rows or the new ones.
//
// Source: Documentation/protocol/server.md#backups.

import Client
import Engine
import JSON
import JSONRPC
import Logging
import NIOCore
import OVSDB
import Streams

/// One source and the databases that follow it.
final class Backup {
  enum State {
    /// No copy was made since the connection stands, if it does.
    case connecting
    case replicating
    /// No database fits the source, which may change (Backup+Schemas.swift).
    case idle
    /// There was a copy, and the source was lost.
    case lost
  }

  /// The source's name.
  let source: String
  let excluded: ExcludedTables
  var state = State.connecting
  /// The one database that follows; nil: all that the source has too.
  private let only: String?
  unowned let server: Server
  /// Why the source does not give its contents, when it said so at the last attempt.
  var refusal: String?
  /// Why replication ended by itself, with the source.
  private(set) var endReason: String?
  /// Databases that cannot follow (Backup+Schemas.swift).
  var misfits: [SchemaMisfit] = []
  let link: SourceLink
  private let ended: (Backup) -> Void
  /// Databases under replication.
  var copies: [String: Copy] = [:]
  /// Counts connections and ends: what was begun for one of them is not wanted after it.
  var generation = 0
  /// Databases about which the source was asked something that it has not answered.
  var awaitedSchemas = 0
  /// Updates of this connection that came round a ring (BackupRing.swift).
  private var roundCount = 0
  /// How often the ring was left.
  private var ringPauseCount = 0
  let log = Logger(label: "replication")

  /// A database that follows.
  struct Copy {
    let database: ServedDatabase
    /// As it was when the copy began: a conversion meanwhile makes what the source tells meaningless.
    let schema: DatabaseSchema
    /// The tables that are replicated.
    let tables: [TableSchema]
    var isDone = false

    /// Whether the database is what it was.
    var isCurrent: Bool { database.database.schema === schema }
  }

  /// How long a source may take to answer a short question, and to send everything it has.
  private static let answerMilliseconds: Int64 = 60_000
  private static let contentsMilliseconds: Int64 = 600_000

  /// - Parameter ended: called when replication has ended by itself: the databases are active again.
  init(
    from method: ConnectionMethod, options: RemoteOptions, only: String?, excluding excluded: ExcludedTables,
    server: Server, ended: @escaping (Backup) -> Void
  ) {
    source = method.name
    self.only = only
    self.excluded = excluded
    self.server = server
    self.ended = ended
    link = SourceLink(
      [method], on: server.eventLoop, rundir: server.rundir,
      probeMilliseconds: options.probeMilliseconds ?? BackupManager.defaultProbeMilliseconds,
      messageBytesMax: server.limits.messageBytesMax, maxBackoffMilliseconds: options.maxBackoffMilliseconds,
      dscp: options.dscp)
    link.owner = self
  }

  /// Names of the databases that follow, sorted.
  var names: [String] { copies.keys.sorted { Text($0) < Text($1) } }

  func start() { link.start() }

  func stop() {
    generation += 1
    link.stop()
  }

  /// Whether a database is replicated or about to be.
  func isCopying(_ database: String) -> Bool { copies[database] != nil }

  func setProbe(milliseconds: Int64) { link.probeMilliseconds = milliseconds }

  // MARK: - The dialogue, step by step

  private func askID() {
    ask("get_server_id", params: { $0.append("[]") }) { [weak self] reply in
      guard let self else { return }
      if case .result(let json) = reply {
        guard let id = json.utf8.flatMap({ UUID(utf8: $0) }) else { return distrust("is no server id", json) }
        if id == server.id { return end("Self replicating is not allowed") }
      }
      // A source that does not know the method is too old to be this server.
      askNames()
    }
  }

  private func askNames() {
    ask("list_dbs", params: { $0.append("[]") }) { [weak self] reply in
      guard let self else { return }
      guard case .result(let names) = reply, names.kind == .array else { return distrust("is no list of databases", reply) }
      let known = Set(names.elements.compactMap(\.string))
      let common = server.databases.values.filter { database in
        database.store != nil && (only == nil || database.name == only) && known.contains(database.name)
      }.sorted { $0.name < $1.name }
      guard !common.isEmpty else { return end("Nothing to replicate.") }
      askSchemas(of: common)
    }
  }

  func askContents(of name: String, _ schema: DatabaseSchema, _ tables: [TableSchema]) {
    let params: (inout ByteWriter) -> Void = { [self] writer in
      writer.append("[")
      writer.appendQuoted(name)
      // Who asks is part of the id: servers that follow each other notice it by that (BackupRing.swift).
      writer.append(utf8: ",[\"\(Self.monitorWord)\",")
      writer.appendQuoted(name)
      writer.append(",\"")
      server.backups.mark.write(to: &writer)
      writer.append("\"],{")
      for (position, table) in tables.enumerated() {
        if position > 0 { writer.append(",") }
        writer.appendQuoted(table.name)
        writer.append(":[{\"columns\":")
        Self.write(schema.table(named: table.name)?.columns.map(\.name) ?? [], to: &writer)
        writer.append("}]")
      }
      writer.append("}]")
    }
    defer { if !server.backups.followers.all(of: name).isEmpty { tellFollowers(of: name) } }
    link.call("monitor", timeoutMilliseconds: Self.contentsMilliseconds, isLarge: true, params: params) { [weak self] reply in
      guard let self else { return }
      switch reply {
      case .result(let contents): copyContents(contents, to: name)
      case .error(let error):
        refusal = error.member("details")?.string
        distrust("is no contents of \(name)", error)
      case .lost: break
      }
    }
  }

  /// Makes a database what the source says it is.
  private func copyContents(_ contents: JSONValue, to name: String) {
    guard let copy = copies[name] else { return }
    guard copy.isCurrent else { return beginAnew(name) }
    take(contents, of: copy, complete: copy.tables) { [self] taken, error in
      switch error?.tag {
      case nil: noteCopied(name, taken)
      case .ioError: retry(name, error)
      case .canceled: beginAnew(name)
      default: end("\(name): the contents of the source do not fit: \(error?.description ?? "")")
      }
    }
  }

  /// Takes what is too much for the loop. What the source tells next waits.
  private func take(
    _ updates: JSONValue, of copy: Copy, complete: [TableSchema], done: @escaping (SourceCopy, OVSDBError?) -> Void
  ) {
    let taken = SourceCopy(
      updates, of: link.takeMessage(), .whole, schema: copy.schema, complete: complete, terms: ReplicaTerms())
    link.hold()
    let generation = generation
    server.take(taken, into: copy.database) { [weak self] in
      self?.generation == generation
    } done: { [weak self] error in
      done(taken, error)
      self?.link.release()
    }
  }

  private func noteCopied(_ name: String, _ copy: SourceCopy) {
    log.info("\(name): the contents are those of \(source): \(copy.rowCount) rows, of which \(copy.changedRowCount) were changed here")
    copies[name]?.isDone = true
    refreshState()
  }

  private func follow(_ params: JSONValue) {
    guard let name = params[0]?[1]?.string, let copy = copies[name], copy.isDone, let updates = params[1] else {
      return distrust("is no update", params)
    }
    guard copy.isCurrent else { return beginAnew(name) }
    guard !goesRound(name) else { return leaveRing(name) }
    guard link.messageSize <= SourceCopy.smallMessageBytesMax else {
      return take(updates, of: copy, complete: []) { [self] _, error in if let error { retry(name, error) } }
    }
    do {
      let rows = try SourceRows(database: copy.database.database).read(updates, .whole)
      try server.replicate(rows, terms: ReplicaTerms(), in: copy.database)
    } catch {
      retry(name, error)
    }
  }

  // MARK: - Rings

  /// Counts an update. In a ring, where nobody writes, there are no more of them than were on their way, or they go round.
  private func goesRound(_ name: String) -> Bool {
    guard server.backups.rings.contains(name) else { return false }
    roundCount += 1
    return roundCount > Self.roundsMax
  }

  private func leaveRing(_ name: String) {
    let pause = ringPauseMilliseconds(ringPauseCount)
    ringPauseCount += 1
    log.warning("\(name): rows go round a ring of backups, leaving it for a while")
    link.abandon(extraPauseMilliseconds: pause)
  }

  // MARK: - What goes wrong

  func ask(
    _ method: StaticString, params: (inout ByteWriter) -> Void, then: @escaping (SourceReply) -> Void
  ) {
    link.call(method, timeoutMilliseconds: Self.answerMilliseconds, params: params) { reply in
      if case .lost = reply { return }
      then(reply)
    }
  }

  /// The source does not speak as a source does; perhaps it will after a while.
  func distrust(_ problem: String, _ reply: SourceReply) {
    switch reply {
    case .result(let json), .error(let json): distrust(problem, json)
    case .lost: break
    }
  }

  private func distrust(_ problem: String, _ json: JSONValue) {
    distrust("\(json.text().prefix(200)) \(problem)")
  }

  func distrust(_ problem: String) {
    log.warning("\(source): bad answer: \(problem)")
    link.abandon()
  }

  /// What the source told could not be done here; the copy begins anew after a pause.
  func retry(_ name: String, _ error: OVSDBError?) {
    log.error("\(name): a change of \(source) cannot be made here, all is copied anew: \(error?.description ?? "")")
    link.abandon()
  }

  private func beginAnew(_ name: String) {
    log.info("\(name): converted while it was replicated, all is copied anew")
    link.abandon()
  }

  /// Replication is over; the databases are active again.
  func end(_ reason: String) {
    log.error("\(source): replication ends, this server is active: \(reason)")
    endReason = "\(source): \(reason)".escapingControlCharacters()
    ended(self)
  }

  // MARK: - JSON

  static func write(_ names: [String], to writer: inout ByteWriter) {
    writer.append("[")
    for (position, name) in names.enumerated() {
      if position > 0 { writer.append(",") }
      writer.appendQuoted(name)
    }
    writer.append("]")
  }
}

extension Backup: SourceLinkOwner {
  func linkConnected(_ link: SourceLink) {
    generation += 1
    copies = [:]
    misfits = []
    roundCount = 0
    state = .connecting
    askID()
  }

  func link(_ link: SourceLink, received method: JSONValue, _ params: JSONValue) {
    if method.isString("update") { follow(params) }
  }

  func linkDrained(_ link: SourceLink) {}

  func linkBecameWritable(_ link: SourceLink) {}

  func linkLost(_ link: SourceLink) {
    generation += 1
    state = state == .connecting ? .connecting : .lost
    awaitedSchemas = 0
  }
}
