// SPDX-License-Identifier: Apache-2.0
//
// Storage that cannot lie: damaged files and failing syncs, with the real server (Documentation/reliability.md).

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "ovsdb-server, ours or Open vSwitch's, is missing"))
struct StorageTests {
  /// Makes a file of a schema and five records by a server that is stopped then.
  private func makeFile(in directory: RunDirectory) throws -> (path: String, starts: [Int]) {
    let server = try DatabaseServer(.ours, [.schema(Numbers.schema)], directory: directory)
    let session = try server.session()
    for number in 1...5 { try session.call("transact", Numbers.insert(number)) }
    server.stop()
    let bytes = try readBytes(server.databasePath())
    let starts = bytes.indices.filter { bytes[$0...].starts(with: "OVSDB JSON ".utf8) }
    #expect(starts.count == 6)
    return (server.databasePath(), starts)
  }

  private func flipByte(of path: String, at offset: Int) throws -> [UInt8] {
    var bytes = try readBytes(path)
    bytes[offset] ^= 1
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return bytes
  }

  @Test func damageInTheMiddleRefusesTheFileAndSaysWhereAndWhatFollows() throws {
    let directory = try RunDirectory()
    let (path, starts) = try makeFile(in: directory)
    let damaged = try flipByte(of: path, at: starts[3] + 70)
    let result = try run(
      Side.ours.server, ["--remote=punix:\(directory.path("s"))", "--unixctl=\(directory.path("c"))", path], in: directory)
    #expect(result.status == 1)
    #expect(result.standardError.contains("record 3 at offset \(starts[3]) is damaged and 2 good records follow it; refusing"))
    #expect(try readBytes(path) == damaged)
  }

  @Test func damageInTheMiddleIsServedReadOnlyOnRequest() throws {
    let directory = try RunDirectory()
    let (path, starts) = try makeFile(in: directory)
    let damaged = try flipByte(of: path, at: starts[3] + 70)
    let server = try DatabaseServer(
      .ours, [.existing(file: "db.db")], options: ["--read-only-on-damage"], directory: directory)
    let session = try server.session()
    #expect(try Numbers.all(session) == ["1", "2"])
    let place = "record 3 at offset \(starts[3]) is damaged and 2 good records follow it; what comes before is served read-only"
    let refused = try session.call("transact", Numbers.insert(9))
    #expect(refused[0]?["error"] == "not allowed")
    #expect(refused[0]?["details"]?.stringValue?.hasPrefix("insert operation not allowed: \(path): \(place)") == true)
    let conversion = try session.exchange("convert", ["D", Numbers.schema]).reply
    #expect(conversion["error"]?["details"]?.stringValue?.contains(place) == true)
    #expect(try server.control("ovsdb-server/get-db-storage-status", "D").standardOutput.contains("status: ovsdb error: \(path): \(place)"))
    let compaction = try server.control("ovsdb-server/compact")
    #expect(compaction.status == 2 && compaction.standardError.contains(place))
    #expect(try Numbers.all(session) == ["1", "2"])
    #expect(try readText(server.logPath).contains(place))
    server.stop()
    #expect(try readBytes(path) == damaged)
  }

