// SPDX-License-Identifier: Apache-2.0
//
// Sockets that a service manager passes, by the variables it sets and by systemd's own program for it.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct SocketActivationTests {
  /// A directory with sockets that listen in it, `a.sock` and `b.sock`.
  private static func sockets() throws -> (RunDirectory, [TestSocket]) {
    let directory = try RunDirectory()
    return (directory, try ["a.sock", "b.sock"].map { try TestSocket(listeningAt: directory.path($0)) })
  }

  private static func descriptors(_ sockets: [TestSocket]) -> [Int32: Int32] {
    Dictionary(uniqueKeysWithValues: sockets.enumerated().map { (Int32(3 + $0.offset), $0.element.descriptor) })
  }

  @Test func passedSocketsServeByNumberByNameAndUnnamed() throws {
    var (directory, sockets) = try Self.sockets()
    sockets += [try TestSocket.tcp(), try TestSocket.datagram(), try TestSocket.file("/dev/null")]
    let server = try RemoteServer(
      ["--no-dbs", "--remote=pfd:3", "--remote=pfd:main"], descriptors: Self.descriptors(sockets),
      activation: ["LISTEN_FDS": "5", "LISTEN_FDNAMES": "unknown:main:net:junk:"], directory: directory)
    for name in ["a.sock", "b.sock"] { #expect(try server.session(name).call("list_dbs", []) == ["_Server"]) }
    #expect(try connectTCP(sockets[2].port).call("list_dbs", []) == ["_Server"])
    #expect(try server.lines("ovsdb-server/list-remotes") == ["pfd:3", "pfd:5", "pfd:main"])
    let table = try server.lines("ovsdb-server/list-fds").map { $0.split(separator: " ").map(String.init) }
    #expect(
      table == [
        ["fd", "name", "family", "address", "remote"], ["3", "-", "unix", directory.path("a.sock"), "pfd:3"],
        ["4", "main", "unix", directory.path("b.sock"), "pfd:main"],
        ["5", "net", "inet", "127.0.0.1:\(sockets[2].port)", "pfd:5"], ["6", "junk", "inet", "0.0.0.0:0", "(closed)"],
        ["7", "-", "file", "-", "(closed)"],
      ])
    for line in ["descriptor 6 (junk): not a stream socket (type 2); closing it", "descriptor 7: not a socket; closing it"] {
      #expect(server.log.components(separatedBy: line).count == 2, "\(server.log)")
    }
    // Removed by command, one is closed for good; what was passed is still told.
    #expect(try server.control("ovsdb-server/remove-remote", "pfd:main").status == 0)
    #expect(try server.lines("ovsdb-server/list-fds").count == 6)
    sockets = []
    #expect(throws: ProcessError.self) { try server.session("b.sock") }
    #expect(try server.session("a.sock").call("list_dbs", []) == ["_Server"])
  }

  @Test func unnamedSocketsAreClosedWhenThatIsAskedFor() throws {
    var (directory, sockets) = try Self.sockets()
    let server = try RemoteServer(
      ["--no-dbs", "--remote=pfd:3", "--no-socket-activation"], descriptors: Self.descriptors(sockets),
      activation: ["LISTEN_FDS": "2"], directory: directory)
    #expect(server.log.contains("descriptor 4: no remote names it; closing it"))
    sockets = []
    #expect(try server.session("a.sock").call("list_dbs", []) == ["_Server"])
    #expect(throws: ProcessError.self) { try server.session("b.sock") }
  }

  @Test(arguments: [
    (["LISTEN_FDS": "2", "LISTEN_PID": "1"], nil), (["LISTEN_FDS": "2", "LISTEN_PID": "x"], "LISTEN_PID is \"x\""),
    (["LISTEN_FDS": "two"], "\"two\" is no number of descriptors"), (["LISTEN_FDS": "-1"], "\"-1\" is no number of descriptors"),
  ] as [([String: String], String?)])
  func whatIsNotForUsOrMakesNoSenseIsIgnored(variables: [String: String], warning: String?) throws {
    var (directory, sockets) = try Self.sockets()
    let server = try RemoteServer(
      ["--no-dbs", "--remote=punix:db.sock"], descriptors: Self.descriptors(sockets), activation: variables, directory: directory,
      overridesProcess: variables["LISTEN_PID"] != nil)
    #expect(try server.lines("ovsdb-server/list-remotes") == ["punix:db.sock"])
    #expect(try server.control("ovsdb-server/list-fds").standardOutput == "")
    if let warning {
      #expect(server.log.contains(warning))
    } else {
      #expect(!server.log.contains("LISTEN_"))
    }
    sockets = []
  }

  @Test func noChildSeesWhatWasPassed() throws {
    let (directory, sockets) = try Self.sockets()
    let result = try RemoteServer.runToEnd(
      ["--no-dbs", "--remote=pfd:3", "--run=env; for f in /proc/self/fd/*; do readlink $f; done; true"],
      descriptors: Self.descriptors(sockets), activation: ["LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"],
      environment: ["WATCHDOG_USEC": "30000000"], directory: directory)
    #expect(result.status == 0)
    #expect(result.standardOutput.contains("OVS_RUNDIR="))
    #expect(!result.standardOutput.contains("LISTEN_") && !result.standardOutput.contains("WATCHDOG_"))
    // The standard files and nothing else: neither ours nor those that whoever started us left open.
    let files = result.standardOutput.split(separator: "\n").filter { $0.hasPrefix("/") || $0.contains(":[") }
    #expect(files.count == 3 && !result.standardOutput.contains("anon_inode"), "\(result)")
  }

  @Test func aServerInTheBackgroundServesANamedSocket() throws {
    let (directory, sockets) = try Self.sockets()
    let result = try RemoteServer.runToEnd(
      ["--no-dbs", "--detach", "--pidfile=x.pid", "--remote=pfd:a", "--remote=pfd:x", "--unixctl=x.ctl"],
      descriptors: Self.descriptors(sockets), activation: ["LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b\u{1b}"], directory: directory)
    #expect(result.status == 0, "\(result)")
    #expect(result.standardError.contains(#"pfd:x: bad file descriptor (no descriptor was passed under that name; names: "a", "b\u{1B}")"#))
    let control = { try run(Side.ours.tool("ovs-appctl"), ["-t", directory.path("x.ctl")] + $0, in: directory) }
    let list = try control(["ovsdb-server/list-fds"]).standardOutput
    #expect(list.contains("pfd:a") && list.contains(#"b\x1b"#) && !list.contains("\u{1b}"), "\(list)")
    #expect(try control(["exit"]).status == 0)
  }

  @Test(arguments: [
    (["--no-dbs"], ["LISTEN_FDS": "30"], "ovsdb-server: LISTEN_FDS=30: descriptor "),
    (["--no-dbs", "--remote=pfd:3", "--remote=pfd:a"], ["LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"],
      "ovsdb-server: --remote=pfd:a: descriptor 3 is served by remote pfd:3 already"),
    (["--no-dbs", "--detach"], ["LISTEN_FDS": "1"], "ovsdb-server: --detach cannot be used with socket activation unless "),
  ])
  func startsThatCannotGoWellSayWhy(arguments: [String], variables: [String: String], text: String) throws {
    let (directory, sockets) = try Self.sockets()
    let result = try RemoteServer.runToEnd(
      arguments, descriptors: Self.descriptors(sockets), activation: variables, directory: directory)
    #expect(result.status == 1)
    #expect(result.standardError.contains(text), "\(result)")
  }

  @Test func aNameThatSeveralHaveIsNoName() throws {
    let (directory, sockets) = try Self.sockets()
    let server = try RemoteServer(
      ["--no-dbs", "--remote=pfd:x", "--remote=pfd:3"], descriptors: Self.descriptors(sockets),
      activation: ["LISTEN_FDS": "2", "LISTEN_FDNAMES": "x:x"], directory: directory)
    try server.waitForLog("pfd:x: bad file descriptor (the name belongs to 3, 4)")
    for name in ["a.sock", "b.sock"] { #expect(try server.session(name).call("list_dbs", []) == ["_Server"]) }
  }

  @Test func aReloadLeavesPassedSocketsAlone() throws {
    let (directory, sockets) = try Self.sockets()
    try write(#"{"remotes": {"punix:c.sock": null}, "databases": null}"#, to: directory.path("config.json"))
    let server = try RemoteServer(
      ["--config-file=config.json"], descriptors: Self.descriptors(sockets), activation: ["LISTEN_FDS": "2"], directory: directory)
    let session = try server.session("a.sock")
    #expect(try session.call("list_dbs", []) == ["_Server"])
    for configuration in [#"{"remotes": null, "databases": null}"#, #"{"remotes": {"pfd:3": null}, "databases": null}"#] {
      try write(configuration, to: directory.path("config.json"))
      _ = try server.control("ovsdb-server/reload")
      #expect(try session.call("list_dbs", []) == ["_Server"])
      #expect(try server.session("b.sock").call("list_dbs", []) == ["_Server"])
      #expect(try server.lines("ovsdb-server/list-remotes") == ["pfd:3", "pfd:4"])
    }
  }

  @Test(.enabled(if: Programs.has("systemd-socket-activate"), "systemd-socket-activate is not installed"))
  func systemdsOwnProgramStartsIt() throws {
    let directory = try RunDirectory()
    let child = try ChildProcess(
      Programs.peer("systemd-socket-activate"),
      [
        "-l", directory.path("db.sock"), "-l", directory.path("other.sock"), "--fdname=db:other",
        "-E", "OVS_RUNDIR=\(directory.path)", Side.ours.server, "--no-dbs", "--remote=pfd:db", "-vconsole:info", "-vsyslog:off",
        "--unixctl=\(directory.path("s.ctl"))",
      ], environment: directory.environment, directory: directory.path, output: directory.path("out"), errors: directory.path("err"))
    try waitUntil("the socket", seconds: 60) { access(directory.path("db.sock"), F_OK) == 0 }
    // The program is started by this connection.
    var session: WireSession?
    try waitUntil("a connection", seconds: 60) {
      session = try? WireSession(socket: directory.path("db.sock"), secondsMax: 60)
      return session != nil
    }
    #expect(try session?.call("list_dbs", []) == ["_Server"])
    let table = try succeed(Side.ours.tool("ovs-appctl"), ["-t", directory.path("s.ctl"), "ovsdb-server/list-fds"], in: directory)
    #expect(table.contains("pfd:db") && table.contains("pfd:4"))
    #expect(try WireSession(socket: directory.path("other.sock"), secondsMax: 60).call("list_dbs", []) == ["_Server"])
    child.stop()
    #expect(access(directory.path("db.sock"), F_OK) == 0)
  }

  /// The commands of systemd.md's trial without systemd: the indented lines behind the sentence that announces it, up to the next heading.
  private static func trial(in directory: RunDirectory) throws -> [String] {
    let section = try readText(Repository.path("Documentation/systemd.md")).split(separator: "To see it without systemd").last ?? ""
    return section.prefix(upTo: section.firstRange(of: "\n## ")?.lowerBound ?? section.endIndex)
      .split(separator: "\n").filter { $0.hasPrefix("    ") }
      .map { $0.trimmingCharacters(in: .whitespaces).replacing("/tmp/", with: directory.path + "/") }
  }

  @Test(.enabled(if: Programs.has("systemd-socket-activate"), "systemd-socket-activate is not installed"))
  func theTrialOfTheDocumentWorks() throws {
    let directory = try RunDirectory()
    let commands = try Self.trial(in: directory)
    try #require(commands.count == 4)
    let tools = (Side.ours.server as NSString).deletingLastPathComponent
    // No variable names a run directory, and systemd-socket-activate would not pass it on.
    let environment = ["PATH": "\(tools):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")"]
    let child = try ChildProcess(
      "/bin/sh", ["-c", "exec \(commands[0])"], environment: environment, directory: directory.path, output: directory.path("out"),
      errors: directory.path("err"))
    try waitUntil("the socket", seconds: 60) { access(directory.path("db.sock"), F_OK) == 0 || !child.isRunning }
    for (command, answer) in zip(commands.dropFirst(), ["_Server", "pfd:db", ""]) {
      let result = try run("/bin/sh", ["-c", command], environment: environment, in: directory, seconds: 60)
      let errors = try readText(directory.path("err"))
      #expect(result.status == 0 && (answer.isEmpty || result.standardOutput.contains(answer)), "\(command): \(result) \(errors)")
    }
    #expect(try child.waitForExit(seconds: 60) == 0)
  }
}
