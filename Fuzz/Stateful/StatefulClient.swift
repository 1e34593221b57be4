// SPDX-License-Identifier: Apache-2.0
//
// One client of the stateful fuzzer. It may stop to read for a while; what it knows it knows from what it read.

import Engine
import FuzzTargets
import Foundation
import JSON
import Monitoring
import OVSDB
import TestSupport

/// What a monitor has told.
struct StatefulView {
  var method: String
  /// `<monitor-requests>` as it was sent, and the changes of conditions since that were accepted.
  var requests: String
  var changes: [String] = []
  var copy = MonitorCopy()
  var lastID: String?

  /// Requests that ask for what the monitor shows now; nil when they cannot be said in one go.
  var currentRequests: String? { changes.isEmpty ? requests : nil }

  func specification(_ schema: DatabaseSchema) throws -> MonitorSpecification {
    var result = try JSONDocument.parse(requests).withRoot {
      try MonitorSpecification(json: $0, schema: schema, allowsCondition: method != "monitor")
    }
    for change in changes where method != "monitor" {
      result = try JSONDocument.parse(change).withRoot { try result.changingConditions(json: $0, schema: schema) }
    }
    return result
  }
}

/// What a reply means.
enum StatefulMeaning {
  case monitor(id: String, method: String, requests: String)
  case resume(id: String, view: StatefulView)
  case condition(old: String, new: String, change: String)
  case cancel(id: String)
  case other
}

final class StatefulClient {
  let number: Int
  /// It sends and does not read.
  var isStopped = false
  private var session: WireSession
  private var views: [String: StatefulView] = [:]
  private var awaited: [Int: StatefulMeaning] = [:]
  private var nextID = 0
  private var log: [String] = []

  init(socket: String, number: Int) throws {
    self.number = number
    session = try WireSession(socket: socket, secondsMax: 60)
  }

  func disconnect() { session.disconnect() }

  /// The last things that happened, for failures.
  var trace: String { "client \(number)\(isStopped ? " (stopped)" : ""):\n  " + log.suffix(12).joined(separator: "\n  ") }

  var monitorIDs: [String] { views.keys.sorted() }

  /// A client that has not read for long would block on what it sends.
  var mayRequest: Bool { awaited.count < 40 }

