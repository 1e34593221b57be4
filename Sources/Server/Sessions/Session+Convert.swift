// SPDX-License-Identifier: Apache-2.0
//
// The convert method, and what clients are told when a database changes its schema or goes away.

import JSON
import OVSDB

extension Session {
  /// Shape: `[db, schema]`; result `{}`.
  ///
  /// Source: Documentation/protocol/wire.md#convert.
  func convert(params: JSONValue, id: JSONValue) throws(OVSDBError) {
    let database = try database(params, method: "convert")
    do throws(OVSDBError) {
      try beginConversion(of: database, params, id)
    } catch {
      server.noteConversion(of: database, error, by: self)
      throw error
    }
  }

  private func beginConversion(of database: ServedDatabase, _ params: JSONValue, _ id: JSONValue) throws(OVSDBError) {
    if let role {
      throw role.refusal(
        "\"convert\" of database \(database.name) (only the root role may convert databases)")
    }
    if let relay = database.relay, !isReadOnly {
      if isPending(id.text(sorted: true)) { throw .syntaxError("convert: duplicate request ID", at: params) }
      return relay.forward("convert", params, id: id, of: self)
    }
    if isReadOnly || database.isReadOnly {
      let reason = database.readOnlyReason.map { ": \($0)" } ?? ""
      throw OVSDBError(.notAllowed, "conversion is not allowed for read-only database \(database.name)\(reason)")
    }
    guard params.count == 2, let json = params[1] else { throw .syntaxError("array expected", at: params) }
    let schema = try DatabaseSchema(json: json)
    guard schema.name == database.name else {
      throw OVSDBError(
        .invalidParameters, "new schema name (\(schema.name)) does not match database name (\(database.name))")
    }
    let idText = id.text(sorted: true)
    if isPending(idText) {
      throw .syntaxError("convert: duplicate request ID", at: params)
    }
    conversions.insert(idText)
    let start = server.nowMilliseconds
    let conversion = ServerConversion(of: database, to: schema, on: server)
    conversion.run {
      // First what the conversion ends, then that it succeeded.
      [server, self] in server.databaseChanged(
        database, because: "committed \(database.name) database schema conversion", answering: self)
    } done: { [server, self] error in
      conversions.remove(idText)
      if let error {
        server.noteConversion(of: database, error, by: self)
        replyError(idText: idText) { error.write(to: &$0) }
      } else {
        let milliseconds = server.nowMilliseconds.saturatingMinus(start)
        server.databaseLog.info(
          "\(database.name): converted to version \(schema.version ?? "none") in \(milliseconds) ms, as \(connection.name) requested")
        reply(idText: idText) { $0.append("{}") }
      }
      if conversion.isInPlace {
        if !isChangeAware { disconnect(because: "committed \(database.name) database schema conversion") }
        server.refreshRow(of: database)
      }
      server.closeSegment()
    }
  }
}

extension Server {
  /// Logs why a database keeps its schema.
  fileprivate func noteConversion(of database: ServedDatabase, _ error: OVSDBError, by session: Session) {
    databaseLog.warning(
      "\(database.name): conversion failed, requested by \(session.connection.name): \(error)", metadata: ["rate-limit": "conversion"])
  }

  /// Tells clients that a database is not what it was: those that are aware of changes lose their monitors and pending transactions
  /// there, the others their connection, as they would not understand.
  ///
  /// - Parameters:
  ///   - reason: why, for the log.
  ///   - answering: a session that is told by the reply that it waits for.
  func databaseChanged(_ database: ServedDatabase, because reason: String, answering: Session? = nil) {
    let triggers = database.triggers.inOrder()
    for session in sessions {
      guard session.isChangeAware else {
        _ = forgetMonitors(of: session, in: database)
        guard session !== answering else { continue }
        session.disconnect(because: reason)
        continue
      }
      for key in forgetMonitors(of: session, in: database) { session.notify("monitor_canceled") { $0.append(utf8: key) } }
    }
    for trigger in triggers {
      remove(trigger)
      if trigger.session.isChangeAware { trigger.session.replyError(idText: trigger.id) { $0.append("\"canceled\"") } }
    }
  }

  /// Ends a session's monitors of a database whose hub goes away with them.
  ///
  /// - Returns: their ids.
  private func forgetMonitors(of session: Session, in database: ServedDatabase) -> [String] {
    let keys = session.monitors.filter { $0.value.database === database }.map(\.key).sorted()
    for key in keys {
      session.monitors[key] = nil
      session.forget(.monitors, key)
    }
    return keys
  }

  /// A database is about to be added: clients that do not know how to learn of it have to connect again. They are sent no update of
  /// `_Server` about it, as observed.
  func closeUnawareSessions(because reason: String) {
    for session in sessions where !session.isChangeAware { session.disconnect(because: reason) }
    closeSegment()
  }
}
