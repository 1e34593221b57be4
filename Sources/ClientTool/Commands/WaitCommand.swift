// SPDX-License-Identifier: Apache-2.0
//
// `wait`: returns when a database has reached a state. Tries to connect for as long as it takes.

import Client
import Daemon
import JSON
import Streams

func wait(_ target: Target) async throws {
  let words = target.arguments.suffix(2)
  guard let database = words.first, let word = words.last else { throw ServerArguments.invalidSyntax(target.invocation.command) }
  guard let state = DatabaseState(rawValue: word) else { throw ToolFailure("\(word): unknown state") }
  // The first of three words is the server, whatever it looks like.
  let server = target.arguments.count > 2 ? target.arguments[0] : target.server
  let remotes = Remotes(server)
  guard !remotes.methods.isEmpty else { throw ToolFailure("\"\(server)\" names no server") }
  var backoff = Backoff()
  while true {
    let session = try await ClientSession.persistentlyOpen(
      remotes.methods, on: target.invocation.loop, rundir: Paths.runDirectory, backoff: &backoff)
    let connected = Clock.monotonicMilliseconds()
    let isReached = await waitOnServer(session, database, state)
    await session.close()
    if isReached { return }
    // A server that drops us at once is no better than one that is not there.
    if Clock.monotonicMilliseconds() - connected > backoff.limitMilliseconds { backoff.succeeded() }
    let pause = backoff.failed()
    try await Task.sleep(for: .milliseconds(pause.milliseconds))
  }
}

/// What `wait` waits for.
private enum DatabaseState: String {
  case added, connected, removed

  func holds(_ databases: [ServedDatabase], _ name: String) -> Bool {
    let served = databases.first { $0.name == name }
    return switch self {
    case .added: served != nil
    case .connected: served?.isConnected ?? false
    case .removed: served == nil
    }
  }
}

/// Watches one server's `_Server` database.
///
/// - Returns: false when the connection broke first.
private func waitOnServer(_ session: ClientSession, _ database: String, _ state: DatabaseState) async -> Bool {
  // The connection has to outlive the database that is waited for.
  _ = try? await session.call("set_db_change_aware", "[true]")
  let requests = #"{"Database":{"columns":["name","connected"]}}"#
  guard case .result? = try? await session.monitor("_Server", requests: requests) else {
    await session.close()
    return false
  }
  // Whatever the change is, the table is small: read it again.
  guard let now = await ServerView.databases(session) else { return false }
  if state.holds(now, database) { return true }
  for await notification in session.notifications where notification.method == "update" {
    guard let now = await ServerView.databases(session) else { return false }
    if state.holds(now, database) { return true }
  }
  return false
}
