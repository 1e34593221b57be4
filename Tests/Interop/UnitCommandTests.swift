// SPDX-License-Identifier: Apache-2.0
//
// The commands of the unit that stands where the distribution's stood, run without systemd as init: they leave the database of the switch
// as the distribution's start script leaves it.

import Foundation
import TestSupport
import Testing

@Suite(
  .enabled(
    if: Programs.hasOurs && ServiceDirectory.hasOpenVSwitch && Programs.has("systemd-socket-activate"),
    "Open vSwitch's service script or systemd-socket-activate is not installed"))
struct UnitCommandTests {
  private static let source = Repository.path("utilities/systemd")

  /// Commands of `ovsdb-server.service` in a private installation, by the name of their setting.
  private static func commands(_ service: ServiceDirectory) throws -> [String: String] {
    let directory = service.directory
    for name in ["prepare-database", "describe-switch"] {
      let text = try readText("\(source)/\(name)").replacing("/usr/bin/ovsdb-tool", with: directory.path("bin/ovsdb-tool"))
      try write(text, to: directory.path("bin/\(name)"))
      chmod(directory.path("bin/\(name)"), 0o755)
    }
    let schema = try Programs.requiredSchema("vswitch")
    var unit = try readText("\(source)/ovsdb-server.service").replacing("\\\n", with: " ")
    for (path, ours) in [
      ("/usr/lib/swift-ovsdb/", directory.path("bin/")), ("/usr/sbin/", directory.path("bin/")), ("/usr/bin/", directory.path("bin/")),
      ("/etc/openvswitch/conf.db", directory.path("db/conf.db")),
      ("/usr/share/openvswitch/vswitch.ovsschema", schema),
    ] { unit = unit.replacing(path, with: ours) }
    var commands: [String: String] = [:]
    for match in unit.matches(of: #/(?m)^(Exec\w+)=-?(.+)$/#) { commands[String(match.output.1)] = String(match.output.2) }
    commands["ExecStartPost"]? += " \(directory.path("etc/openvswitch/system-id.conf")) \(directory.path("run"))"
    return commands
  }

  private func shell(_ command: String?, _ service: ServiceDirectory) throws -> CommandResult {
    try service.run("/bin/sh", ["-c", #require(command)])
  }

  /// Starts the server as systemd does: with its socket, by the first client.
  private func start(_ command: String?, _ service: ServiceDirectory) throws -> ChildProcess {
    let directory = service.directory
    let command = try #require(command)
    let variables = ["RUNDIR": "run", "LOGDIR": "log", "DBDIR": "db"].flatMap { ["-E", "OVS_\($0)=\(directory.path($1))"] }
    let child = try ChildProcess(
      Programs.peer("systemd-socket-activate"),
      ["-l", directory.path("run/db.sock"), "--fdname=db", "-E", "OVS_SYSLOG_METHOD=null"] + variables
        + command.split(separator: " ").map(String.init),
      environment: directory.environment, directory: directory.path, output: directory.path("out"), errors: directory.path("err"))
    try waitUntil("the socket", seconds: 60) { service.exists("run/db.sock") || !child.isRunning }
    return child
  }

  /// What the database says of the switch and its server.
  private func description(_ service: ServiceDirectory) throws -> [String] {
    let columns = ["db_version", "ovs_version", "system_type", "system_version", "external_ids:rundir", "cur_cfg"]
    let rows = try service.run("ovs-vsctl", ["--timeout=40", "get", "Open_vSwitch", "."] + columns)
    let identity = try readText(service.directory.path("etc/openvswitch/system-id.conf")).trimmingCharacters(in: .whitespacesAndNewlines)
    #expect(UUID(uuidString: identity) != nil)
    let found = try service.run("ovs-vsctl", ["--timeout=40", "find", "Open_vSwitch", "external_ids:system-id=\"\(identity)\""])
    #expect(found.standardOutput.contains("system-id"), "\(found)")
    let remotes = try service.run("ovs-appctl", ["-t", "ovsdb-server", "ovsdb-server/list-remotes"])
      .standardOutput.split(separator: "\n").filter { $0.hasPrefix("db:") }
    return [rows.standardOutput] + remotes.map(String.init)
  }

  @Test func theUnitLeavesWhatTheDistributionsScriptLeaves() throws {
    let reference = try ServiceDirectory(.peer)
    let script = try reference.run(
      ServiceDirectory.openVSwitchScript,
      ["--no-ovs-vswitchd", "--no-monitor", "--system-id=random", "--no-record-hostname", "start"])
    #expect(script.status == 0, "\(script)")
    let expected = try description(reference).map { $0.replacing(reference.directory.path, with: "<dir>") }

    let service = try ServiceDirectory(.ours)
    let commands = try Self.commands(service)
    #expect(try shell(commands["ExecStartPre"], service).status == 0)
    let server = try start(commands["ExecStart"], service)
    let post = try shell(commands["ExecStartPost"], service)
    let errors = try readText(service.directory.path("err"))
    #expect(post.status == 0, "\(post) \(errors)")
    #expect(try description(service).map { $0.replacing(service.directory.path, with: "<dir>") } == expected)
    #expect(service.exists("log/ovsdb-server.log") && service.exists("run/ovsdb-server.pid"))
    #expect(try shell(commands["ExecReload"], service).status == 0)

    // Keys that the database names are used.
    let authority = try TestAuthority("ca", in: service.directory)
    let identity = try authority.identity("server", subject: "/O=Test/CN=server")
    func vsctl(_ words: String...) throws { #expect(try service.run("ovs-vsctl", ["--timeout=40", "--no-wait"] + words).status == 0) }
    try vsctl("set-ssl", identity.key, identity.certificate, authority.certificate)
    try vsctl("set-manager", "pssl:0:127.0.0.1")
    let log = service.directory.path("log/ovsdb-server.log")
    try waitUntil("the port", seconds: 60) { try readText(log).contains("listening on port ") }
    let port = try #require(try readText(log).firstMatch(of: #/listening on port (\d+)/#)).output.1
    let list = try service.run(
      "ovsdb-client", identity.options(trusting: authority.certificate) + ["list-dbs", "ssl:127.0.0.1:\(port)"])
    #expect(list.standardOutput.contains("Open_vSwitch"), "\(list)")

    #expect(try shell(commands["ExecStop"], service).status == 0)
    #expect(try server.waitForExit(seconds: 60) == 0)
    #expect(!service.exists("run/ovsdb-server.pid"))
  }

  @Test func aDatabaseOfAnOlderSchemaIsKeptAndConverted() throws {
    let service = try ServiceDirectory(.ours)
    let prepare = try Self.commands(service)["ExecStartPre"]
    let older = try readText(try Programs.requiredSchema("vswitch"))
      .replacing(#/"version": "[0-9.]+"/#, with: #""version": "8.0.0""#).replacing(#/"cksum": "[^"]+",/#, with: #""cksum": "1 2","#)
    try write(older, to: service.directory.path("older"))
    let database = service.directory.path("db/conf.db")
    func tool(_ words: String...) throws -> String { try service.run("ovsdb-tool", words).standardOutput }
    _ = try tool("create", database, service.directory.path("older"))
    _ = try tool("transact", database, #"["Open_vSwitch",{"op":"insert","table":"Open_vSwitch","row":{"next_cfg":7}}]"#)
    let before = try readBytes(database)
    let result = try shell(prepare, service)
    #expect(result.status == 0 && result.standardOutput.contains("converting "), "\(result)")
    #expect(try readBytes(database + ".backup8.0.0-1 2") == before)
    #expect(try tool("db-version", database) != "8.0.0\n")
    #expect(
      try tool("query", database, #"["Open_vSwitch",{"op":"select","table":"Open_vSwitch","where":[],"columns":["next_cfg"]}]"#)
        .contains(#""next_cfg":7"#))
    // Once is enough, and what is no database is left alone.
    let after = try readBytes(database)
    #expect(try shell(prepare, service).status == 0)
    #expect(try readBytes(database) == after)
    try write("no database\n", to: database)
    #expect(try shell(prepare, service).status != 0)
    #expect(try readText(database) == "no database\n")
  }
}
