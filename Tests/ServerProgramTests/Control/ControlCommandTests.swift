// SPDX-License-Identifier: Apache-2.0
//
// The commands of the server's control socket beside Open vSwitch's: their list, their mistakes, and those that ClientToolTests of the
// interoperation suite does not call.

import Foundation
import TestSupport
import Testing

@Suite(
  .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"),
  .enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct ControlCommandTests {
  private func server(_ side: Side) throws -> DatabaseServer {
    try DatabaseServer(side, [.schema(DetachedServer.schema)])
  }

  private func control(_ server: DatabaseServer, _ words: [String]) throws -> CommandResult {
    let result = try run(Side.peer.tool("ovs-appctl"), ["-t", server.controlSocket] + words, in: server.directory)
    return presentable(result, directory: server.directory)
  }

  /// The lines of `list-commands` by command.
  private func commands(_ server: DatabaseServer) throws -> [String: String] {
    let lines = try control(server, ["list-commands"]).standardOutput.split(separator: "\n").map(String.init)
    #expect(lines.first == "The available commands are:")
    #expect(lines.dropFirst().elementsEqual(lines.dropFirst().sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }))
    return Dictionary(uniqueKeysWithValues: lines.dropFirst().map { ($0.split(separator: " ").first.map(String.init) ?? "", $0) })
  }

  @Test("commands are listed with the same arguments, byte by byte")
  func list() throws {
    let (ours, peers) = (try commands(server(.ours)), try commands(server(.peer)))
    for (name, line) in peers { if let mine = ours[name] { #expect(mine == line) } }
    // What is more comes from later versions.
    #expect(Set(ours.keys).subtracting(peers.keys).allSatisfy { $0.hasPrefix("ovsdb-server/") })
  }

  @Test("too few and too many arguments are told the same")
  func argumentCounts() throws {
    let (ours, peer) = (try server(.ours), try server(.peer))
    for (name, line) in try commands(ours).sorted(by: { $0.key < $1.key }) where try commands(peer)[name] != nil {
      let usage = line.dropFirst(name.count + 2).trimmingCharacters(in: .whitespaces)
      guard !usage.hasSuffix("...") && !usage.hasPrefix("{") else { continue }
      var attempts = [Array(repeating: "x", count: 9)]
      if !usage.isEmpty { attempts.append([]) }
      for arguments in attempts {
        let (mine, theirs) = (try control(ours, [name] + arguments), try control(peer, [name] + arguments))
        #expect(mine == theirs, "\(name) \(arguments)")
        #expect(mine.standardError.contains("arguments"))
      }
    }
  }

  // MARK: Logs of tables

  private static let logCommands: [[String]] = [
    ["tlog-list"], ["tlog-set", "D:T", "foo"], ["tlog-set", "D", "on"], ["tlog-set", "D:", "on"], ["tlog-set", ":T", "on"],
    ["tlog-set", "X:T", "on"], ["tlog-set", "D:X", "on"], ["tlog-set", "D:T:x", "on"], ["tlog-set", "D:T", "ON"],
    ["tlog-set", "_Server:Database", "on"], ["tlog-list"], ["tlog-set", "_Server:Database", "OFF"], ["tlog-list"],
  ]

  /// Changes made while table T is logged.
  private static let changes: [WireJSON] = [
    ["D", ["op": "insert", "table": "T", "row": ["n": 3, "s": "a b", "m": ["map", [["k", "v"]]]]]],
    ["D", ["op": "insert", "table": "A", "row": ["k": "unseen"]]],
    ["D", ["op": "update", "table": "T", "where": [], "row": ["n": 4]], ["op": "comment", "comment": "why"]],
    ["D", ["op": "mutate", "table": "T", "where": [], "mutations": [["m", "insert", ["map", [["x\ny", "z"]]]]]]],
    ["D", ["op": "insert", "table": "T", "row": ["n": 7]], ["op": "abort"]],
    ["D", ["op": "update", "table": "T", "where": [], "row": ["n": 4]]],
    ["D", ["op": "delete", "table": "T", "where": []]],
  ]

  private func tableLog(_ side: Side) throws -> (answers: [CommandResult], lines: [[String]]) {
    let server = try server(side)
    var answers: [CommandResult] = []
    for words in Self.logCommands {
      var result = try control(server, ["ovsdb-server/\(words[0])"] + words.dropFirst())
      result.standardError = result.standardError.replacing(Side.peer.tool("ovs-appctl"), with: "ovs-appctl")
      answers.append(result)
    }
    let session = try server.session()
    for change in Self.changes { _ = try session.call("transact", change) }
    #expect(try control(server, ["ovsdb-server/tlog-set", "D:T", "off"]).status == 0)
    for change in Self.changes { _ = try session.call("transact", change) }
    // Columns come in the order of a hash table there.
    let lines = try readText(server.logPath).split(separator: "\n").filter { $0.contains("|transaction|") }.map { line in
      UUIDText.replace(in: String(line)) { _ in "<uuid>" }.split(separator: "|").dropFirst(2).joined(separator: "|")
        .split(separator: ",").map(String.init).sorted()
    }
    return (answers, lines)
  }

  @Test("changes of chosen tables go to the log, in the same words")
  func tableLogs() throws {
    let (ours, peers) = (try tableLog(.ours), try tableLog(.peer))
    #expect(ours.answers == peers.answers)
    #expect(ours.lines == peers.lines)
    #expect(ours.lines.count == 4)
    #expect(ours.lines.first?.first == "_uuid:<uuid>")
  }

  @Test("a conversion ends the logging of a table")
  func tableLogAfterConversion() throws {
    let server = try server(.ours)
    #expect(try control(server, ["ovsdb-server/tlog-set", "D:T", "on"]).status == 0)
    #expect(try server.session().call("convert", ["D", DetachedServer.schema]) == [:])
    #expect(try !control(server, ["ovsdb-server/tlog-list"]).standardOutput.contains("ON"))
  }

  // MARK: Others

  @Test("performance counters are those of the processor, which may not be there")
  func performanceCounters() throws {
    let (ours, peer) = (try server(.ours), try server(.peer))
    for command in ["ovsdb-server/perf-counters-show", "ovsdb-server/perf-counters-clear"] {
      #expect(try control(ours, [command]) == control(peer, [command]))
    }
  }

  @Test("without conditional monitors clients fall back to plain ones")
  func disableConditionalMonitors() throws {
    for side in Side.allCases {
      let server = try server(side)
      let session = try server.session()
      _ = try session.call("monitor_cond", ["D", nil, ["A": [:]]])
      #expect(try control(server, ["ovsdb-server/disable-monitor-cond"]).status == 0)
      #expect(try session.receiveUntilClosed().isEmpty)
      let next = try server.session()
      #expect(try next.exchange("monitor_cond", ["D", nil, ["A": [:]]]).reply["error"] == "unknown method")
      #expect(try next.call("monitor", ["D", nil, ["A": [:]]]) == [:])
    }
  }

  @Test("where differences were turned off a command turns them on")
  func differencesMayBeTurnedOn() throws {
    for side in Side.allCases {
      let server = try DatabaseServer(side, [.schema(DetachedServer.schema)], options: ["--disable-file-column-diff"])
      #expect(try commands(server)["ovsdb/file/column-diff-enable"] == "  ovsdb/file/column-diff-enable ")
      let session = try server.session()
      let insert: WireJSON = ["D", ["op": "insert", "table": "T", "row": ["m": ["map", [["k", "v"]]]]]]
      let change: WireJSON = ["D", ["op": "mutate", "table": "T", "where": [], "mutations": [["m", "insert", ["map", [["l", "w"]]]]]]]
      _ = try session.call("transact", insert)
      _ = try session.call("transact", change)
      #expect(try !readText(server.databasePath()).contains("_is_diff"))
      #expect(try control(server, ["ovsdb/file/column-diff-enable"]).status == 0)
      _ = try session.call("transact", ["D", ["op": "mutate", "table": "T", "where": [], "mutations": [["m", "delete", ["set", ["l"]]]]]])
      #expect(try readText(server.databasePath()).contains("_is_diff"))
      #expect(try control(self.server(side), ["ovsdb/file/column-diff-enable"]).status == 2)
    }
  }

  @Test("an option of later versions that concerns clusters only is accepted")
  func clusterOption() throws {
    let server = try DatabaseServer(.ours, [.schema(DetachedServer.schema)], options: ["--disable-file-no-data-conversion"])
    #expect(try server.session().call("list_dbs", []) == ["D", "_Server"])
  }

  @Test("a file is open already by whatever name it is called")
  func alreadyOpen() throws {
    let server = try server(.ours)
    let path = server.databasePath()
    try FileManager.default.createSymbolicLink(atPath: server.directory.path("link.db"), withDestinationPath: path)
    for name in [path, server.directory.path("./db.db"), server.directory.path("link.db")] {
      let result = try control(server, ["ovsdb-server/add-db", name])
      #expect(result.status == 2 && result.standardError.hasPrefix("ovsdb error: ") && result.standardError.contains(": already open\n"))
    }
    #expect(try control(server, ["ovsdb-server/list-dbs"]).standardOutput == "D\n_Server\n")
  }
}
