// SPDX-License-Identifier: Apache-2.0
//
// What ovsdb-tool does to files, with no other program to compare with.

import Foundation
import Journal
import Testing

@Suite struct ToolTests {
  let workspace: Workspace

  init() throws { workspace = try Workspace() }

  private static let insert = #"["T",{"op":"insert","table":"P","row":{"name":"n"}}]"#
  private static let names = #"["T",{"op":"select","table":"P","where":[],"columns":["name"],"sort":["name"]}]"#

  /// A schema may come through a pipe; what has no end or never begins is refused.
  @Test(arguments: [
    ("schema-version <(cat s)", "1.2.3\n", ""),
    ("schema-version /dev/zero", "", "line 1, column 0, byte 0: invalid character U+0000"),
    ("schema-version <(yes ' ')", "", "error reading JSON stream: larger than 64 MiB"),
    ("schema-version .", "", "error reading JSON stream: Is a directory"),
    ("schema-version fifo", "", "error reading JSON stream: nobody writes to this pipe"),
    ("db-name fifo", "", "fifo"),
    ("create fifo s", "", "fifo"),
  ])
  func aFileThatIsNoRegularFileIsReadOrRefused(command: String, output: String, error: String) throws {
    let workspace = try Workspace()
    try #require(mkfifo(workspace.url("fifo").path, 0o600) == 0)
    let result = try workspace.run("/bin/bash", ["-c", "ulimit -v 4000000; exec \(Workspace.ours) \(command)"])
    #expect(result.output.hasPrefix(output))
    #expect(error.isEmpty ? result.errors.isEmpty : result.errors.contains(error), "\(result)")
    #expect((result.status == 0) == error.isEmpty, "\(result)")
  }

