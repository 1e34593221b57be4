// SPDX-License-Identifier: Apache-2.0
//
// What many remotes, or one that takes long, may cost the others and the log. Rows of a database configure them, so clients may.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct ManyRemotesTests {
  /// Remotes that cannot be opened or that end at once: what they are, how many, and their names by number. Looking up a name takes
  /// some tenths of a second.
  private static let kinds: [(String, Int, @Sendable (Int) -> String)] = [
    ("listeners in a directory that is not there", 200, { "punix:/nonexistent/\($0)" }),
    ("listeners at an address of another host", 200, { "ptcp:\($0 + 2000):192.0.2.1" }),
    ("listeners with names that nobody knows", 20, { "ptcp:0:nosuch\($0).invalid" }),
    ("TLS listeners without keys", 200, { "pssl:0\(String(repeating: "0", count: $0)):127.0.0.1" }),
    ("ports that the system chooses", 200, { "ptcp:0\(String(repeating: "0", count: $0)):127.0.0.1" }),
    ("sockets that are not there", 200, { "unix:nosuch\($0)" }),
    ("ports where nobody listens", 200, { "tcp:127.0.0.1:\($0 + 100)" }),
    ("servers with names that nobody knows", 20, { "tcp:nosuch\($0).invalid:1" }),
    ("TLS servers, without keys", 200, { "ssl:127.0.0.1:\($0 + 1)" }),
  ]

  @Test(arguments: kinds.map(\.0))
  func rowsCauseFewLinesOfTheLog(kind: String) throws {
    let (_, targetCount, name) = try #require(Self.kinds.first { $0.0 == kind })
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("R", in: directory)
    let server = try RemoteServer(["--remote=punix:db.sock", "--remote=db:R,Config,strings", file], directory: directory)
    let session = try server.session()
    let targets = (0..<targetCount).map { WireJSON.string(name($0)) }
    let before = server.log.split(separator: "\n").count
    _ = try session.call("transact", ["R", ["op": "insert", "table": "Config", "row": ["strings": ["set", .array(targets)]]]])
    // Every one of them has been tried: it has a state or an error of its own.
    try waitUntil("all remotes", seconds: 60) {
      let lines = try server.lines("ovsdb-server/show-remotes").dropFirst()
      return lines.count == targetCount + 1 && lines.allSatisfy { !$0.contains(#/  (not listening|connecting|backoff) +0 +-$/#) }
    }
    let lineCount = server.log.split(separator: "\n").count - before
    #expect(lineCount > 0 && lineCount < 30, "\(lineCount) lines: \(server.log.prefix(8000))")
  }

  /// A name server that does not answer takes seconds. The files that every look-up reads show which thread makes it.
  @Test(.enabled(if: Programs.has("strace"), "strace is not installed"))
  func noNameIsLookedUpByTheThreadThatServes() throws {
    let directory = try RunDirectory()
    let server = try RemoteServer(["--no-dbs", "--remote=punix:db.sock"], directory: directory)
    let trace = try ChildProcess(
      Programs.peer("strace"), ["-f", "-qq", "-e", "trace=openat", "-o", directory.path("opened"), "-p", "\(server.pid)"],
      environment: directory.environment, directory: directory.path, output: directory.path("out"), errors: directory.path("err"))
    defer { trace.stop() }
    // strace follows when the process has a tracer.
    try waitUntil("strace", seconds: 60) { server.memory("TracerPid") > 0 }
    for remote in ["ptcp:0:nosuch.invalid", "tcp:nosuch.invalid:1"] {
      #expect(try server.control("ovsdb-server/add-remote", remote).status == 0)
    }
    try server.waitForLog("ptcp:0:nosuch.invalid: listen failed")
    try server.waitForLog("tcp:nosuch.invalid:1: connection attempt failed")
    let opened = try readText(directory.path("opened")).split(separator: "\n").filter { $0.contains("\"/etc/hosts\"") }
    #expect(opened.count >= 2)
    #expect(opened.filter { $0.hasPrefix("\(server.pid) ") } == [])
  }
}
