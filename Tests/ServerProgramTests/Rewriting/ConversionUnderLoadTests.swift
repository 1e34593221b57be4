// SPDX-License-Identifier: Apache-2.0
//
// Conversions to another schema while clients write, monitor and wait (Documentation/reliability.md, promise 8).

import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "ovsdb-server, ours or Open vSwitch's, is missing"))
struct ConversionUnderLoadTests {
  /// - Parameters:
  ///   - hasText: With the column `s`.
  ///   - isUnique: With an index on `n`.
  private static func schema(hasText: Bool = true, isUnique: Bool = false) -> WireJSON {
    var columns: [WireJSON.Member] = [.init("n", ["type": "integer"])]
    if hasText { columns.append(.init("s", ["type": "string"])) }
    var table: [WireJSON.Member] = [.init("columns", .object(columns))]
    if isUnique { table.append(.init("indexes", [["n"]])) }
    return ["name": "D", "version": "1.0.0", "tables": ["T": .object(table), "Other": ["columns": ["x": ["type": "integer"]]]]]
  }

  private func aware(_ server: DatabaseServer) throws -> WireSession {
    let session = try server.session()
    try session.call("set_db_change_aware", [true])
    return session
  }

  private func fill(_ session: WireSession, _ count: Int) throws {
    let operations = (1...count).map { number -> WireJSON in
      ["op": "insert", "table": "T", "row": ["n": .integer(-number)]]
    }
    try session.call("transact", .array(["D"] + operations))
  }

  /// What writers on other threads were told.
  private final class Writers: Sendable {
    struct State {
      var acknowledged: Set<Int> = []
      var refusals: [WireJSON] = []
      var isEnding = false
      var runningCount = 0
    }

    let state = Mutex<State>(State())

    /// Writes numbers from `first` on, with the column `s`, one after the other.
    func start(_ socket: String, first: Int, step: Int = 1) {
      state.withLock { $0.runningCount += 1 }
      let thread = Thread { [self] in
        do {
          let session = try WireSession(socket: socket)
          try session.call("set_db_change_aware", [true])
          var number = first
          while !state.withLock({ $0.isEnding }) {
            let reply = try session.call("transact", Numbers.insert(number, size: 5, isDurable: number % 7 == 0))
            let error = reply.elements?.first { $0["error"] != nil }
            state.withLock { [number] state in
              if let error { state.refusals.append(error) } else { state.acknowledged.insert(number) }
            }
            number += step
          }
        } catch {
          state.withLock { $0.refusals.append(.string("\(error)")) }
        }
        state.withLock { $0.runningCount -= 1 }
      }
      thread.start()
    }

    func end() throws -> State {
      state.withLock { $0.isEnding = true }
      try waitUntil("the writers' end", seconds: 60) { state.withLock { $0.runningCount } == 0 }
      return state.withLock { $0 }
    }
  }

  @Test func writersKeepWhatTheyWereToldWhileAColumnComesAndGoes() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema())])
    let session = try aware(server)
    try fill(session, 2000)
    let writers = Writers()
    for writer in 1...3 { writers.start(server.socket, first: writer * 1_000_000) }
    // Who has not said yet that it knows of changing databases would lose its connection.
    try waitUntil("every writer to write", seconds: 60) {
      writers.state.withLock { state in (1...3).allSatisfy { state.acknowledged.contains($0 * 1_000_000) } }
    }
    for round in 0..<8 {
      let before = writers.state.withLock { $0.acknowledged.count }
      let reply = try session.exchange("convert", ["D", Self.schema(hasText: round % 2 == 1)]).reply
      #expect(reply["error"]?.isNull == true, "\(reply)")
      try waitUntil("writers to go on", seconds: 60) {
        writers.state.withLock { $0.acknowledged.count > before || $0.refusals.count > before }
      }
    }
    let told = try writers.end()
    // Who wrote the column while it was not there was told so; nothing else went wrong.
    #expect(told.refusals.allSatisfy { $0["error"] == "unknown column" }, "\(told.refusals.prefix(3))")
    let expected = Set(told.acknowledged.map { "\($0)" } + (1...2000).map { "\(-$0)" })
    #expect(try Numbers.all(session) == expected)
    try server.kill()
    try server.start()
    #expect(try Numbers.all(try server.session()) == expected)
  }

  @Test func aConversionThatRowsContradictChangesNothingWhileWritersGoOn() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema())])
    let session = try aware(server)
    let watcher = try aware(server)
    try fill(session, 2000)
    try watcher.call("monitor", ["D", "m", ["Other": ["columns": ["x"]]]])
    // Two writers with the same numbers: the index of the new schema finds them twice, in the snapshot or in what follows it.
    let writers = Writers()
    for _ in 1...2 { writers.start(server.socket, first: 1) }
    try waitUntil("a number twice", seconds: 60) { writers.state.withLock { $0.acknowledged.count } > 3 }
    for _ in 0..<5 {
      let reply = try session.exchange("convert", ["D", Self.schema(isUnique: true)]).reply
      #expect(reply["error"]?["error"] == "constraint violation", "\(reply)")
    }
    let told = try writers.end()
    #expect(told.refusals.isEmpty, "\(told.refusals.prefix(3))")
    #expect(try session.call("get_schema", ["D"])["tables"]?["T"]?["indexes"] == nil)
    // The watcher's monitor lives.
    try session.call("transact", ["D", ["op": "insert", "table": "Other", "row": ["x": 1]]])
    #expect(try watcher.receive()?.method == "update")
    try server.kill()
    try server.start()
    let found = try Numbers.all(try server.session())
    #expect(found == Set(told.acknowledged.map { "\($0)" } + (1...2000).map { "\(-$0)" }))
  }

  @Test func waitsAndMonitorsAreToldAndBeginAnew() throws {
    let server = try DatabaseServer(.ours, [.schema(Self.schema())])
    let session = try aware(server)
    let waiter = try aware(server)
    let unaware = try server.session()
    try unaware.call("monitor", ["D", "m", ["T": ["columns": ["n"]]]])
    try waiter.call("monitor_cond", ["D", "m", ["T": ["columns": ["n"]]]])
    let wait: WireJSON = [
      "op": "wait", "table": "T", "where": [], "columns": ["n"], "until": "==", "rows": [["n": 5]], "timeout": 60000,
    ]
    try waiter.request("transact", ["D", wait], id: 77)
    try waiter.call("list_dbs", [])
    #expect(try session.exchange("convert", ["D", Self.schema(hasText: false)]).reply["error"]?.isNull == true)
    var told: Set<String> = []
    while told.count < 2, let message = try waiter.receive() {
      if message.method == "monitor_canceled" { told.insert("monitor") }
      if message.isReply(to: 77) {
        #expect(message.json["error"] == "canceled")
        told.insert("wait")
      }
    }
    #expect(told == ["monitor", "wait"])
    #expect(try unaware.receiveUntilClosed().isEmpty)
    try waiter.call("monitor_cond", ["D", "m", ["T": ["columns": ["n"]]]])
    try session.call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 5]]])
    #expect(try waiter.receive()?.method == "update2")
  }
}
