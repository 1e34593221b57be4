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
}
