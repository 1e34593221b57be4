// SPDX-License-Identifier: Apache-2.0
//
// `monitor`, `monitor-cond`, `monitor-cond-since`: a session that prints changes until it ends. How updates become tables
// is in MonitorUpdates.swift.

import Client
import Control
import Daemon
import Glibc
import JSON
import OVSDB

/// `monitor TABLE [COLUMN,...]...` and `monitor ALL`.
func monitor(_ target: Target) async throws {
  let schema = try await fetchSchema(target.connected, target.database)
  let columns = Array(target.arguments.dropFirst())
  let name = target.arguments[0]
  let session = MonitorSession(target, method: "monitor", schema: schema)
  if name == "ALL", schema.table(named: name) == nil {
    session.captionsTables = schema.tables.count > 1
    for table in schema.tables { try session.add(table, columns, condition: nil) }
  } else {
    try session.add(try monitoredTable(schema, name, target, namesServer: true), columns, condition: nil)
  }
  try await session.run(since: nil)
}

/// `monitor-cond CONDITION TABLE [COLUMN,...]`.
func monitorConditionally(_ target: Target) async throws {
  let arguments = target.arguments
  let schema = try await fetchSchema(target.connected, target.database)
  let table = try monitoredTable(schema, arguments[1], target, namesServer: false)
  let session = MonitorSession(target, method: "monitor_cond", schema: schema)
  try session.add(table, Array(arguments.dropFirst(2)), condition: try parseCondition(arguments[0], table))
  try await session.run(since: nil)
}

/// `monitor-cond-since [LASTID] CONDITION TABLE [COLUMN,...]`.
func monitorSince(_ target: Target) async throws {
  var arguments = target.arguments[...]
  let last = arguments.count > 2 ? arguments.first.flatMap { UUID($0) } : nil
  if last != nil { arguments = arguments.dropFirst() }
  let rest = Array(arguments)
  let schema = try await fetchSchema(target.connected, target.database)
  let table = try monitoredTable(schema, rest[1], target, namesServer: false)
  let session = MonitorSession(target, method: "monitor_cond_since", schema: schema)
  try session.add(table, Array(rest.dropFirst(2)), condition: try parseCondition(rest[0], table))
  try await session.run(since: last ?? .zero)
}

private func monitoredTable(
  _ schema: DatabaseSchema, _ name: String, _ target: Target, namesServer: Bool
) throws -> TableSchema {
  guard let table = schema.table(named: name) else {
    let prefix = namesServer ? "\(target.server): " : ""
    throw ToolFailure("\(prefix)\(missingTable(name, in: target.database))")
  }
  return table
}

/// That there is no such table. A database's name without a table behind it is taken for a table of the default database.
func missingTable(_ name: String, in database: String) -> String {
  let hint = name == database ? " (the name of a table must follow the name of the database)" : ""
  return "\(database) does not have a table named \"\(name)\"\(hint)"
}

/// One monitor from its request to the end of the connection. Used by one task.
final class MonitorSession {
  private let target: Target
  private let method: String
  private let schema: DatabaseSchema
  private var tables: [MonitoredTable] = []
  private var printer: TablePrinter
  /// Whether each table's name stands above it.
  var captionsTables = false

  /// The id of our only monitor.
  private static let monitorID = "null"

  init(_ target: Target, method: String, schema: DatabaseSchema) {
    self.target = target
    self.method = method
    self.schema = schema
    printer = TablePrinter(target.options.table)
  }

  func add(_ table: TableSchema, _ columns: [String], condition: JSONDocument?) throws {
    tables.append(
      try MonitoredTable(
        table, arguments: columns, condition: condition, database: target.database, server: target.server))
  }

  /// Monitors until the connection ends, which is always a failure, or until a control command ends it.
  func run(since last: UUID?) async throws {
    let session = try target.connected
    let control = try openControl(session)
    defer { control?.close() }
    if target.options.isChangeAware ?? true {
      try await becomeAware(session)
    }
    let initial = try await answer(session, request(since: last))
    try print(initial: initial, isSince: last != nil)
    target.invocation.daemonizer?.complete()
    for await notification in session.notifications {
      try handle(notification)
    }
    throw ToolFailure("\(target.server): receive failed (\(await session.closed()))")
  }

  /// Asks to be told when the database is removed. A server that does not know the method refuses, and does not remove databases.
  private func becomeAware(_ session: ClientSession) async throws(ToolFailure) {
    do {
      _ = try await session.call("set_db_change_aware", "[true]")
    } catch {
      throw ToolFailure("\(target.server): error setting db_change_aware (\(error))")
    }
  }

