// SPDX-License-Identifier: Apache-2.0
//
// Copies of large databases to followers: nobody waits while a copy is made, it comes in one step, and whatever happens meanwhile
// leaves the old rows or the new ones.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "needs both servers"))
struct LargeCopyTests {
  private static let schema = SteadyWriter.schema
  private static let rowCount = 30_000

  /// A source with many rows.
  private func makeSource(_ side: Side = .ours, rows: Int = rowCount) throws -> DatabaseServer {
    let source = try DatabaseServer(side, [.schema(Self.schema)])
    let session = try source.session()
    var begin = 0
    while begin < rows {
      let end = min(rows, begin + 5_000)
      let inserts = (begin..<end).map { number -> WireJSON in
        ["op": "insert", "table": "T", "row": ["n": .integer(number), "s": .string("row \(number)")]]
      }
      try session.call("transact", .array(["D"] + inserts))
      begin = end
    }
    return source
  }

  /// Asks small things until the follower has the rows.
  ///
  /// - Returns: seconds: the longest wait for an answer, and all.
  private func askUntilCopied(_ session: WireSession, isCopied: (WireSession) throws -> Bool) throws -> (longest: Double, total: Double) {
    let clock = ContinuousClock()
    let begin = clock.now
    var longest = Duration.zero
    while true {
      let asked = clock.now
      let isDone = try isCopied(session)
      longest = max(longest, clock.now - asked)
      if isDone { return (longest / .seconds(1), (clock.now - begin) / .seconds(1)) }
      try #require(clock.now - begin < .seconds(120), "no copy")
    }
  }

