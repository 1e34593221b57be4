// SPDX-License-Identifier: Apache-2.0

import Foundation
import Logging
import Testing

@testable import Daemon

@Suite struct LogSystemTests {
  private static let second = #"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"#

  @Test func linesHaveTheFormsThatScriptsRead() throws {
    let probe = try Probe()
    let result = try probe.run(["--log-file=l", "-vconsole:info", "--run=true"])
    #expect(result.errors.range(of: Self.second + #"Z\|00001\|vlog\|INFO\|opened log file l\n$"#, options: .regularExpression) != nil)
    #expect(
      probe.text("l").range(of: Self.second + #"\.\d{3}Z\|00001\|vlog\|INFO\|opened log file l\n$"#, options: .regularExpression) != nil)
  }

  @Test(arguments: [
    ("-vfoo", #"DaemonProbe: processing "foo": no destination, level, or module "foo""# + "\n"),
    ("-vFACILITY:zz", #"DaemonProbe: processing "FACILITY:zz": invalid facility"# + "\n"),
    ("--syslog-method=foo", "DaemonProbe: unsupported syslog method 'foo'\n"),
  ])
  func aBadOptionEndsTheProgram(option: String, errors: String) throws {
    let result = try Probe().run([option])
    #expect(result.status == 1)
    #expect(result.errors == errors)
  }

  @Test func aLogFileThatCannotBeOpenedEndsTheProgram() throws {
    let result = try Probe().run(["--log-file=/nonexistent/x"])
    #expect(result.status == 1)
    #expect(
      result.errors.hasSuffix("|vlog|WARN|failed to open /nonexistent/x for logging: No such file or directory\n"))
  }

  @Test func aRelativeLogFileIsReopenedWhereItWas() throws {
    let probe = try Probe()
    #expect(try probe.run(["--detach", "--monitor", "--pidfile", "--log-file=l"]).status == 0)
    let first = try #require(probe.pid())
    kill(first, SIGSEGV)
    try probe.wait(for: "another process") { probe.pid() != first && probe.pid() != nil }
    let second = try #require(probe.pid())
    try probe.wait(for: "a line of the second") { probe.log("l").contains { $0.hasPrefix("ovsdb_server(DaemonProbe)|INFO|") } }
    try FileManager.default.moveItem(atPath: probe.path("l"), toPath: probe.path("old"))
    let result = try probe.run(program: "ovs-appctl", ["-t", "DaemonProbe", "vlog/reopen"])
    #expect(result.errors == "" && result.status == 0)
    #expect(probe.log("l") == ["vlog(DaemonProbe)|INFO|opened log file l"])
    kill(second, SIGTERM)
    try probe.wait(for: "the end") { probe.log("l").last?.hasPrefix("daemon_unix(monitor)|INFO|pid \(second) died") == true }
  }

  @Test func aLogFileIsAppendedTo() throws {
    let probe = try Probe()
    for _ in 0..<2 { #expect(try probe.run(["--log-file=l", "--run=true"]).status == 0) }
    #expect(probe.log("l") == ["vlog|INFO|opened log file l", "vlog|INFO|opened log file l"])
  }

  @Test func theSystemLogGetsDatagrams() throws {
    let probe = try Probe()
    let socket = try DatagramSocket(path: probe.path("syslog"))
    let options = ["-vFACILITY:local1", "--log-file=l", "--run=true"]
    #expect(try probe.run(["--syslog-method=unix:\(probe.path("syslog"))"] + options).status == 0)
    #expect(try socket.receive() == "<141>ovs|00001|vlog|INFO|opened log file l")
    #expect(
      try probe.run(options, environment: ["OVS_SYSLOG_METHOD": "unix:\(probe.path("syslog"))"]).status == 0)
    #expect(try socket.receive() == "<141>ovs|00001|vlog|INFO|opened log file l")
  }

  @Test(arguments: [("udp:127.0.0.1:x", #"bad port number "x""#), ("udp:example.invalid", #"bad IP address "example.invalid""#)])
  func aBadAddressOfTheSystemLogIsToldAndSurvived(method: String, problem: String) throws {
    let result = try Probe().run(["--syslog-method=\(method)", "--run=true"])
    #expect(result.status == 0)
    #expect(result.errors.hasSuffix("|socket_util|ERR|\(method.dropFirst(4)): \(problem)\n"))
  }

  @Test func levelsAreCheckedBeforeATextIsBuilt() {
    let log = LogModule("test_levels")
    var built = 0
    func text() -> String {
      built += 1
      return "text"
    }
    log.dbg(text())
    #expect(built == 0)
    LogSystem.shared.setLevel(.off, module: "test_levels")
    log.emer(text())
    #expect(built == 0 && !log.isEnabled(.emer))
    LogSystem.shared.setLevel(.dbg, module: "test_levels", destination: .syslog)
    #expect(log.isEnabled(.dbg))
    LogSystem.shared.setLevel(.off, module: "test_levels")
  }

  @Test func swiftLogFollowsTheLevelsOfTheModule() {
    var handler = VlogHandler(label: "test_swift_log")
    #expect(handler.logLevel == .info)
    LogSystem.shared.setLevel(.off, module: "test_swift_log")
    #expect(handler.logLevel == .critical)
    handler.logLevel = .trace
    #expect(handler.logLevel == .critical)
    LogSystem.shared.setLevel(.dbg, module: "test_swift_log", destination: .syslog)
    #expect(handler.logLevel == .trace)
    LogSystem.shared.setLevel(.off, module: "test_swift_log")
  }
}
