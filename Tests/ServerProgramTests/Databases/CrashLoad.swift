// SPDX-License-Identifier: Apache-2.0
//
// Clients that write, watch, compact and convert until the server is gone, and remember what they were told.

import Foundation
import Synchronization
import TestSupport

/// The clients of one round.
///
/// Each transaction of writer `w` adds one number, `w * writerStride + k` for k = 0, 1, 2, ..., to two tables, and counts it in a third.
/// So after a crash the tables must agree with each other and the counter with both, and of each writer's numbers the first so and so
/// many must be there, those that were acknowledged among them.
final class CrashLoad: Sendable {
  /// What a database holds.
  struct Contents: Sendable, Equatable {
    var left: Set<Int> = []
    var right: Set<Int> = []
    var counter = 0
  }

  private struct State {
    var acknowledged: Set<Int> = []
    var seen: Set<Int> = []
    var sent: Set<Int> = []
    /// Answers that should not have come.
    var oddities: [String] = []
  }

  private let socket: String
  private let controlSocket: String
  private let round: Int
  private let first: Contents
  private let state = Mutex<State>(State())
  private let runningCount = Mutex<Int>(0)

  private static let writerCount = 3
  private static let writerStride = 1_000_000
  private static let roundStride = 10_000
  private static let windowCount = 8

  init(server: DatabaseServer, round: Int, first: Contents) {
    socket = server.socket
    controlSocket = server.controlSocket
    // Numbers of different rounds of one database differ.
    self.round = round % 64
    self.first = first
  }

  // MARK: - The database

  /// Conversions alternate between a schema with and one without another column.
  static func schema(generation: Int) -> WireJSON {
    var columns: [WireJSON.Member] = [.init("n", ["type": "integer"])]
    if generation % 2 == 1 { columns.append(.init("extra", ["type": ["key": "string", "min": 0, "max": 1]])) }
    let numbers: WireJSON = ["columns": .object(columns)]
    return [
      "name": "D", "version": .string("1.0.\(generation % 2)"),
      "tables": ["L": numbers, "R": ["columns": ["n": ["type": "integer"]]], "C": ["columns": ["count": ["type": "integer"]]]],
    ]
  }

  static func prepare(_ session: WireSession) throws {
    try session.call("transact", ["D", ["op": "insert", "table": "C", "row": ["count": 0]], ["op": "commit", "durable": true]])
  }

  static func contents(of session: WireSession) throws -> Contents {
    func select(_ table: WireJSON) -> WireJSON { ["op": "select", "table": table, "where": []] }
    let reply = try session.call("transact", ["D", select("L"), select("R"), select("C")])
    func numbers(_ place: Int, _ column: String) -> [Int] {
      (reply[place]?["rows"]?.elements ?? []).compactMap { $0[column].flatMap { Int($0.text) } }
    }
    return Contents(
      left: Set(numbers(0, "n")), right: Set(numbers(1, "n")), counter: numbers(2, "count").first ?? -1)
  }

  // MARK: - The clients

  func start() {
    var clients: [@Sendable (CrashLoad) throws -> Void] = (0..<Self.writerCount).map { writer in { try $0.write(as: writer) } }
    clients.append { try $0.watch() }
    clients.append { try $0.compact() }
    clients.append { try $0.convert() }
    runningCount.withLock { $0 = clients.count }
    for client in clients {
      let thread = Thread { [self] in
        // The end of the server is the end of every client.
        try? client(self)
        runningCount.withLock { $0 -= 1 }
      }
      thread.start()
    }
  }

  func join() { while runningCount.withLock({ $0 }) > 0 { usleep(1000) } }

  private func connect(_ path: String) throws -> WireSession {
    let session = try WireSession(socket: path)
    if path == socket { try session.call("set_db_change_aware", [true]) }
    return session
  }

