// SPDX-License-Identifier: Apache-2.0
//
// A server that says whatever a test wants it to say, for programs that follow a server.

import Foundation
import Synchronization

/// Listens on a Unix socket and answers requests by a script.
package final class FakeSource: Sendable {
  /// One connection, for the script to answer on.
  ///
  /// Sound to send: one thread reads from the session, sending is done under the lock, and the two touch different parts of it.
  package final class Client: @unchecked Sendable {
    private let session: WireSession
    private let sending = Mutex(())

    fileprivate init(_ session: sending WireSession) { self.session = session }

    fileprivate func next() -> WireJSON? { (try? session.receive(seconds: 300))?.json }

    /// Sends a message; that the other end is gone is no failure of the script's.
    package func send(_ message: WireJSON) { sending.withLock { _ in try? session.send(message.bytes) } }

    package func reply(_ result: WireJSON, to request: WireJSON) {
      send(.object([.init("id", request["id"] ?? nil), .init("result", result), .init("error", nil)]))
    }

    package func fail(_ error: WireJSON, of request: WireJSON) {
      send(.object([.init("id", request["id"] ?? nil), .init("result", nil), .init("error", error)]))
    }

    package func notify(_ method: String, _ params: WireJSON) {
      send(.object([.init("id", nil), .init("method", .string(method)), .init("params", params)]))
    }
  }

  package let socket: String
  private let listener: Int32
  private let script: @Sendable (Client, _ method: String, _ request: WireJSON) -> Void
  private let connections = Atomic<Int>(0)

  /// - Parameter script: called with each request but `echo`, which is answered.
  package init(_ socket: String, script: @escaping @Sendable (Client, String, WireJSON) -> Void) throws {
    self.socket = socket
    self.script = script
    listener = try WireSession.listen(socket)
    Thread.detachNewThread { self.accept() }
  }

  package var connectionCount: Int { connections.load(ordering: .acquiring) }

  package func close() { shutdown(listener, Int32(SHUT_RDWR)) }

  private func accept() {
    while true {
      let descriptor = Glibc.accept(listener, nil, nil)
      if descriptor < 0 { break }
      connections.add(1, ordering: .acquiringAndReleasing)
      Thread.detachNewThread { self.serve(descriptor) }
    }
    Glibc.close(listener)
    unlink(socket)
  }

  private func serve(_ descriptor: Int32) {
    let client = Client(WireSession(descriptor: descriptor))
    while let message = client.next() {
      guard let method = message["method"]?.stringValue else { continue }
      if method == "echo" { client.reply(message["params"] ?? [], to: message) } else { script(client, method, message) }
    }
  }
}

/// The usual answers of a source that serves one database, for scripts that lie in one point.
package struct HonestSource: Sendable {
  package let name: String
  package let schema: WireJSON
  package var contents: WireJSON
  package var serverID = "11111111-2222-4333-8444-555555555555"

  package init(name: String = "D", schema: WireJSON, contents: WireJSON = [:]) {
    self.name = name
    self.schema = schema
    self.contents = contents
  }

  package func answer(_ client: FakeSource.Client, _ method: String, _ request: WireJSON) {
    switch method {
    case "get_server_id": client.reply(.string(serverID), to: request)
    case "list_dbs": client.reply([.string(name), "_Server"], to: request)
    case "get_schema": client.reply(schema, to: request)
    case "set_db_change_aware": client.reply([:], to: request)
    case "monitor": client.reply(contents, to: request)
    case "monitor_cond":
      client.reply(["Database": ["aaaaaaaa-0000-4000-8000-000000000000": ["initial": ["connected": true]]]], to: request)
    case "monitor_cond_since":
      client.reply([false, "00000000-0000-0000-0000-000000000000", contents], to: request)
    case "cancel": break
    default: client.fail("unknown method", of: request)
    }
  }
}
