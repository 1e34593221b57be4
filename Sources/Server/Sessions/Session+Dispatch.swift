// SPDX-License-Identifier: Apache-2.0
//
// From a message to the method that answers it. Monitors are in Session+Monitors.swift.

import Engine
import JSON
import JSONRPC
import NIOCore
import OVSDB

/// What a method may do, as a table: dispatch and the tests read the same rows.
struct Method {
  let name: StaticString
  let run: (Session, JSONValue, JSONValue) throws -> Void

  /// All methods but `transact`, which is looked for first, and `echo`, which connections answer themselves.
  ///
  /// Source: RFC 7047 §4.1; Documentation/protocol/wire.md#methods.
  nonisolated(unsafe) static let all: [Method] = [
    // Constant after its initialisation; the closures capture nothing.
    Method(name: "monitor") { try $0.monitor(params: $1, id: $2, format: .update) },
    Method(name: "monitor_cond") { try $0.monitor(params: $1, id: $2, format: .update2) },
    Method(name: "monitor_cond_since") { try $0.monitor(params: $1, id: $2, format: .update3) },
    Method(name: "monitor_cond_change") { try $0.monitorCondChange(params: $1, id: $2) },
    Method(name: "monitor_cancel") { try $0.monitorCancel(params: $1, id: $2) },
    Method(name: "list_dbs") { $0.listDatabases(id: $2) },
    Method(name: "get_schema") { try $0.getSchema(params: $1, id: $2) },
    Method(name: "get_server_id") { $0.getServerID(id: $2) },
    Method(name: "lock") { try $0.lock(params: $1, id: $2, isSteal: false) },
    Method(name: "steal") { try $0.lock(params: $1, id: $2, isSteal: true) },
    Method(name: "unlock") { try $0.unlock(params: $1, id: $2) },
    Method(name: "set_db_change_aware") { try $0.setChangeAware(params: $1, id: $2) },
    Method(name: "convert") { try $0.convert(params: $1, id: $2) },
  ]
}

/// An error that is told as a bare string.
struct BareError: Error {
  let text: String
}

extension Session {
  func dispatch(_ message: RPCMessage) {
    answer(message)
    if server.segments.endRequest() { server.closeSegment() }
  }

  private func answer(_ message: RPCMessage) {
    switch message {
    case .request(let method, let params, let id):
      do {
        try checkName(id, of: "the id of a request")
        if inputBytes > Self.largeInputMin { try checkMemory() }
        try dispatch(method, params, id)
      } catch let error as OVSDBError {
        replyError(id) { error.write(to: &$0) }
      } catch let error as BareError {
        replyError(id) { $0.appendQuoted(error.text) }
      } catch {
        replyError(id) { $0.appendQuoted("\(error)") }
      }
    case .notification(let method, let params):
      if method.isString("cancel") {
        cancel(params)
      } else if method.isString(Backup.followersMethod) {
        server.backups.noteFollowers(params, by: self)
      }
    case .reply:
      closeOver(unexpected: "reply")
    case .error:
      closeOver(unexpected: "error")
    }
  }

  /// Answers to echo requests never come here, and nothing else was asked for.
  private func closeOver(unexpected kind: String) {
    server.log.warning("\(connection.name): received unexpected \(kind) message", metadata: ["rate-limit": "unexpected"])
    connection.close(.local)
  }

  /// Input above which memory to execute it is asked for before.
  private static let largeInputMin = 8 << 20

  /// Swift ends a program that gets no memory. So a request that will take much is refused when the system would not give it: the values,
  /// the record and the reply of a transaction take a few times what its text does.
  private func checkMemory() throws(OVSDBError) {
    guard !Memory.isAvailable(4 * inputBytes) else { return }
    server.log.warning(
      "\(connection.name): no memory for a request that takes \(inputBytes) bytes", metadata: ["rate-limit": "memory"])
    throw OVSDBError(.resourcesExhausted, "there is no memory to execute a request of this size")
  }

  private func dispatch(_ method: JSONValue, _ params: JSONValue, _ id: JSONValue) throws {
    if method.isString("transact") { return try transact(params, id) }
    guard let entry = Method.all.first(where: { method.isString($0.name) }), server.knows(entry) else {
      throw BareError(text: "unknown method")
    }
    // What other methods do is not taken back when a log cannot be written.
    guard server.beginFinalRequest(of: self) else { return }
    try entry.run(self, params, id)
  }

  // MARK: - Replies

  func reply(_ id: JSONValue, _ write: (inout ByteWriter) -> Void) {
    server.touch(self)
    connection.output.append("{\"id\":")
    id.write(to: &connection.output)
    connection.output.append(",\"result\":")
    write(&connection.output)
    connection.output.append(",\"error\":null}")
  }

