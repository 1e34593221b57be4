// SPDX-License-Identifier: Apache-2.0
//
// The same command lines given to Open vSwitch's ovs-appctl and to ours, right ones and wrong ones, about daemons of all kinds.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasPeer && Programs.hasOurs)) struct AppctlComparisonTests {
  private func both(_ arguments: [String], in directory: RunDirectory) throws -> [CommandResult] {
    try [Side.peer, .ours].map { side in
      let tool = side.tool("ovs-appctl")
      var result = presentable(try run(tool, arguments, in: directory), directory: directory)
      // getopt_long begins its messages with the program as it was called, and ours has a line more about itself.
      result.standardError = result.standardError.replacing(tool, with: "ovs-appctl")
      result.standardOutput = result.standardOutput.replacing(#/\nswift-ovsdb [0-9.]+\n/#, with: "\n")
      return result
    }
  }

  @Test func mistakesAreToldTheSame() throws {
    let directory = try RunDirectory()
    try write("junk\n", to: directory.path("junk.pid"))
    try write("99999\n", to: directory.path("stale.pid"))
    try write("", to: directory.path("empty.pid"))
    try write("no socket", to: directory.path("file"))
    try FileManager.default.createDirectory(atPath: directory.path("dir.pid"), withIntermediateDirectories: false)
    let lines = [
      "", "-x", "--foo", "--t", "--ti", "-t", "-T", "-T x version", "-T 0 version", "-T 1x version", "-T +1 version", "-T -1 version",
      "-T 99999999999 version", "-t a -t b version", "-t junk version", "-t stale version", "-t empty version", "-t dir version",
      "-t nope version", "-t /nope version", "-t DIR/file version", "-t DIR version", "-t sub/dir version", "version", "-e",
      "--execute version", "-t nope", "-v", "-vfoo version", "-vfoo:bar version", "-vfile:dbg -t nope version",
      "--verbose=any:any:off -t nope version", "--log-file=/nonexistent/x -t nope version", "--syslog-method=foo version", "-V", "--version",
      "--vers", "--ver", "--v", "-t nope -- version", "--target= version", "-T 5 -t nope version", "--timeout 5 -t nope version",
      "-Vx", "--help=x", "--target",
    ]
    for line in lines {
      let words = line.replacing("DIR", with: directory.path).split(separator: " ").map(String.init)
      let results = try both(words, in: directory)
      #expect(results[1] == results[0], "ovs-appctl \(line)")
    }
    for words in [["-t", "", "version"], ["-t", "a b", "version"], [""]] {
      let results = try both(words, in: directory)
      #expect(results[1] == results[0], "ovs-appctl \(words)")
    }
  }

  @Test func theListOfOptionsIsThePeersAndThoseOfLaterReleases() throws {
    let directory = try RunDirectory()
    let results = try both(["-o"], in: directory)
    let lines = results.map { $0.standardOutput.split(separator: "\n") }
    #expect(lines[1].filter { !["--format=ARG", "-f ARG", "--pretty"].contains($0) } == lines[0])
  }

  /// Starts a daemon of Open vSwitch or OVN that has no database to talk to; its control socket works all the same.
  private func daemon(_ name: String, in directory: RunDirectory) throws -> ChildProcess {
    var arguments = ["--pidfile", "--no-chdir", "-vconsole:off", "-vsyslog:off"]
    switch name {
    case "ovs-vswitchd": arguments += ["--enable-dummy=override", "--disable-system", "unix:nowhere.sock"]
    case "ovn-northd": arguments += ["--ovnnb-db=unix:nowhere.sock", "--ovnsb-db=unix:nowhere.sock"]
    default: arguments += ["--no-dbs", "--remote=punix:db.sock"]
    }
    let program = name == "ovsdb-server" ? Side.ours.server : Programs.peer(name)
    let child = try ChildProcess(
      program, arguments, environment: directory.environment, directory: directory.path, output: directory.path("\(name).out"),
      errors: directory.path("\(name).err"))
    try waitUntil("\(name) to listen", seconds: 60) {
      guard child.isRunning else { throw ProcessError("\(name): \(try readText(directory.path("\(name).err")))") }
      return try run(Side.peer.tool("ovs-appctl"), ["-T", "5", "-t", name, "version"], in: directory).status == 0
    }
    return child
  }

  @Test(arguments: ["ovsdb-server", "ovs-vswitchd", "ovn-northd"]) func everyDaemonIsSpokenToByItsName(name: String) throws {
    if name != "ovsdb-server", !Programs.has(name) { return }
    let directory = try RunDirectory()
    let child = try daemon(name, in: directory)
    defer { child.stop() }
    let socket = directory.path("\(name).\(try readText(directory.path("\(name).pid")).split(separator: "\n")[0]).ctl")
    let lines = [
      "version", "list-commands", "version extra", "version -T 1", "nosuch", "vlog/set nosuch", "vlog/set console:off", "vlog/list-pattern",
      "vlog/list", "coverage/read-counter nosuch", "vlog/reopen",
    ]
    for target in [["-t", name], ["--target", socket], ["-t", socket, "-T", "20"]] + (name == "ovs-vswitchd" ? [[]] : []) {
      for line in lines {
        let results = try both(target + line.split(separator: " ").map(String.init), in: directory)
        #expect(results[1] == results[0], "\(target) \(line)")
      }
    }
    // One that is stopped does not answer: the alarm rings.
    child.signal(SIGSTOP)
    let results = try both(["-t", name, "-T", "1", "version"], in: directory)
    child.signal(SIGCONT)
    #expect(results[1] == results[0])
    #expect(results[1].status != 0)
    // And one that is gone without cleaning up is stale.
    child.signal(SIGKILL)
    _ = try child.waitForExit()
    for target in [name, socket] {
      let results = try both(["-t", target, "version"], in: directory)
      #expect(results[1] == results[0], "\(target) after its end")
    }
  }

  @Test func aDaemonWithoutJSONOutputIsToldOfAndWrapped() throws {
    let server = try DatabaseServer(.peer, [], options: ["--no-dbs"])
    let tool = Side.ours.tool("ovs-appctl")
    let target = ["-t", server.controlSocket]
    let note = "ovs-appctl: \(server.controlSocket): the target has no JSON output (Open vSwitch 3.4 and later have); showing its text as JSON\n"
    let version = try succeed(Side.peer.tool("ovs-appctl"), target + ["version"], in: server.directory).dropLast()
    let wrapped = try run(tool, target + ["-f", "json", "version"], in: server.directory)
    #expect(wrapped.status == 0)
    #expect(wrapped.standardOutput == #"{"reply":"\#(version)\n","reply-format":"plain"}"# + "\n")
    #expect(wrapped.standardError == note)
    #expect(
      try run(tool, target + ["-f", "json", "--pretty", "vlog/reopen"], in: server.directory).standardOutput
        == "{\n  \"reply\": \"\",\n  \"reply-format\": \"plain\"}\n")
    let failed = try run(tool, target + ["-f", "json", "nosuch"], in: server.directory)
    #expect(failed.status == 2)
    #expect(failed.standardOutput == "")
    #expect(failed.standardError == note + "\"nosuch\" is not a valid command (use \"list-commands\" to see a list of valid commands)\n"
      + "ovs-appctl: \(server.controlSocket): server returned an error\n")
  }
}
