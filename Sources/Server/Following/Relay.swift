// SPDX-License-Identifier: Apache-2.0
//
// Relay: a database of another server, the source, served from memory. Reading is done here; what would write is passed on to the source
// (Relay+Forwarding.swift). The source is followed by its monitors, whose words SourceRows.swift reads.
//
// Source: Documentation/protocol/server.md#relays.

import Client
import DequeModule
import Engine
import JSON
import JSONRPC
import Logging
import NIOCore
import OVSDB
import Streams

/// What makes a database a relay.
final class Relay {
  enum State {
    /// No connection, or one that is not far enough.
    case connecting
    /// What the source has is here, and its changes come.
    case following
  }

  let name: String
  /// As configured, for comparison with a new configuration.
  let sources: [String]
  private(set) var state = State.connecting
  /// Whether there ever was a schema, so that there is something to read.
  private(set) var isAvailable = false
  /// What the source in use did at the last attempt, when it was of no use; nil while the relay follows one (Relay+Problem.swift).
  private(set) var refusal: String?
  unowned let database: ServedDatabase
  unowned let server: Server
  let link: SourceLink
  let log = Logger(label: "relay")

  /// The schema of the source, while it is not that of the database yet.
  private var newSchema: DatabaseSchema?
  /// The source's id of the state that is here; nil when it gave none, or what is here is not to be trusted.
  private var sourceCommitID: UUID?
  /// Why there is none.
  private var copyReason = RelayCopyReason.nothingHere
  private var monitor = RelayMonitor.since
  /// What the source says of its own source, if it is a relay itself.
  private var isSourceConnected = true
  /// Sources that were passed over since one was good, because they had lost theirs.
  private var passedOver = 0
  /// Until then the loss of the source is nobody's business.
  private var grace: Scheduled<Void>?
  /// Counts connections and ends: what was begun for one of them is not wanted after it.
  private var generation = 0
  /// Messages of the source are being handled: the segment is closed after the last of them.
  private var isInBurst = false

  /// Requests for the source that wait for it (Relay+Forwarding.swift).
  var waiting: Deque<ForwardedRequest> = []
  var inFlight: [Int64: ForwardedRequest] = [:]

  static let defaultProbeMilliseconds: Int64 = 5000
  /// How long a lost source counts as connected in `_Server`.
  private static let graceInterval = TimeAmount.seconds(30)
  /// How long a source may take to answer a short question, and to send everything it has.
  private static let answerMilliseconds: Int64 = 60_000
  private static let contentsMilliseconds: Int64 = 600_000

  /// - Parameter methods: the sources, not empty.
  init(_ methods: [ConnectionMethod], options: RemoteOptions, of database: ServedDatabase, server: Server) {
    name = database.name
    sources = methods.map(\.name)
    self.database = database
    self.server = server
    // Several relays of the same sources spread over them.
    link = SourceLink(
      methods.shuffled(using: &server.random), on: server.eventLoop, rundir: server.rundir,
      probeMilliseconds: options.probeMilliseconds ?? Self.defaultProbeMilliseconds,
      messageBytesMax: server.limits.messageBytesMax, maxBackoffMilliseconds: options.maxBackoffMilliseconds,
      dscp: options.dscp)
    link.owner = self
  }

  func start() { link.start() }

  /// Ends the relay with its database. Who waits for the source is told.
  func stop() {
    generation += 1
    grace?.cancel()
    link.stop()
    cancelForwarded(inFlightOnly: false)
    endBurst()
  }

  /// For `_Server`.
  var isConnected: Bool { isAvailable && isSourceConnected && (state == .following || grace != nil) }

  // MARK: - The dialogue, step by step

  private func begin() {
    generation += 1
    monitor = .since
    newSchema = nil
    isSourceConnected = true
    // Else a conversion at the source would end the connection.
    ask("set_db_change_aware", params: { $0.append("[true]") }) { _ in }
    ask("get_server_id", params: { $0.append("[]") }) { [weak self] reply in
      guard let self else { return }
      if case .result(let id) = reply, id.utf8.flatMap({ UUID(utf8: $0) }) == server.id {
        return giveUp("is this server itself")
      }
      askWhetherConnected()
    }
  }

