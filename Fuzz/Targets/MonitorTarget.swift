// SPDX-License-Identifier: Apache-2.0
//
// Monitors of strangers: what they ask for, and what they are told while the database and their conditions change, also piece by piece.

import Engine
import JSON
import Monitoring
import OVSDB

extension FuzzTarget {
  /// The first text of the input asks for monitors. Each further one is a transaction (an array that begins with a name), a change of
  /// conditions (an object), or makes the client stop or go on reading (any other array). A client that is up to date has the rows
  /// that it asked for.
  static let monitor = FuzzTarget(
    name: "monitor",
    words: Catalog.words + ["{\"A\":[{\"where\":[[\"n\",\"==\",1]]}]}", "\"select\":{\"initial\":false}", "\"modify\":false", "[1]"]
  ) { bytes in
    var stream = JSONStream(messageBytesMax: 1 << 20)
    stream.append(bytes)
    guard let requests = try? stream.next() else { return }
    let database = try Catalog.makeDatabase()
    guard let specification = try? MonitorSpecification(json: requests, schema: database.schema, allowsCondition: true) else {
      return
    }
    let watched = Watched(database: database, specification: specification, pieceBytes: 1 + Int(bytes.last ?? 0))
    while let text = try? stream.next() { try watched.take(text) }
    try watched.end()
  }
}

/// A database with one client that has the same monitor in each format.
private final class Watched: MonitorClient {
  private let database: Database
  private let hub: MonitorHub
  private var history: History
  private var subscriptions: [Subscription] = []
  private var copies: [MonitorCopy] = []
  private var fault: String?
  var acceptsUpdates = true
  /// Bytes after which a piece ends.
  private let pieceBytes: Int

  init(database: Database, specification: MonitorSpecification, pieceBytes: Int) {
    self.database = database
    self.pieceBytes = pieceBytes
    hub = MonitorHub(schema: database.schema)
    // Updates of three rows, or of a long value, are large; what is owed is found from commits or by comparing all rows.
    hub.inlineRowsMax = 2
    hub.inlineBytesMax = 200
    history = History(baseID: database.lastCommitID, bytesMax: pieceBytes.isMultiple(of: 2) ? 0 : 1 << 20)
    for (number, format) in [UpdateFormat.update, .update2, .update3].enumerated() {
      subscriptions.append(hub.subscribe(specification, id: "\(number)", format: format, client: self))
      copies.append(MonitorCopy())
    }
  }

  func send(_ body: borrowing ByteWriter, for subscription: Subscription, commitID: UUID) {
    guard let number = subscriptions.firstIndex(where: { $0 === subscription }) else { return }
    apply(body.string, to: number)
  }

  func send(_ update: LargeUpdate, for subscription: Subscription) {
    guard let number = subscriptions.firstIndex(where: { $0 === subscription }) else { return }
    var changes = update.changes
    var writer = ByteWriter()
    var looks = 0
    while changes.writePiece(until: writer.count + pieceBytes, looks: &looks, to: &writer) {}
    if !changes.isEmpty { apply(writer.string, to: number) }
  }

  func noteOwed(_ subscription: Subscription) {}

  private func apply(_ text: String, to number: Int) {
    // A monitor that does not select everything tells less than its rows: it is only seen to that the text is one.
    do {
      let document = try JSONDocument.parse(text)
      guard isComplete else { return }
      try document.withRoot { try copies[number].apply($0, schema: database.schema) }
    } catch {
      fault = "\(error): \(text)"
    }
  }

  private var isComplete: Bool {
    subscriptions[0].group.specification.tables.allSatisfy { $0.kinds == .all && $0.columns.allSatisfy { $0.kinds == .all } }
  }

  func take(_ text: JSONValue) throws {
    if text.kind == .object {
      try changeConditions(text)
    } else if text[0]?.kind == .string {
      var writer = ByteWriter()
      let outcome = database.transact(params: text, context: TransactionContext(), into: &writer)
      if case .committed(let commit?, _) = outcome {
        history.append(commit, databaseBytes: database.byteCount)
        hub.publish(commit, snapshot: { [database] in database.snapshot })
      }
    } else {
      acceptsUpdates.toggle()
      if acceptsUpdates { drain() }
    }
    try check()
  }

  private func changeConditions(_ json: JSONValue) throws {
    let previous = subscriptions[0].group.specification
    guard let changed = try? previous.changingConditions(json: json, schema: database.schema) else { return }
    // As the server does: what is owed comes first.
    acceptsUpdates = true
    drain()
    for (number, subscription) in subscriptions.enumerated() {
      hub.move(subscription, to: changed)
      var writer = ByteWriter()
      let format = subscription.format
      if changed.writeConditionChange(from: previous, in: database.snapshot, format: format, to: &writer) {
        apply(writer.string, to: number)
      }
    }
  }

  /// Sends what is owed, in pieces.
  private func drain() {
    for subscription in subscriptions {
      let owed = hub.takeOwed(
        subscription, current: database.snapshot, lastCommitID: database.lastCommitID, history: history)
      if let owed { send(owed, for: subscription) }
    }
  }

  /// Initial contents are the same in pieces and at once.
  private func checkContents() throws {
    let specification = subscriptions[0].group.specification
    let snapshot = database.snapshot
    for format in [UpdateFormat.update, .update2] {
      var whole = ByteWriter()
      var pieces = ByteWriter()
      specification.writeInitialContents(of: snapshot, format: format, to: &whole)
      var cursor = ContentsCursor(format: format)
      var looks = 0
      while specification.writePiece(of: snapshot, from: &cursor, until: pieces.count + pieceBytes, looks: &looks, to: &pieces) {}
      try require(whole.string == pieces.string, "at once \(whole.string), in pieces \(pieces.string)")
    }
  }

  private func check() throws {
    if let fault { throw FuzzFault(fault) }
    try checkContents()
    guard acceptsUpdates, isComplete else { return }
    for (copy, subscription) in zip(copies, subscriptions) {
      for table in subscription.group.specification.tables {
        let names = Set(table.columns.map(\.column.name))
        let known = (copy.tables[table.table.name] ?? [:]).mapValues { $0.filter { names.contains($0.key) } }
        var expected: [String: CopiedRow] = [:]
        for (uuid, row) in database.tables[table.table.index].rows {
          let clauses = table.condition.condition.clauses
          guard clauses.isEmpty || clauses.contains(where: { $0.holds { row[$0] } }) else { continue }
          expected["\(uuid)"] = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.column.name, row[$0.column]) })
        }
        try require(known == expected, "\(subscription.format) \(table.table.name): known \(known), there are \(expected)")
      }
    }
  }

  func end() throws {
    acceptsUpdates = true
    drain()
    try check()
    for subscription in subscriptions { hub.unsubscribe(subscription) }
    try require(hub.groupCount == 0 && hub.subscriptionCount == 0, "monitors are left behind")
  }
}
