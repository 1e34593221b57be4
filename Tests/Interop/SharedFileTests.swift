// SPDX-License-Identifier: Apache-2.0
//
// Database files pass between the two sides: what one server or tool writes, the other reads, and tools print the same
// of the same file.

import Foundation
import TestSupport
import Testing

@Suite(
  .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"),
  .enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct SharedFileTests {
  private func contents(_ server: DatabaseServer) throws -> [String] {
    try StructuralDump(of: "Sample", over: try server.session(), ignoring: ["status"]).lines
  }

  @Test("a file goes back and forth between the servers and loses nothing", arguments: [false, true])
  func serversTakeTurns(compacting: Bool) throws {
    var server = try SampleDatabase.server(.ours)
    let directory = server.directory
    var expected = try contents(server)
    for (turn, side) in [Side.peer, .ours, .peer, .ours].enumerated() {
      if compacting {
        try succeed(Side.peer.tool("ovs-appctl"), ["-t", server.controlSocket, "ovsdb-server/compact"], in: directory)
      }
      server.stop()
      server = try DatabaseServer(side, [.existing(file: "sample.db")], directory: directory)
      #expect(differences(try contents(server), expected) == "", "turn \(turn) to \(side)")
      try SampleDatabase.apply(
        [
          [["op": "insert", "table": "Thing", "row": ["name": "turn \(turn)", "numbers": ["set", [1, 2]]]]],
          [["op": "mutate", "table": "Thing", "where": [], "mutations": [["numbers", "insert", .integer(100 + turn)]]]],
        ], to: server)
      expected = try contents(server)
    }
    #expect(expected.count == 6)
  }

  /// Commands on a file; FILE and SCHEMA stand for the paths.
  private static let commands: [[String]] = [
    ["show-log", "FILE"], ["-m", "show-log", "FILE"], ["-mm", "show-log", "FILE"], ["db-name", "FILE"], ["db-version", "FILE"], ["db-cksum", "FILE"],
    ["db-is-standalone", "FILE"], ["db-is-clustered", "FILE"], ["schema-name", "SCHEMA"], ["schema-version", "SCHEMA"], ["schema-cksum", "SCHEMA"],
    ["needs-conversion", "FILE", "SCHEMA"], ["query", "FILE", "[\"Sample\",{\"op\":\"select\",\"table\":\"Thing\",\"where\":[],\"columns\":[\"name\",\"numbers\",\"size\",\"labels\"],\"sort\":[\"name\"]}]"],
    ["transact", "FILE", "[\"Sample\",{\"op\":\"wait\",\"table\":\"Thing\",\"where\":[],\"columns\":[],\"until\":\"==\",\"rows\":[]}]"],
    ["transact", "FILE", "[\"Sample\",{\"op\":\"update\",\"table\":\"Thing\",\"where\":[],\"row\":{\"flag\":true}},{\"op\":\"comment\",\"comment\":\"offline\"}]"],
    ["-m", "show-log", "FILE"], ["compact", "FILE", "COPY"], ["compact", "FILE"], ["-mm", "show-log", "FILE"], ["convert", "FILE", "SCHEMA"], ["show-log", "FILE"],
    ["create", "FILE", "SCHEMA"], ["db-cid", "FILE"], ["query", "FILE", "[\"nosuch\"]"], ["query", "FILE", "[1"], ["show-log", "nosuch.db"], ["schema-name", "nosuch"],
    ["compare-versions", "1.2.3", "<", "1.2.4"], ["compare-versions", "1.2.3", ">", "1.2.4"], ["compare-versions", "1.2", "<", "1.2.4"], ["nosuch"],
  ]

  @Test("ovsdb-tool prints and does the same on a file, whoever's it and the file are", arguments: [Side.ours, .peer])
  func tools(author: Side) throws {
    let server = try SampleDatabase.server(author)
    server.stop()
    let outcomes = try [Side.ours, .peer].map { side -> ([CommandResult], [String]) in
      let directory = try RunDirectory()
      for name in ["sample.db", "sample.db.ovsschema"] {
        try succeed("cp", [server.directory.path(name), directory.path(name)], in: directory)
      }
      let names = ["FILE": directory.path("sample.db"), "SCHEMA": directory.path("sample.db.ovsschema"), "COPY": directory.path("copy.db")]
      let results = try Self.commands.map { words in
        let result = try run(side.tool("ovsdb-tool"), words.map { names[$0] ?? $0 }, in: directory)
        // Rows of a record come in unspecified order; the version of the package stands in comments.
        var shown = presentable(result, directory: directory, sortingLines: words.contains("show-log"))
        shown.standardOutput = shown.standardOutput.replacing(#/ovsdb-tool [0-9.]+/#, with: "ovsdb-tool VERSION")
        shown.standardError = shown.standardError.replacing(side.tool("ovsdb-tool"), with: "ovsdb-tool")
        if side == .ours { shown.standardError = countingLinesFromZero(shown.standardError) }
        return shown
      }
      let reader = try DatabaseServer(.peer, [.existing(file: "sample.db")], directory: directory)
      return (results, try contents(reader))
    }
    for (words, (mine, other)) in zip(Self.commands, zip(outcomes[0].0, outcomes[1].0)) {
      #expect(mine == other, "ovsdb-tool \(words.joined(separator: " "))")
    }
    #expect(differences(outcomes[0].1, outcomes[1].1) == "")
  }
}