  /// Asks the source what it says of the database in `_Server`; old ones do not know that.
  private func askWhetherConnected() {
    let params: (inout ByteWriter) -> Void = { [name] writer in
      writer.append("[\"_Server\",")
      Self.writeMonitorID(of: Self.serverDatabase, to: &writer)
      writer.append(utf8: ",{\"Database\":[{\"columns\":[\"connected\"],\"where\":[[\"name\",\"==\",")
      writer.appendQuoted(name)
      writer.append("]]}]}]")
    }
    ask("monitor_cond", params: params) { [weak self] reply in
      guard let self else { return }
      if case .result(let contents) = reply { noteConnected(contents) }
      if link.isConnected { askSchema() }
    }
  }

  private func noteConnected(_ updates: JSONValue) {
    guard let rows = updates.member("Database") else { return }
    for (_, update) in rows.members {
      let row = update.member("initial") ?? update.member("insert") ?? update.member("modify")
      // A boolean is told in full also as a difference; left out in full rows when it is false.
      let isConnected = row?.member("connected")?.boolean ?? (update.member("modify") != nil && isSourceConnected)
      guard isConnected != isSourceConnected else { continue }
      isSourceConnected = isConnected
      if isConnected { passedOver = 0 } else { noteSourceWithoutSource() }
      server.refreshRow(of: database)
    }
  }

  /// The source is a relay and has lost its own: another one may be better, unless none is.
  private func noteSourceWithoutSource() {
    log.info("\(name): \(link.name) has lost its own source")
    passedOver += 1
    if passedOver < sources.count { link.abandon() } else { passedOver = 0 }
  }

  private func askSchema() {
    ask("get_schema", params: { [name] in Self.write(name, to: &$0) }) { [weak self] reply in
      guard let self else { return }
      switch reply {
      case .result(let json): adopt(json)
      case .error(let error): giveUp("does not serve it: \(error.text().prefix(300))")
      case .lost: break
      }
    }
  }

  private func adopt(_ json: JSONValue) {
    let schema: DatabaseSchema
    do {
      schema = try DatabaseSchema(json: json)
    } catch {
      return giveUp("has a schema that cannot be read: \(error)")
    }
    guard schema.name == name else { return giveUp("has a schema named \(schema.name)") }
    let isKnown = isAvailable && schema.text == database.database.schema.text
    newSchema = isKnown ? nil : schema
    if !isKnown { forgetCommit(isAvailable ? .otherSchema : .nothingHere) }
    askContents(schema)
  }

  private func askContents(_ schema: DatabaseSchema) {
    let kind = monitor
    let params: (inout ByteWriter) -> Void = { [name, sourceCommitID] writer in
      writer.append("[")
      writer.appendQuoted(name)
      writer.append(",")
      Self.writeMonitorID(of: name, to: &writer)
      writer.append(",{")
      for (position, table) in schema.tables.enumerated() {
        if position > 0 { writer.append(",") }
        writer.appendQuoted(table.name)
        writer.append(":[{}]")
      }
      writer.append("}")
      if kind == .since {
        writer.append(",\"")
        (sourceCommitID ?? .zero).write(to: &writer)
        writer.append("\"")
      }
      writer.append("]")
    }
    link.call(kind.method, timeoutMilliseconds: Self.contentsMilliseconds, isLarge: true, params: params) { [weak self] reply in
      guard let self else { return }
      switch reply {
      case .result(let contents): takeContents(contents)
      case .error(let error):
        guard error.isString("unknown method"), let next = kind.next else {
          return giveUp("does not let itself be monitored: \(error.text().prefix(300))")
        }
        monitor = next
        askContents(schema)
      case .lost: break
      }
    }
  }

  // MARK: - What the source has

