// SPDX-License-Identifier: Apache-2.0
//
// Scripted sessions: several connections to one server, steps that send something on one of them, and a record of what
// all of them received after each step. The same script on two servers must give the same record.

import TestSupport

/// One step of a script. Sessions are opened by their first use.
enum SessionStep: Sendable {
  /// A request; its reply and everything else that arrives is recorded.
  case call(_ session: String, _ method: String, WireJSON)
  /// The same with an id of one's own.
  case callWithID(_ session: String, _ method: String, WireJSON, id: WireJSON)
  /// A request whose reply need not come yet.
  case begin(_ session: String, _ method: String, WireJSON, id: WireJSON)
  case notify(_ session: String, _ method: String, WireJSON)
  case bytes(_ session: String, [UInt8])
  /// Waits for one more message, which the steps so far cause to come.
  case await(_ session: String)
  /// Waits until the server closes the connection; what came before is recorded.
  case awaitClosed(_ session: String)
  case close(_ session: String)
  /// A command on the control socket.
  case control([String])

  static func text(_ session: String, _ text: String) -> SessionStep { .bytes(session, Array(text.utf8)) }
}

/// Runs scripts against one server.
final class ScriptedServer {
  let server: DatabaseServer
  private var sessions: [String: WireSession] = [:]
  /// Sessions that the server has closed, which no step has asked for yet.
  private var closed: Set<String> = []
  /// The one UUID that scripts give a row.
  private var identities = IdentityMap(known: ["c0ffee00-0000-4000-8000-000000000001"])
  private let barrierDatabase: String

  init(_ side: Side, _ databases: [DatabaseSource], database: String) throws {
    server = try DatabaseServer(side, databases)
    barrierDatabase = database
  }

  private func session(_ name: String) throws -> WireSession {
    if let session = sessions[name] { return session }
    let session = try server.session()
    sessions[name] = session
    return session
  }

  /// Runs a step and gives what each session received, in the common form.
  func run(_ step: SessionStep) throws -> WireJSON {
    var received: [String: [WireJSON]] = [:]
    switch step {
    case .call(let name, let method, let params):
      let session = try session(name)
      received[name] = try exchange(session, method, params, id: session.freshID())
    case .callWithID(let name, let method, let params, let id):
      received[name] = try exchange(try session(name), method, params, id: id)
    case .begin(let name, let method, let params, let id):
      try session(name).request(method, params, id: id)
    case .notify(let name, let method, let params):
      try session(name).notify(method, params)
    case .bytes(let name, let bytes):
      try session(name).send(bytes)
    case .await(let name):
      let message = try session(name).receive(seconds: 10)
      received[name] = [message?.json ?? "closed"]
    case .awaitClosed(let name):
      let rest = closed.contains(name) ? [] : try session(name).receiveUntilClosed(seconds: 10).map(\.json)
      received[name] = rest + ["closed"]
      closed.remove(name)
      sessions[name] = nil
    case .close(let name):
      try session(name).disconnect()
      sessions[name] = nil
    case .control(let words):
      let result = try TestSupport.run(
        Side.peer.tool("ovs-appctl"), ["-t", server.controlSocket] + words, in: server.directory)
      received["control"] = [.string(presentable(result, directory: server.directory).description)]
    }
    // Other steps leave what they cause to the step after them, which waits for it.
    switch step {
    case .call, .callWithID: try drain(into: &received)
    default: break
    }
    let record = WireJSON.object(
      received.sorted { $0.key < $1.key }.map { .init($0.key, .array(Self.comparable($0.value))) })
    return identities.canonical(record)
  }

  /// The messages of one session with those of different monitors, whose order is unspecified, sorted where they stand
  /// beside each other, and without the numbers of transactions, which depend on the history a server keeps.
  private static func comparable(_ messages: [WireJSON]) -> [WireJSON] {
    var out: [WireJSON] = []
    var run: [WireJSON] = []
    for message in messages {
      let method = message["method"]?.stringValue ?? ""
      if method.hasPrefix("update") || method == "monitor_canceled" {
        run.append(withoutTransaction(message))
      } else {
        out += sorted(run) + [withoutTransaction(message)]
        run = []
      }
    }
    return out + sorted(run)
  }

  private static func sorted(_ run: [WireJSON]) -> [WireJSON] {
    run.sorted { ($0["params"]?[0]?.text ?? "") < ($1["params"]?[0]?.text ?? "") }
  }

  private static func withoutTransaction(_ message: WireJSON) -> WireJSON {
    if message["method"]?.stringValue == "update3", let params = message["params"]?.elements, params.count == 3 {
      return ["method": "update3", "params": [params[0], params[2]]]
    }
    if let result = message["result"]?.elements, result.count == 3, case .bool = result[0] {
      return ["id": message["id"] ?? nil, "result": [result[0], result[2]]]
    }
    return message
  }

  /// What came up to the reply, or up to the end of the connection.
  private func exchange(
    _ session: WireSession, _ method: String, _ params: WireJSON, id: WireJSON
  ) throws -> [WireJSON] {
    do { try session.request(method, params, id: id) } catch { return ["closed"] }
    var messages: [WireJSON] = []
    while let message = try session.receive(seconds: 10) {
      messages.append(message.json)
      if message.isReply(to: id) { return messages }
    }
    return messages + ["closed"]
  }

  /// Takes what the sessions are owed by now: a transaction without operations comes back after all of it. When a
  /// server closes connections is its own business; that it does, `awaitClosed` checks.
  private func drain(into received: inout [String: [WireJSON]]) throws {
    for name in sessions.keys.sorted() where !closed.contains(name) {
      guard let session = sessions[name] else { continue }
      do { try session.request("transact", [.string(barrierDatabase)], id: "barrier") } catch { closed.insert(name) }
      while !closed.contains(name) {
        guard let message = try session.receive(seconds: 10) else {
          closed.insert(name)
          break
        }
        if message.isReply(to: "barrier") { break }
        received[name, default: []].append(message.json)
      }
    }
  }
}

/// Runs a script on both servers; gives a description of each step whose records differ.
func disagreements(
  _ script: [SessionStep], databases: [DatabaseSource], database: String
) throws -> [String] {
  let servers = try [Side.ours, .peer].map { try ScriptedServer($0, databases, database: database) }
  var found: [String] = []
  for (index, step) in script.enumerated() {
    let records = try servers.map { server in
      do { return try server.run(step) } catch {
        throw ProcessError("step \(index), \(step), \(server.server.side) (\(server.server.fate)): \(error)")
      }
    }
    let blurred = records.map(AcceptedDifferences.blurred)
    if blurred[0] != blurred[1] {
      found.append("step \(index): \(step)\nours: \(records[0])\npeer: \(records[1])")
    }
  }
  return found
}
