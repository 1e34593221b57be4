// SPDX-License-Identifier: Apache-2.0
//
// OVN on our server: ovn-nbctl describes a network, ovn-northd translates it, ovn-sbctl plays the hypervisors. Both
// databases must end up as they do on Open vSwitch's server.

import TestSupport
import Testing

/// OVN's two databases on one server, with the translator.
private final class OVNDeployment {
  let server: DatabaseServer
  private var translator: ChildProcess?

  init(_ side: Side) throws {
    server = try DatabaseServer(
      side,
      [
        .schema(path: try Programs.requiredSchema("ovn-nb"), file: "nb.db"),
        .schema(path: try Programs.requiredSchema("ovn-sb"), file: "sb.db"),
      ])
    let directory = server.directory
    // Else the translator draws a random address.
    let settings = ["init", "--", "set", "NB_Global", ".", "options:svc_monitor_mac=\"0a:00:00:00:00:99\""]
    try succeed(Programs.peer("ovn-nbctl"), ["--db=\(server.remote)"] + settings, in: directory)
    translator = try ChildProcess(
      Programs.peer("ovn-northd"),
      [
        "--ovnnb-db=\(server.remote)", "--ovnsb-db=\(server.remote)", "--unixctl=\(directory.path("northd.ctl"))",
        "--pidfile=\(directory.path("northd.pid"))", "-vconsole:off", "-vsyslog:off",
        "--log-file=\(directory.path("northd.log"))",
      ],
      environment: directory.environment, directory: directory.path, output: directory.path("northd.out"),
      errors: directory.path("northd.err"))
  }

  var translatorRuns: Bool { translator?.isRunning ?? false }

  @discardableResult
  func northbound(_ words: [String]) throws -> String {
    try succeed(Programs.peer("ovn-nbctl"), ["--timeout=50", "--db=\(server.remote)"] + words, in: server.directory)
  }

  @discardableResult
  func southbound(_ words: String...) throws -> String {
    try succeed(Programs.peer("ovn-sbctl"), ["--timeout=50", "--db=\(server.remote)"] + words, in: server.directory)
  }

  /// Runs each group as one transaction, then waits until the southbound database has it all.
  func apply(_ groups: [[[String]]]) throws {
    for group in groups where !group.isEmpty { try northbound(Array(group.joined(separator: ["--"]))) }
    try northbound(["--wait=sb", "sync"])
  }

  /// Columns that hold times, random numbers, or numbers given out in the order of random UUIDs.
  private static let unstable: Set<String> = [
    "nb_cfg_timestamp", "sb_cfg_timestamp", "hv_cfg_timestamp", "Datapath_Binding.tunnel_key", "Port_Binding.tunnel_key",
    "Multicast_Group.tunnel_key", "NB_Global.options", "SB_Global.options", "NB_Global.ipsec", "tag",
    "Chassis_Private.nb_cfg_timestamp",
  ]

  func dump(_ database: String) throws -> StructuralDump {
    try StructuralDump(of: database, over: try server.session(), ignoring: Self.unstable) { table, column, value in
      // The first digits of a northbound row's UUID; the line of the translator that made the flow, where several could.
      guard table == "Logical_Flow", column == "external_ids", let pairs = value[1]?.elements else { return value }
      return ["map", .array(pairs.filter { !["stage-hint", "source"].contains($0[0]?.stringValue) })]
    }
  }
}

@Suite(
  .enabled(if: Programs.hasOVN, "OVN's programs are not installed"),
  .enabled(if: Programs.hasOurs, "our ovsdb-server is not built"), .serialized)
struct OVNTests {
  private func expectSame(_ ours: OVNDeployment, _ peer: OVNDeployment, _ when: String) throws {
    for database in ["OVN_Northbound", "OVN_Southbound"] {
      let differences = differences(try ours.dump(database).lines, try peer.dump(database).lines)
      #expect(differences == "", "\(database) \(when)")
    }
  }

  @Test("a network of some hundred ports is translated to the same southbound database on both servers")
  func translation() throws {
    let deployments = [try OVNDeployment(.ours), try OVNDeployment(.peer)]
    var topology = OVNTopology(seed: 7)
    let commands = topology.commands()
    let removals = topology.removals()
    for deployment in deployments { try deployment.apply(commands) }
    let rows = try deployments[0].dump("OVN_Southbound")
    #expect(rows.count(of: "Port_Binding") > 170)
    #expect(rows.count(of: "Logical_Flow") > 500)
    try expectSame(deployments[0], deployments[1], "after building")

    for deployment in deployments {
      try deployment.southbound("chassis-add", "hv0", "geneve", "10.9.9.1", "--", "chassis-add", "hv1", "geneve", "10.9.9.2")
      try deployment.southbound("lsp-bind", "sw1-p1", "hv0", "--", "lsp-bind", "sw1-p2", "hv1")
      try deployment.northbound(["--wait=sb", "sync"])
      #expect(try deployment.northbound(["lsp-get-up", "sw1-p1"]) == "up\n")
    }
    try expectSame(deployments[0], deployments[1], "after binding ports")

    for deployment in deployments { try deployment.apply(removals) }
    try expectSame(deployments[0], deployments[1], "after removing")
    #expect(deployments[0].translatorRuns)
  }

  @Test("ovn-northd takes up its work again after the server was restarted")
  func restart() throws {
    let deployment = try OVNDeployment(.ours)
    try deployment.apply([[["ls-add", "one"], ["lsp-add", "one", "a"]]])
    try deployment.server.restart()
    try deployment.apply([[["lsp-add", "one", "b"]]])
    let dump = try deployment.dump("OVN_Southbound")
    #expect(dump.count(of: "Port_Binding") == 2)
    #expect(deployment.translatorRuns)
  }

  @Test("ovn-nbctl and ovn-sbctl print the same on both servers")
  func reports() throws {
    let deployments = [try OVNDeployment(.ours), try OVNDeployment(.peer)]
    var topology = OVNTopology(seed: 3, switchCount: 6, portsPerSwitch: 5)
    let commands = topology.commands()
    for deployment in deployments { try deployment.apply(commands) }
    let queries: [(program: String, words: [String])] = [
      ("ovn-nbctl", ["show"]), ("ovn-nbctl", ["ls-list"]), ("ovn-nbctl", ["lr-list"]), ("ovn-nbctl", ["acl-list", "sw1"]),
      ("ovn-nbctl", ["lb-list"]), ("ovn-nbctl", ["lr-route-list", "lr0"]), ("ovn-nbctl", ["lr-nat-list", "lr1"]),
      ("ovn-nbctl", ["--columns=name,addresses", "list", "logical_switch_port"]), ("ovn-nbctl", ["ls-add", "sw1"]),
      ("ovn-nbctl", ["lsp-add", "nosuch", "x"]), ("ovn-nbctl", ["acl-add", "sw1", "sideways", "1", "ip", "drop"]),
      ("ovn-nbctl", ["set", "logical_switch_port", "sw1-p1", "tag=9999"]), ("ovn-sbctl", ["show"]),
      ("ovn-sbctl", ["--columns=logical_port,type", "list", "port_binding"]), ("ovn-sbctl", ["chassis-del", "nosuch"]),
    ]
    for query in queries {
      let results = try deployments.map { deployment in
        let result = try run(
          Programs.peer(query.program), ["--timeout=30", "--db=\(deployment.server.remote)"] + query.words,
          in: deployment.server.directory)
        return presentable(result, directory: deployment.server.directory, sortingLines: true)
      }
      #expect(results[0] == results[1], "\(query.program) \(query.words)")
    }
  }
}