  private func takeContents(_ contents: JSONValue) {
    beginBurst()
    var updates = contents
    var isFound = false
    var id: UUID?
    if monitor == .since {
      guard contents.count == 3, let found = contents[0]?.boolean, let told = commitID(contents[1]), let third = contents[2] else {
        return giveUp("answers with what is no contents")
      }
      (isFound, id, updates) = (found, told == .zero ? nil : told, third)
    }
    let reason = isFound ? nil : copyReason(at: monitor)
    if isFound, newSchema != nil || sourceCommitID == nil { return giveUp("finds a state that was not asked for") }
    let terms = ReplicaTerms(commitID: id, isVerbatim: true)
    let schema = newSchema ?? database.database.schema
    let complete = isFound || newSchema != nil ? [] : schema.tables
    take(updates, schema, complete: complete, terms: terms) { [self] in
      newSchema = nil
      note(id)
      passedOver = 0
      noteFollowing(copiedBecause: reason)
    }
  }

  /// Takes what may be too much for the loop. What the source tells next waits.
  ///
  /// - Parameter done: called when it is here.
  private func take(
    _ updates: JSONValue, _ schema: DatabaseSchema, complete: [TableSchema], terms: ReplicaTerms, done: @escaping () -> Void
  ) {
    let copy = SourceCopy(updates, of: link.takeMessage(), monitor.format, schema: schema, complete: complete, terms: terms)
    link.hold()
    let generation = generation
    let finish: (OVSDBError?) -> Void = { [weak self] error in
      guard let self, self.generation == generation else { return }
      beginBurst()
      if let error { distrust(error) } else { done() }
      endBurst()
      link.release()
    }
    if newSchema == nil {
      return server.take(copy, into: database) { [weak self] in self?.generation == generation } done: { finish($0) }
    }
    let random = server.makeRandom()
    server.inBackground(on: server.slowWork.rewriting) { copy.run(Database(schema: schema, random: random)) } then: { [weak self] error in
      guard let self, self.generation == generation else { return }
      if error == nil { install(copy) }
      server.letGo(Remains(copy.takeRemains()))
      finish(error)
    }
  }

  /// Serves the contents of the source under a schema that is new here, as after a conversion.
  private func install(_ copy: SourceCopy) {
    guard let fresh = copy.database else { return }
    server.closeSegment()
    server.letGo(database.replace(with: fresh))
    isAvailable = true
    server.databaseChanged(database, because: "\(name) database schema changed at its source")
    server.remotes.databaseChanged(database)
  }

  private func change(_ updates: JSONValue, _ terms: ReplicaTerms) throws(OVSDBError) {
    let current = database.database
    let rows = try SourceRows(database: current).read(updates, monitor.format)
    let previousID = current.lastCommitID
    guard let commit = try current.replicate(rows, terms: terms) else { return }
    // There is no log that could refuse it.
    if let error = server.record(commit, in: database, previousID: previousID) { throw error }
  }

  /// - Parameter reason: why everything was copied; nil: only what was missed.
  private func noteFollowing(copiedBecause reason: RelayCopyReason?) {
    state = .following
    grace?.cancel()
    grace = nil
    refusal = nil
    link.succeeded()
    let rowCount = database.database.tables.reduce(0) { $0 + $1.rows.count }
    let how = reason.map { ", after a copy of all \(rowCount) rows: \($0)" } ?? ", from where it was"
    log.info("\(name): following \(link.name)\(how)")
    server.refreshRow(of: database)
    sendWaiting()
  }

  private func follow(_ params: JSONValue) {
    guard state == .following else { return giveUp("tells changes before the contents") }
    let hasID = monitor == .since
    guard Self.isMonitorID(params[0], of: name), let updates = params[hasID ? 2 : 1] else {
      return giveUp("sends an update of something else")
    }
    let id = hasID ? commitID(params[1]) : nil
    if hasID, id == nil { return giveUp("sends an update without id") }
    let told = id == .zero ? nil : id
    let terms = ReplicaTerms(commitID: told, isVerbatim: true)
    guard link.messageSize <= SourceCopy.smallMessageBytesMax else {
      return take(updates, database.database.schema, complete: [], terms: terms) { [self] in note(told) }
    }
    do {
      try change(updates, terms)
      note(told)
    } catch {
      distrust(error)
    }
  }