  private func write(as writer: Int) throws {
    let session = try connect(socket)
    let base = writer * Self.writerStride + round * Self.roundStride
    var sent = 0
    var answered = 0
    while true {
      while sent - answered < Self.windowCount {
        guard sent < Self.roundStride else { return }
        let number = base + sent
        state.withLock { _ = $0.sent.insert(number) }
        try session.request("transact", transaction(number, isDurable: number % 5 == 0), id: .integer(number))
        sent += 1
      }
      guard let message = try session.receive(), let id = message.json["id"].flatMap({ Int($0.text) }) else { return }
      answered += 1
      let results = message.json["result"]?.elements ?? []
      let isGood = results.count >= 3 && results.allSatisfy { $0["error"] == nil }
      state.withLock { state in
        if isGood { state.acknowledged.insert(id) } else { state.oddities.append("\(message.json)") }
      }
    }
  }

  private func transaction(_ number: Int, isDurable: Bool) -> WireJSON {
    let row: WireJSON = ["n": .integer(number)]
    var operations: [WireJSON] = [
      "D", ["op": "insert", "table": "L", "row": row], ["op": "insert", "table": "R", "row": row],
      ["op": "mutate", "table": "C", "where": [], "mutations": [["count", "+=", 1]]],
    ]
    if isDurable { operations.append(["op": "commit", "durable": true]) }
    return .array(operations)
  }

  /// Monitors one table, and begins again when a conversion has ended the monitor.
  private func watch() throws {
    let session = try connect(socket)
    while true {
      let initial = try session.exchange("monitor", ["D", "m", ["R": ["columns": ["n"]]]])
      note(initial.reply["result"])
      while let message = try session.receive() {
        if message.method == "monitor_canceled" { break }
        note(message.json["params"]?[1])
      }
      if initial.reply["result"]?.isNull ?? true { return }
    }
  }

  private func note(_ updates: WireJSON?) {
    let numbers = (updates?["R"]?.members ?? []).compactMap { $0.value["new"]?["n"].flatMap { Int($0.text) } }
    state.withLock { $0.seen.formUnion(numbers) }
  }

  private func compact() throws {
    let session = try connect(controlSocket)
    while true {
      _ = try session.exchange("ovsdb-server/compact", [])
      usleep(5000)
    }
  }

  private func convert() throws {
    let session = try connect(socket)
    var generation = round
    while true {
      generation += 1
      let reply = try session.exchange("convert", ["D", Self.schema(generation: generation)]).reply
      if let error = reply["error"], !error.isNull { state.withLock { $0.oddities.append("convert: \(error)") } }
      usleep(20_000)
    }
  }

  // MARK: - The verdict

  /// What of the promises does not hold for what was found after the restart.
  func problems(with found: Contents) -> [String] {
    let state = state.withLock { $0 }
    var problems = state.oddities
    func expect(_ holds: Bool, _ text: @autoclosure () -> String) { if !holds { problems.append(text()) } }
    expect(found.left == found.right, "halves: \(found.left.symmetricDifference(found.right).sorted())")
    expect(found.counter == found.left.count, "counted \(found.counter) of \(found.left.count)")
    expect(first.left.isSubset(of: found.left), "earlier ones lost: \(first.left.subtracting(found.left).sorted())")
    let new = found.left.subtracting(first.left)
    expect(state.acknowledged.isSubset(of: new), "acknowledged and lost: \(state.acknowledged.subtracting(new).sorted())")
    let seen = state.seen.subtracting(first.left)
    expect(seen.isSubset(of: new), "shown and lost: \(seen.subtracting(new).sorted())")
    expect(new.isSubset(of: state.sent), "never asked for: \(new.subtracting(state.sent).sorted())")
    for writer in 0..<Self.writerCount {
      let base = writer * Self.writerStride + round * Self.roundStride
      let own = new.filter { ($0 / Self.writerStride) == writer }
      expect(own == Set(base..<(base + own.count)), "writer \(writer) has gaps: \(own.sorted())")
    }
    return problems
  }
}
