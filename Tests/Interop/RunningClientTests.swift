// SPDX-License-Identifier: Apache-2.0
//
// Clients that stay: control commands of a client in the background, databases that go away, servers that connect to the client, time
// limits. Ours and Open vSwitch's must do and say the same.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasPeer && Programs.hasOurs))
struct RunningClientTests {
  private static let schema = #"""
    {"name":"T","version":"1.0.0","tables":{"x":{"isRoot":true,"columns":{"k":{"type":"integer"},"e":{"type":"integer"}}}}}
    """#

  private func serve(_ side: Side = .peer, options: [String] = [], in directory: RunDirectory? = nil) throws -> DatabaseServer {
    let directory = try directory ?? RunDirectory()
    try write(Self.schema, to: directory.path("t.ovsschema"))
    return try DatabaseServer(
      side, [.schema(path: directory.path("t.ovsschema"), file: "t.db")], options: options, directory: directory)
  }

  private func insert(_ server: DatabaseServer, _ k: Int) throws {
    try succeed(
      Side.peer.tool("ovsdb-client"), ["transact", server.remote, #"["T",{"op":"insert","table":"x","row":{"k":\#(k)}}]"#],
      in: server.directory)
  }

  /// The parent returns when the request is sent, and the answer is printed when it comes.
  @Test(arguments: Side.allCases, ["transact", "query"])
  func aTransactionThatTakesLongGoesToTheBackground(side: Side, command: String) throws {
    let server = try serve()
    let wait = #"["T",{"op":"wait","table":"x","where":[],"columns":["k"],"until":"==","rows":[{"k":7}]}]"#
    let detached = try Detached(side, [command, server.remote, wait], on: server)
    #expect(((try? readText(detached.output)) ?? "").isEmpty)
    try insert(server, 7)
    try waitUntil("the answer", seconds: 60) { ((try? readText(detached.output)) ?? "").contains("[{}") }
  }

  /// A client in the background.
  private struct Detached {
    let control: String
    let output: String
    let directory: RunDirectory

    init(_ side: Side, _ words: [String], on server: DatabaseServer) throws {
      directory = server.directory
      let name = directory.path("client-\(side)")
      output = "\(name).out"
      let child = try ChildProcess(
        side.tool("ovsdb-client"), ["--detach", "--no-chdir", "--pidfile=\(name).pid"] + words,
        environment: directory.environment, directory: directory.path, output: output, errors: "\(name).err")
      let status = try child.waitForExit(seconds: 60)
      guard status == 0 else { throw ProcessError("\(words): \(try readText("\(name).err"))") }
      let pid = try readText("\(name).pid").trimmingCharacters(in: .whitespacesAndNewlines)
      control = directory.path("ovsdb-client.\(pid).ctl")
    }

    func tell(_ words: String...) throws -> String {
      let result = presentable(
        try run(Side.peer.tool("ovs-appctl"), ["-t", control] + words, in: directory), directory: directory)
      return "\(words.joined(separator: " ")): \(result.status) \(result.standardOutput)\(result.standardError)"
        .replacing(control, with: "<control>").replacing(#/ovsdb-client\.\d+\.ctl/#, with: "<control>")
    }

    func waitForOutput(_ what: String, _ condition: (String) -> Bool) throws {
      try waitUntil(what, seconds: 60) { condition(try readText(output)) }
    }
  }

  @Test func aMonitorInTheBackgroundTakesOrders() throws {
    let stories = try Side.allCases.map { side in
      let server = try serve()
      try insert(server, 5)
      let client = try Detached(side, ["monitor-cond", server.remote, "T", #"[["k",">=",3]]"#, "x", "k"], on: server)
      try client.waitForOutput("the first row") { $0.contains("initial") }
      var story = [try client.tell("ovsdb-client/block"), try client.tell("ovsdb-client/block")]
      try insert(server, 6)
      story += [try client.tell("ovsdb-client/unblock"), try client.tell("ovsdb-client/unblock")]
      try client.waitForOutput("the second row") { $0.contains(" 6\n") }
      if side == .ours {
        // The peer says that the condition was changed, whatever it is.
        for words in [("zz", "[]"), ("x", "{"), ("x", "[1]"), ("x", #"[["zz","==",1]]"#)] {
          #expect(try client.tell("ovsdb-client/cond_change", words.0, words.1).contains(": 2 "))
        }
      }
      story += [try client.tell("ovsdb-client/cond_change", "x"), try client.tell("nosuch")]
      story.append(try client.tell("ovsdb-client/cond_change", "x", #"[["k","<",6]]"#))
      try client.waitForOutput("the row that went") { $0.contains("delete") }
      try insert(server, 1)
      try client.waitForOutput("the third row") { $0.contains(" 1\n") }
      story.append(try client.tell("exit"))
      return story + [presentable(try readText(client.output), directory: server.directory)]
    }
    #expect(stories[0] == stories[1])
  }

  @Test func aLockInTheBackgroundTakesOrders() throws {
    let stories = try Side.allCases.map { side in
      let server = try serve()
      let client = try Detached(side, ["lock", server.remote, "L"], on: server)
      try client.waitForOutput("the lock") { $0.contains("true") }
      var story = [try client.tell("lock", "M"), try client.tell("lock", "M"), try client.tell("steal", "N"), try client.tell("unlock", "M")]
      try client.waitForOutput("the last answer") { $0.hasSuffix("{}\n") }
      story += [try client.tell("unlock", "nosuch"), try client.tell("lock"), try client.tell("exit")]
      return story + [try readText(client.output)]
    }
    #expect(stories[0] == stories[1])
  }

  @Test(arguments: ["--db-change-aware", "--no-db-change-aware"])
  func aDatabaseThatIsRemovedEndsItsMonitor(option: String) throws {
    let results = try Side.allCases.map { side in
      let server = try serve()
      try insert(server, 1)
      let output = server.directory.path("out")
      let child = try ChildProcess(
        side.tool("ovsdb-client"), [option, "monitor", server.remote, "T", "x", "k"], environment: server.directory.environment,
        directory: server.directory.path, output: output, errors: server.directory.path("err"))
      try waitUntil("the row", seconds: 60) { try readText(output).contains("initial") }
      try succeed(Side.peer.tool("ovs-appctl"), ["-t", server.controlSocket, "ovsdb-server/remove-db", "T"], in: server.directory)
      let status = try child.waitForExit(seconds: 60)
      return presentable(
        CommandResult(
          status: status, standardOutput: try readText(output), standardError: try readText(server.directory.path("err"))),
        directory: server.directory)
    }
    #expect(results[0] == results[1])
    #expect(results[0].status == 1)
  }

  @Test(arguments: Side.allCases)
  func aServerMayConnectToTheClient(server side: Side) throws {
    let directory = try RunDirectory()
    let socket = directory.path("client.sock")
    let server = try serve(side, options: ["--remote=unix:\(socket)"], in: directory)
    try insert(server, 4)
    for words in [["list-dbs", "punix:\(socket)"], ["dump", "punix:\(socket)", "T", "x", "k"]] {
      let results = try [Side.ours, .peer].map { client in
        presentable(try run(client.tool("ovsdb-client"), ["-t", "60"] + words, in: directory), directory: directory)
      }
      #expect(results[0] == results[1], "\(words)")
      #expect(results[0].status == 0, "\(words)")
    }
  }

  @Test func theTimeLimitMayComeFromTheEnvironment() throws {
    let server = try serve()
    for (variable, words) in [("1", ["wait", server.remote, "T", "removed"]), ("1", ["-t", "60", "list-dbs", server.remote]), ("x", ["list-dbs", server.remote])] {
      let results = try Side.allCases.map { side in
        presentable(
          try run(side.tool("ovsdb-client"), words, environment: ["OVS_CTL_TIMEOUT": variable], in: server.directory),
          directory: server.directory)
      }
      #expect(results[0] == results[1], "\(variable) \(words)")
    }
  }

  @Test func oneOfSeveralServersIsEnough() throws {
    let server = try serve()
    try insert(server, 4)
    for servers in ["unix:zz,\(server.remote)", "\(server.remote),unix:zz", "tcp:127.0.0.1:1,unix:zz,\(server.remote)"] {
      for words in [["dump", servers, "T", "x", "k"], ["list-dbs", servers], ["--no-leader-only", "get-schema-version", servers, "T"]] {
        let results = try Side.allCases.map { side in
          presentable(try run(side.tool("ovsdb-client"), words, in: server.directory), directory: server.directory)
        }
        #expect(results[0].status == 0, "\(words)")
        #expect(results[0].standardOutput == results[1].standardOutput, "\(words)")
        #expect(results[0].status == results[1].status, "\(words)")
      }
    }
  }
}
