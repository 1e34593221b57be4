// SPDX-License-Identifier: Apache-2.0
//
// What is told of a remote: the `status` column of the row that configures it (DatabaseRemotes.swift).
//
// Source: Documentation/protocol/server.md#remotes-in-a-database.

import JSONRPC
import NIOCore
import Streams

extension Remote {
  /// The `status` column of a row that configures this remote.
  func status() -> [(String, String)] {
    var status: [(String, String)] = []
    if method.isPassive {
      if let boundPort { status.append(("bound_port", "\(boundPort)")) }
      // For listeners they are told and mean nothing, as with the reference.
      status += [("sec_since_connect", "0"), ("sec_since_disconnect", "0")]
    } else {
      status.append(("state", currentState.rawValue))
      if let lastConnected { status.append(("sec_since_connect", seconds(since: lastConnected))) }
      if let lastDisconnected { status.append(("sec_since_disconnect", seconds(since: lastDisconnected))) }
    }
    if let error = lastError ?? tlsProblem { status.append(("last_error", error)) }
    if sessions.count > 1 { status.append(("n_connections", "\(sessions.count)")) }
    return status + lockStatus
  }

  /// What it does, in a word for `ovsdb-server/show-remotes`.
  var stateWord: String {
    if method.isPassive { return isListening ? "listening" : "not listening" }
    return currentState.rawValue.lowercased()
  }

  /// What is the matter with it, in words for people; nil when nothing is known of.
  var problem: String? {
    lastErrorDetails ?? lastError ?? tlsProblem
  }

  /// Why nobody can connect to a listener that is open.
  private var tlsProblem: String? { method.isTLS && isListening ? TLSContext.shared.problem : nil }

  private var currentState: State {
    guard let session = sessions.first else { return state }
    return session.connection.isAwaitingProbe ? .idle : .active
  }

  /// The locks of all sessions.
  private var lockStatus: [(String, String)] {
    let names = server.locks.names(of: self)
    var lost: Set<String> = []
    for session in sessions where !session.locksLost.isEmpty {
      // Whose lock was stolen and who waits for it again has not lost it.
      lost.formUnion(session.locksLost.filter { !server.locks.hasClaim(session, on: $0) })
    }
    return [("locks_held", names.owned), ("locks_waiting", names.awaited), ("locks_lost", lost.sorted())]
      .filter { !$0.1.isEmpty }.map { ($0.0, Self.list($0.1, bytesMax: server.limits.statusListBytesMax)) }
  }

  /// Names with a space between them; those that there is no room for are counted: `a b ... (2 more)`.
  static func list(_ names: [String], bytesMax: Int) -> String {
    var size = 0
    let shown = names.prefix { name in
      size += name.utf8.count + 1
      return size <= bytesMax
    }
    let text = shown.joined(separator: " ")
    guard shown.count < names.count else { return text }
    return "\(text)\(shown.isEmpty ? "" : " ")... (\(names.count - shown.count) more)"
  }

  private func seconds(since moment: NIODeadline) -> String {
    "\((server.eventLoop.now - moment).nanoseconds / 1_000_000_000)"
  }
}