  /// Answers a request whose message is gone.
  func reply(idText: String, _ write: (inout ByteWriter) -> Void) {
    server.touch(self)
    connection.output.append("{\"id\":")
    connection.output.append(utf8: idText)
    connection.output.append(",\"result\":")
    write(&connection.output)
    connection.output.append(",\"error\":null}")
  }

  func replyEmpty(_ id: JSONValue) { reply(id) { $0.append("{}") } }

  func replyError(_ id: JSONValue, _ write: (inout ByteWriter) -> Void) {
    replyError(idText: id.text(sorted: false), write)
  }

  func replyError(idText: String, _ write: (inout ByteWriter) -> Void) {
    server.touch(self)
    connection.output.append("{\"id\":")
    connection.output.append(utf8: idText)
    connection.output.append(",\"error\":")
    write(&connection.output)
    connection.output.append("}")
  }

  func notify(_ method: StaticString, _ write: (inout ByteWriter) -> Void) {
    server.touch(self)
    connection.output.append("{\"id\":null,\"method\":\"")
    connection.output.append(method)
    connection.output.append("\",\"params\":[")
    write(&connection.output)
    connection.output.append("]}")
  }

  // MARK: - Databases

  /// The database that a request's first parameter names.
  func database(_ params: JSONValue, method: String) throws(OVSDBError) -> ServedDatabase {
    guard let name = params[0], let bytes = name.utf8 else {
      throw .syntaxError("\(method) request params must begin with <db-name>", at: params)
    }
    guard let database = server.database(named: bytes) else {
      throw OVSDBError(
        .unknownDatabase, "\(method) request specifies unknown database \(name.string ?? "")", at: params)
    }
    if let relay = database.relay, !relay.isAvailable {
      throw OVSDBError(
        .databaseNotAvailable,
        "\(method) request specifies database \(database.name) which is not yet available because it has not completed joining its cluster"
          + (relay.problem.map { ": \($0)" } ?? ""))
    }
    return database
  }

  func listDatabases(id: JSONValue) {
    let names = server.databases.keys.sorted()
    reply(id) { writer in
      writer.append("[")
      for (position, name) in names.enumerated() {
        if position > 0 { writer.append(",") }
        writer.appendQuoted(name)
      }
      writer.append("]")
    }
  }

  func getSchema(params: JSONValue, id: JSONValue) throws(OVSDBError) {
    let database = try database(params, method: "get_schema")
    reply(id) { database.database.schema.write(to: &$0) }
  }

  func getServerID(id: JSONValue) {
    reply(id) { writer in
      writer.append("\"")
      server.id.write(to: &writer)
      writer.append("\"")
    }
  }

  func setChangeAware(params: JSONValue, id: JSONValue) throws(OVSDBError) {
    guard params.count == 1, let isAware = params[0]?.boolean else {
      throw .syntaxError("set_db_change_aware: true or false parameter expected", at: params)
    }
    isChangeAware = isAware
    replyEmpty(id)
  }

  // MARK: - Locks

  private func lockName(_ params: JSONValue, _ method: String) throws(OVSDBError) -> String {
    guard params.count == 1, let name = params[0], let bytes = name.utf8, isID(bytes), let text = name.string else {
      throw .syntaxError("\(method) request params must be <id>", at: params)
    }
    return text
  }

  private func refuseLocksWhenReadOnly() throws(BareError) {
    if isReadOnly { throw BareError(text: "lock and unlock methods not allowed, DB server is read only.") }
  }

  func lock(params: JSONValue, id: JSONValue, isSteal: Bool) throws {
    try refuseLocksWhenReadOnly()
    let method = isSteal ? "steal" : "lock"
    let name = try lockName(params, method)
    if let json = params[0] { try checkName(json, of: "the name of a lock") }
    // Who lost a lock to a thief has to give it up all the same.
    if server.locks.hasClaim(self, on: name) || locksLost.contains(name) {
      throw OVSDBError.syntaxError("must issue \"unlock\" before new \"\(method)\"", at: params)
    }
    let count = server.locks.count(of: self) + locksLost.count
    try keep(.locks, name, size: name.utf8.count, count: count)
    let isOwner: Bool
    if isSteal {
      isOwner = true
      if let victim = server.locks.steal(name, for: self) {
        victim.locksLost.insert(name)
        victim.notify("stolen") { $0.appendQuoted(name) }
      }
    } else {
      isOwner = server.locks.lock(name, for: self)
    }
    reply(id) { $0.append(isOwner ? "{\"locked\":true}" : "{\"locked\":false}") }
  }

  func unlock(params: JSONValue, id: JSONValue) throws {
    try refuseLocksWhenReadOnly()
    let name = try lockName(params, "unlock")
    guard server.locks.hasClaim(self, on: name) || locksLost.contains(name) else {
      throw OVSDBError.syntaxError("unlock: \"unlock\" without \"lock\" or \"steal\"", at: params)
    }
    locksLost.remove(name)
    forget(.locks, name)
    server.release(name, of: self)
    replyEmpty(id)
  }
}
