// SPDX-License-Identifier: Apache-2.0
//
// The scripts that start and stop the services of Open vSwitch and OVN, with our programs in the place of theirs: what the scripts say
// and leave behind must be the same.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct ServiceScriptTests {
  /// What both sides are compared by: each command's words and status, and files in between.
  private typealias Outcome = [String]

  private func note(_ result: CommandResult, _ words: [String], in outcome: inout Outcome) {
    outcome.append("\(words.joined(separator: " ")): \(result)")
  }

  private func openVSwitch(_ side: Side) throws -> Outcome {
    let service = try ServiceDirectory(side)
    var outcome: Outcome = []
    func control(_ words: String...) throws {
      note(
        try service.run(
          ServiceDirectory.openVSwitchScript, words,
          environment: ["OVS_VSWITCHD_OPTIONS": "--enable-dummy=override --disable-system"]), words, in: &outcome)
    }
    func vsctl(_ words: String...) throws {
      note(try service.run("ovs-vsctl", ["--timeout=40"] + words), words, in: &outcome)
    }
    let options = [
      "--system-id=private", "--system-type=test", "--system-version=1", "--no-mlockall", "--no-record-hostname",
      "--ovs-vswitchd-options=--enable-dummy=override --disable-system",
    ]
    // The kernel's module has no part in this.
    func start(_ command: String, _ more: String...) throws {
      let words = [command] + options + more
      note(try service.run(ServiceDirectory.openVSwitchScript, words), words, in: &outcome)
    }
    try control("version")
    try control("status")
    try start("start", "--no-ovs-vswitchd")
    try control("status")
    outcome.append("files: \(try service.files("run")) \(try service.files("log")) \(try service.files("db"))")
    try vsctl("--no-wait", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy")
    try vsctl("--no-wait", "set-manager", "ptcp:0:127.0.0.1")
    try vsctl("get", "Open_vSwitch", ".", "external_ids", "db_version", "ovs_version", "system_type", "system_version")
    try start("start", "--no-ovs-vswitchd")
    try start("restart", "--no-ovs-vswitchd")
    try control("status")
    try vsctl("list-br")
    note(try service.run("ovs-appctl", ["-t", "ovsdb-server", "ovsdb-server/list-remotes"]), ["list-remotes"], in: &outcome)
    try start("stop", "--no-ovs-vswitchd")
    try control("status")
    outcome.append("files: \(try service.files("run"))")
    return outcome
  }

  @Test(
    "ovs-ctl starts, restarts and stops our server as it does Open vSwitch's",
    .enabled(if: ServiceDirectory.hasOpenVSwitch, "Open vSwitch's service script is not installed"))
  func databaseOfTheSwitch() throws {
    let outcomes = try Side.allCases.map(openVSwitch)
    #expect(outcomes[0] == outcomes[1])
    #expect(outcomes[0].contains { $0.contains("ovsdb-server is running with pid <pid>") })
    #expect(outcomes[0].last == "files: []")
  }

  /// Databases of OVN, started as its packages do.
  private func ovn(_ side: Side) throws -> Outcome {
    let service = try ServiceDirectory(side)
    var outcome: Outcome = []
    func control(_ words: String...) throws {
      note(try service.run(ServiceDirectory.ovnScript, words), words, in: &outcome)
    }
    let options = [
      "--db-nb-create-insecure-remote=yes", "--db-nb-addr=127.0.0.1", "--db-nb-port=0", "--db-nb-sock=\(service.directory.path("run/nb.sock"))",
      "--db-sb-create-insecure-remote=no", "--db-sb-sock=\(service.directory.path("run/sb.sock"))", "--db-nb-use-remote-in-db=yes",
    ]
    func withOptions(_ command: String) throws {
      note(try service.run(ServiceDirectory.ovnScript, options + [command]), [command], in: &outcome)
    }
    try control("status_ovsdb")
    try withOptions("start_ovsdb")
    try control("status_ovsdb")
    outcome.append("files: \(try service.files("run")) \(try service.files("db"))")
    note(
      try service.run("ovn-nbctl", ["--db=unix:\(service.directory.path("run/nb.sock"))", "ls-add", "sw0", "--", "show"]), ["show"],
      in: &outcome)
    note(
      try service.run("ovs-appctl", ["-t", service.directory.path("run/ovnnb_db.ctl"), "ovsdb-server/list-remotes"]), ["list-remotes"],
      in: &outcome)
    try withOptions("restart_ovsdb")
    note(try service.run("ovn-nbctl", ["--db=unix:\(service.directory.path("run/nb.sock"))", "ls-list"]), ["ls-list"], in: &outcome)
    try withOptions("stop_ovsdb")
    try control("status_ovsdb")
    outcome.append("files: \(try service.files("run"))")
    return outcome
  }

  @Test(
    "ovn-ctl starts, restarts and stops OVN's databases on our server as it does on Open vSwitch's",
    .enabled(if: ServiceDirectory.hasOVN, "OVN's service script is not installed"))
  func databasesOfOVN() throws {
    let outcomes = try Side.allCases.map(ovn)
    #expect(outcomes[0] == outcomes[1])
    #expect(outcomes[0].contains { $0.contains("OVN Northbound DB is running") })
    #expect(outcomes[0].contains { $0.contains("sw0") })
  }

  @Test(
    "ovn-ctl run_nb_ovsdb becomes our server, which ends with it",
    .enabled(if: ServiceDirectory.hasOVN, "OVN's service script is not installed"))
  func serverInTheForeground() throws {
    let service = try ServiceDirectory(.ours)
    let socket = service.directory.path("run/nb.sock")
    let script = try service.start(ServiceDirectory.ovnScript, ["--db-nb-sock=\(socket)", "run_nb_ovsdb"])
    try waitUntil("OVN's database", seconds: 60) {
      guard script.isRunning else { throw ProcessError("it ended: \(try readText(service.directory.path("script.err")))") }
      return try service.exists("run/nb.sock") && service.run("ovn-nbctl", ["--db=unix:\(socket)", "--timeout=20", "show"]).status == 0
    }
    #expect(try service.run("ovs-appctl", ["-t", service.directory.path("run/ovnnb_db.ctl"), "exit"]).status == 0)
    #expect(try script.waitForExit(seconds: 60) == 0)
    #expect(!service.exists("run/nb.sock"))
  }
}
