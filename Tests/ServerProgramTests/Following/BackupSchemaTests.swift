// SPDX-License-Identifier: Apache-2.0
//
// Backups whose source is converted: without an option they become active, with `--sync-schema` they are converted too.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "needs both servers"))
struct BackupSchemaTests {
  private static func schema(_ version: String, _ columns: WireJSON, indexes: WireJSON = [], tables: [String] = []) -> WireJSON {
    var all = [WireJSON.Member("T", ["columns": columns, "isRoot": true, "indexes": indexes])]
    all += tables.map { WireJSON.Member($0, ["columns": ["name": ["type": "string"]], "isRoot": true]) }
    return ["name": "D", "version": .string(version), "tables": .object(all)]
  }

  private static let narrow = schema("1.0.0", ["n": ["type": "integer"], "old": ["type": "string"]])
  private static let wide = schema("2.0.0", ["n": ["type": "integer"], "new": ["type": "string"]], indexes: [["n"]], tables: ["New"])
  private static let last = schema("3.0.0", ["n": ["type": "integer"], "new": ["type": "string"]], tables: ["New"])

  private static func insert(_ number: Int) -> WireJSON {
    ["D", ["op": "insert", "table": "T", "row": ["n": .integer(number)]]]
  }

  private func dump(_ server: DatabaseServer) throws -> [String] { try exactDump(of: "D", over: try server.session()) }

  private func waitForEqualContents(_ servers: [DatabaseServer]) throws {
    do {
      try waitUntil("equal contents", seconds: 60) {
        let dumps = try servers.map(dump)
        return dumps.allSatisfy { $0 == dumps[0] }
      }
    } catch {
      throw ProcessError("\(error)\n\(servers.map(\.diagnosis).joined(separator: "\n"))")
    }
  }

  /// Each follows the one before it.
  private func chain(_ first: Side, options: [String]) throws -> [DatabaseServer] {
    var servers = [try DatabaseServer(first, [.schema(Self.narrow)])]
    for _ in 0..<2 {
      let server = try DatabaseServer(.ours, [.schema(Self.narrow)], options: ["--sync-from=\(servers[servers.count - 1].remote)"] + options)
      try server.waitForStatus("replicating")
      servers.append(server)
    }
    return servers
  }

  @Test(arguments: Side.allCases)
  func aChainOfThreeIsConvertedWithItsFirst(side: Side) throws {
    let servers = try chain(side, options: ["--sync-schema"])
    let first = try servers[0].session()
    for number in 0..<5 { try first.call("transact", Self.insert(number)) }
    try waitForEqualContents(servers)
    for (number, schema) in [Self.wide, Self.narrow, Self.last].enumerated() {
      _ = try servers[0].session().call("convert", ["D", schema])
      try servers[0].session().call("transact", Self.insert(100 + number))
      for server in servers.dropFirst() {
        try waitUntil("the schema", seconds: 60) { try server.session().call("get_schema", ["D"])["version"] == schema["version"] }
      }
      try waitForEqualContents(servers)
      for server in servers.dropFirst() { try server.waitForStatus("replicating") }
    }
    #expect(try dump(servers[0]).count == 8)
    for server in servers.dropFirst() {
      #expect(try server.session().call("transact", Self.insert(200))[0]?["error"] == "not allowed")
      let log = try readText(server.logPath)
      #expect(!log.contains("D: is active now") && log.contains("D: converted to version 3.0.0"))
      // What is in memory is in the file.
      let contents = try dump(server)
      try server.kill()
      let alone = try DatabaseServer(.ours, [.existing(file: "db.db")], directory: server.directory)
      #expect(try dump(alone) == contents)
    }
  }

  /// In a chain whose first server is converted the second ends to follow and takes writes, which the third follows.
  @Test func aConvertedSourceMakesItsBackupActiveWhichSaysWhy() throws {
    let servers = try chain(.ours, options: [])
    _ = try servers[0].session().call("convert", ["D", Self.wide])
    let reason = "\(servers[0].remote): Nothing to replicate. D: Table New not present in the local db schema."
    try servers[1].waitForStatus("state: active\nreplication ended: \(reason)")
    #expect(try readText(servers[1].logPath).contains("replication ends, this server is active: Nothing to replicate. D: Table New"))
    try servers[1].session().call("transact", Self.insert(1))
    try waitForEqualContents(Array(servers[1...]))
    // Whoever decides by command knows why.
    try servers[1].command("ovsdb-server/disconnect-active-ovsdb-server")
    #expect(try servers[1].command("ovsdb-server/sync-status") == "state: active\n")
  }

