// SPDX-License-Identifier: Apache-2.0
//
// What the log says of followers: who is a backup and why, and why everything was copied.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "needs both servers"))
struct FollowingLogTests {
  private func wait(for text: String, in server: DatabaseServer, count: Int = 1) throws {
    do {
      try waitUntil("the line \"\(text)\"", seconds: 60) { server.diagnosis.components(separatedBy: text).count > count }
    } catch {
      throw ProcessError("\(error); the log:\n\(server.diagnosis)")
    }
  }

  @Test func rolesChangeForAReason() throws {
    let schema = SteadyWriter.schema
    let source = try DatabaseServer(.ours, [.schema(schema)])
    let insert: WireJSON = ["D", ["op": "insert", "table": "T", "row": ["n": 1, "s": "x"]]]
    try source.session().call("transact", insert)
    let backup = try DatabaseServer(.ours, [.schema(schema)], options: ["--sync-from=\(source.remote)"])
    try wait(for: "|INFO|D: is a read-only backup of \(source.remote) now (--sync-from)", in: backup)
    try wait(for: "D: the contents are those of \(source.remote): 1 rows, of which 1 were changed here", in: backup)
    try backup.command("ovsdb-server/disconnect-active-ovsdb-server")
    try wait(for: "|INFO|D: is active now (ovsdb-server/disconnect-active-ovsdb-server)", in: backup)
    try backup.command("ovsdb-server/connect-active-ovsdb-server")
    try wait(for: "|INFO|D: is a read-only backup of \(source.remote) now (ovsdb-server/connect-active-ovsdb-server)", in: backup)
    try wait(for: "1 rows, of which 0 were changed here", in: backup)
    // A server that follows itself ends that.
    try backup.command("ovsdb-server/set-active-ovsdb-server", backup.remote)
    try backup.command("ovsdb-server/connect-active-ovsdb-server")
    try wait(for: "|INFO|D: is a read-only backup of \(backup.remote) now", in: backup)
    try wait(for: "|INFO|D: is active now (replication has ended)", in: backup)
  }

  @Test func theConfigurationFileChangesRoles() throws {
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("r.db", in: directory)
    func configure(_ isBackup: Bool) throws {
      let model = #"{"service-model": "active-backup", "backup": \#(isBackup), "source": {"unix:nowhere": null}}"#
      try write(#"{"remotes": {"punix:db.sock": null}, "databases": {"r.db": \#(model)}}"#, to: directory.path("c.json"))
    }
    try configure(true)
    let server = try RemoteServer(["--config-file=\(directory.path("c.json"))"], directory: directory)
    try server.waitForLog("|INFO|R: is a read-only backup of unix:nowhere now (configuration file)")
    try configure(false)
    #expect(try server.control("ovsdb-server/reload").status == 0)
    #expect(server.log.contains("|INFO|R: is active now (configuration file)"), "\(server.log)")
  }

  @Test(arguments: [Side.ours, .peer])
  func aRelaySaysWhyItCopiesEverything(side: Side) throws {
    let source = try DatabaseServer(side, [.schema(SteadyWriter.schema)])
    let relay = try RelayTests.relay(of: source.remote)
    try wait(for: "|INFO|D: following \(source.remote), after a copy of all 0 rows: nothing was here", in: relay)
    try source.session().call("transact", RelayTests.insert(1))
    try RelayTests.waitForEqualContents(source, relay)
    if side == .ours {
      try source.command("ovsdb-server/reconnect")
      try wait(for: "|INFO|D: following \(source.remote), from where it was", in: relay)
    }
    // A server that was restarted has no history; one of 3.1.0 with a plain file never has.
    try source.restart()
    let reason = side == .ours ? "it does not know the last transaction here, " : "it gave no id of its last transaction"
    try wait(for: "|INFO|D: following \(source.remote), after a copy of all 1 rows: \(reason)", in: relay)
  }

  @Test func aRelaySaysThatTheSchemaIsAnother() throws {
    let source = try DatabaseServer(.ours, [.schema(RemoteServer.schema)])
    let relay = try DatabaseServer(.ours, [], options: ["relay:R:\(source.remote)"])
    try wait(for: "|INFO|R: following ", in: relay)
    _ = try source.session().exchange("convert", ["R", ["name": "R", "tables": ["T": ["columns": ["n": ["type": "integer"]]]]]])
    try wait(for: "after a copy of all 0 rows: its schema is another than before", in: relay)
  }
}
