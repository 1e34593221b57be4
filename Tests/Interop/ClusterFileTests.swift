// SPDX-License-Identifier: Apache-2.0
//
// A cluster of three of Open vSwitch's servers lives through conversions, a crash, entries that a later leader replaces, a change of
// leaders and snapshots that are sent to a server that was away. Then the files of its members are made standalone, and what they hold is
// compared with what the cluster said.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasPeer && Programs.hasOurs)) struct ClusterFileTests {
  @Test func membersFilesBecomeStandaloneOnesWithTheContentsOfTheCluster() throws {
    let cluster = try Cluster()
    try cluster.insert("a", ["r1", "r2", "r3"], through: "a")
    try cluster.compareAll("before anything happened")
    try cluster.convert(to: 2)
    try cluster.insert("b", ["r4", "r5"], through: "b")
    try cluster.replaceEntries()
    try cluster.compareAll("after a crash and replaced entries")
    try cluster.changeLeader()
    try cluster.convert(to: 3)
    try cluster.insert("c", ["r6"], through: try cluster.leader())
    try cluster.compareAll("after a conversion")
    try cluster.missSnapshots()
    try cluster.compareAll("after an installed snapshot")
    let files = Cluster.names.map { "\($0).db" }
    for side in Side.allCases {
      #expect(try cluster.tool(side, ["check-cluster"] + files).status == 0)
    }
  }
}

/// Three servers that serve database T.
private final class Cluster {
  static let names = ["a", "b", "c"]

  private let directory: RunDirectory
  private var servers: [String: ChildProcess] = [:]
  private var copyCount = 0

  init() throws {
    directory = try RunDirectory()
    for version in 1...3 { try write(Self.schema(version), to: directory.path("s\(version)")) }
    let ports = try Self.names.map { _ in try FreePort.take() }
    let peer = Side.peer.tool("ovsdb-tool")
    try succeed(
      peer, ["--election-timer=300", "create-cluster", "a.db", "s1", "tcp:127.0.0.1:\(ports[0])"], in: directory)
    for (name, port) in zip(Self.names, ports).dropFirst() {
      try succeed(peer, ["join-cluster", "\(name).db", "T", "tcp:127.0.0.1:\(port)", "tcp:127.0.0.1:\(ports[0])"], in: directory)
    }
    for name in Self.names { try start(name) }
    try waitUntil("all to join", seconds: 60) { try Self.names.allSatisfy { try status($0).contains("Status: cluster member") } }
  }

  private static func schema(_ version: Int) -> String {
    let number = version < 3 ? #""n":{"type":"integer"},"# : ""
    let optional = version > 1 ? #","z":{"type":{"key":"integer","min":0,"max":1}}"# : ""
    return """
      {"name":"T","version":"\(version).0.0","tables":{"P":{"isRoot":true,"columns":{"name":{"type":"string"},\(number)\
      "s":{"type":{"key":"string","min":0,"max":"unlimited"}}\(optional)}}}}
      """
  }

  func tool(_ side: Side, _ arguments: [String]) throws -> CommandResult {
    try run(side.tool("ovsdb-tool"), arguments, in: directory)
  }

  private func start(_ name: String) throws {
    let arguments = [
      "-vconsole:off", "-vsyslog:off", "--remote=punix:\(directory.path(name)).sock", "--unixctl=\(directory.path(name)).ctl",
      "\(name).db",
    ]
    servers[name] = try ChildProcess(
      Side.peer.server, arguments, environment: directory.environment, directory: directory.path, output: "/dev/null",
      errors: directory.path("\(name).err"))
  }

  private func control(_ name: String, _ arguments: [String]) throws -> CommandResult {
    try run(Side.peer.tool("ovs-appctl"), ["-T", "10", "-t", directory.path("\(name).ctl")] + arguments, in: directory)
  }

  private func status(_ name: String) throws -> String { try control(name, ["cluster/status", "T"]).standardOutput }

  func leader() throws -> String {
    var leader: String?
    try waitUntil("a leader", seconds: 60) {
      leader = try Self.names.first { name in
        guard servers[name]?.isRunning == true else { return false }
        return try status(name).contains("Role: leader")
      }
      return leader != nil
    }
    return leader ?? ""
  }

