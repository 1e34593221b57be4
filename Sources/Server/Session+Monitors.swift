// SPDX-License-Identifier: Apache-2.0
//
// The monitor methods. Large initial contents are encoded on a thread of their own (InitialDump.swift).

import Engine
import JSON
import Monitoring
import OVSDB

extension Session {
  private static let methodNames: [UpdateFormat: String] = [
    .update: "monitor", .update2: "monitor_cond", .update3: "monitor_cond_since",
  ]

  /// Shape: `[db, monitor-id, monitor-requests]`, with a transaction id as fourth for monitor_cond_since.
  ///
  /// Source: RFC 7047 section 4.1.5; ovsdb-server(7) for the conditional ones.
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
    let key = monitorID.text(sorted: true)
    if monitors[key] != nil { throw .syntaxError("duplicate monitor ID", at: monitorID) }
    if database.isBackup, server.replication.isMutual(monitorID) {
      throw OVSDBError(.notAllowed, "\(database.name): this server follows the one that asks")
    }
    let since = format == .update3 ? try sinceID(params) : nil
    let specification = try MonitorSpecification(
      json: requests, schema: database.database.schema, allowsCondition: format != .update)

    let subscription = database.hub.subscribe(specification, id: key, format: format, client: self)
    monitors[key] = (database, subscription)
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
    let specification = subscription.group.specification
    var changes = Backlog()
    for commit in commits { changes.add(commit, of: specification) }
    reply(id) { writer in
      writer.append("[true,\"")
      database.database.lastCommitID.write(to: &writer)
      writer.append("\",")
      var updates = TableUpdatesWriter(format: .update3)
      changes.forEach(of: specification) { updates.write($0, of: $1, to: &writer) }
      updates.finish(&writer)
      writer.append("]")
    }
  }

  /// Shape: `[old-id, new-id, {table: [{"where":[...]}]}]`.
  func monitorCondChange(params: JSONValue, id: JSONValue) throws(OVSDBError) {
    guard params.count == 3, let oldID = params[0], let newID = params[1], let requests = params[2]
    else { throw .syntaxError("invalid parameters", at: params) }
    let oldKey = oldID.text(sorted: true)
    let newKey = newID.text(sorted: true)
    guard let (database, subscription) = monitors[oldKey] else {
      throw .syntaxError("unknown monitor session", at: oldID)
    }
    if newKey != oldKey, monitors[newKey] != nil { throw .syntaxError("duplicate monitor ID", at: newID) }
    let previous = subscription.group.specification
    let changed = try previous.changingConditions(json: requests, schema: database.database.schema)

    var current = subscription
    if newKey != oldKey {
      current = database.hub.rename(subscription, id: newKey)
      monitors[oldKey] = nil
      monitors[newKey] = (database, current)
    }
    // A plain monitor has no condition: its id changes and nothing else does.
    if current.format != .update, changed != previous {
      database.hub.move(current, to: changed)
      var body = ByteWriter()
      let hasChanges = changed.writeConditionChange(
        from: previous, in: database.database.snapshot, format: current.format, to: &body)
      if hasChanges { send(body, for: current, commitID: database.database.lastCommitID) }
    }
    replyEmpty(id)
  }

  /// Source: RFC 7047 section 4.1.7.
  func monitorCancel(params: JSONValue, id: JSONValue) throws {
    guard params.count == 1, let monitorID = params[0] else { throw BareError(text: "invalid parameters") }
    guard let (database, subscription) = monitors.removeValue(forKey: monitorID.text(sorted: true)) else {
      throw BareError(text: "unknown monitor")
    }
    database.hub.unsubscribe(subscription)
    replyEmpty(id)
  }
}
