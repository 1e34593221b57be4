// SPDX-License-Identifier: Apache-2.0
//
// What may stand in the way of a new file under a real server: too few descriptors, a directory that may not be read, an owner or mode
// that may not be set, a last record that cannot be applied. Commits go on, and nothing that was in a file is lost.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "ovsdb-server, ours or Open vSwitch's, is missing"))
struct CompactionObstacleTests {
  /// Adds a number, durably.
  private func insert(_ number: Int, over session: WireSession) throws {
    let reply = try session.call("transact", Numbers.insert(number, isDurable: true))
    #expect(reply.elements?.count == 2, "\(reply)")
  }

  private func recordCount(_ path: String) throws -> Int { try readText(path).components(separatedBy: "OVSDB JSON").count - 1 }

  /// The control client takes one of them for its connection; the compaction needs one for the directory and one for the new file.
  @Test(.enabled(if: Programs.has("prlimit"), "prlimit (util-linux) is missing"))
  func noCommitWaitsForADescriptorThatACompactionLacks() throws {
    let server = try DatabaseServer(.ours, [.schema(Numbers.schema)])
    let session = try server.session()
    #expect(try Numbers.all(session) == [])
    for freeCount in 1...4 {
      // Two that listen, and the session.
      let open = try OpenDescriptors.settled(of: server.pid, sockets: 3)
      let limit = OpenDescriptors.limit(above: open, leaving: freeCount)
      try succeed(Programs.peer("prlimit"), ["--pid", "\(server.pid)", "--nofile=\(limit):"], in: server.directory)
      let result = try server.control("ovsdb-server/compact")
      if freeCount < 3 {
        #expect(result.status == 2 && result.standardError.contains("create failed (Too many open files)"), "\(freeCount): \(result)")
      } else {
        #expect(result.status == 0, "\(freeCount): \(result)")
      }
      try insert(freeCount, over: session)
    }
    #expect(!(try readText(server.logPath)).contains("commits are refused"))
    try server.restart()
    #expect(try Numbers.all(try server.session()) == ["1", "2", "3", "4"])
  }

  /// Files can be made in it, and it cannot be opened. Modes are nothing to root.
  @Test(.enabled(if: geteuid() != 0 || Programs.has("setpriv"), "setpriv (util-linux) is missing"))
  func aDirectoryThatMayNotBeReadIsNoObstacle() throws {
    let directory = try RunDirectory()
    try FileManager.default.createDirectory(atPath: directory.path("dbs"), withIntermediateDirectories: false)
    try write(Numbers.schema.text, to: directory.path("schema"))
    var wrapper: [String] = []
    if geteuid() == 0 {
      let nobody: uid_t = 65534
      wrapper = [Programs.peer("setpriv"), "--reuid=\(nobody)", "--regid=\(nobody)", "--clear-groups"]
      for name in ["", "dbs", "schema"] { try #require(chown(directory.path(name), nobody, nobody) == 0) }
    }
    let isReachable = try run("env", wrapper + [Side.ours.server, "--version"], in: directory).status == 0
    try #require(isReachable, "an unprivileged user cannot run \(Side.ours.server)")
    try #require(chmod(directory.path("dbs"), 0o300) == 0)
    defer { chmod(directory.path("dbs"), 0o700) }
    let creation = wrapper + [Side.ours.tool("ovsdb-tool"), "create", directory.path("dbs/db.db"), directory.path("schema")]
    try succeed("env", creation, in: directory)
    let server = try DatabaseServer(.ours, [.existing(file: "dbs/db.db")], wrapper: wrapper, directory: directory)
    let session = try server.session()
    for number in 1...3 { try insert(number, over: session) }
    let result = try server.control("ovsdb-server/compact")
    #expect(result.status == 0, "\(result)")
    try insert(4, over: session)
    #expect(try recordCount(server.databasePath()) == 3)
    let copying = wrapper + [Side.ours.tool("ovsdb-tool"), "compact", server.databasePath(), directory.path("dbs/copy.db")]
    try succeed("env", copying, in: directory)
    try server.restart()
    #expect(try Numbers.all(try server.session()) == ["1", "2", "3", "4"])
  }

  @Test(.enabled(if: Strace.isUsable, "strace is missing"), arguments: ["fchmod", "fchown"], ["EPERM", "EOPNOTSUPP"])
  func anAttributeThatMayNotBeSetIsWarnedOfOnce(call: String, code: String) throws {
    // Only root can make files of others, and only those have an owner to keep.
    if call == "fchown", geteuid() != 0 { return }
    let directory = try RunDirectory()
    let strace = Strace.command(["\(call):error=\(code)"], calls: Strace.calls + [call], output: directory.path("trace"))
    let server = try DatabaseServer(
      .ours, [.schema(Numbers.schema)], wrapper: strace + ["-P", directory.path("db.db.tmp")], directory: directory)
    let session = try server.session()
    for number in 1...3 {
      if call == "fchown" { try #require(chown(server.databasePath(), 65534, 65534) == 0) }
      try insert(number, over: session)
      #expect(try server.control("ovsdb-server/compact") == CommandResult(status: 0, standardOutput: "", standardError: ""))
    }
    #expect(try readText(directory.path("trace")).contains("(INJECTED)"))
    let attribute = call == "fchown" ? "owner" : "mode"
    #expect(try readText(server.logPath).ranges(of: "keeping the \(attribute) failed (").count == 1)
    try server.kill()
    server.wrapper = []
    try server.start()
    #expect(try Numbers.all(try server.session()) == ["1", "2", "3"])
  }

  /// The bytes of the last record that a server with another schema of the same name wrote.
  private func foreignRecord() throws -> [UInt8] {
    let schema: WireJSON = [
      "name": "D", "version": "2.0.0",
      "tables": ["T": ["columns": ["n": ["type": "integer"], "s": ["type": "string"], "more": ["type": "integer"]]]],
    ]
    let server = try DatabaseServer(.ours, [.schema(schema)])
    try server.session().call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 9, "more": 1]]])
    server.stop()
    let bytes = try readBytes(server.databasePath())
    let start = try #require(bytes.indices.last { bytes[$0...].starts(with: "OVSDB JSON ".utf8) })
    return Array(bytes[start...])
  }

  @Test(arguments: [false, true]) func aLastRecordThatCannotBeAppliedIsKeptBesideTheFile(compacts: Bool) throws {
    let server = try DatabaseServer(.ours, [.schema(Numbers.schema)])
    try insert(1, over: try server.session())
    server.stop()
    let path = server.databasePath()
    let good = try readBytes(path)
    let foreign = try foreignRecord()
    try Data(good + foreign).write(to: URL(fileURLWithPath: path))
    let kept = "\(path).rejected-\(good.count)"

    try server.start()
    let session = try server.session()
    #expect(try Numbers.all(session) == ["1"])
    let log = try readText(server.logPath)
    #expect(log.contains("record 2 at offset \(good.count) is whole but cannot be applied: everything before is served"))
    #expect(log.contains("with the last \(foreign.count) bytes kept in \(kept)"))
    #expect(try readBytes(path) == good + foreign)
    #expect(access(kept, F_OK) != 0)

    if compacts { #expect(try server.control("ovsdb-server/compact").status == 0) }
    try insert(2, over: session)
    #expect(try readBytes(kept) == foreign)
    try server.restart()
    #expect(try Numbers.all(try server.session()) == ["1", "2"])
    #expect(!(try readText(server.logPath)).contains("cannot be applied"))
  }
}