  @Test func queryRefusesToWriteAndLeavesTheFileAlone() throws {
    let before = try workspace.bytes("x.db")
    let result = try workspace.tool("query", "x.db", Self.insert)
    #expect(result.status == 0)
    #expect(
      result.output.hasSuffix(
        """
        ,{"details":"x.db: query does not change the database file; use the transact command to change it",\
        "error":"not allowed"}]

        """))
    #expect(try workspace.bytes("x.db") == before)
    #expect(!FileManager.default.fileExists(atPath: workspace.url(".x.db.~lock~").path + "x"))
  }

  @Test func transactAppendsARecordAndOnlyWhenSomethingChanged() throws {
    let before = try workspace.bytes("x.db")
    #expect(try workspace.tool("transact", "x.db", Self.insert).status == 0)
    let after = try workspace.bytes("x.db")
    #expect(after.starts(with: before))
    #expect(after.count > before.count)
    let ephemeral = #"["T",{"op":"update","table":"I","where":[],"row":{"e":3}},{"op":"comment","comment":"none"}]"#
    #expect(try workspace.tool("transact", "x.db", ephemeral).output == "[{\"count\":1},{}]\n")
    #expect(try workspace.bytes("x.db") == after)
  }

  @Test func aLockedFileIsReadButNotWritten() throws {
    let lock = try FileLock(database: workspace.url("x.db").path)
    for line in [["compact", "x.db"], ["convert", "x.db", "s2"]] {
      let result = try workspace.run(Workspace.ours, line)
      #expect(result.status == 1)
      #expect(result.errors.hasSuffix("ovsdb-tool: x.db: failed to lock lockfile (Resource temporarily unavailable)\n"))
      #expect(result.errors.contains("lockfile|WARN|.x.db.~lock~: cannot lock file because it is already locked by pid \(getpid())\n"))
    }
    let refused = try workspace.tool("transact", "x.db", Self.insert)
    #expect(refused.errors.hasSuffix("ovsdb-tool: I/O error: x.db: failed to lock lockfile (Resource temporarily unavailable)\n"))
    #expect(try workspace.tool("query", "x.db", Self.names).status == 0)
    #expect(try workspace.tool("show-log", "x.db").status == 0)
    #expect(try workspace.tool("compact", "x.db", "copy.db").status == 0)
    withExtendedLifetime(lock) {}
  }

  @Test func compactingInPlaceKeepsTheRowsInTwoRecords() throws {
    let rows = try workspace.tool("query", "x.db", Self.names).output
    #expect(try workspace.tool("compact", "x.db").status == 0)
    #expect(try workspace.tool("query", "x.db", Self.names).output == rows)
    let log = try workspace.tool("show-log", "x.db").output
    #expect(log.contains("record 1: "))
    #expect(log.hasSuffix(" \"compacted by ovsdb-tool 3.1.0\"\n"))
    #expect(!log.contains("record 2"))
    #expect(!String(decoding: try workspace.bytes("x.db"), as: UTF8.self).contains("_is_diff"))
    #expect(!FileManager.default.fileExists(atPath: workspace.url("x.db.tmp").path))
  }

  @Test func aDestinationIsOverwritten() throws {
    try Data("something else".utf8).write(to: workspace.url("y.db"))
    #expect(try workspace.tool("compact", "x.db", "y.db").status == 0)
    #expect(try workspace.tool("db-name", "y.db").output == "T\n")
  }

  @Test func convertingChangesTheSchemaAndKeepsWhatFits() throws {
    #expect(try workspace.tool("needs-conversion", "x.db", "s2").output == "yes\n")
    #expect(try workspace.tool("convert", "x.db", "s2").status == 0)
    #expect(try workspace.tool("needs-conversion", "x.db", "s2").output == "no\n")
    let rows = #"["T",{"op":"select","table":"P","where":[],"columns":["name","r","s","more"]}]"#
    #expect(
      try workspace.tool("query", "x.db", rows).output
        == #"[{"rows":[{"more":["set",[]],"name":"baz","r":2,"s":["set",["b c","z"]]}]}]"# + "\n")
  }

  @Test func defaultsComeFromTheEnvironment() throws {
    try FileManager.default.copyItem(at: workspace.url("x.db"), to: workspace.url("conf.db"))
    try FileManager.default.copyItem(at: workspace.url("s2"), to: workspace.url("vswitch.ovsschema"))
    let result = try workspace.run(
      "/usr/bin/env",
      ["OVS_DBDIR=\(workspace.path)", "OVS_PKGDATADIR=\(workspace.path)", Workspace.ours, "needs-conversion"])
    #expect(result == ToolResult(status: 0, output: "yes\n", errors: ""))
  }

  // MARK: - Clusters

  @Test func aMembersFileBecomesAStandaloneOneWithoutWhatWasOverwritten() throws {
    #expect(try workspace.tool("cluster-to-standalone", "o.db", "c.db").status == 0)
    #expect(try workspace.tool("query", "o.db", Self.names).output == #"[{"rows":[{"name":"foo bar"}]}]"# + "\n")
    #expect(try workspace.tool("show-log", "o.db").output.hasSuffix("record 1:\nrecord 2: 2026-11-21 03:05:18.760 \"c\"\n"))
  }

  @Test(arguments: [
    #"{"term":3,"index":4,"eid":"\#(Fixtures.id(7))","data":[SCHEMA2,{"P":{"\#(Fixtures.id(1))":{"name":"whole"}}}]}"#,
    #"{"term":3,"index":4,"eid":"\#(Fixtures.id(7))","data":[SCHEMA2,null]}"#,
  ])
  func anEntryWithASchemaConvertsWhatCameBefore(entry: String) throws {
    let path = workspace.url("c2.db").path
    let log = try LogFile.create(path: path, kind: .clustered)
    for record in Fixtures.clusterRecords + [entry.replacingOccurrences(of: "SCHEMA2", with: Fixtures.otherSchema)] {
      log.append(Array(record.utf8))
    }
    try log.persistCreation()
    #expect(try workspace.tool("cluster-to-standalone", "o.db", "c2.db").status == 0)
    #expect(try workspace.tool("needs-conversion", "o.db", "s2").output == "no\n")
    let name = entry.contains("whole") ? "whole" : "foo bar"
    #expect(try workspace.tool("query", "o.db", Self.names).output == "[{\"rows\":[{\"name\":\"\(name)\"}]}]\n")
  }

  @Test func aMemberThatHasNotJoinedHasNothingToConvert() throws {
    let result = try workspace.tool("cluster-to-standalone", "o.db", "j.db")
    #expect(result.status == 1)
    #expect(result.errors.contains("has not joined its cluster yet"))
    #expect(!FileManager.default.fileExists(atPath: workspace.url("o.db").path))
  }

  // MARK: - Damage

  private func damage(record: Int) throws {
    var bytes = try workspace.bytes("x.db")
    var offset = 0
    var reader = try RecordReader(path: workspace.url("x.db").path)
    while let next = try reader.next() {
      if next.index == record { offset = next.offset + 3 }
    }
    bytes[offset] ^= 1
    try bytes.write(to: workspace.url("x.db"))
  }

  @Test func checkTellsOfDamageAndChangesNothing() throws {
    #expect(try workspace.tool("check", "x.db") == ToolResult(status: 0, output: "x.db: 5 records, no damage\n", errors: ""))
    #expect(try workspace.tool("check", "c.db").status == 0)
    try damage(record: 2)
    let before = try workspace.bytes("x.db")
    let result = try workspace.tool("check", "x.db")
    #expect(result.status == 2)
    #expect(result.output.contains("have SHA-1 hash"))
    #expect(result.output.hasSuffix("x.db: 4 good records; ovsdb-tool salvage copies them into a new file\n"))
    #expect(try workspace.bytes("x.db") == before)
  }

  @Test func aFileWithGoodRecordsBehindDamageIsNotOpenedForWriting() throws {
    try damage(record: 2)
    let before = try workspace.bytes("x.db")
    let result = try workspace.tool("transact", "x.db", Self.insert)
    #expect(result.status == 1)
    #expect(result.errors.contains("x.db: record 2 at offset"))
    #expect(result.errors.contains("2 good records follow it"))
    #expect(try workspace.bytes("x.db") == before)
  }

  @Test func salvageCopiesWhatIsGoodOnBothSides() throws {
    try damage(record: 2)
    let result = try workspace.tool("salvage", "x.db", "y.db")
    #expect(result.status == 0)
    #expect(result.output == "y.db: 4 records\n")
    #expect(result.errors.contains("have SHA-1 hash"))
    // The change of the name was in the damaged record.
    #expect(try workspace.tool("query", "y.db", Self.names).output == #"[{"rows":[{"name":"foo bar"}]}]"# + "\n")
    #expect(try workspace.tool("check", "y.db").status == 0)
  }

  @Test func salvageLeavesOutRecordsThatNoLongerFit() throws {
    // Without record 3 there are no rows for record 4 to delete.
    try damage(record: 3)
    let result = try workspace.tool("salvage", "x.db", "y.db")
    #expect(result.status == 0)
    #expect(result.output == "y.db: 3 records\n")
    #expect(result.errors.contains("does not fit, left out: syntax error: transaction deletes row"))
    #expect(try workspace.tool("query", "y.db", Self.names).output == #"[{"rows":[{"name":"baz"}]}]"# + "\n")
  }

  @Test func aDamagedSchemaIsReplacedByOneFromAFile() throws {
    try damage(record: 0)
    let advice = "the schema record is damaged; name a schema file as the third argument"
    #expect(try workspace.tool("check", "x.db").output.hasSuffix("x.db: salvage: \(advice)\n"))
    let refused = try workspace.tool("salvage", "x.db", "y.db")
    #expect(refused.status == 1)
    #expect(refused.errors.contains("x.db: \(advice)"))
    #expect(!FileManager.default.fileExists(atPath: workspace.url("y.db").path))
    let result = try workspace.tool("salvage", "x.db", "y.db", "s")
    #expect(result.output == "y.db: 5 records\n")
    #expect(try workspace.tool("query", "y.db", Self.names).output == #"[{"rows":[{"name":"baz"}]}]"# + "\n")
  }
}