  /// Rows from before the backup followed violate an index of the source's schema.
  @Test func aBackupThatCannotBeConvertedStaysOneAndTriesAgainWhenTheSourceChanges() throws {
    let source = try DatabaseServer(.ours, [.schema(Self.wide)])
    try source.session().call("transact", Self.insert(1))
    let backup = try DatabaseServer(.ours, [.schema(Self.narrow)], options: ["--sync-from=\(source.remote)", "--sync-schema", "--active"])
    for _ in 0..<2 { try backup.session().call("transact", Self.insert(7)) }
    let before = try dump(backup)
    try backup.command("ovsdb-server/connect-active-ovsdb-server")
    let reason = "D: cannot be converted to the schema of the source: "
    try backup.waitForStatus("state: backup\nconnected to \(source.remote)\nnot replicated: \(reason)constraint violation")
    #expect(try readText(backup.logPath).contains("D: cannot be converted to the schema of \(source.remote), stays a backup"))
    #expect(try backup.session().call("transact", Self.insert(8))[0]?["error"] == "not allowed")
    #expect(try dump(backup) == before)

    _ = try source.session().call("convert", ["D", Self.last])
    try backup.waitForStatus("state: backup\nreplicating: \(source.remote)\ndatabase: D\n")
    try waitForEqualContents([source, backup])
    #expect(try !backup.command("ovsdb-server/sync-status").contains("not replicated"))
  }

  @Test func aTableThatOnlyTheBackupHasIsNotLostWithTheSchema() throws {
    let with = Self.schema("1.0.0", ["n": ["type": "integer"]], tables: ["Own"])
    let source = try DatabaseServer(.ours, [.schema(Self.narrow)])
    let options = ["--sync-from=\(source.remote)", "--sync-schema", "--active", "--sync-exclude-tables=D:Own"]
    let backup = try DatabaseServer(.ours, [.schema(with)], options: options)
    try backup.session().call("transact", ["D", ["op": "insert", "table": "Own", "row": ["name": "x"]]])
    try backup.command("ovsdb-server/connect-active-ovsdb-server")
    try backup.waitForStatus("table Own is excluded, and is not in the schema of the source\n")
    #expect(try dump(backup).count == 1)
    // Without the exclusion it is as the source's.
    try backup.command("ovsdb-server/set-sync-exclude-tables", "")
    try backup.waitForStatus("replicating")
    #expect(try backup.session().call("get_schema", ["D"])["tables"]?["Own"] == nil)
  }

  /// One database of two fits; both stay read-only, and the status names the other.
  @Test(arguments: [[], ["--sync-schema"]])
  func ofSeveralDatabasesTheOthersAreFollowed(options: [String]) throws {
    let other: WireJSON = ["name": "E", "version": "1.0.0", "tables": ["T": ["columns": ["n": ["type": "integer"]], "isRoot": true]]]
    func server(_ schema: WireJSON, _ options: [String]) throws -> DatabaseServer {
      try DatabaseServer(.ours, [.schema(schema), .schema(other, file: "e.db")], options: options)
    }
    let source = try server(Self.wide, [])
    let backup = try server(Self.narrow, ["--sync-from=\(source.remote)", "--active"] + options)
    for _ in 0..<2 { try backup.session().call("transact", Self.insert(7)) }
    try source.session().call("transact", ["E", ["op": "insert", "table": "T", "row": ["n": 1]]])
    try backup.command("ovsdb-server/connect-active-ovsdb-server")
    let reason = options.isEmpty ? "Table New not present" : "cannot be converted to the schema of the source"
    for words in ["replicating: \(source.remote)\ndatabase: E\n", "not replicated: D: \(reason)"] { try backup.waitForStatus(words) }
    #expect(try exactDump(of: "E", over: try backup.session()).count == 1)
    #expect(try backup.session().call("transact", Self.insert(8))[0]?["error"] == "not allowed")
  }

  @Test func aSchemaOfAnotherNameIsNotTaken() throws {
    let directory = try RunDirectory()
    let honest = HonestSource(schema: Self.wide, contents: [:])
    let renamed: WireJSON = ["name": "X", "version": "1.0.0", "tables": ["T": ["columns": ["n": ["type": "integer"]]]]]
    let source = try FakeSource(directory.path("source.sock")) { client, method, request in
      if method == "get_schema" { client.reply(renamed, to: request) } else { honest.answer(client, method, request) }
    }
    defer { source.close() }
    let backup = try DatabaseServer(.ours, [.schema(Self.narrow)], options: ["--sync-from=unix:\(source.socket)", "--sync-schema"])
    try waitUntil("the log", seconds: 60) { try readText(backup.logPath).contains("is the schema of another database than D") }
    #expect(try backup.session().call("list_dbs", []) == ["D", "_Server"])
  }
}
