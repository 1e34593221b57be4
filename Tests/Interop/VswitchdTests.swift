// SPDX-License-Identifier: Apache-2.0
//
// The switch daemon itself on our server: it reads the configuration, writes back status and statistics, and survives
// a restart of the database server.

import TestSupport
import Testing

@Suite(
  .enabled(if: Programs.hasVswitchd, "ovs-vswitchd is not installed"),
  .enabled(if: Programs.hasOurs, "our ovsdb-server is not built"), .serialized)
struct VswitchdTests {
  private func startSwitch(on server: DatabaseServer) throws -> ChildProcess {
    let directory = server.directory
    return try ChildProcess(
      Programs.peer("ovs-vswitchd"),
      [
        server.remote, "--enable-dummy=override", "--disable-system", "--no-chdir", "--pidfile=\(directory.path("vswitchd.pid"))",
        "--unixctl=\(directory.path("vswitchd.ctl"))", "-vconsole:off", "-vsyslog:off",
        "--log-file=\(directory.path("vswitchd.log"))",
      ],
      environment: directory.environment, directory: directory.path, output: directory.path("vswitchd.out"),
      errors: directory.path("vswitchd.err"))
  }

  private func vsctl(_ words: String..., on server: DatabaseServer) throws -> String {
    try succeed(Programs.peer("ovs-vsctl"), ["--timeout=40", "--db=\(server.remote)"] + words, in: server.directory)
  }

  @Test("ovs-vswitchd configures bridges, reports status and statistics, and reconnects after a restart of the server")
  func switchRuns() throws {
    let server = try DatabaseServer(.ours, [.schema(path: try Programs.requiredSchema("vswitch"), file: "conf.db")])
    _ = try succeed(
      Programs.peer("ovs-vsctl"),
      ["--no-wait", "--db=\(server.remote)", "init", "--", "set", "Open_vSwitch", ".",
        "other_config:stats-update-interval=1000"],
      in: server.directory)
    let daemon = try startSwitch(on: server)
    // Without --no-wait ovs-vsctl returns when the switch has taken the configuration over.
    _ = try vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=dummy", on: server)
    _ = try vsctl("add-port", "br0", "p1", "--", "set", "interface", "p1", "type=dummy", on: server)
    let number = try vsctl("get", "interface", "p1", "ofport", on: server)
    #expect(Int(number.split(separator: "\n").first ?? "").map { $0 > 0 } == true, "p1 has a port number: \(number)")
    #expect(try vsctl("get", "Open_vSwitch", ".", "iface_types", on: server).contains("internal"))
    try waitUntil("statistics in the database", seconds: 30) {
      try vsctl("get", "interface", "p1", "statistics", on: server).contains("rx_packets")
    }

    try server.restart()
    _ = try vsctl("add-port", "br0", "p2", "--", "set", "interface", "p2", "type=dummy", on: server)
    let ports = try vsctl("list-ports", "br0", on: server)
    #expect(ports == "p1\np2\n")
    let second = try vsctl("get", "interface", "p2", "ofport", on: server)
    #expect(Int(second.split(separator: "\n").first ?? "").map { $0 > 0 } == true, "p2 has a port number: \(second)")
    _ = try vsctl("del-br", "br0", on: server)
    #expect(daemon.isRunning)
    let log = try readText(server.directory.path("vswitchd.log"))
    #expect(!log.contains("|ERR|"), "\(log.suffix(3000))")
  }
}
