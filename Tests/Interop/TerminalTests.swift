// SPDX-License-Identifier: Apache-2.0
//
// ovsdb-client for people: tables that fit the terminal, the pager, `watch`, the meter of long work. Tried in a real terminal.

import Foundation
import TestSupport
import Testing

@Suite(
  .enabled(if: Programs.hasPeer && Programs.hasOurs),
  .enabled(if: TestTerminal.isAvailable, "tmux is not installed"))
struct TerminalTests {
  private static let schema = #"""
    {"name":"T","version":"1.0.0","tables":{
     "p":{"isRoot":true,"columns":{"name":{"type":"string"},"n":{"type":"integer"}}}}}
    """#

  private func serve(_ rows: [(String, Int)]) throws -> DatabaseServer {
    let directory = try RunDirectory()
    try write(Self.schema, to: directory.path("t.ovsschema"))
    let server = try DatabaseServer(
      .peer, [.schema(path: directory.path("t.ovsschema"), file: "t.db")], directory: directory)
    guard !rows.isEmpty else { return server }
    try transact(
      server, rows.map { #"{"op":"insert","table":"p","row":{"name":"\#($0.0)","n":\#($0.1)}}"# }.joined(separator: ","))
    return server
  }

  private func transact(_ server: DatabaseServer, _ operations: String) throws {
    try succeed(Side.peer.tool("ovsdb-client"), ["transact", server.remote, "[\"T\",\(operations)]"], in: server.directory)
  }

  private func terminal(
    _ server: DatabaseServer, columns: Int = 60, rows: Int = 12, environment: [String: String] = [:]
  ) throws -> TestTerminal {
    let directory = (Side.ours.tool("ovsdb-client") as NSString).deletingLastPathComponent
    return try TestTerminal(
      columns: columns, rows: rows, in: server.directory,
      environment: ["S": server.remote, "PATH": "\(directory):/usr/bin:/bin"].merging(environment) { $1 })
  }

  private static let long = "日本語の名前e\\u0301 and 0123456789 and more of it, up to the end"

  @Test func cellsAreCutToWhatTheTerminalHas() throws {
    let server = try serve([(Self.long, 7), ("short", 8)])
    let terminal = try terminal(server, columns: 40, environment: ["PAGER": ""])
    try terminal.run("clear; ovsdb-client dump $S T p name n; echo status $?")
    let lines = try terminal.wait(for: "status 0")
    #expect(lines[0] == "p table")
    #expect(lines[2] == String(repeating: "-", count: 38) + " -" || lines[2] == "- " + String(repeating: "-", count: 38))
    #expect(lines.contains { $0.contains("…") && $0.contains("日本語の名前") })
    #expect(!lines.joined().contains("up to the end"))
    try terminal.run("clear; ovsdb-client --fit=wrap dump $S T p name n; echo status $?")
    let wrapped = try terminal.wait("wrapped cells") { $0.contains("status 0") && !$0.joined().contains("…") }
    #expect(wrapped.contains { $0.contains("end\"") })
    try terminal.run("clear; ovsdb-client --fit=off dump $S T p name n | cat; echo status $?")
    try terminal.wait(for: "status 0")
  }

  @Test func aPipeGetsWhatThePeerPrints() throws {
    let server = try serve([(Self.long, 7), ("short", 8)])
    let terminal = try terminal(server, columns: 40)
    try terminal.run("ovsdb-client dump $S > ours; /usr/bin/ovsdb-client dump $S | cmp - ours && echo sa''me")
    try terminal.wait(for: "same")
  }

  @Test func longOutputGoesThroughThePager() throws {
    let server = try serve((0..<50).map { ("row \($0)", $0) })
    let terminal = try terminal(server)
    try terminal.run("clear; ovsdb-client dump $S T p n; echo status $?")
    try terminal.wait("the pager's first page") { $0.first == "p table" && !$0.joined().contains("status") }
    try terminal.press("G")
    try terminal.wait("the last row") { $0.contains { $0.hasSuffix("49") } }
    try terminal.press("q")
    try terminal.wait(for: "status 0")
    // What the user sets counts; what it reads no further is no failure.
    try terminal.run("clear; PAGER='head -n 3' ovsdb-client dump $S T p n; echo status $?")
    #expect(try terminal.wait(for: "status 0").prefix(4) == ["p table", "n", "--", "status 0"])
    try terminal.run("clear; ovsdb-client --no-pager dump $S T p n; echo status $?")
    try terminal.wait("the end") { $0.contains { $0.hasSuffix("49") } && $0.contains("status 0") }
  }

  @Test func watchMarksWhatChangesAndLeavesTheTerminalAsItWas() throws {
    let server = try serve([("one", 1), ("two", 2)])
    let terminal = try terminal(server)
    try terminal.run("echo before; ovsdb-client watch $S T p name n; echo status $?")
    try terminal.wait("both rows") { $0.first?.hasPrefix("p in T") == true && $0.contains("  one  1") && $0.contains("  two  2") }
    try transact(
      server, #"""
        {"op":"update","table":"p","where":[["name","==","one"]],"row":{"n":7}},{"op":"insert","table":"p","row":{"name":"zed","n":3}},
        {"op":"delete","table":"p","where":[["name","==","two"]]}
        """#)
    let reverse = "\u{1B}[7m"
    try terminal.wait("the marks", looks: true) { lines in
      lines.contains { $0.contains("~ one") && $0.contains("\(reverse)7") }
        && lines.contains { $0.contains("+ \(reverse)zed") } && lines.contains { $0.contains("- two") }
    }
    try terminal.wait("the marks gone") { $0.contains("  one  7") && $0.contains("  zed  3") && !$0.joined().contains("two") }
    try terminal.resize(columns: 30, rows: 5)
    try terminal.wait("the smaller screen") { $0.prefix(3).last == "  one  7" && $0[4].hasPrefix("q quit") }
    try terminal.press("C-z")
    try terminal.wait(for: "Stopped")
    // The shell has gone on to the end of its line, and said a status already.
    try terminal.run("clear; fg; echo status $?")
    try terminal.wait("the table again") { $0.contains("  one  7") }
    try terminal.press("q")
    try terminal.wait(for: "status 0")
    try terminal.run("clear; stty -a | grep -c ' echo .*' ; stty -a | grep -o ' icanon'")
    try terminal.wait(for: " icanon")
    try terminal.run("clear; ovsdb-client watch $S T p; echo status $?")
    try terminal.wait(for: "p in T")
    try terminal.press("C-c")
    try terminal.wait(for: "status 0")
  }

  @Test func watchFollowsAServerThatComesBack() throws {
    let server = try serve([("one", 1)])
    let terminal = try terminal(server, columns: 120)
    try terminal.run("ovsdb-client watch $S T p name n")
    try terminal.wait(for: "  one  1")
    try server.restart()
    try transact(server, #"{"op":"insert","table":"p","row":{"name":"new","n":5}}"#)
    try terminal.wait("the new row") { $0.contains { $0.hasSuffix("new  5") } }
  }

  @Test func watchWithoutATerminalSaysSo() throws {
    let server = try serve([])
    for words in [["watch", server.remote, "T", "p"], ["watch", server.remote, "T", "zz"]] {
      let result = try run(Side.ours.tool("ovsdb-client"), words, in: server.directory)
      #expect(result.status == 1)
      #expect(result.standardOutput.isEmpty)
      #expect(result.standardError.contains("watch needs a terminal"))
    }
  }

  @Test func workThatTakesLongShowsItsTimeAndThenNothing() throws {
    let server = try serve([("one", 1)])
    let terminal = try terminal(server)
    // A backup that does not come: the source of `restore` stays open.
    try terminal.run("clear; (sleep 3; ovsdb-client backup $S T) | ovsdb-client restore $S T; echo status $?")
    try terminal.wait(for: "restore: reading: 0:0")
    let lines = try terminal.wait(for: "status 0")
    #expect(!lines.joined().contains("restore: reading: 0:0"))
  }
}
