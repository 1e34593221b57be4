// SPDX-License-Identifier: Apache-2.0
//
// A virtual network drawn from a seed, as ovn-nbctl commands: switches with ports, routers, access rules, load
// balancers, addresses given and translated. OVNTests.swift builds it on both servers.

import TestSupport

struct OVNTopology {
  var random: SeededRandom
  let switchCount: Int
  let portsPerSwitch: Int

  init(seed: UInt64, switchCount: Int = 8, portsPerSwitch: Int = 20) {
    random = SeededRandom(seed: seed)
    self.switchCount = switchCount
    self.portsPerSwitch = portsPerSwitch
  }

  private func mac(_ network: Int, _ host: Int) -> String {
    let digits = { (value: Int) in (value < 16 ? "0" : "") + String(value, radix: 16) }
    return "0a:00:00:00:\(digits(network)):\(digits(host))"
  }

  /// Groups of commands: each group is one ovn-nbctl call, so one transaction.
  mutating func commands() -> [[[String]]] {
    var groups: [[[String]]] = [routers()]
    for network in 1...switchCount { groups.append(logicalSwitch(network)) }
    groups.append(policies())
    return groups
  }

  private func routers() -> [[String]] {
    var commands: [[String]] = []
    for router in 0..<2 {
      commands.append(["lr-add", "lr\(router)"])
      commands.append(["set", "logical_router", "lr\(router)", "options:chassis=hv\(router)"])
    }
    commands += [
      ["ls-add", "join"],
      ["lrp-add", "lr0", "lr0-join", "0a:00:00:01:00:01", "100.64.0.1/24"],
      ["lrp-add", "lr1", "lr1-join", "0a:00:00:01:00:02", "100.64.0.2/24"],
      ["lsp-add", "join", "join-lr0", "--", "lsp-set-type", "join-lr0", "router", "--", "lsp-set-addresses",
        "join-lr0", "router", "--", "lsp-set-options", "join-lr0", "router-port=lr0-join"],
      ["lsp-add", "join", "join-lr1", "--", "lsp-set-type", "join-lr1", "router", "--", "lsp-set-addresses",
        "join-lr1", "router", "--", "lsp-set-options", "join-lr1", "router-port=lr1-join"],
      ["lr-route-add", "lr0", "0.0.0.0/0", "100.64.0.2"],
      ["lr-route-add", "lr1", "10.0.0.0/8", "100.64.0.1"],
      ["lr-nat-add", "lr1", "snat", "100.64.0.2", "10.0.0.0/8"],
      ["lr-nat-add", "lr1", "dnat_and_snat", "172.16.0.9", "10.0.1.5"],
    ]
    return commands
  }

  private mutating func logicalSwitch(_ network: Int) -> [[String]] {
    let name = "sw\(network)"
    var commands: [[String]] = [
      ["ls-add", name],
      ["set", "logical_switch", name, "other_config:subnet=10.0.\(network).0/24", "external_ids:number=\(network)"],
      ["lrp-add", "lr0", "lr0-\(name)", mac(network, 254), "10.0.\(network).254/24"],
      ["lsp-add", name, "\(name)-lr0", "--", "lsp-set-type", "\(name)-lr0", "router", "--", "lsp-set-addresses",
        "\(name)-lr0", "router", "--", "lsp-set-options", "\(name)-lr0", "router-port=lr0-\(name)"],
    ]
    for host in 1...portsPerSwitch {
      let port = "\(name)-p\(host)"
      let address = "\(mac(network, host)) 10.0.\(network).\(host)"
      commands.append(["lsp-add", name, port])
      commands.append(["lsp-set-addresses", port, address])
      if random.chance(50) { commands.append(["lsp-set-port-security", port, address]) }
      if random.chance(10) { commands.append(["lsp-set-enabled", port, "disabled"]) }
      if random.chance(10) { commands.append(["lsp-set-options", port, "requested-chassis=hv0"]) }
    }
    for _ in 0..<random.within(2...6) {
      let host = random.within(1...portsPerSwitch)
      commands.append([
        "--may-exist", "acl-add", name, random.pick(["from-lport", "to-lport"]), "\(random.within(1...30_000))",
        "ip4.src == 10.0.\(network).\(host) && \(random.pick(["tcp", "udp", "icmp4"]))",
        random.pick(["allow", "allow-related", "drop", "reject"]),
      ])
    }
    return commands
  }

  private mutating func policies() -> [[String]] {
    var commands: [[String]] = []
    for number in 1...6 {
      let backends = (0..<random.within(1...4)).map { "10.0.\(number).\($0 + 1):80" }.joined(separator: ",")
      commands.append(["lb-add", "lb\(number)", "172.30.0.\(number):8080", backends, "tcp"])
      commands.append(["ls-lb-add", "sw\(number)", "lb\(number)"])
      if number % 2 == 0 { commands.append(["lr-lb-add", "lr1", "lb\(number)"]) }
    }
    commands.append(["pg-add", "pg0"] + (1...5).map { "sw1-p\($0)" })
    commands.append(["acl-add", "pg0", "to-lport", "1001", "ip4.dst == $as0", "drop"])
    commands.append(["create", "address_set", "name=as0", "addresses=10.0.9.1,10.0.9.2"])
    commands.append(["qos-add", "sw1", "to-lport", "100", "ip4", "rate=1000", "burst=100"])
    commands.append(["meter-add", "m0", "drop", "100", "pktps"])
    commands.append(["--policy=src-ip", "lr-route-add", "lr0", "10.1.0.0/16", "100.64.0.2"])
    commands.append(["lr-policy-add", "lr0", "100", "ip4.src == 10.0.2.0/24", "drop"])
    commands.append(["dhcp-options-create", "10.0.1.0/24", "network=one"])
    commands.append(["--id=@d", "create", "dns", "records={'vm1'='10.0.1.1'}", "--", "add", "logical_switch", "sw1",
      "dns_records", "@d"])
    return commands
  }

  /// What is taken away again in a second round.
  mutating func removals() -> [[[String]]] {
    var groups: [[[String]]] = [[["ls-del", "sw2"], ["lrp-del", "lr0-sw2"], ["lb-del", "lb3"], ["pg-del", "pg0"]]]
    for network in [1, 3, 4] {
      groups.append(random.sample(Array(1...portsPerSwitch), 5).sorted().map { ["lsp-del", "sw\(network)-p\($0)"] })
      groups.append([["acl-del", "sw\(network)"]])
    }
    groups.append([["lr-nat-del", "lr1", "snat"], ["lr-route-del", "lr0", "10.1.0.0/16"]])
    return groups
  }
}
