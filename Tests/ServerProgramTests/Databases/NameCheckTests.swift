// SPDX-License-Identifier: Apache-2.0
//
// The database file or its lock file is removed, replaced or truncated while a real server uses it. The server notices, says so, and
// writes the database into a new file of that name; it refuses to while another server has the lock.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "ovsdb-server, ours or Open vSwitch's, is missing"))
struct NameCheckTests {
  enum Mishap: String, CaseIterable {
    case removed = "the file was removed"
    case replaced = "another file was put in the place of the file"
    case emptied
    /// By less than the next record is long.
    case shortened
    case lockRemoved = "the lock file was removed"
    case lockReplaced = "another file was put in the place of the lock file"

    /// In the log.
    var report: String {
      switch self {
      case .emptied, .shortened: "the file was truncated, and then written: it has zeros at byte "
      default: rawValue
      }
    }

    func strike(_ path: String, lock: String) throws {
      switch self {
      case .removed: try #require(unlink(path) == 0)
      case .emptied: try #require(truncate(path, 0) == 0)
      case .shortened: try #require(truncate(path, off_t(try readBytes(path).count - 1)) == 0)
      case .lockRemoved: try #require(unlink(lock) == 0)
      case .replaced, .lockReplaced:
        let name = self == .replaced ? path : lock
        try Data("other".utf8).write(to: URL(fileURLWithPath: name + ".new"))
        try #require(rename(name + ".new", name) == 0)
      }
    }
  }

  private func lock(_ server: DatabaseServer) -> String { server.directory.path(".db.db.~lock~") }

  private func status(_ server: DatabaseServer) throws -> String {
    try server.control("ovsdb-server/get-db-storage-status", "D").standardOutput
  }

  @Test(arguments: Mishap.allCases, [false, true])
  func aMishapIsNoticedAndTheDatabaseWrittenAgain(mishap: Mishap, isDurable: Bool) throws {
    let server = try DatabaseServer(.ours, [.schema(Numbers.schema)])
    let session = try server.session()
    try session.call("transact", Numbers.insert(1))
    try mishap.strike(server.databasePath(), lock: lock(server))
    let reply = try session.call("transact", Numbers.insert(2, isDurable: isDurable))
    #expect(reply[0]?["uuid"] != nil && reply.elements?.count == (isDurable ? 2 : 1), "\(reply)")
    if !isDurable {
      try waitUntil("the new file", seconds: 60) { try readText(server.logPath).contains("the database is on stable storage again") }
    }
    let log = try readText(server.logPath)
    #expect(log.contains("\(server.databasePath()): \(mishap.report)"), "\(log)")
    try waitUntil("the recovery", seconds: 60) { try status(server) == "status: ok\n" }
    // Nobody else may have it.
    let other = try run(
      Side.peer.tool("ovsdb-tool"), ["transact", server.databasePath(), Numbers.insert(3).text], in: server.directory)
    #expect(other.status == 1 && other.standardError.contains("failed to lock lockfile"), "\(other)")
    try server.kill()
    try server.start()
    #expect(try Numbers.all(try server.session()) == ["1", "2"])
  }

  @Test func whileAnotherServerHasTheLockWritesAreRefused() throws {
    let server = try DatabaseServer(.ours, [.schema(Numbers.schema)])
    let session = try server.session()
    try session.call("transact", Numbers.insert(1, isDurable: true))
    try #require(unlink(lock(server)) == 0)
    let other = try RemoteServer(["--remote=punix:other.sock", server.databasePath()], directory: server.directory)

    let reply = try session.call("transact", Numbers.insert(2, isDurable: true))
    #expect(reply[2]?["error"] == "I/O error", "\(reply)")
    let flaw = "another file was put in the place of the lock file"
    #expect(reply[2]?["details"]?.stringValue?.contains(flaw) == true, "\(reply)")
    #expect(try status(server) == "status: I/O error: \(server.databasePath()): \(flaw)\n")
    #expect(try session.call("transact", Numbers.insert(3)).elements?.last?["error"] == "I/O error")
    #expect(try readText(server.logPath).contains("failed to lock lockfile"))

    other.stop()
    try waitUntil("the recovery", seconds: 120) { try status(server) == "status: ok\n" }
    try session.call("transact", Numbers.insert(4, isDurable: true))
    try server.kill()
    try server.start()
    #expect(try Numbers.all(try server.session()) == ["1", "2", "4"])
  }
}