  /// Like `call`, with a monitor's words for a broken connection.
  private func answer(_ session: ClientSession, _ request: [UInt8]) async throws -> JSONDocument {
    let reply: ClientReply
    do {
      reply = try await session.call(method, request)
    } catch {
      throw ToolFailure("\(target.server): receive failed (\(error))")
    }
    switch reply {
    case .result(let result): return result
    case .error(let error): throw ToolFailure("\(target.server): \(method) returned error: \(error.root.text())")
    }
  }

  private func request(since last: UUID?) -> [UInt8] {
    var writer = ByteWriter(capacity: 256)
    writer.append("[")
    writer.appendQuoted(target.database)
    writer.append(utf8: ",\(Self.monitorID),{")
    for (index, table) in tables.enumerated() {
      if index > 0 { writer.append(",") }
      writer.appendQuoted(table.schema.name)
      writer.append(":")
      table.write(to: &writer)
    }
    writer.append("}")
    if let last { writer.append(utf8: ",\"\(last)\"") }
    writer.append("]")
    return writer.bytes
  }

  private func print(initial: JSONDocument, isSince: Bool) throws(ToolFailure) {
    let reply = initial.root
    guard isSince else {
      print(reply, isInitial: true)
      return
    }
    guard reply.kind == .array else { throw ToolFailure("<result> is not array") }
    guard reply.count == 3 else { throw ToolFailure("<result> should have 3 elements, but has \(reply.count).") }
    guard let found = reply[0]?.boolean, let last = reply[1]?.string, let updates = reply[2] else {
      throw ToolFailure("<result> does not hold a boolean, a string and updates: \(reply.text())")
    }
    Output.write("found: \(found), last_id: \(last)\n")
    print(updates, isInitial: true)
  }

  private func handle(_ notification: ClientNotification) throws {
    let params = notification.params.root
    switch notification.method {
    case "update", "update2":
      if let updates = params[1] { print(updates, isInitial: false) }
    case "update3":
      // The line is ended by the blank line between two tables, and only by that.
      Output.write("\nlast_id: \(params[1]?.string ?? "")")
      if let updates = params[2] { print(updates, isInitial: false) }
    case "monitor_canceled":
      throw ToolFailure("\(target.server): \(target.database) database was removed")
    default:
      // `locked` and others belong to things we did not ask for.
      break
    }
  }

  private func print(_ updates: JSONValue, isInitial: Bool) {
    guard MonitoredTable.isObject(updates, "<table-updates>") else { return }
    let timestamp = target.options.table.hasTimestamps ? TimeStamp.now() : nil
    for table in tables {
      guard
        var text = table.text(
          of: updates, isConditional: method != "monitor", isInitial: isInitial,
          caption: captionsTables ? table.schema.name : nil)
      else { continue }
      text.header.timestamp = timestamp
      printer.print(text)
    }
  }

  // MARK: - Control commands

  /// A monitor in the background can be told to stop reading and to change its condition.
  private func openControl(_ session: ClientSession) throws -> ControlServer? {
    guard target.options.detaches else { return nil }
    let commands = ControlCommands()
    let (database, schema) = (target.database, schema)
    addBlocking(commands, session)
    commands.add("ovsdb-client/cond_change", usage: "TABLE COND", arguments: 2...2) { (request: ControlRequest) in
      guard let table = schema.table(named: request.arguments[0]) else {
        request.fail("\(database) does not have a table named \"\(request.arguments[0])\"")
        return
      }
      let text = request.arguments[1]
      do {
        _ = try parseCondition(text, table)
      } catch {
        request.fail((error as? ToolFailure)?.message ?? "\(error)")
        return
      }
      var writer = ByteWriter()
      writer.append(utf8: "[\(Self.monitorID),\(Self.monitorID),{")
      writer.appendQuoted(table.name)
      writer.append(utf8: ":[{\"where\":\(text)}]}]")
      let params = writer.bytes
      Task {
        switch try? await session.call("monitor_cond_change", params) {
        case .result?: request.reply("condition changed")
        case .error(let error)?: request.fail(error.root.text())
        case nil: request.fail("connection closed")
        }
      }
    }
    return try openControlServer(commands, target)
  }

  private func addBlocking(_ commands: ControlCommands, _ session: ClientSession) {
    let isBlocked = BlockingFlag()
    commands.add("ovsdb-client/block") { (request: ControlRequest) in
      guard isBlocked.change(to: true) else { return request.reply("already blocking") }
      session.pauseReading()
      request.reply()
    }
    commands.add("ovsdb-client/unblock") { (request: ControlRequest) in
      guard isBlocked.change(to: false) else { return request.reply("already unblocked") }
      session.resumeReading()
      request.reply()
    }
  }
}
