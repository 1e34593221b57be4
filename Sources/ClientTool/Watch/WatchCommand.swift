// SPDX-License-Identifier: Apache-2.0
//
// `watch`: a table, live on the terminal. One task follows the server, over as many connections as it takes; another draws and listens
// to keys. Between them stand the table and what is wrong, under a lock.

import Client
import Daemon
import Glibc
import JSON
import OVSDB
import Streams
import Synchronization

func watch(_ target: Target) async throws {
  guard isatty(STDIN_FILENO) == 1, Terminal.isCapable(STDOUT_FILENO) else {
    throw ToolFailure("watch needs a terminal; use \"dump\" or \"monitor\" to write into a pipe or a file")
  }
  let schema = try await fetchSchema(target.connected, target.database)
  let watched = try watchedTable(schema, target)
  let shared = WatchState(watched)
  // The first contents come before the screen: what is wrong from the beginning is said in the ordinary way.
  let first = try target.connected
  try await beginMonitor(first, watched, target, shared, isFirst: true)
  // Lines of the log would only spoil the screen.
  LogSystem.shared.setLevel(.off, destination: .console)
  let screen = try WatchScreen()
  defer { screen.leave() }
  let follower = Task { await follow(first, watched, target, shared) }
  defer { follower.cancel() }
  try await runScreen(screen, shared, watched, target)
}

/// What is watched.
private struct WatchedTable: Sendable {
  let schema: TableSchema
  let columns: [ColumnSchema]
}

private func watchedTable(_ schema: DatabaseSchema, _ target: Target) throws -> WatchedTable {
  let name = target.arguments[0]
  guard let table = schema.table(named: name) else {
    throw ToolFailure("\(target.server): \(missingTable(name, in: target.database))")
  }
  let words = target.arguments.dropFirst().flatMap { $0.split(separator: ",").map(String.init) }
  let columns = try words.map { word in
    guard let column = table.column(named: word) else {
      throw ToolFailure("\(target.server): table \"\(name)\" in \(target.database) does not have a column named \"\(word)\"")
    }
    return column
  }
  return WatchedTable(schema: table, columns: columns.isEmpty ? [.uuid] + table.columns : columns)
}

/// What the two tasks share.
private final class WatchState: Sendable {
  struct Contents: Sendable {
    var table: WatchTable
    var trouble: String?
    /// Grows with everything that can be seen.
    var version = 0
  }

  private let contents: Mutex<Contents>

  init(_ watched: WatchedTable) { contents = Mutex(Contents(table: WatchTable(columns: watched.columns))) }

  var now: Contents { contents.withLock { $0 } }

  func report(_ trouble: String?) {
    contents.withLock {
      $0.trouble = trouble
      $0.version += 1
    }
  }

  func change(_ body: (inout WatchTable) throws(ToolFailure) -> Void) throws(ToolFailure) {
    try contents.withLock { (contents) throws(ToolFailure) in
      try body(&contents.table)
      contents.version += 1
    }
  }

  /// Lets marks fade.
  func fade(now: Int64, since last: Int64) {
    contents.withLock { if $0.table.fade(now: now, since: last) { $0.version += 1 } }
  }
}

// MARK: - Following the server

/// Asks for a monitor and takes its initial contents.
private func beginMonitor(
  _ session: ClientSession, _ watched: WatchedTable, _ target: Target, _ shared: WatchState, isFirst: Bool
) async throws {
  // A server that does not know the method does not remove databases either.
  _ = try? await session.call("set_db_change_aware", "[true]")
  var writer = ByteWriter(capacity: 256)
  writer.append("[")
  writer.appendQuoted(target.database)
  writer.append(",null,{")
  writer.appendQuoted(watched.schema.name)
  writer.append(":")
  shared.now.table.writeRequest(to: &writer)
  writer.append("}]")
  let reply = try await call(session, "monitor", writer.bytes)
  try reply.withRoot { (root) throws(ToolFailure) in
    try shared.change { (table) throws(ToolFailure) in
      try table.begin(update(root, watched), isFirst: isFirst, now: Clock.monotonicMilliseconds())
    }
  }
  shared.report(nil)
}

