// SPDX-License-Identifier: Apache-2.0
//
// The server as a daemon: when its parent returns and with what, its files, its watcher, its end.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct DaemonLifeTests {
  private static let remote = "--remote=punix:db.sock"

  @Test func theParentReturnsWhenClientsMayConnect() throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let server = try DetachedServer([Self.remote, "--unixctl=server.ctl", "db.db"], directory: directory)
    #expect(server.started.status == 0)
    // Without waiting: that is what the parent did.
    let session = try WireSession(socket: directory.path("db.sock"))
    #expect(try session.call("list_dbs", []) == ["D", "_Server"])
    let pid = try #require(server.pid)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd") == "/")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/2") == "/dev/null")
    #expect(try server.control("exit").status == 0)
    try server.waitForEnd(of: pid)
    #expect(!server.exists("db.sock") && !server.exists("server.ctl") && !server.exists("ovsdb-server.pid"))
  }

  @Test(
    "a start that fails is the parent's failure, says the same as Open vSwitch's, and leaves nothing behind",
    .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"),
    arguments: [["--detach"], ["--detach", "--monitor"], []],
    [["nosuch.db"], ["--remote=db:D,X,y", "db.db"], ["--unixctl=/nonexistent/ctl", "db.db"], ["db.db", "copy.db"]])
  func failingStart(options: [String], arguments: [String]) throws {
    let results = try Side.allCases.map { side in
      let directory = try RunDirectory()
      try makeDatabase(in: directory)
      try makeDatabase("copy.db", in: directory)
      let result = try DetachedServer.run(
        options + ["--pidfile", "-vconsole:emer", "-vsyslog:off", Self.remote] + arguments, side: side, in: directory)
      let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
      #expect(!left.contains { $0.hasSuffix(".pid") || $0.hasSuffix(".ctl") }, "\(left)")
      // The other one ends some messages with an empty line.
      let text = presentable(result.standardError, directory: directory).trimmingCharacters(in: .newlines)
      return "\(result.status) \(result.standardOutput)\(text)"
    }
    #expect(results[0] == results[1])
    #expect(results[0].hasPrefix("1 ovsdb-server: "))
  }

  // MARK: Pid files

  @Test func aSecondServerIsRefusedByTheFirstOnesPidFile() throws {
    let directory = try RunDirectory()
    let first = try DetachedServer(["--no-dbs", "--unixctl=server.ctl"], directory: directory)
    let pid = try #require(first.pid)
    let arguments = ["--no-dbs", "--unixctl=none", "--pidfile", "-vsyslog:off", "--log-file=second.log", "--run=true"]
    let refused = try DetachedServer.run(arguments, side: .ours, in: directory)
    let text = "\(directory.path("ovsdb-server.pid")): already running as pid \(pid), aborting"
    #expect(refused.status == 1 && refused.standardError.hasSuffix("ovsdb-server: \(text)\n"))
    #expect(first.log("second.log").last == "daemon_unix|EMER|\(text)")
    #expect(first.pid == pid)

    let forced = try DetachedServer.run(arguments + ["--overwrite-pidfile"], side: .ours, in: directory)
    #expect(forced.status == 0)
    kill(pid, SIGKILL)
  }

  @Test func aStalePidFileIsReplaced() throws {
    let directory = try RunDirectory()
    try write("1\n", to: directory.path("relative.pid"))
    let server = try DetachedServer(["--no-dbs"], pidFile: "relative.pid", directory: directory)
    #expect(server.started.status == 0)
    let pid = try #require(server.pid)
    #expect(pid != 1)
    let mode = try FileManager.default.attributesOfItem(atPath: directory.path("ovsdb-server.\(pid).ctl"))[.posixPermissions]
    #expect((mode as? NSNumber)?.intValue == 0o750)
    kill(pid, SIGTERM)
    try server.waitForEnd(of: pid)
    #expect(!server.exists("relative.pid") && !server.exists("ovsdb-server.\(pid).ctl"))
  }

  // MARK: The watcher

  /// The last words of a process that a defect kills, and the status that its parent sees.
  @Test(arguments: [
    (SIGSEGV, "SIGSEGV"), (SIGBUS, "SIGBUS"), (SIGABRT, "SIGABRT"), (SIGILL, "SIGILL"), (SIGFPE, "SIGFPE"), (SIGTRAP, "SIGTRAP"),
  ], [["--monitor"], []])
  func aCrashLeavesABacktraceInTheLog(signal: (number: Int32, name: String), options: [String]) throws {
    let directory = try RunDirectory()
    let server = try DetachedServer(["--no-dbs", "--unixctl=server.ctl"] + options, directory: directory)
    let pid = try #require(server.pid)
    kill(pid, signal.number)
    try server.waitForEnd(of: pid)
    let lines = try readText(directory.path("ovsdb-server.log")).split(separator: "\n")
    let start = try #require(lines.firstIndex(of: "\(signal.name) detected, backtrace:"), "\(lines)")
    #expect(lines[start...].dropFirst().prefix { $0.hasPrefix("0x") }.count >= 2, "\(lines)")
    guard !options.isEmpty else { return }
    let text = "pid \(pid) died, killed (\(String(cString: strsignal(signal.number)))"
    try waitUntil("the watcher's line", seconds: 60) { server.log().contains { $0.contains(text) } }
  }

  @Test func theWatcherHoldsTheConfigurationAndNothingElse() throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let server = try DetachedServer(["--monitor", Self.remote, "--unixctl=server.ctl", "db.db"], directory: directory)
    try waitUntil("the watcher", seconds: 60) { server.parent > 1 }
    let files = "/proc/\(server.parent)/fd"
    try waitUntil("the watcher's files", seconds: 60) {
      let links = try FileManager.default.contentsOfDirectory(atPath: files).filter { Int($0).map { $0 > 2 } ?? false }
        .compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(files)/\($0)") }
      return links.count == 1 && links[0].hasPrefix("/memfd:ovsdb-server-configuration")
    }
  }

  /// As scripts restart a server: whatever would stop the next one is free when `exit` is answered.
  @Test func anotherServerStartsAsSoonAsExitIsAnswered() throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let arguments = ["--detach", "--pidfile", "-vsyslog:off", "-vconsole:warn", Self.remote, "--unixctl=server.ctl", "db.db"]
    for round in 0..<50 {
      let started = try DetachedServer.run(arguments, side: .ours, in: directory)
      #expect(started.status == 0 && started.standardError.isEmpty, "round \(round): \(started)")
      guard started.status == 0 else { break }
      let ended = try run(Side.ours.tool("ovs-appctl"), ["-t", directory.path("server.ctl"), "exit"], in: directory)
      #expect(ended.status == 0)
    }
  }

  @Test func afterACrashTheServerServesWhatCommandsMadeOfIt() throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let second = try makeDatabase("e.db", ["name": "E", "tables": ["S": ["columns": ["r": ["type": "string"]]]]], in: directory)
    let server = try DetachedServer(["--monitor", Self.remote, "--unixctl=server.ctl", "db.db"], directory: directory)
    let first = try #require(server.pid)
    try waitUntil("the watcher", seconds: 60) { server.parent > 1 }
    let watcher = server.parent
    for command in [
      ["set-active-ovsdb-server", "unix:\(directory.path("source"))"], ["set-sync-exclude-tables", "E:S"], ["add-db", second], ["add-remote", "punix:other.sock"], ["add-remote", "db:E,S,r"], ["remove-remote", "punix:db.sock"], ["remove-db", "D"],
    ] { #expect(try server.control("ovsdb-server/\(command[0])", command[1]).status == 0, "\(command)") }

    kill(first, SIGSEGV)
    try waitUntil("another process", seconds: 60) {
      try server.pid.map { $0 != first } == true && server.control("version").status == 0
    }
    #expect(server.parent == watcher)
    #expect(try server.control("ovsdb-server/list-dbs").standardOutput == "E\n_Server\n")
    #expect(try server.control("ovsdb-server/list-remotes").standardOutput == "db:E,S,r\npunix:other.sock\n")
    let session = try WireSession(socket: directory.path("other.sock"))
    #expect(try session.call("list_dbs", []) == ["E", "_Server"])
    #expect(try server.control("ovsdb-server/get-active-ovsdb-server").standardOutput == "unix:\(directory.path("source"))\n")
    #expect(try server.control("ovsdb-server/get-sync-exclude-tables").standardOutput == "E:S\n")
    #expect(try server.control("ovsdb-server/sync-status").standardOutput == "state: active\n")

    // An orderly end is the end of both, and the next start begins with the command line.
    let last = try #require(server.pid)
    #expect(try server.control("exit").status == 0)
    try server.waitForEnd(of: watcher)
    #expect(server.log().last == "daemon_unix(monitor)|INFO|pid \(last) died, exit status 0, exiting")
    let again = try DetachedServer([Self.remote, "--unixctl=server.ctl", "db.db"], directory: directory)
    #expect(try again.control("ovsdb-server/list-dbs").standardOutput == "D\n_Server\n")
  }

  @Test func afterACrashTheServerComesUpWithoutADatabaseThatHeldItsRemotesAndKeys() throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let second = try makeDatabase("e.db", ["name": "E", "tables": ["S": ["columns": ["r": ["type": "string"]]]]], in: directory)
    let server = try DetachedServer(
      ["--monitor", Self.remote, "--remote=db:E,S,r", "--unixctl=server.ctl"]
        + ["private-key", "certificate", "ca-cert"].map { "--\($0)=db:E,S,r" } + ["db.db", "e.db"], directory: directory)
    let first = try #require(server.pid)
    try waitUntil("the watcher", seconds: 60) { server.parent > 1 }
    let complaint = "failed to configure SSL/TLS: \"db:E,S,r\": no database named E"
    #expect(try server.control("ovsdb-server/remove-db", "E").status == 0)
    try waitUntil("the line", seconds: 60) { server.log().contains { $0.contains(complaint) } }
    kill(first, SIGSEGV)
    try waitUntil("another process", seconds: 60) {
      try server.pid.map { $0 != first } == true && server.control("version").status == 0
    }
    #expect(try server.control("ovsdb-server/list-remotes").standardOutput == "db:E,S,r\npunix:db.sock\n")
    #expect(try WireSession(socket: directory.path("db.sock")).call("list_dbs", []) == ["D", "_Server"])
    // Once when the database went, once after the crash.
    try waitUntil("the line", seconds: 60) { server.log().filter { $0.contains(complaint) }.count >= 2 }
    // It may come back, and says what it has to say then.
    #expect(try server.control("ovsdb-server/add-db", second).status == 0)
    #expect(try server.control("exit").status == 0)
  }

  @Test(
    "the watcher says the same as Open vSwitch's",
    .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"))
  func watcherLog() throws {
    let logs = try Side.allCases.map { side in
      let server = try DetachedServer(["--monitor", "--no-dbs", "--unixctl=server.ctl"], side: side)
      let first = try #require(server.pid)
      // It takes its title when it has told of the readiness.
      try waitUntil("the watcher", seconds: 60) { server.parent > 1 }
      let watcher = server.parent
      kill(first, SIGILL)
      try waitUntil("another process", seconds: 60) {
        try server.pid.map { $0 != first } == true && server.control("version").status == 0
      }
      let second = try #require(server.pid)
      try waitUntil("the title", seconds: 60) {
        try readText("/proc/\(watcher)/cmdline").hasPrefix("ovsdb-server: monitoring pid \(second) (1 crashes: pid \(first) died, killed (Illegal instruction)")
      }
      kill(second, SIGKILL)
      try server.waitForEnd(of: watcher)
      // Lines of two processes have no order between them. A backtrace, of which 3.1.0 has none, is lines without a header. What is served
      // only our log says.
      let ours = #/backtrace|\|(INFO|WARN)\|(swift-ovsdb |no remote is configured)/#
      return server.log().filter { !$0.isEmpty && !$0.contains(ours) }.map {
        $0.replacing(", core dumped", with: "").replacing("\(first)", with: "<first>").replacing("\(second)", with: "<second>")
          .replacing(server.directory.path, with: "<dir>")
      }.sorted()
    }
    #expect(logs[0] == logs[1])
    #expect(logs[0].contains("daemon_unix(monitor)|INFO|pid <second> died, killed (Killed), exiting"))
  }

  // MARK: The user

  @Test(
    "--user becomes the other user, with the log and no further groups",
    .enabled(if: geteuid() == 0, "only root may become another user"))
  func user() throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let nobody = try #require(getpwnam("nobody")).pointee
    chmod(directory.path, 0o777)
    chown(directory.path("db.db"), nobody.pw_uid, nobody.pw_gid)
    unlink(directory.path(".db.db.~lock~"))
    let server = try DetachedServer([Self.remote, "--user=nobody", "--no-self-confinement", "db.db"], directory: directory)
    #expect(server.started.status == 0, "\(server.started)")
    let pid = try #require(server.pid)
    let status = try readText("/proc/\(pid)/status").split(separator: "\n").map { $0.split(whereSeparator: \.isWhitespace) }
    let (user, group) = ("\(nobody.pw_uid)", "\(nobody.pw_gid)")
    #expect(status.contains(["Uid:", Substring(user), Substring(user), Substring(user), Substring(user)]))
    #expect(status.contains(["Gid:", Substring(group), Substring(group), Substring(group), Substring(group)]))
    #expect(status.contains(["Groups:"]))
    let owner = try FileManager.default.attributesOfItem(atPath: directory.path("ovsdb-server.log"))[.ownerAccountID]
    #expect((owner as? NSNumber)?.uint32Value == nobody.pw_uid)
    #expect(try server.control("vlog/reopen").status == 0)
    let session = try WireSession(socket: directory.path("db.sock"))
    let reply = try session.call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 1]]])
    #expect(reply[0]?["uuid"] != nil)
  }

  // MARK: The end

  @Test(arguments: [SIGTERM, SIGINT, SIGHUP, SIGALRM])
  func aSignalEndsTheServerAfterItsFilesAreGone(signal: Int32) throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let server = try RemoteServer([Self.remote, "--pidfile", "db.db"], directory: directory)
    let session = try server.waitForSession()
    _ = try session.call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 1]]])
    server.process.signal(signal)
    #expect(try server.process.waitForExit(seconds: 60) == 128 + signal)
    #expect(server.log.contains("|fatal_signal|WARN|terminating with signal \(signal) ("))
    for name in ["db.sock", "ovsdb-server.pid"] { #expect(access(directory.path(name), F_OK) != 0) }
    #expect(access(server.controlSocket, F_OK) != 0)
  }

  @Test func aBrokenPipeDoesNotEndTheServer() throws {
    let server = try RemoteServer(["--no-dbs"])
    server.process.signal(SIGPIPE)
    #expect(try server.lines("ovsdb-server/list-dbs") == ["_Server"])
  }

  // MARK: Paths

  @Test func directoriesComeFromTheEnvironment() throws {
    let directory = try RunDirectory()
    for name in ["run", "log", "etc", "etc/openvswitch", "db"] {
      try FileManager.default.createDirectory(atPath: directory.path(name), withIntermediateDirectories: true)
    }
    try makeDatabase("db/conf.db", in: directory)
    try makeDatabase("etc/openvswitch/conf.db", ["name": "E", "tables": ["T": ["columns": ["n": ["type": "integer"]]]]], in: directory)
    for (variables, name) in [
      (["OVS_DBDIR": directory.path("db")], "D"), (["OVS_DBDIR": "", "OVS_SYSCONFDIR": directory.path("etc")], "E"),
    ] {
      let environment = ["OVS_RUNDIR": directory.path("run"), "OVS_LOGDIR": directory.path("log")].merging(variables) { $1 }
      let list = "ls run log; \(Side.ours.tool("ovs-appctl")) -t ovsdb-server ovsdb-server/list-dbs"
      let result = try DetachedServer.run(
        ["--pidfile", "--log-file", "-vconsole:off", "-vsyslog:off", "--remote=punix:db.sock", "--run=\(list)"], side: .ours,
        environment: environment, in: directory)
      #expect(result.status == 0)
      let output = result.standardOutput.replacing(#/\.\d+\./#, with: ".<pid>.")
      #expect(
        output == "log:\novsdb-server.log\n\nrun:\ndb.sock\novsdb-server.<pid>.ctl\novsdb-server.pid\n\(name)\n_Server\n",
        "\(result)")
    }
  }

  @Test(arguments: [
    ("exit 0", 0, ""), ("exit 7", 1, "ovsdb-server: exit 7: child exited, exit status 7\n"),
    ("kill -KILL $$", 1, "ovsdb-server: kill -KILL $$: child exited, killed (Killed)\n"),
  ])
  func theServerEndsWithItsCommand(command: String, status: Int32, errors: String) throws {
    let directory = try RunDirectory()
    let result = try DetachedServer.run(
      ["--no-dbs", "--unixctl=none", "-vsyslog:off", Self.remote, "--run=\(command)"], side: .ours, in: directory)
    #expect(result.status == status && result.standardError == errors)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
  }
}
