// SPDX-License-Identifier: Apache-2.0
//
// Lines of the log that an operator looks for: what is served, compactions, refused conversions.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct StartReportTests {
  private static let newSchema: WireJSON = [
    "name": "R", "version": "2.0.0", "tables": ["T": ["columns": ["n": ["type": "integer"]], "isRoot": true]],
  ]

  @Test func theStartSaysWhatIsServedAndWhichLimitsAreSet() throws {
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("r.db", in: directory)
    let server = try RemoteServer(["--max-sessions=7", "--remote=punix:db.sock", file], directory: directory)
    try server.waitForLog("(Open vSwitch)")
    let size = try readBytes(file).count
    for line in [
      "|INFO|swift-ovsdb ", "|INFO|R: serving \(file): 0 rows, \(size) bytes, opened in ", "|INFO|--max-sessions is 7",
      "|INFO|punix:db.sock: listening",
    ] {
      #expect(server.log.components(separatedBy: line).count == 2, "\(line): \(server.log)")
    }
    #expect(!server.log.contains("--max-message-size") && !server.log.contains("no remote"))
  }

  /// Who starts a server at boot does not see its standard error.
  @Test(arguments: [["nosuch.db"], ["--config-file=nosuch.json"], ["--no-dbs", "--remote=punx:x"], ["--no-dbs", "--unixctl=/nonexistent/c"]])
  func aStartThatFailsIsInTheLogOnceWithItsReason(arguments: [String]) throws {
    let directory = try RunDirectory()
    let result = try failToStart(["--log-file=\(directory.path("s.log"))"] + arguments, in: directory)
    let prefix = "ovsdb-server: "
    let reason = try #require(result.standardError.split(separator: "\n").last { $0.hasPrefix(prefix) }).dropFirst(prefix.count)
    let log = try readText(directory.path("s.log"))
    #expect(result.status == 1 && log.components(separatedBy: "|ovsdb_server|EMER|cannot start: \(reason)\n").count == 2, "\(log)")
    #expect(!result.standardError.contains("cannot start"), "\(result)")
  }

  /// Each once: a listener that has its port from the system names it; any other is named by its remote.
  @Test func everyKindOfListenerIsNamed() throws {
    let (plain, late) = (try FreePort.take(), try FreePort.take())
    let server = try RemoteServer(["--no-dbs", "--remote=ptcp:\(plain):127.0.0.1", "--remote=ptcp:0:127.0.0.1", "--remote=pssl:0:127.0.0.1"])
    try server.waitForLog("(Open vSwitch)")
    #expect(try server.control("ovsdb-server/add-remote", "pssl:\(late):127.0.0.1").status == 0)
    for line in ["|INFO|ptcp:\(plain):127.0.0.1: listening\n", "|INFO|pssl:\(late):127.0.0.1: listening\n"] {
      #expect(server.log.components(separatedBy: line).count == 2, "\(line): \(server.log)")
    }
    #expect(server.log.components(separatedBy: "listening").count == 5, "\(server.log)")
  }

  @Test func aServerWithoutRemotesSaysSo() throws {
    let server = try RemoteServer(["--no-dbs"])
    try server.waitForLog("|WARN|no remote is configured: no client can connect")
  }

  @Test func whatComesAndGoesLaterIsAnnouncedToo() throws {
    let directory = try RunDirectory()
    let server = try RemoteServer(["--no-dbs", "--remote=punix:db.sock"], directory: directory)
    try server.waitForLog("(Open vSwitch)")
    let file = try RemoteServer.makeDatabase("r.db", in: directory)
    #expect(try server.control("ovsdb-server/add-db", file).status == 0)
    #expect(server.log.contains("|INFO|R: serving \(file): 0 rows, "))
    #expect(try server.control("ovsdb-server/remove-db", "R").status == 0)
    #expect(server.log.contains("|INFO|R: no longer served"))
    #expect(try server.control("ovsdb-server/add-db", "relay:D:unix:nowhere.sock").status == 0)
    #expect(server.log.contains("|INFO|D: serving as a relay of unix:nowhere.sock"))
    let none = "no remote is configured: no client can connect"
    for count in 1...2 {
      #expect(!server.log.contains(none) || count == 2)
      #expect(try server.control("ovsdb-server/remove-remote", "punix:db.sock").status == 0)
      #expect(server.log.components(separatedBy: none).count == count + 1, "\(server.log)")
      #expect(try server.control("ovsdb-server/add-remote", "punix:db.sock").status == 0)
      #expect(server.log.components(separatedBy: "|INFO|punix:db.sock: listening").count == count + 2, "\(server.log)")
    }
  }

  /// Without privileges a name space of one's own gives a small file system.
  private static let mayMount: Bool = {
    guard Programs.has("unshare", "nsenter"), let directory = try? RunDirectory() else { return false }
    return (try? run(Programs.peer("unshare"), ["-rm", "mount", "-t", "tmpfs", "tmpfs", directory.path], in: directory))?.status == 0
  }()

  @Test(.enabled(if: mayMount, "file systems cannot be mounted here"))
  func littleRoomIsReportedOnceBeforeThereIsNone() throws {
    let directory = try RunDirectory()
    let disk = directory.path("disk")
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    try RemoteServer.makeDatabase("r.db", in: directory)
    let process = try ChildProcess(
      Programs.peer("unshare"),
      [
        "-rm", "sh", "-ec", "mount -t tmpfs -o size=2m tmpfs $0/disk && cp $0/r.db $0/disk && exec \"$@\"", directory.path, Side.ours.server,
        "-vconsole:off", "-vsyslog:off", "--log-file=\(directory.path("s.log"))", "--unixctl=\(directory.path("s.ctl"))",
        "--remote=punix:db.sock", "\(disk)/r.db",
      ], environment: directory.environment, directory: directory.path, output: directory.path("out"), errors: directory.path("err"))
    defer { process.stop() }
    func wait(for text: String) throws {
      do {
        try waitUntil(text, seconds: 60) { (try? readText(directory.path("s.log")))?.contains(text) == true }
      } catch {
        throw ProcessError("\(error): \((try? readText(directory.path("s.log"))) ?? "")\((try? readText(directory.path("err"))) ?? "")")
      }
    }
    try wait(for: "less than \(64 << 20), which compactions and commits may need")
    // Room comes back: the log says so at the next look, which also shows that the looks between were silent.
    try succeed(
      Programs.peer("nsenter"), ["-t", "\(process.pid)", "-U", "-m", "--preserve-credentials", "mount", "-o", "remount,size=200m", disk], in: directory)
    try wait(for: "|INFO|R: there is room again in the file system of \(disk)/r.db: ")
    #expect(try readText(directory.path("s.log")).components(separatedBy: "bytes are left").count == 2)
  }

  @Test func compactionsAndRefusedConversionsAreLogged() throws {
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("r.db", in: directory)
    let server = try RemoteServer(["--remote=punix:db.sock", file], directory: directory)
    #expect(try server.control("ovsdb-server/compact", "R").status == 0)
    #expect(server.log.contains(#/\|INFO\|R: compacted from \d+ to \d+ bytes in \d+ ms/#), "\(server.log)")
    // A directory stands where the new file is to be written.
    try FileManager.default.createDirectory(atPath: file + ".tmp/x", withIntermediateDirectories: true)
    #expect(try server.control("ovsdb-server/compact", "R").status != 0)
    #expect(server.log.contains("|ERR|R: compaction failed: "), "\(server.log)")
    let session = try server.waitForSession()
    for schema in [["name": "R", "version": "1.0.0", "tables": [:]], ["name": "S", "version": "1.0.0", "tables": [:]]] as [WireJSON] {
      _ = try session.exchange("convert", ["R", schema])
    }
    #expect(server.log.components(separatedBy: "|WARN|R: conversion failed, requested by unix#").count == 3, "\(server.log)")
    try FileManager.default.removeItem(atPath: file + ".tmp")
    _ = try session.exchange("convert", ["R", Self.newSchema])
    #expect(server.log.contains(#/\|INFO\|R: converted to version 2\.0\.0 in \d+ ms, as unix#\d+ requested/#), "\(server.log)")
  }
}