/// The part of `<table-updates>` that is about our table.
private func update(_ updates: JSONValue, _ watched: WatchedTable) -> JSONValue? {
  var name = watched.schema.name
  guard updates.kind == .object else { return nil }
  return name.withUTF8 { updates.member($0) }
}

/// Takes updates until the task is cancelled; connects again when the connection ends.
private func follow(_ first: ClientSession, _ watched: WatchedTable, _ target: Target, _ shared: WatchState) async {
  var session = first
  var backoff = Backoff()
  while !Task.isCancelled {
    let reason = await takeUpdates(session, watched, shared)
    await session.close()
    shared.report(reason)
    backoff.succeeded()
    while !Task.isCancelled {
      do {
        session = try await reconnect(target)
        do {
          try await beginMonitor(session, watched, target, shared, isFirst: false)
          break
        } catch {
          await session.close()
          throw error
        }
      } catch {
        shared.report((error as? ToolFailure)?.message ?? "\(error)")
      }
      try? await Task.sleep(for: .milliseconds(backoff.failed().milliseconds))
    }
  }
}

private func reconnect(_ target: Target) async throws -> ClientSession {
  let method = ConnectionMethod.parseForClient(target.server)
  do {
    return try await ClientSession.open(method, on: target.invocation.loop, rundir: Paths.runDirectory)
  } catch {
    throw ToolFailure("connection attempt failed (\(error))")
  }
}

/// - Returns: why there are no more updates.
private func takeUpdates(_ session: ClientSession, _ watched: WatchedTable, _ shared: WatchState) async -> String {
  for await notification in session.notifications {
    switch notification.method {
    case "update":
      do {
        try notification.params.withRoot { (params) throws(ToolFailure) in
          guard let change = params[1].flatMap({ update($0, watched) }) else { return }
          try shared.change { (table) throws(ToolFailure) in try table.apply(change, now: Clock.monotonicMilliseconds()) }
        }
      } catch {
        return error.message
      }
    case "monitor_canceled":
      return "database was removed"
    default:
      break
    }
  }
  return "connection lost (\(await session.closed()))"
}

// MARK: - The screen

/// How often keys, changes and the size of the terminal are looked at.
private let tickMilliseconds: Int64 = 50

/// Draws until the user has seen enough.
private func runScreen(_ screen: WatchScreen, _ shared: WatchState, _ watched: WatchedTable, _ target: Target) async throws {
  var view = WatchView(
    title: "\(watched.schema.name) in \(target.database) at \(target.server)", style: target.options.table)
  var shownVersion = -1
  var shownSize = Terminal.Size(rows: 0, columns: 0)
  var shownPause = false
  var contents = shared.now
  var rows: [WatchTable.Row] = []
  var last = Clock.monotonicMilliseconds()
  while true {
    guard let keys = screen.keys(), !keys.contains(.quit) else { return }
    let size = WatchScreen.size
    let now = Clock.monotonicMilliseconds()
    shared.fade(now: now, since: last)
    last = now
    for key in keys {
      if key == .suspend { try screen.suspend() }
      view.press(key, rowCount: rows.count, columnCount: watched.columns.count, size: size)
    }
    if !view.isPaused { contents = shared.now }
    let isNew = contents.version != shownVersion
    if isNew || !keys.isEmpty || size != shownSize || view.isPaused != shownPause {
      if isNew { rows = contents.table.sortedRows() }
      view.trouble = contents.trouble
      screen.show(view.lines(rows, columns: watched.columns, count: contents.table.count, now: now, size: size))
      (shownVersion, shownSize, shownPause) = (contents.version, size, view.isPaused)
    }
    try await Task.sleep(for: .milliseconds(tickMilliseconds))
  }
}
