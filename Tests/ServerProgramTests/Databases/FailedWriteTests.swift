// SPDX-License-Identifier: Apache-2.0
//
// The log cannot be written: each client is told the fate of its own transaction, memory and file agree, monitors saw only what is there,
// and the server goes on when the cause is gone (architecture, invariants 4 and 5).

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct FailedWriteTests {
  /// Limits the size of files the server may write, or lifts the limit.
  private func limitFiles(of server: DatabaseServer, _ limit: String) throws {
    let process = try Process.run(
      URL(fileURLWithPath: "/usr/bin/prlimit"), arguments: ["--pid", "\(server.pid)", "--fsize=\(limit)"])
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test func eachClientIsToldTheFateOfItsOwnTransaction() throws {
    let server = try DatabaseServer(.ours, [.schema(Numbers.schema)])
    let sessions = [try server.session(), try server.session()]
    let watcher = try server.session()
    _ = try watcher.call("monitor_cond", ["D", "m", ["T": ["columns": ["n"]]]])
    try limitFiles(of: server, "6000:")

    // Large and small ones, pipelined by two clients: some of them have to fail, wherever they meet in a turn.
    for number in 0..<12 {
      for (place, session) in sessions.enumerated() {
        let size = number % 3 == 0 ? 10 : 900
        try session.request("transact", Numbers.insert(100 * place + number, size: size), id: .integer(number))
      }
    }
    var acknowledged: Set<String> = []
    var failures: [WireJSON] = []
    for (place, session) in sessions.enumerated() {
      for number in 0..<12 {
        let reply = try #require(session.receive(untilReplyTo: .integer(number)).last).json
        let result = try #require(reply["result"]?.elements)
        if result.count == 1 { acknowledged.insert("\(100 * place + number)") } else { failures.append(result[1]) }
      }
    }
    #expect(!failures.isEmpty && !acknowledged.isEmpty)
    #expect(failures.allSatisfy { $0["error"] == "I/O error" && $0["io-error"] == "File too large" })
    #expect(try Numbers.all(sessions[0]) == acknowledged)

    // With the cause gone the server goes on by itself.
    try limitFiles(of: server, "unlimited:")
    let reply = try sessions[1].call("transact", Numbers.insert(999, size: 900))
    #expect(reply.elements?.count == 1)
    acknowledged.insert("999")

    var seen: Set<String> = []
    while seen.count < acknowledged.count, let message = try watcher.receive(seconds: 20) {
      for row in message.json["params"]?[1]?["T"]?.members ?? [] { seen.insert(row.value["insert"]?["n"]?.text ?? "0") }
    }
    #expect(seen == acknowledged)
    try server.restart()
    #expect(try Numbers.all(try server.session()) == acknowledged)
  }

  /// Two databases share turns, and the file of one is full: what the other's file holds is there once, in memory and after a restart.
  @Test func aFullFileDoesNotRepeatWhatWentIntoAnother() throws {
    let server = try DatabaseServer(.ours, [.schema(Numbers.schema), .schema(Numbers.schema(named: "E"), file: "e.db")])
    let session = try server.session()
    try limitFiles(of: server, "6000:")
    for number in 0..<20 {
      try session.request("transact", Numbers.insert(number, into: "E"), id: .integer(2 * number))
      try session.request("transact", Numbers.insert(number, size: 900), id: .integer(2 * number + 1))
    }
    var failureCount = 0
    for number in 0..<40 {
      let reply = try #require(session.receive(untilReplyTo: .integer(number)).last).json
      if reply["result"]?.elements?.count != 1 { failureCount += 1 }
      #expect(number % 2 == 1 || reply["result"]?.elements?.count == 1, "\(reply)")
    }
    #expect(failureCount > 0)
    let select: WireJSON = ["E", ["op": "select", "table": "T", "where": [], "columns": ["_uuid", "n"]]]
    let before = try session.call("transact", select)[0]?["rows"]?.elements ?? []
    #expect(before.count == 20)
    try limitFiles(of: server, "unlimited:")
    try server.restart()
    let after = try server.session().call("transact", select)[0]?["rows"]?.elements ?? []
    #expect(after.count == 20 && Set(after.map(\.text)) == Set(before.map(\.text)))
  }
}
