// SPDX-License-Identifier: Apache-2.0
//
// The units in utilities/systemd, held against systemd's own judgement and against what the server really does.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.has("systemd-analyze"), "systemd-analyze is not installed"))
struct UnitTests {
  private static let source = Repository.path("utilities/systemd")

  /// A unit of the switch's database and one of another, as files of this tree and as units of a system.
  private static let names = [
    "ovsdb-server.service": "ovsdb-server.service", "ovsdb-server.socket": "ovsdb-server.socket",
    "ovsdb@.service": "ovsdb@shop.service", "ovsdb@.socket": "ovsdb@shop.socket",
  ]

  /// The units in a directory of their own, with programs that exist in the place of installed ones.
  private static func units() throws -> RunDirectory {
    let directory = try RunDirectory()
    for (file, name) in names {
      let text = try readText("\(source)/\(file)")
        .replacing("/usr/lib/swift-ovsdb", with: source)
        .replacing("/usr/sbin/ovsdb-server", with: Side.ours.server)
        .replacing("/usr/bin/ovs-appctl", with: Side.ours.tool("ovs-appctl"))
      try write(text, to: directory.path(name))
    }
    return directory
  }

  @Test func systemdFindsNothingWrongWithThem() throws {
    let directory = try Self.units()
    let result = try run(
      Programs.peer("systemd-analyze"), ["verify"] + Self.names.values.map { "./\($0)" }, in: directory)
    #expect(result.status == 0 && result.standardError == "", "\(result)")
  }

  @Test(arguments: ["ovsdb-server.service", "ovsdb@shop.service"]) func theServiceIsConfined(name: String) throws {
    let directory = try Self.units()
    let result = try run(
      Programs.peer("systemd-analyze"), ["security", "--offline=true", "--threshold=25", "./\(name)"], in: directory)
    #expect(result.status == 0, "\(result)")
  }

  /// The sets of system calls that the unit names, expanded by systemd.
  private static func allowedCalls(_ directory: RunDirectory) throws -> Set<String> {
    var allowed: Set<String> = []
    for line in try readText(directory.path("ovsdb-server.service")).split(separator: "\n") where line.hasPrefix("SystemCallFilter=") {
      let value = line.dropFirst("SystemCallFilter=".count)
      let removes = value.hasPrefix("~")
      for word in value.drop(while: { $0 == "~" }).split(separator: " ") {
        let calls = word.hasPrefix("@") ? try expand(String(word), directory) : [String(word)]
        if removes { allowed.subtract(calls) } else { allowed.formUnion(calls) }
      }
    }
    return allowed
  }

  private static func expand(_ set: String, _ directory: RunDirectory) throws -> Set<String> {
    var calls: Set<String> = []
    let text = try succeed(Programs.peer("systemd-analyze"), ["--no-pager", "syscall-filter", set], in: directory)
    for word in text.split(separator: "\n").dropFirst().map({ $0.trimmingCharacters(in: .whitespaces) }) where !word.hasPrefix("#") {
      if word.hasPrefix("@") { calls.formUnion(try expand(word, directory)) } else { calls.insert(word) }
    }
    return calls
  }

  @Test(.enabled(if: Programs.has("strace") && Programs.hasOurs, "strace is not installed"))
  func theServerMakesNoSystemCallThatTheUnitForbids() throws {
    let directory = try Self.units()
    let allowed = try Self.allowedCalls(directory)
    #expect(allowed.count > 100)
    try RemoteServer.makeDatabase("R", in: directory)
    let control = directory.path("s.ctl")
    let traced = try ChildProcess(
      Programs.peer("strace"),
      [
        "-f", "-qq", "-o", directory.path("calls"), Side.ours.server, "-vsyslog:off", "-vconsole:info", "--unixctl=\(control)",
        "--remote=punix:db.sock", "--remote=ptcp:0:127.0.0.1", directory.path("R"),
      ], environment: directory.environment, directory: directory.path, output: directory.path("out"), errors: directory.path("err"))
    var session: WireSession?
    try waitUntil("the server", seconds: 60) {
      session = try? WireSession(socket: directory.path("db.sock"), secondsMax: 60)
      return session != nil
    }
    let insert: WireJSON = ["R", ["op": "insert", "table": "Config", "row": [:]], ["op": "commit", "durable": true]]
    _ = try session?.call("transact", insert)
    for command in [["ovsdb-server/compact"], ["ovsdb-server/add-remote", "tcp:localhost:1"], ["memory/show"], ["exit"]] {
      try succeed(Side.ours.tool("ovs-appctl"), ["-t", control] + command, in: directory)
    }
    _ = try traced.waitForExit(seconds: 60)
    // execve is systemd's: it comes before the filter.
    let used = Set(
      try readText(directory.path("calls")).split(separator: "\n").compactMap { line -> String? in
        guard let call = line.split(separator: " ", omittingEmptySubsequences: true).dropFirst().first, let end = call.firstIndex(of: "(")
        else { return nil }
        return String(call[..<end])
      })
    #expect(used.contains("epoll_wait") || used.contains("epoll_pwait"))
    #expect(used.subtracting(allowed).subtracting(["execve"]) == [])
  }
}