  func request(_ method: String, _ params: String, _ meaning: StatefulMeaning) throws {
    nextID += 1
    awaited[nextID] = meaning
    log.append("> \(nextID) \(method) \(params)")
    try session.send(Array(#"{"id":\#(nextID),"method":"\#(method)","params":\#(params)}"#.utf8))
  }

  func sendRaw(_ bytes: [UInt8]) {
    log.append("> \(String(decoding: bytes, as: UTF8.self))")
    // The server may be quicker to hang up.
    try? session.send(bytes)
  }

  func reconnect(socket: String) throws {
    log.append("reconnects")
    session.disconnect()
    session = try WireSession(socket: socket, secondsMax: 60)
    awaited = [:]
    isStopped = false
  }

  func takeViews() -> [String: StatefulView] {
    defer { views = [:] }
    return views
  }

  // MARK: - Reading

  /// Reads until an echo comes back.
  func catchUp(schema: DatabaseSchema, _ report: inout StatefulReport) throws {
    nextID += 1
    let mark = nextID
    try session.send(Array(#"{"id":\#(mark),"method":"echo","params":[]}"#.utf8))
    var count = 0
    while true {
      guard let message = try session.receive() else { throw FuzzFault("client \(number) lost its connection") }
      count += 1
      if message.isReply(to: .number("\(mark)")) { break }
      log.append("< \(String(decoding: message.bytes.prefix(700), as: UTF8.self))")
      try take(message, schema, &report)
    }
    if count > 20 { report.late += count }
  }

  private func take(_ message: WireMessage, _ schema: DatabaseSchema, _ report: inout StatefulReport) throws {
    try JSONDocument.parse(message.bytes).withRoot { root in
      if let method = root.member("method")?.string {
        guard method.hasPrefix("update"), let params = root.member("params") else { return }
        report.updates += 1
        return try update(method, params, schema)
      }
      guard let id = root.member("id")?.integer, let meaning = awaited.removeValue(forKey: Int(id)) else {
        throw FuzzFault("client \(number) got a reply that it did not ask for: \(root.text())")
      }
      let result = root.member("error")?.isNull ?? true ? root.member("result") : nil
      try reply(meaning, result, schema)
    }
  }

  private func update(_ method: String, _ params: JSONValue, _ schema: DatabaseSchema) throws {
    guard let id = params[0]?.string, var view = views[id] ?? renamed(id) else {
      throw FuzzFault("client \(number) got an update of a monitor that it has not: \(params.text())")
    }
    guard let body = params[method == "update3" ? 2 : 1] else { throw FuzzFault("an update without body: \(params.text())") }
    if method == "update3" { view.lastID = params[1]?.string }
    guard body.count > 0 else { throw FuzzFault("an empty update: \(params.text())") }
    try view.copy.apply(body, schema: schema)
    views[id] = view
  }

  /// The view that a change of conditions gives a new name: what the change itself brings comes before its reply, under that name.
  private func renamed(_ id: String) -> StatefulView? {
    for (_, meaning) in awaited.sorted(by: { $0.key < $1.key }) {
      if case .condition(let old, id, _) = meaning, let view = views.removeValue(forKey: old) { return view }
    }
    return nil
  }

  private func reply(_ meaning: StatefulMeaning, _ result: JSONValue?, _ schema: DatabaseSchema) throws {
    guard let result else {
      if case .resume(let id, _) = meaning { throw FuzzFault("monitor \(id) could not be resumed") }
      return
    }
    switch meaning {
    case .other: break
    case .cancel(let id): views[id] = nil
    case .monitor(let id, let method, let requests):
      views[id] = try begin(StatefulView(method: method, requests: requests), result, schema)
    case .resume(let id, let view): views[id] = try begin(view, result, schema)
    case .condition(let old, let new, let change):
      guard var view = views.removeValue(forKey: old) ?? views[new] else { throw FuzzFault("a monitor \(old) was changed that is not known") }
      view.changes.append(change)
      views[new] = view
    }
  }

  /// Takes initial contents, or what changed since.
  private func begin(_ view: StatefulView, _ result: JSONValue, _ schema: DatabaseSchema) throws -> StatefulView {
    var view = view
    guard view.method == "monitor_cond_since" else {
      view.copy = MonitorCopy()
      try view.copy.apply(result, schema: schema)
      return view
    }
    guard let isFound = result[0]?.boolean, let body = result[2] else { throw FuzzFault("reply \(result.text())") }
    view.lastID = result[1]?.string
    if !isFound { view.copy = MonitorCopy() }
    try view.copy.apply(body, schema: schema)
    return view
  }

  // MARK: - What has to hold

  /// Compares what is known with the rows of a snapshot.
  func check(_ snapshot: Snapshot, _ report: inout StatefulReport) throws {
    for (id, view) in views {
      let specification = try view.specification(snapshot.schema)
      for table in specification.tables {
        let names = Set(table.columns.map(\.column.name))
        let known = (view.copy.tables[table.table.name] ?? [:]).mapValues { $0.filter { names.contains($0.key) } }
        var expected: [String: CopiedRow] = [:]
        for (uuid, row) in snapshot.tables[table.table.index].rows {
          let clauses = table.condition.condition.clauses
          guard clauses.isEmpty || clauses.contains(where: { $0.holds { row[$0] } }) else { continue }
          expected["\(uuid)"] = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.column.name, row[$0.column]) })
        }
        report.views += 1
        guard known != expected else { continue }
        throw FuzzFault(
          "client \(number), monitor \(id) (\(view.method) \(view.requests) \(view.changes)), table \(table.table.name): known \(known), there are \(expected)")
      }
    }
  }
}
