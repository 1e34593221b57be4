// SPDX-License-Identifier: Apache-2.0
//
// System calls that fail under the real server: each client is told, memory equals the file, the server lives and goes on by itself
// (Documentation/reliability.md, promise 6). Failed syncs are in StorageTests.swift.

import Foundation
import TestSupport
import Testing

/// A fault, and how often it strikes.
struct StorageFault: Sendable, CustomTestStringConvertible {
  var rules: [String]
  /// The reason that clients are told; nil when they must not notice.
  var reason: String?

  var testDescription: String { rules.joined(separator: " ") }
}

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer && Strace.isUsable, "ovsdb-server or strace is missing"))
struct StorageFaultTests {
  private func server(_ rules: [String], file: String = "db.db") throws -> DatabaseServer {
    let directory = try RunDirectory()
    let strace = Strace.command(rules, output: directory.path("trace")) + ["-P", directory.path(file)]
    return try DatabaseServer(.ours, [.schema(Numbers.schema)], wrapper: strace, directory: directory)
  }

  static let writeFaults = [
    StorageFault(rules: ["pwrite64:error=ENOSPC:when=3..7"], reason: "No space left on device"),
    StorageFault(rules: ["pwrite64:error=EIO:when=3..7"], reason: "Input/output error"),
    StorageFault(rules: ["pwrite64:error=EDQUOT:when=3..7"], reason: "Disk quota exceeded"),
    // The failed write cannot be cut off either, for a while.
    StorageFault(
      rules: ["pwrite64:error=ENOSPC:when=3..7", "ftruncate:error=EIO:when=1..3"], reason: "No space left on device"),
    StorageFault(rules: ["pwrite64:error=EINTR:when=2+2", "fdatasync:error=EINTR:when=1+2"], reason: nil),
  ]

  @Test(arguments: writeFaults) func aFailedWriteIsToldAndTakenBackAndTheServerGoesOn(fault: StorageFault) throws {
    let server = try server(fault.rules)
    let session = try server.session()
    var acknowledged: Set<String> = []
    var refusals: [WireJSON] = []
    for number in 1...20 {
      let isDurable = number % 2 == 0
      let reply = try session.call("transact", Numbers.insert(number, size: 50, isDurable: isDurable))
      if reply.elements?.count == (isDurable ? 2 : 1) {
        acknowledged.insert("\(number)")
      } else if let error = reply.elements?.last {
        refusals.append(error)
      }
      #expect(try Numbers.all(session) == acknowledged)
    }
    if let reason = fault.reason {
      #expect(!refusals.isEmpty && refusals.allSatisfy { $0["error"] == "I/O error" }, "\(refusals)")
      #expect(refusals.contains { $0["io-error"]?.stringValue == reason }, "\(refusals)")
      let log = try readText(server.logPath)
      #expect(log.contains("(\(reason))") && log.contains("commits are refused until writing succeeds"))
      #expect(log.contains("writing succeeds again, after"))
    } else {
      #expect(refusals.isEmpty)
    }
    #expect(acknowledged.contains("20"))
    #expect(try server.control("ovsdb-server/get-db-storage-status", "D").standardOutput == "status: ok\n")
    try server.kill()
    server.wrapper = []
    try server.start()
    #expect(try Numbers.all(try server.session()) == acknowledged)
  }

  @Test func theStatusTellsAFailedWriteUntilItWouldSucceed() throws {
    // Call 1 fails, and so do the first two that the status tries; then there is room again.
    let server = try server(["pwrite64:error=ENOSPC:when=1..3"])
    let session = try server.session()
    func status() throws -> String { try server.control("ovsdb-server/get-db-storage-status", "D").standardOutput }
    #expect(try status() == "status: ok\n")
    let reply = try session.call("transact", Numbers.insert(1))
    #expect(reply[1]?["io-error"] == "No space left on device")
    // The transaction is done again by itself before it is refused, which was call 2.
    let path = server.databasePath()
    #expect(try status() == "status: I/O error: \(path): write failed (No space left on device)\n")
    #expect(try status() == "status: ok\n")
    #expect(try session.call("transact", Numbers.insert(2)).elements?.count == 1)
    #expect(try Numbers.all(session) == ["2"])
  }

  static let replacementFaults = [
    StorageFault(rules: ["pwrite64:error=ENOSPC:when=1"], reason: "write failed (No space left on device)"),
    StorageFault(rules: ["fsync:error=EIO:when=1"], reason: "sync failed (Input/output error)"),
    StorageFault(rules: ["rename:error=EACCES:when=1"], reason: "rename failed (Permission denied)"),
  ]

  @Test(arguments: replacementFaults) func aFailedCompactionKeepsTheOldFileAndTheServerRunning(fault: StorageFault) throws {
    let server = try server(fault.rules, file: "db.db.tmp")
    let session = try server.session()
    var expected: Set<String> = []
    func insert(_ number: Int) throws {
      #expect(try session.call("transact", Numbers.insert(number, isDurable: true)).elements?.count == 2)
      expected.insert("\(number)")
    }
    for number in 1...5 { try insert(number) }
    let result = try server.control("ovsdb-server/compact")
    #expect(result.status == 2 && result.standardError.contains(fault.reason ?? ""), "\(result)")
    #expect(access(server.directory.path("db.db.tmp"), F_OK) != 0)
    try insert(6)
    #expect(try readText(server.databasePath()).components(separatedBy: "OVSDB JSON").count == 8)
    // strace counts for each thread: those that have not failed yet may do so now.
    try waitUntil("a compaction that succeeds", seconds: 60) { try server.control("ovsdb-server/compact").status == 0 }
    try insert(7)
    #expect(try readText(server.databasePath()).components(separatedBy: "OVSDB JSON").count == 4)
    try server.kill()
    server.wrapper = []
    try server.start()
    #expect(try Numbers.all(try server.session()) == expected)
  }

  @Test(arguments: replacementFaults) func aFailedConversionChangesNothing(fault: StorageFault) throws {
    let server = try server(fault.rules, file: "db.db.tmp")
    let session = try server.session()
    let watcher = try server.session()
    try watcher.call("monitor", ["D", "m", ["T": ["columns": ["n"]]]])
    try session.call("transact", Numbers.insert(1))
    #expect(try watcher.receive()?.method == "update")
    let wider: WireJSON = [
      "name": "D", "version": "2.0.0",
      "tables": ["T": ["columns": ["n": ["type": "integer"], "s": ["type": "string"], "more": ["type": "integer"]]]],
    ]
    let refusal = try session.exchange("convert", ["D", wider]).reply
    #expect(refusal["error"]?["error"] == "I/O error", "\(refusal)")
    #expect(try session.call("get_schema", ["D"])["version"] == "1.0.0")
    #expect(try session.call("transact", Numbers.insert(2)).elements?.count == 1)
    // Nobody lost a monitor.
    #expect(try watcher.receive()?.method == "update")
    try server.kill()
    server.wrapper = []
    try server.start()
    #expect(try Numbers.all(try server.session()) == ["1", "2"])
  }
}
