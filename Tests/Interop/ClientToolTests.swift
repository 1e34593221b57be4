// SPDX-License-Identifier: Apache-2.0
//
// The command-line tools of both sides on the servers of both sides: Open vSwitch's tools must not notice that the
// server is ours, and our tools must print what Open vSwitch's do.

import Foundation
import TestSupport
import Testing

/// A tool of one side pointed at a server of one side.
private struct Pairing: Sendable, CustomTestStringConvertible {
  let tool: Side
  let server: Side

  var testDescription: String { "\(tool)'s tool on \(server)'s server" }

  /// All but the peer with itself, which is what they are compared with.
  static let compared = [Pairing(tool: .peer, server: .ours), Pairing(tool: .ours, server: .peer), Pairing(tool: .ours, server: .ours)]
}

@Suite(
  .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"),
  .enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct ClientToolTests {
  /// Arguments of ovsdb-client; SERVER stands for the remote.
  private static let commands: [[String]] = {
    var commands: [[String]] = [
      ["list-dbs", "SERVER"], ["get-schema", "SERVER"], ["get-schema", "SERVER", "Sample"], ["get-schema", "SERVER", "nosuch"],
      ["--pretty", "get-schema", "SERVER"], ["get-schema-version", "SERVER"], ["get-schema-cksum", "SERVER", "Sample"],
      ["list-tables", "SERVER"], ["list-columns", "SERVER", "Sample"], ["list-columns", "SERVER", "Sample", "Thing"],
      ["list-columns", "SERVER", "Sample", "nosuch"], ["-f", "csv", "list-tables", "SERVER"],
      ["dump", "SERVER", "Sample", "Thing", "name", "numbers"], ["dump", "SERVER", "Sample", "nosuch"],
      ["dump", "SERVER", "Sample", "Thing", "nosuch"], ["dump", "SERVER", "Sample", "Empty"], ["--bare", "dump", "SERVER", "Sample", "Thing", "name"],
      ["--no-headings", "dump", "SERVER"], ["--max-column-width=8", "dump", "SERVER"], ["--pretty", "-f", "json", "dump", "SERVER"],
      ["transact", "SERVER", "[\"Sample\",{\"op\":\"select\",\"table\":\"Thing\",\"where\":[],\"columns\":[\"name\"],\"sort\":[\"name\"]}]"],
      ["transact", "SERVER", "[\"Sample\",{\"op\":\"nosuch\"}]"], ["transact", "SERVER", "[\"nosuch\"]"], ["transact", "SERVER", "[1"],
      ["transact", "SERVER", "{}"], ["--pretty", "transact", "SERVER", "[\"Sample\",{\"op\":\"abort\"}]"],
      ["query", "SERVER", "[\"Sample\",{\"op\":\"update\",\"table\":\"Thing\",\"where\":[],\"row\":{\"status\":1}}]"],
      ["needs-conversion", "SERVER", "sample.db.ovsschema"], ["needs-conversion", "SERVER", "nosuch.ovsschema"],
      ["wait", "SERVER", "Sample", "added"], ["wait", "SERVER", "Sample", "foo"], ["nosuch"], ["dump", "unix:nosuch.sock"], ["--nosuch", "dump"], [],
    ]
    for format in ["table", "list", "html", "csv", "json"] {
      for data in ["string", "bare", "json"] { commands.append(["-f", format, "-d", data, "dump", "SERVER", "Sample"]) }
    }
    return commands
  }()

  private func results(_ pairing: Pairing) throws -> [CommandResult] {
    let server = try SampleDatabase.server(pairing.server)
    let tool = pairing.tool.tool("ovsdb-client")
    return try Self.commands.map { words in
      // The order of tables and columns is unspecified.
      let isSorted = words.contains("list-tables") || words.contains("list-columns")
      let result = try run(tool, words.map { $0 == "SERVER" ? server.remote : $0 }, in: server.directory)
      return named(presentable(result, directory: server.directory, sortingLines: isSorted), tool)
    }
  }

  /// A result in which the program's path is its name.
  private func named(_ result: CommandResult, _ program: String) -> CommandResult {
    var result = result
    let name = program.split(separator: "/").last.map(String.init) ?? program
    result.standardError = result.standardError.replacing(program, with: name)
    if program == Side.ours.tool(name) { result.standardError = countingLinesFromZero(result.standardError) }
    return result
  }

  @Test("ovsdb-client prints the same whoever's it and the server are", arguments: Pairing.compared)
  private func oneShotCommands(_ pairing: Pairing) throws {
    let expected = try results(Pairing(tool: .peer, server: .peer))
    let actual = try results(pairing)
    for (words, (mine, other)) in zip(Self.commands, zip(actual, expected)) {
      #expect(mine == other, "ovsdb-client \(words.joined(separator: " "))")
    }
  }

  /// What a monitoring client prints while the database changes.
  private func monitorOutput(_ pairing: Pairing, _ words: [String]) throws -> String {
    let server = try DatabaseServer(pairing.server, [.schema(SampleDatabase.schema, file: "sample.db")])
    // One row at a time: the order of rows in an update is unspecified.
    let steps = SampleDatabase.history.flatMap { $0.map { [$0] } }.filter { $0[0]["op"] != "comment" }
    try SampleDatabase.apply(Array(steps.prefix(1)), to: server)
    let output = server.directory.path("monitor.out")
    let client = try ChildProcess(
      pairing.tool.tool("ovsdb-client"), words.map { $0 == "SERVER" ? server.remote : $0 },
      environment: server.directory.environment, directory: server.directory.path, output: output,
      errors: server.directory.path("monitor.err"))
    // Each step of the history is printed before the next is made: updates are not merged.
    var length = 0
    for operations in [[]] + steps.dropFirst() {
      if !operations.isEmpty { try SampleDatabase.apply([operations], to: server) }
      try waitUntil("more output of \(words)", seconds: 10) {
        guard client.isRunning else { throw ProcessError("it ended: \(try readText(server.directory.path("monitor.err")))") }
        let bytes = try readBytes(output)
        defer { length = max(length, bytes.count) }
        return bytes.count > length && bytes.last == UInt8(ascii: "\n")
      }
    }
    client.signal(SIGTERM)
    _ = try client.waitForExit()
    return UUIDText.replace(in: try readText(output)) { $0.hasPrefix("aaaaaaaa-") ? $0 : "<version>" }
  }

  @Test("ovsdb-client monitor prints the same whoever's it and the server are", arguments: Pairing.compared)
  private func monitors(_ pairing: Pairing) throws {
    let commands: [[String]] = [
      ["monitor", "SERVER", "Sample", "Thing"], ["-f", "json", "monitor", "SERVER", "Sample", "Thing"],
      ["-f", "csv", "monitor", "SERVER", "Sample", "ALL"],
      ["-f", "json", "monitor-cond", "SERVER", "Sample", "[[\"flag\",\"==\",true],[\"flag\",\"==\",false]]", "Thing"],
    ]
    for words in commands {
      let expected = try monitorOutput(Pairing(tool: .peer, server: .peer), words)
      let actual = try monitorOutput(pairing, words)
      #expect(actual == expected, "ovsdb-client \(words.joined(separator: " "))")
      #expect(expected.contains("zed"))
    }
  }

  @Test("a backup of either client restores on either server", arguments: [Side.ours, .peer], [Side.ours, .peer])
  func backup(tool: Side, target: Side) throws {
    let source = try SampleDatabase.server(tool == .ours ? .peer : .ours)
    let backup = source.directory.path("backup.db")
    let text = try succeed(tool.tool("ovsdb-client"), ["backup", source.remote, "Sample"], in: source.directory)
    try write(text, to: backup)
    let destination = try DatabaseServer(target, [.schema(SampleDatabase.schema, file: "sample.db")])
    try succeed(tool.tool("ovsdb-client"), ["restore", destination.remote, "Sample"], in: source.directory, input: backup)
    let dumps = try [source, destination].map { server in
      // What is ephemeral is not in a backup.
      try StructuralDump(of: "Sample", over: try server.session(), ignoring: ["status"]).lines
    }
    #expect(differences(dumps[0], dumps[1]) == "")
    #expect(dumps[0].count == 2)
  }

  @Test("ovs-appctl prints the same whoever's it and the server are", arguments: Pairing.compared)
  private func controlCommands(_ pairing: Pairing) throws {
    let commands: [[String]] = [
      ["ovsdb-server/list-dbs"], ["ovsdb-server/list-remotes"], ["ovsdb-server/add-remote", "punix:DIR/second.sock"], ["ovsdb-server/list-remotes"],
      ["ovsdb-server/remove-remote", "punix:DIR/second.sock"], ["ovsdb-server/remove-remote", "nosuch"], ["ovsdb-server/add-remote", "db:nosuch,a,b"],
      ["ovsdb-server/add-remote", "db:Sample,nosuch,b"], ["ovsdb-server/compact"], ["ovsdb-server/compact", "nosuch"], ["ovsdb-server/add-db", "DIR/nosuch.db"],
      ["ovsdb-server/add-db", "DIR/sample.db"], ["ovsdb-server/remove-db", "nosuch"], ["ovsdb-server/add-db"], ["nosuch"],
      ["ovsdb-server/get-db-storage-status", "Sample"], ["ovsdb-server/get-db-storage-status", "nosuch"], ["ovsdb-server/reconnect"],
      ["vlog/set", "nosuch"], ["vlog/set", "file:dbg"], ["vlog/set", "jsonrpc:file:nolevel"], ["vlog/list-pattern"], ["vlog/close"], ["vlog/reopen"],
      ["coverage/read-counter", "nosuch"], ["ovsdb-server/memory-trim-on-compaction", "maybe"], ["ovsdb-server/memory-trim-on-compaction", "on"],
    ]
    let outcomes = try [Pairing(tool: .peer, server: .peer), pairing].map { pairing in
      let server = try SampleDatabase.server(pairing.server)
      let tool = pairing.tool.tool("ovs-appctl")
      return try commands.map { words in
        let result = try run(
          tool, ["-t", server.controlSocket] + words.map { $0.replacing("DIR", with: server.directory.path) }, in: server.directory)
        return named(presentable(result, directory: server.directory), tool)
      }
    }
    for (words, (other, mine)) in zip(commands, zip(outcomes[0], outcomes[1])) {
      #expect(mine == other, "ovs-appctl \(words.joined(separator: " "))")
    }
  }

  @Test("every control command of Open vSwitch's server is one of ours")
  func controlCommandNames() throws {
    let names = try [Side.ours, .peer].map { side in
      let server = try SampleDatabase.server(side)
      let text = try succeed(Side.peer.tool("ovs-appctl"), ["-t", server.controlSocket, "list-commands"], in: server.directory)
      return Set(text.split(separator: "\n").dropFirst().compactMap { $0.split(separator: " ").first.map(String.init) })
    }
    #expect(names[1].count > 20)
    #expect(names[1].subtracting(names[0]).sorted() == [])
  }
}