  @Test func clientsOfABackupAreAnsweredWhileALargeCopyIsMadeAndSeeItInOneStep() throws {
    let source = try makeSource()
    let follower = try DatabaseServer(
      .ours, [.schema(Self.schema)], options: ["--sync-from=unix:\(source.socket)", "--active"])
    let light = try follower.session()
    for number in [-1, -2] {
      try light.call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": .integer(number), "s": "here"]]])
    }
    let watcher = try follower.session()
    try watcher.call("monitor_cond", ["D", "m", ["T": ["columns": ["n"]]]])
    let last: WireJSON = ["op": "select", "table": "T", "where": [["n", "==", .integer(Self.rowCount - 1)]], "columns": ["n"]]
    let first: WireJSON = ["op": "select", "table": "T", "where": [["n", "==", -1]], "columns": ["n"]]

    try follower.command("ovsdb-server/connect-active-ovsdb-server")
    let (longest, total) = try askUntilCopied(light) { session in
      let rows = try session.call("transact", ["D", first, last])
      // All or nothing.
      #expect(rows[0]?["rows"]?.elements?.count != rows[1]?["rows"]?.elements?.count)
      return rows[1]?["rows"]?.elements?.count == 1
    }
    #expect(longest < total / 3, "the longest wait was \(longest) s of \(total) s")

    // One update with all that changed.
    let update = try #require(try watcher.receive(seconds: 60)).json
    let rows = try #require(update["params"]?[1]?["T"]?.members)
    #expect(rows.count == Self.rowCount + 2)
    #expect(rows.filter { $0.value["delete"] != nil }.count == 2)
    // Then it follows like any other, and its file has it all, in one record for the copy.
    try source.session().call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 1_000_000]]])
    #expect(try watcher.receive(seconds: 60)?.json["params"]?[1]?["T"]?.members?.count == 1)
    let lines = try exactDump(of: "D", over: try source.session())
    #expect(try exactDump(of: "D", over: light) == lines)
    try follower.kill()
    let log = try succeed(Side.peer.tool("ovsdb-tool"), ["show-log", follower.databasePath()], in: follower.directory)
    #expect(log.split(separator: "\n").filter { $0.hasPrefix("record ") }.count == 3, "\(log)")
    let alone = try DatabaseServer(.ours, [.existing(file: "db.db")], directory: follower.directory)
    #expect(try exactDump(of: "D", over: try alone.session()) == lines)
  }

  @Test func clientsOfARelayAreAnsweredWhileALargeCopyIsMade() throws {
    let source = try makeSource()
    let relay = try DatabaseServer(.ours, [], options: ["--no-dbs"])
    let light = try relay.session()
    try light.call("set_db_change_aware", [true])
    try relay.command("ovsdb-server/add-db", "relay:D:\(source.remote)")
    let row: WireJSON = ["op": "select", "table": "Database", "where": [["name", "==", "D"]], "columns": ["connected"]]
    let (longest, total) = try askUntilCopied(light) { session in
      try session.exchange("transact", ["_Server", row]).reply["result"]?[0]?["rows"]?[0]?["connected"] == true
    }
    #expect(longest < total / 3, "the longest wait was \(longest) s of \(total) s")
    #expect(try exactDump(of: "D", over: try relay.session()) == exactDump(of: "D", over: try source.session()))

    // A change of everything is one, too, and monitors are told of it.
    let watcher = try relay.session()
    try watcher.call("monitor_cond_since", ["D", "m", ["T": ["columns": ["s"], "where": [["n", "<", 3]]]], "00000000-0000-0000-0000-000000000000"])
    try source.session().call("transact", ["D", ["op": "update", "table": "T", "where": [], "row": ["s": "new"]]])
    let update = try #require(try watcher.receive(seconds: 60)).json
    #expect(update["method"] == "update3")
    #expect(update["params"]?[2]?["T"]?.members?.count == 3)
    try light.call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": -7, "s": "by way of the relay"]]])
    #expect(try watcher.receive(seconds: 60)?.json["params"]?[2]?["T"]?.members?.count == 1)
    #expect(try exactDump(of: "D", over: try relay.session()) == exactDump(of: "D", over: try source.session()))
  }

  @Test func aCopyThatIsBrokenOffLeavesTheOldRows() throws {
    let source = try makeSource()
    let follower = try DatabaseServer(
      .ours, [.schema(Self.schema)], options: ["--sync-from=unix:\(source.socket)", "--active"])
    let session = try follower.session()
    for round in 0..<5 {
      try session.call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": .integer(-1 - round)]]])
      let before = try exactDump(of: "D", over: session)
      try follower.command("ovsdb-server/connect-active-ovsdb-server")
      Thread.sleep(forTimeInterval: Double(round) * 0.15)
      try follower.command("ovsdb-server/disconnect-active-ovsdb-server")
      // It is active, and writable, at once; a copy that was on its way does not come any more.
      try session.call("transact", ["D", ["op": "insert", "table": "Local", "row": ["name": .string("after \(round)")]]])
      let after = try exactDump(of: "D", over: session)
      #expect(after.count == before.count + 1 || after.count == Self.rowCount + 1)
      if after.count == Self.rowCount + 1 { break }
    }
    let lines = try exactDump(of: "D", over: session)
    try follower.restart()
    #expect(try exactDump(of: "D", over: try follower.session()) == lines)
  }

  @Test(arguments: [1, 2]) func aFollowerThatIsKilledWhileItCopiesHasTheOldRowsOrTheNewOnes(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let source = try makeSource()
    let follower = try DatabaseServer(
      .ours, [.schema(Self.schema)], options: ["--sync-from=unix:\(source.socket)", "--active"])
    try follower.session().call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": -1]]])
    try follower.command("ovsdb-server/connect-active-ovsdb-server")
    Thread.sleep(forTimeInterval: Double(random.below(3000)) / 1000)
    try follower.kill()
    let alone = try DatabaseServer(.ours, [.existing(file: "db.db")], directory: follower.directory)
    let count = try exactDump(of: "D", over: try alone.session()).count
    #expect(count == 1 || count == Self.rowCount)
  }
}
