// SPDX-License-Identifier: Apache-2.0
//
// The real server is killed at each system call by which it changes the disk, one after the other, in a run that writes, syncs,
// compacts, converts and meets a full disk; and started again on what it left.

import Foundation
import TestSupport
import Testing

/// A kind of system call on one of the files.
struct CrashPoint: Sendable, CustomTestStringConvertible {
  var call: String
  /// In the run directory; empty for the directory itself.
  var file: String
  /// Further rules for strace.
  var faults: [String] = []

  var testDescription: String { "\(call) of \(file.isEmpty ? "the directory" : file)" }
}

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer && Strace.isUsable, "ovsdb-server or strace is missing"))
struct CrashPointTests {
  /// `OVSDB_CRASH_POINTS=all`: every call of each kind; else the first few.
  private static let callsMax = Programs.environment("OVSDB_CRASH_POINTS") == "all" ? Int.max : 2

  static let points = [
    CrashPoint(call: "pwrite64", file: "db.db"), CrashPoint(call: "pwrite64", file: "db.db.tmp"),
    CrashPoint(call: "fdatasync", file: "db.db"), CrashPoint(call: "fsync", file: "db.db.tmp"),
    CrashPoint(call: "rename", file: "db.db.tmp"), CrashPoint(call: "fsync", file: ""),
    CrashPoint(call: "ftruncate", file: "db.db", faults: ["pwrite64:error=ENOSPC:when=3..4"]),
  ]

  @Test(arguments: points) func everyAcknowledgedCommitSurvivesAKillAt(point: CrashPoint) throws {
    var number = 1
    while number <= Self.callsMax {
      guard try killAndLook(point, number) else {
        #expect(number > 1, "the run never comes to \(point.testDescription)")
        return
      }
      number += 1
    }
  }

  /// - Returns: false when the run ended before the call had been made so often.
  private func killAndLook(_ point: CrashPoint, _ number: Int) throws -> Bool {
    let server = try DatabaseServer(.ours, [.schema(CrashLoad.schema(generation: 0))])
    try CrashLoad.prepare(try server.session())
    server.stop()
    let path = point.file.isEmpty ? server.directory.path + "/" : server.directory.path(point.file)
    let rules = point.faults + ["\(point.call):signal=KILL:when=\(number)"]
    server.wrapper = Strace.command(rules, output: server.directory.path("trace")) + ["-P", path]
    try server.start()
    let run = ScriptedRun(server)
    let isComplete = run.isCompleted()
    if isComplete { try server.kill() } else { try server.waitForEnd() }
    server.wrapper = []
    try server.start()
    let found = try CrashLoad.contents(of: try server.session())
    let place = "\(point.testDescription), call \(number)"
    #expect(found.left == found.right && found.counter == found.left.count, "\(place): \(found)")
    #expect(run.acknowledged.isSubset(of: found.left), "\(place): lost \(run.acknowledged.subtracting(found.left).sorted())")
    // Of the one that was under way nobody knows.
    #expect(found.left.subtracting(run.acknowledged).subtracting(run.unanswered).isEmpty, "\(place): \(found) \(run.refused)")
    return !isComplete
  }
}

/// One client's requests, until the server is gone.
private final class ScriptedRun {
  private let server: DatabaseServer
  private(set) var acknowledged: Set<Int> = []
  private(set) var refused: Set<Int> = []
  /// Sent, and not answered.
  private(set) var unanswered: Set<Int> = []

  init(_ server: DatabaseServer) { self.server = server }

  /// - Returns: false when the server ended on the way.
  func isCompleted() -> Bool {
    do {
      let session = try server.session()
      try session.call("set_db_change_aware", [true])
      let control = try WireSession(socket: server.controlSocket)
      for step in 0..<12 {
        try insert(step, session)
        if step % 4 == 2 { _ = try control.exchange("ovsdb-server/compact", []) }
        if step % 4 == 3 { _ = try session.exchange("convert", ["D", CrashLoad.schema(generation: step / 4 + 1)]) }
      }
      return true
    } catch {
      return false
    }
  }

  private func insert(_ number: Int, _ session: WireSession) throws {
    let row: WireJSON = ["n": .integer(number)]
    unanswered.insert(number)
    let reply = try session.call(
      "transact",
      [
        "D", ["op": "insert", "table": "L", "row": row], ["op": "insert", "table": "R", "row": row],
        ["op": "mutate", "table": "C", "where": [], "mutations": [["count", "+=", 1]]],
        ["op": "commit", "durable": .bool(number % 2 == 0)],
      ])
    unanswered.remove(number)
    if reply.elements?.count == 4 { acknowledged.insert(number) } else { refused.insert(number) }
  }
}