  @Test func aTornTailIsServedAndItsLossTold() throws {
    let directory = try RunDirectory()
    let (path, starts) = try makeFile(in: directory)
    _ = try flipByte(of: path, at: starts[5] + 70)
    let server = try DatabaseServer(.ours, [.existing(file: "db.db")], directory: directory)
    let session = try server.session()
    #expect(try Numbers.all(session) == ["1", "2", "3", "4"])
    let lost = try readBytes(path).count - starts[5]
    #expect(
      try readText(server.logPath)
        .contains("everything before is served, and the last \(lost) bytes are cut off by the next write"))
    #expect(try server.control("ovsdb-server/get-db-storage-status", "D").standardOutput == "status: ok\n")
    try session.call("transact", Numbers.insert(6))
    try server.restart()
    #expect(try Numbers.all(try server.session()) == ["1", "2", "3", "4", "6"])
  }

  /// A server whose syncs fail as a rule of strace says.
  private func server(failing rule: String) throws -> DatabaseServer {
    let directory = try RunDirectory()
    return try DatabaseServer(
      .ours, [.schema(Numbers.schema)], wrapper: Strace.command([rule], output: directory.path("trace")),
      directory: directory)
  }

  /// The disk under the first database answers after a minute, long after the end of this test.
  @Test(.enabled(if: Strace.isUsable, "strace is missing"))
  func aSlowDiskUnderOneDatabaseHoldsUpNoOther() throws {
    let directory = try RunDirectory()
    let slow = Strace.command(["fdatasync:delay_enter=60s"], output: directory.path("trace")) + ["-P", directory.path("slow.db")]
    let server = try DatabaseServer(
      .ours, [.schema(Numbers.schema(named: "Slow"), file: "slow.db"), .schema(Numbers.schema)], wrapper: slow, directory: directory)
    let waiting = try server.session()
    let insert: WireJSON = ["op": "insert", "table": "T", "row": ["n": 1]]
    try waiting.request("transact", ["Slow", insert, ["op": "commit", "durable": true]], id: 1)
    let other = try server.session()
    let select: WireJSON = ["Slow", ["op": "select", "table": "T", "where": [], "columns": ["n"]]]
    try waitUntil("the commit that waits for its disk") { try other.call("transact", select)[0]?["rows"] == [["n": 1]] }
    #expect(try other.call("transact", Numbers.insert(1, isDurable: true)).elements?.count == 2)
    #expect(throws: (any Error).self) { try waiting.receive(seconds: 0) }
    try server.kill()
  }

  @Test(.enabled(if: Strace.isUsable, "strace is missing"))
  func aSyncThatFailsOnceIsMadeUpFor() throws {
    let server = try server(failing: "fdatasync:error=EIO:when=2")
    let session = try server.session()
    for number in 1...4 {
      let reply = try session.call("transact", Numbers.insert(number, isDurable: true))
      #expect(reply.elements?.count == 2)
    }
    let log = try readText(server.logPath)
    #expect(log.contains("fsync failed (Input/output error); commits are refused until the database is in a new file"))
    #expect(log.contains("the database is on stable storage again"))
    #expect(try server.control("ovsdb-server/get-db-storage-status", "D").standardOutput == "status: ok\n")
    try server.kill()
    server.wrapper = []
    try server.start()
    #expect(try Numbers.all(try server.session()) == ["1", "2", "3", "4"])
  }

  @Test(.enabled(if: Strace.isUsable, "strace is missing"))
  func durableCommitsAreToldOfAFailedSyncAndTheServerRecovers() throws {
    // strace counts for each thread: the first sync fails, and so does the first file that another thread writes because of it.
    let server = try server(failing: "fdatasync,fsync:error=EIO:when=1")
    let session = try server.session()
    let watcher = try server.session()
    try watcher.call("monitor", ["D", "m", ["T": ["columns": ["n"]]]])
    let reply = try session.call("transact", Numbers.insert(1, isDurable: true))
    #expect(reply.elements?.count == 3)
    #expect(reply[2]?["error"] == "I/O error" && reply[2]?["io-error"] == "Input/output error")
    #expect(
      reply[2]?["details"]?.stringValue?
        .hasSuffix("db.db: fsync failed; the transaction is made, but may not survive a loss of power") == true)
    // It is made: others see it, and so does its client.
    #expect(try watcher.receive()?.method == "update")
    #expect(try Numbers.all(session) == ["1"])
    // Unless the second try has succeeded by now, the failure shows, and writes are refused.
    let status = try server.control("ovsdb-server/get-db-storage-status", "D").standardOutput
    #expect(status == "status: ok\n" || status.contains("fsync failed (Input/output error)"))
    try waitUntil("the recovery", seconds: 60) {
      try readText(server.logPath).contains("the database is on stable storage again")
    }
    #expect(try server.control("ovsdb-server/get-db-storage-status", "D").standardOutput == "status: ok\n")
    #expect(try session.call("transact", Numbers.insert(2, isDurable: true)).elements?.count == 2)
    try server.kill()
    server.wrapper = []
    try server.start()
    #expect(try Numbers.all(try server.session()) == ["1", "2"])
  }

  @Test(.enabled(if: Strace.isUsable, "strace is missing"))
  func aCompactionByHandMakesUpForAFailedSyncAsWell() throws {
    let server = try server(failing: "fdatasync,fsync:error=EIO:when=1")
    let session = try server.session()
    #expect(try session.call("transact", Numbers.insert(1, isDurable: true)).elements?.count == 3)
    // The server's own try may be going on or done; then this one need not succeed.
    _ = try server.control("ovsdb-server/compact")
    try waitUntil("a durable commit", seconds: 60) {
      try session.call("transact", Numbers.insert(2, isDurable: true)).elements?.count == 2
    }
    #expect(try Numbers.all(session).isSuperset(of: ["1", "2"]))
  }

  /// Nothing can be made good for a database that is served no more; the server goes on with the others.
  @Test(.enabled(if: Strace.isUsable, "strace is missing"))
  func aDatabaseWhoseSyncsFailForGoodCanBeRemoved() throws {
    let server = try server(failing: "fdatasync,fsync:error=EIO")
    let session = try server.session()
    try session.call("set_db_change_aware", [true])
    #expect(try session.call("transact", Numbers.insert(1, isDurable: true)).elements?.count == 3)
    let removal = try server.control("ovsdb-server/remove-db", "D")
    #expect(removal.status == 0, "\(removal)")
    #expect(try session.call("list_dbs", []) == ["_Server"])
    // A try to make it good that is going on has the file's lock until it fails.
    try waitUntil("the file to be free", seconds: 60) {
      try server.control("ovsdb-server/add-db", server.databasePath()).status == 0
    }
    #expect(try Numbers.all(session) == ["1"])
  }
}