  @discardableResult
  private func transact(_ operations: String, through name: String, seconds: Int = 30) throws -> CommandResult {
    try run(
      Side.peer.tool("ovsdb-client"),
      ["--timeout=\(seconds)", "transact", "unix:\(directory.path(name)).sock", "[\"T\",\(operations)]"], in: directory)
  }

  private static func insertion(_ name: String) -> String {
    #"{"op":"insert","table":"P","row":{"name":"\#(name)","s":["set",["x","\#(name)"]]}}"#
  }

  func insert(_ prefix: String, _ rows: [String], through name: String) throws {
    for row in rows {
      try waitUntil("an insertion of \(row)", seconds: 60) {
        try transact(Self.insertion(prefix + row), through: name).standardOutput.contains("uuid")
      }
    }
    try transact(#"{"op":"update","table":"P","where":[["name","==","\#(prefix)\#(rows[0])"]],"row":{"s":"changed"}}"#, through: name)
  }

  func convert(to version: Int) throws {
    try succeed(
      Side.peer.tool("ovsdb-client"),
      ["--timeout=30", "convert", "unix:\(directory.path(try leader())).sock", "s\(version)"], in: directory)
  }

  /// A leader whose followers hang takes entries that are never committed, and dies; the others go on without them. When it comes
  /// back they are replaced.
  func replaceEntries() throws {
    let old = try leader()
    let others = Self.names.filter { $0 != old }
    for name in others { servers[name]?.signal(SIGSTOP) }
    let before = try log(of: old)
    let clients = try ["lost1", "lost2"].map { row in
      try ChildProcess(
        Side.peer.tool("ovsdb-client"),
        ["--timeout=20", "transact", "unix:\(directory.path(old)).sock", "[\"T\",\(Self.insertion(row))]"],
        environment: directory.environment, directory: directory.path, output: "/dev/null", errors: "/dev/null")
    }
    try waitUntil("an entry that nobody confirms", seconds: 60) { try log(of: old).count > before.count }
    servers[old]?.signal(SIGKILL)
    for client in clients { client.stop() }
    try waitUntil("the leader's end", seconds: 60) { servers[old]?.isRunning == false }
    for name in others { servers[name]?.signal(SIGCONT) }
    try insert("won", ["1", "2"], through: others[0])
    try start(old)
    try insert("won", ["3"], through: old)
    #expect(try log(of: old).contains("lost"), "nothing was replaced")
  }

  private func log(of name: String) throws -> String {
    try run(Side.peer.tool("ovsdb-tool"), ["show-log", "-m", "\(name).db"], in: directory).standardOutput
  }

  func changeLeader() throws {
    let old = try leader()
    servers[old]?.signal(SIGKILL)
    try waitUntil("the leader's end", seconds: 60) { servers[old]?.isRunning == false }
    let new = try leader()
    try insert("after", ["1"], through: new)
    try start(old)
    try insert("after", ["2"], through: old)
  }

  /// A server that is away while the others throw away their logs gets a snapshot.
  func missSnapshots() throws {
    let leader = try leader()
    guard let away = Self.names.first(where: { $0 != leader }) else { return }
    servers[away]?.stop()
    try insert("away", ["1", "2"], through: leader)
    for name in Self.names where name != away { _ = try control(name, ["ovsdb-server/compact", "T"]) }
    try insert("away", ["3"], through: leader)
    try start(away)
    try insert("away", ["4"], through: away)
  }

  // MARK: - Comparing

  /// What a server of either side says of database T.
  private func dump(_ socket: String) throws -> String {
    try succeed(
      Side.peer.tool("ovsdb-client"), ["--timeout=30", "-f", "csv", "dump", "unix:\(socket)", "T"], in: directory)
  }

  func compareAll(_ when: String) throws {
    let expected = try dump(directory.path("\(try leader()).sock"))
    for name in Self.names {
      try waitUntil("\(name) to have everything", seconds: 60) { try dump(directory.path("\(name).sock")) == expected }
    }
    copyCount += 1
    for name in Self.names {
      // While the member writes: what is committed stands before.
      let file = "standalone-\(copyCount)-\(name).db"
      let result = try tool(.ours, ["cluster-to-standalone", file, "\(name).db"])
      #expect(result.status == 0, "\(when): \(result)")
      for side in Side.allCases {
        let server = try DatabaseServer(side, [.existing(file: file)], directory: directory)
        defer { server.stop() }
        #expect(try dump(server.socket) == expected, "\(when), \(name).db, \(side)")
      }
    }
  }
}