  private func commitID(_ json: JSONValue?) -> UUID? { json?.utf8.flatMap { UUID(utf8: $0) } }

  /// The source was converted or removed the database: what is here stays until there is something new.
  private func beginAnew() {
    state = .connecting
    forgetCommit(.conversion)
    askSchema()
  }

  private func note(_ id: UUID?) {
    sourceCommitID = id
    if id == nil { copyReason = monitor == .since ? .noTransactionID : .noHistory(monitor) }
  }

  private func forgetCommit(_ reason: RelayCopyReason) {
    copyReason = reason
    sourceCommitID = nil
  }

  /// Why the source has sent everything.
  private func copyReason(at monitor: RelayMonitor) -> RelayCopyReason {
    guard let sourceCommitID else { return copyReason }
    return monitor == .since ? .unknownTransaction("\(sourceCommitID)") : .noHistory(monitor)
  }

  // MARK: - What goes wrong

  private func ask(_ method: StaticString, params: (inout ByteWriter) -> Void, then: @escaping (SourceReply) -> Void) {
    link.call(method, timeoutMilliseconds: Self.answerMilliseconds, params: params) { reply in
      if case .lost = reply { return }
      then(reply)
    }
  }

  /// This source is of no use now; the next is tried, or the same after a pause.
  private func giveUp(_ reason: String) {
    refusal = "the source \(link.name) \(reason)"
    log.warning("\(name): the source \(link.name) \(reason)")
    link.abandon()
  }

  /// What the source tells does not fit what is here: nothing of it is taken, and everything is asked for anew.
  private func distrust(_ error: OVSDBError) {
    forgetCommit(.misfit)
    giveUp("tells what cannot be: \(error)")
  }

  // MARK: - Bursts

  /// Replies and updates of the source stay out of segments that may be done again: those are for what clients asked.
  func beginBurst() {
    guard !isInBurst else { return }
    server.closeSegment()
    isInBurst = true
  }

  private func endBurst() {
    guard isInBurst else { return }
    isInBurst = false
    server.closeSegment()
  }

  private static let serverDatabase = "_Server"
  /// The first word of a monitor's id at the source; the second is the database. As the peer's relay has it.
  private static let monitorWord = "monid"

  private static func writeMonitorID(of database: String, to writer: inout ByteWriter) {
    writer.append("[")
    writer.appendQuoted(monitorWord)
    writer.append(",")
    writer.appendQuoted(database)
    writer.append("]")
  }

  private static func isMonitorID(_ id: JSONValue?, of database: String) -> Bool {
    id?[0]?.string == monitorWord && id?[1]?.string == database
  }

  private static func write(_ name: String, to writer: inout ByteWriter) {
    writer.append("[")
    writer.appendQuoted(name)
    writer.append("]")
  }
}

extension Relay: SourceLinkOwner {
  func linkConnected(_ link: SourceLink) { begin() }

  func link(_ link: SourceLink, received method: JSONValue, _ params: JSONValue) {
    beginBurst()
    if method.isString("monitor_canceled") {
      if Self.isMonitorID(params[0], of: name) { beginAnew() }
      return
    }
    guard method.isString("update3") || method.isString("update2") || method.isString("update") else { return }
    if Self.isMonitorID(params[0], of: Self.serverDatabase) {
      link.settleMessage()
      noteConnected(params[1] ?? params)
    } else {
      follow(params)
    }
  }

  func linkDrained(_ link: SourceLink) { endBurst() }

  func linkBecameWritable(_ link: SourceLink) { if state == .following { sendWaiting() } }

  func linkLost(_ link: SourceLink) {
    generation += 1
    beginBurst()
    cancelForwarded(inFlightOnly: true)
    if state == .following, grace == nil {
      grace = server.eventLoop.assumeIsolated().scheduleTask(in: Self.graceInterval) { [weak self] () -> Void in
        guard let self else { return }
        self.grace = nil
        self.server.refreshRow(of: self.database)
      }
    }
    state = .connecting
    endBurst()
  }
}
