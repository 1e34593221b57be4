// SPDX-License-Identifier: Apache-2.0
//
// The monitor methods. Large initial contents are encoded on a thread of their own (SharedPieces.swift).

import Engine
import JSON
import Monitoring
import NIOCore
import OVSDB

extension Session {
  private static let methodNames: [UpdateFormat: String] = [
    .update: "monitor", .update2: "monitor_cond", .update3: "monitor_cond_since",
  ]

  private static let monitorIDSubject = "the id of a monitor"

  /// Shape: `[db, monitor-id, monitor-requests]`, with a transaction id as fourth for monitor_cond_since.
  ///
  /// Source: RFC 7047 §4.1.5; Documentation/protocol/monitors.md for the conditional ones.
  func monitor(params: JSONValue, id: JSONValue, format: UpdateFormat) throws(OVSDBError) {
    let database = try database(params, method: Self.methodNames[format] ?? "monitor")
    let isCountRight: Bool =
      switch format {
      case .update: params.count >= 3
      case .update2: params.count == 3
      case .update3: params.count == 4
      }
    guard isCountRight, let monitorID = params[1], let requests = params[2] else {
      throw .syntaxError("invalid parameters", at: params)
    }
    guard requests.kind == .object else { throw .syntaxError("monitor-requests must be object", at: requests) }
    try checkName(monitorID, of: Self.monitorIDSubject)
    let key = monitorID.text(sorted: true)
    if monitors[key] != nil { throw .syntaxError("duplicate monitor ID", at: monitorID) }
    let specification = try MonitorSpecification(
      json: requests, schema: database.database.schema, allowsCondition: format != .update)
    let since = format == .update3 ? try sinceID(params) : nil

    try keep(
      .monitors, key, size: key.utf8.count + requests.detachedSize, count: monitors.count)
    let subscription = database.hub.subscribe(specification, id: key, format: format, client: self)
    monitors[key] = (database, subscription)
    server.backups.noteFollower(monitorID, of: database, by: self)
    if let since, let commits = database.history.commits(after: since) {
      replyChanges(id, database, subscription, Array(commits))
    } else {
      server.sendInitialContents(of: database, to: self, for: subscription, id: id)
    }
  }

  private func sinceID(_ params: JSONValue) throws(OVSDBError) -> UUID {
    guard let json = params[3], let bytes = json.utf8 else {
      throw .syntaxError("last-txn-id must be string", at: params[3] ?? params)
    }
    guard let uuid = UUID(utf8: bytes) else { throw .syntaxError("last-txn-id must be UUID format.", at: json) }
    return uuid
  }

  /// Tells a client that was here before what changed since.
  private func replyChanges(
    _ id: JSONValue, _ database: ServedDatabase, _ subscription: Subscription, _ commits: [Commit]
  ) {
    let missed = database.hub.missed(
      commits, by: subscription, in: database.database.snapshot, lastCommitID: database.database.lastCommitID)
    func writeHead(_ writer: inout ByteWriter) {
      writer.append("[true,\"")
      database.database.lastCommitID.write(to: &writer)
      writer.append("\",")
    }
    var body = ByteWriter()
    let limits = server.limits
    guard !missed.changes.write(rowsMax: limits.inlineRowsMax, bytesMax: limits.inlineBytesMax, to: &body) else {
      return reply(id) { writer in
        writeHead(&writer)
        if body.count > 0 { writer.append(body) } else { writer.append("{}") }
        writer.append("]")
      }
    }
    let head = ByteBuffer { writer in
      writer.append("{\"id\":")
      id.write(to: &writer)
      writer.append(",\"result\":")
      writeHead(&writer)
    }
    begin(
      OutputStream(holds: [missed.hold], [
        .bytes(head), .pieces(server.pieces(of: missed, in: database), next: 0, ifEmpty: ByteBuffer(string: "{}")),
        .bytes(ByteBuffer(string: "],\"error\":null}")),
      ]))
  }

  /// Shape: `[old-id, new-id, {table: [{"where":[...]}]}]`.
  func monitorCondChange(params: JSONValue, id: JSONValue) throws(OVSDBError) {
    guard params.count == 3, let oldID = params[0], let newID = params[1], let requests = params[2]
    else { throw .syntaxError("invalid parameters", at: params) }
    try checkName(newID, of: Self.monitorIDSubject)
    let oldKey = oldID.text(sorted: true)
    let newKey = newID.text(sorted: true)
    guard let (database, subscription) = monitors[oldKey] else {
      throw .syntaxError("unknown monitor session", at: oldID)
    }
    if newKey != oldKey, monitors[newKey] != nil { throw .syntaxError("duplicate monitor ID", at: newID) }
    let previous = subscription.group.specification
    let changed = try previous.changingConditions(json: requests, schema: database.database.schema)

    try keep(
      .monitors, newKey, size: newKey.utf8.count + requests.detachedSize, count: monitors.count - 1)
    if newKey != oldKey { forget(.monitors, oldKey) }
    var current = subscription
    if newKey != oldKey {
      current = database.hub.rename(subscription, id: newKey)
      monitors[oldKey] = nil
      monitors[newKey] = (database, current)
    }
    // A plain monitor has no condition: its id changes and nothing else does.
    if current.format != .update, changed != previous {
      let owed = sendOwed(current, of: database)
      database.hub.move(current, to: changed)
      if sendConditionChange(from: previous, of: current, database, id, behind: owed) { return }
    }
    replyEmpty(id)
  }

