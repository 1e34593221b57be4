// SPDX-License-Identifier: Apache-2.0
//
// What the server writes into its log: the same lines as Open vSwitch's where something is worth a line in both, rotation, limits.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct LogTests {
  private static let remote = "--remote=punix:db.sock"

  // MARK: The same lines

  private static let other: WireJSON = [
    "name": "E",
    "tables": ["S": ["isRoot": true, "columns": ["r": ["type": ["key": "string", "min": 0, "max": "unlimited"]]]]],
  ]

  /// Lines of which the peer has none: what is served and no longer is, how compactions and conversions ended, why a start failed.
  private nonisolated(unsafe) static let ours =
    #/\|EMER\|cannot start: |\|INFO\|(swift-ovsdb |\w+: (serving |compacted from |converted to |no longer served)|\S+: listening$)/#

  /// The log of a scripted run, comparable. After each step a line `== STEP`.
  private func scriptedRun(_ side: Side) throws -> [String] {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    try makeDatabase("e.db", Self.other, in: directory)
    let server = try RemoteServer([Self.remote, "--pidfile", "db.db"], side: side, directory: directory)
    var lines: [String] = []
    var seen = 0
    /// Takes the lines that came since the last step; names of sessions are numbers, which differ.
    func step(_ name: String, waitFor text: String? = nil) throws {
      if let text { try server.waitForLog(text) }
      let all = server.log.split(separator: "\n").filter { !$0.contains(Self.ours) }
      lines += all.dropFirst(seen).map { line in
        String(line.split(separator: "|", maxSplits: 2, omittingEmptySubsequences: false).dropFirst(2).joined(separator: "|"))
          .replacing(directory.path, with: "<dir>").replacing(#/unix#\d+/#, with: "unix#N")
      }
      seen = all.count
      lines.append("== \(name)")
    }
    func control(_ words: String...) throws {
      _ = try run(Side.peer.tool("ovs-appctl"), ["-t", server.controlSocket] + words, in: directory)
    }
    try step("start", waitFor: "ovsdb-server (Open vSwitch)")
    // One session that does not know how databases come and go; a step at a time, so that lines have one order.
    var session = try server.waitForSession()
    _ = try session.call("list_dbs", [])
    try control("ovsdb-server/add-db", directory.path("e.db"))
    #expect(try session.receiveUntilClosed().isEmpty)
    try step("add-db", waitFor: "adding E database")
    try control("ovsdb-server/add-db", directory.path("e.db"))
    try step("add-db again")
    try control("ovsdb-server/add-remote", "punix:\(directory.path("second.sock"))")
    try control("ovsdb-server/remove-remote", "punix:\(directory.path("second.sock"))")
    try step("remotes", waitFor: "remote deconfigured")
    try control("ovsdb-server/add-remote", "db:E,S,r")
    try control("ovsdb-server/compact", "D")
    try step("compact", waitFor: "compacting D")
    try control("ovsdb-server/memory-trim-on-compaction", "off")
    try step("trim", waitFor: "memory trimming")
    session = try server.session()
    _ = try session.call("list_dbs", [])
    try control("ovsdb-server/remove-db", "E")
    try step("remove-db", waitFor: "no database named E")
    session = try server.session()
    _ = try session.call("list_dbs", [])
    _ = try session.exchange("convert", ["D", DetachedServer.schema])
    try step("convert", waitFor: "schema conversion")
    session = try server.session()
    _ = try session.call("list_dbs", [])
    try control("ovsdb-server/reconnect")
    try step("reconnect", waitFor: "user ran ovsdb-server/reconnect")
    for (index, (name, message, text)) in [
      ("garbage", "xxx ", "error parsing stream"), ("no id", #"{"id":1}"#, "received bad JSON-RPC message"),
      ("unexpected", #"{"id":1,"result":{},"error":null}"#, "received unexpected reply message"),
    ].enumerated() {
      session = try server.session()
      try session.send(Array(message.utf8))
      _ = try session.receiveUntilClosed()
      // The last line of those two; the client may know before the log does.
      if index < 2 { try server.waitForLog("connection dropped", count: index + 1) }
      try step(name, waitFor: text)
    }
    let second = try run(side.server, ["--unixctl=none", "-vsyslog:off", "--log-file=second.log", "db.db"], in: directory)
    #expect(second.status == 1)
    lines += try readText(directory.path("second.log")).split(separator: "\n").dropFirst().filter { !$0.contains(Self.ours) }.map { line in
      String(line.split(separator: "|").dropFirst(2).joined(separator: "|")).replacing("\(server.pid)", with: "<pid>")
    }
    server.process.signal(SIGTERM)
    _ = try server.process.waitForExit(seconds: 60)
    try step("end")
    return lines
  }

  @Test(
    "a scripted run leaves the same log as Open vSwitch's server",
    .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"))
  func sameLog() throws {
    let (ours, peers) = (try scriptedRun(.ours), try scriptedRun(.peer))
    #expect(ours == peers)
    #expect(ours.contains("lockfile|WARN|.db.db.~lock~: cannot lock file because it is already locked by pid <pid>"))
  }

  @Test(
    "a torn file is told of in the same words, and how much of it is served",
    .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"))
  func tornFile() throws {
    let logs = try Side.allCases.map { side in
      let directory = try RunDirectory()
      let path = try makeDatabase(in: directory)
      let bytes = try readBytes(path)
      try Data(bytes + Array("OVSDB JSON 50 1234".utf8)).write(to: URL(fileURLWithPath: path))
      let server = try RemoteServer([Self.remote, "db.db"], side: side, directory: directory)
      try server.waitForLog("parse error at offset \(bytes.count)")
      return server.log.split(separator: "\n").map { String($0.split(separator: "|").dropFirst(2).joined(separator: "|")) }
        .filter { $0.hasPrefix("ovsdb_server|ERR") }
    }
    #expect(logs[0].first == logs[1].first)
    #expect(logs[0].last?.hasSuffix("is served, and the last 18 bytes are cut off by the next write") == true)
  }

  // MARK: Rotation

  @Test(
    "a log is rotated as Open vSwitch's is",
    .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"))
  func rotation() throws {
    let outcomes = try Side.allCases.map { side in
      let server = try DetachedServer(["--no-dbs", "--unixctl=server.ctl"], side: side)
      var outcome: [String] = []
      func note(_ result: CommandResult) { outcome.append("\(result.status) \(result.standardOutput)") }
      try FileManager.default.moveItem(
        atPath: server.directory.path("ovsdb-server.log"), toPath: server.directory.path("ovsdb-server.log.1"))
      note(try server.control("vlog/reopen"))
      outcome += [server.log("ovsdb-server.log.1").last ?? "", "\(server.log())"]
      // The file is the same: nothing to do.
      note(try server.control("vlog/reopen"))
      outcome.append("\(server.log())")
      note(try server.control("vlog/close"))
      unlink(server.directory.path("ovsdb-server.log"))
      note(try server.control("vlog/close"))
      outcome.append("\(server.exists("ovsdb-server.log"))")
      note(try server.control("vlog/reopen"))
      outcome.append("\(server.log())")
      // A directory is in the way.
      unlink(server.directory.path("ovsdb-server.log"))
      try FileManager.default.createDirectory(atPath: server.directory.path("ovsdb-server.log"), withIntermediateDirectories: false)
      note(try server.control("vlog/reopen"))
      note(try server.control("version"))
      if let pid = server.pid { kill(pid, SIGKILL) }
      return outcome.map { $0.replacing(server.directory.path, with: "<dir>") }
    }
    #expect(outcomes[0] == outcomes[1])
    #expect(outcomes[0][1] == "vlog|INFO|closing log file")
  }

  @Test func withoutALogFileThereIsNothingToReopen() throws {
    let directory = try RunDirectory()
    let appctl = Side.ours.tool("ovs-appctl")
    let result = try DetachedServer.run(
      ["--no-dbs", "-vsyslog:off", "--unixctl=server.ctl", "--run=\(appctl) -t $PWD/server.ctl vlog/reopen; \(appctl) -t $PWD/server.ctl vlog/close"],
      side: .ours, in: directory)
    #expect(result.status == 0)
    #expect(result.standardError.hasPrefix("Logging to file not configured\n"))
  }

  // MARK: Limits

  @Test func aFloodOfBadMessagesIsNotAFloodOfLines() throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let server = try RemoteServer([Self.remote, "db.db"], directory: directory)
    _ = try server.waitForSession()
    let flood = 400
    for number in 0..<flood {
      let session = try server.session()
      try session.send(Array((number.isMultiple(of: 2) ? "xxx " : #"{"id":1}"#).utf8))
      _ = try session.receiveUntilClosed()
    }
    let lines = server.log.split(separator: "\n").filter { $0.contains("|jsonrpc|WARN|") }
    #expect(lines.count < flood / 2)
    // Without limits each is told.
    #expect(try server.control("vlog/disable-rate-limit").status == 0)
    for _ in 0..<50 {
      let session = try server.session()
      try session.send(Array("xxx ".utf8))
      _ = try session.receiveUntilClosed()
    }
    let all = server.log.split(separator: "\n").filter { $0.contains("|jsonrpc|WARN|") }
    #expect(all.count >= 50)
  }

  @Test func memoryIsReportedTenSecondsAfterTheStart() throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let server = try RemoteServer([Self.remote, "db.db"], directory: directory)
    _ = try server.waitForSession().call("monitor", ["D", nil, ["T": [:]]])
    try server.waitForLog("|memory|INFO|", count: 2)
    let lines = server.log.split(separator: "\n").filter { $0.contains("|memory|INFO|") }
    #expect(lines[0].contains(#/\|memory\|INFO\|\d+ kB peak resident set size after 1\d\.\d seconds/#))
    #expect(lines[1].contains(#/\|memory\|INFO\|atoms:\d+ cells:\d+ monitors:\d+/#))
  }

  // MARK: Patterns and the system log

  @Test func theSystemLogIsReached() throws {
    let local = try DatagramReceiver(.unix)
    let remote = try DatagramReceiver(.udp)
    let server = try RemoteServer([
      "--no-dbs", "-vsyslog:info", "--syslog-method=unix:\(local.address)", "--syslog-target=\(remote.address)", "-vFACILITY:local3",
    ])
    #expect(try server.control("vlog/message", "to whom it may concern").status == 0)
    // local3 is 19, informational messages are 5 there.
    #expect(try local.receive { $0.contains("concern") }.hasPrefix("<157>ovs|"))
    let structured = try remote.receive { $0.contains("concern") }
    #expect(structured.contains(#/^<157>1 \d{4}-\d\d-\d\dT\S+Z \S+ ovsdb-server \d+ vlog - /#))
  }

  @Test func patternsChangeWhileTheServerRuns() throws {
    let server = try RemoteServer(["--no-dbs"])
    #expect(try server.control("vlog/set", "PATTERN:file:%A %P %c %-5p|%05N|%m").status == 0)
    #expect(try server.control("vlog/message", "here").status == 0)
    try server.waitForLog("ovsdb-server \(server.pid) vlog INFO |")
    #expect(try server.control("vlog/set", "vlog:file:off").status == 0)
    #expect(try server.control("vlog/message", "unseen").status == 0)
    #expect(try server.control("vlog/set", "file:info").status == 0)
    #expect(try server.control("vlog/message", "seen").status == 0)
    try server.waitForLog("|seen")
    #expect(!server.log.contains("unseen"))
  }
}

/// A socket that takes datagrams.
private final class DatagramReceiver {
  enum Kind { case unix, udp }

  /// As the options of the server name it.
  let address: String
  private let descriptor: Int32
  private let directory: RunDirectory

  init(_ kind: Kind) throws {
    directory = try RunDirectory()
    switch kind {
    case .unix:
      descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
      address = directory.path("log")
      var name = sockaddr_un()
      name.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Array(address.utf8)) }
      try Self.bindSocket(descriptor, &name)
    case .udp:
      descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      try Self.bindSocket(descriptor, &name)
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let descriptor = descriptor
      withUnsafeMutablePointer(to: &name) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
      }
      address = "127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
    }
  }

  deinit { close(descriptor) }

  private static func bindSocket<Address>(_ descriptor: Int32, _ address: inout Address) throws {
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<Address>.size)) }
    }
    guard result == 0 else { throw ProcessError("bind: \(String(cString: strerror(errno)))") }
  }

  /// The first message that is wanted.
  func receive(where isWanted: (String) -> Bool) throws -> String {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard Foundation.poll(&poll, 1, 60_000) == 1 else { throw ProcessError("no datagram within a minute") }
      let count = recv(descriptor, &buffer, buffer.count, 0)
      let text = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
      if isWanted(text) { return text }
    }
  }
}