  /// Tells what enters and leaves by new conditions.
  ///
  /// - Parameter owed: what the monitor is owed by the conditions until now, when it is too much to be sent at once.
  /// - Returns: whether it is so much that it is a stream, with the reply to the request behind it.
  private func sendConditionChange(
    from previous: MonitorSpecification, of subscription: Subscription, _ database: ServedDatabase, _ id: JSONValue,
    behind owed: (part: OutputStream.Part, hold: StateHold)?
  ) -> Bool {
    let specification = subscription.group.specification
    let commitID = database.database.lastCommitID
    let snapshot = database.database.snapshot
    var comparison = ConditionChange(from: previous, to: specification, in: snapshot)
    if owed == nil, !comparison.step(lookingAt: Self.looksAtOnceMax), isLittle(comparison.changes) {
      var body = ByteWriter()
      if comparison.write(format: subscription.format, to: &body) { send(body, for: subscription, commitID: commitID) }
      return false
    }
    let head = ByteBuffer { Self.writeUpdateHead(subscription, commitID, &$0) }
    let reply = ByteBuffer { writer in
      writer.append("{\"id\":")
      id.write(to: &writer)
      writer.append(",\"result\":{},\"error\":null}")
    }
    let hold = database.hub.holdState(of: snapshot)
    let stream = OutputStream(holds: (owed.map { [$0.hold] } ?? []) + [hold], owed.map { [$0.part] } ?? [])
    stream.isOpen = true
    begin(stream)
    compare(comparison, for: stream) { [server] changes in
      let owed = OwedChanges(changes, of: specification, format: subscription.format)
      return [.update(SharedPieces(owed, hold: hold, server: server), next: 0, head: head), .bytes(reply)]
    }
    return true
  }

  private func isLittle(_ changes: [(OwedChange, MonitoredTable)]) -> Bool {
    let limits = server.limits
    guard changes.count <= limits.inlineRowsMax else { return false }
    return changes.reduce(0) { $0.saturatingPlus($1.0.byteCount) } <= limits.inlineBytesMax
  }

  /// Values that are compared at once when conditions change: a millisecond's worth.
  private static let looksAtOnceMax = 20_000
  /// Values that are compared before those of others have their turn.
  private static let looksPerJobMax = 400_000

  /// Goes on with a comparison beside the loop, and gives the stream what comes of it.
  private func compare(
    _ comparison: ConditionChange, for stream: OutputStream,
    then parts: @escaping ([(OwedChange, MonitoredTable)]) -> [OutputStream.Part]
  ) {
    server.inBackground(on: server.slowWork.sorting) {
      var comparison = comparison
      let hasMore = comparison.step(lookingAt: Self.looksPerJobMax)
      return (comparison, hasMore)
    } then: { [weak self] comparison, hasMore in
      // The client may have gone meanwhile.
      guard let self, self.stream === stream, !isClosed else { return }
      if hasMore { return compare(comparison, for: stream, then: parts) }
      stream.append(parts(comparison.changes))
      stream.isOpen = false
      server.schedulePump(self)
    }
  }

  /// Source: RFC 7047 §4.1.7.
  func monitorCancel(params: JSONValue, id: JSONValue) throws {
    guard params.count == 1, let monitorID = params[0] else { throw BareError(text: "invalid parameters") }
    guard let (database, subscription) = monitors.removeValue(forKey: monitorID.text(sorted: true)) else {
      throw BareError(text: "unknown monitor")
    }
    forget(.monitors, monitorID.text(sorted: true))
    database.hub.unsubscribe(subscription)
    replyEmpty(id)
  }
}

extension Session: MonitorClient {
  /// While replies wait for a disk, little is added to them, and nothing to a stream that they are behind: what comes meanwhile is
  /// summed up.
  var acceptsUpdates: Bool {
    (stream.map { $0.takesUpdates && syncsAwaited.isEmpty } ?? true) && !isClosed && connection.isWritable
      && connection.output.count <= (holdsForSync ? server.limits.pieceBytes : Self.outputBytesMax)
      && heldBytes <= server.limits.pieceBytes
  }

  func noteOwed(_ subscription: Subscription) {
    owed.append(subscription)
  }

  func send(_ body: borrowing ByteWriter, for subscription: Subscription, commitID: UUID) {
    server.touch(self)
    Self.writeUpdateHead(subscription, commitID, &connection.output)
    connection.output.append(body)
    connection.output.append("]}")
  }
}
