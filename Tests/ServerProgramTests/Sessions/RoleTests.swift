// SPDX-License-Identifier: Apache-2.0
//
// Roles (RBAC): our server and Open vSwitch's are given the same rows and the same requests over TLS, and must allow and refuse the
// same in the same words.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct RoleTests {
  /// What becomes of one request on either side, without random UUIDs.
  typealias Answers = [String]

  // MARK: - A schema made for the rules

  private static let map: WireJSON = ["key": "string", "value": "string", "min": 0, "max": "unlimited"]
  private static let strings: WireJSON = ["key": "string", "min": 0, "max": "unlimited"]

  private static func table(_ columns: WireJSON) -> WireJSON { ["isRoot": true, "columns": columns] }

  private static let schema: WireJSON = [
    "name": "R", "version": "1.0.0",
    "tables": [
      "Config": table(["managers": ["type": ["key": ["type": "uuid", "refTable": "Manager"], "min": 0, "max": "unlimited"]]]),
      "Manager": ["columns": ["target": ["type": "string"], "role": ["type": "string"]]],
      "RBAC_Role": table([
        "name": ["type": "string"],
        "permissions": [
          "type": [
            "key": "string", "value": ["type": "uuid", "refTable": "RBAC_Permission", "refType": "weak"], "min": 0,
            "max": "unlimited",
          ]
        ],
      ]),
      "RBAC_Permission": table([
        "table": ["type": "string"], "authorization": ["type": strings], "insert_delete": ["type": "boolean"],
        "update": ["type": strings],
      ]),
      "T": table([
        "name": ["type": "string"], "names": ["type": strings], "m": ["type": map], "n": ["type": "integer"],
        "k": ["type": "integer"], "opt": ["type": ["key": "string", "min": 0, "max": 1]],
      ]),
      "Open": table(["n": ["type": "integer"], "k": ["type": "integer"]]),
      "Fixed": table(["n": ["type": "integer"]]), "Closed": table(["n": ["type": "integer"]]),
    ],
  ]

  private static func permission(_ id: String, _ authorization: [String], _ insertDelete: Bool, _ update: [String]) -> WireJSON {
    [
      "op": "insert", "table": "RBAC_Permission", "uuid-name": .string(id),
      "row": [
        "authorization": ["set", .array(authorization.map { .string($0) })], "insert_delete": .bool(insertDelete),
        "update": ["set", .array(update.map { .string($0) })],
      ],
    ]
  }

  private static func row(_ table: String, _ row: WireJSON) -> WireJSON {
    ["op": "insert", "table": .string(table), "row": row]
  }

  /// The rows that both servers begin with; the remotes choose their ports.
  private static func contents(authorization: [String]) -> [WireJSON] {
    [
      "R", permission("pt", authorization, true, ["n", "name", "nonexistent"]), permission("po", [""], true, ["n"]),
      permission("pf", [""], false, []),
      row(
        "RBAC_Role",
        [
          "name": "r",
          "permissions": [
            "map", [["T", ["named-uuid", "pt"]], ["Open", ["named-uuid", "po"]], ["Fixed", ["named-uuid", "pf"]]],
          ],
        ]),
      row("T", ["n": 1, "name": "client-1"]), row("T", ["n": 2, "m": ["map", [["owner", "client-1"]]]]),
      row("T", ["n": 3, "names": "client-1"]), row("T", ["n": 4, "opt": "client-1"]), row("T", ["n": 5, "name": "other"]),
      row("Open", ["n": 1]), row("Fixed", ["n": 1]), row("Closed", ["n": 1]),
    ]
  }

  /// A server with a remote for each of some roles.
  private struct Subject {
    let fixture: TLSFixture
    let server: RemoteServer
    let root: WireSession
    let ports: [String: UInt16]

    init(
      _ side: Side, _ fixture: TLSFixture, schema: String, database: String, configuration: (table: String, column: String),
      remotes: String = "Manager", roles: [String], scheme: String = "pssl"
    ) throws {
      self.fixture = fixture
      let directory = fixture.directory
      let file = directory.path("\(side).db")
      try succeed(Side.ours.tool("ovsdb-tool"), ["create", file, schema], in: directory)
      server = try RemoteServer(
        [
          "--remote=punix:\(file).sock", "--remote=db:\(database),\(configuration.table),\(configuration.column)",
        ] + fixture.server.options(trusting: fixture.authority.certificate) + [file], side: side, directory: directory)
      root = try server.waitForSession("\(side).db.sock")
      var ports: [String: UInt16] = [:]
      for (count, role) in roles.enumerated() {
        let table = WireJSON.string(configuration.table)
        let reference: WireJSON =
          count == 0
          ? [
            "op": "insert", "table": table,
            "row": .object([WireJSON.Member(configuration.column, ["named-uuid", "r"])]),
          ]
          : [
            "op": "mutate", "table": table, "where": [],
            "mutations": [[.string(configuration.column), "insert", ["named-uuid", "r"]]],
          ]
        _ = try root.call(
          "transact",
          [
            .string(database),
            [
              "op": "insert", "table": .string(remotes), "uuid-name": "r",
              "row": ["target": .string("\(scheme):0:127.0.0.\(count + 1)"), "role": .string(role)],
            ], reference,
          ])
        let text = "0:127.0.0.\(count + 1): listening on port "
        try server.waitForLog(text)
        let rest = server.log.components(separatedBy: text).last ?? ""
        ports[role] = UInt16(rest.prefix { $0.isNumber })
      }
      self.ports = ports
      hosts = Dictionary(uniqueKeysWithValues: roles.enumerated().map { ($1, "127.0.0.\($0 + 1)") })
    }

    private let hosts: [String: String]

    /// Runs a transaction as a client with a certificate.
    func transact(_ request: WireJSON, role: String, as identity: TestAuthority.Identity, scheme: String = "ssl") throws -> String {
      let result = try run(
        Programs.peer("ovsdb-client"),
        ["--timeout=60"] + identity.options(trusting: fixture.authority.certificate)
          + ["transact", "\(scheme):\(hosts[role] ?? ""):\(ports[role] ?? 0)", request.text], in: fixture.directory)
      return presentable(result.standardOutput + result.standardError, directory: fixture.directory)
    }
  }

  private static func requests() -> [WireJSON] {
    let abort: WireJSON = ["op": "abort"]
    var requests: [WireJSON] = []
    for table in ["T", "Open", "Fixed", "Closed"].map({ WireJSON.string($0) }) {
      for condition: WireJSON in [[], [["n", "==", 99]], [["n", "==", 1]]] {
        requests += [
          ["R", ["op": "update", "table": table, "where": condition, "row": ["n": 1]], abort],
          ["R", ["op": "update", "table": table, "where": condition, "row": [:]], abort],
          ["R", ["op": "mutate", "table": table, "where": condition, "mutations": [["n", "+=", 1]]], abort],
          ["R", ["op": "mutate", "table": table, "where": condition, "mutations": []], abort],
          ["R", ["op": "mutate", "table": table, "where": condition, "mutations": [["n", "/=", 0]]]],
          ["R", ["op": "delete", "table": table, "where": condition], abort],
        ]
      }
      requests += [["R", ["op": "insert", "table": table, "row": [:]], abort], ["R", ["op": "insert", "table": table, "row": ["x": 1]]]]
    }
    for number in 1...5 {
      let condition: WireJSON = [["n", "==", .number("\(number)")]]
      requests += [
        ["R", ["op": "update", "table": "T", "where": condition, "row": ["k": 1]], abort],
        ["R", ["op": "delete", "table": "T", "where": condition], abort],
        [
          "R", ["op": "update", "table": "T", "where": condition, "row": ["name": "stolen"]],
          ["op": "update", "table": "T", "where": condition, "row": ["n": 9]], abort,
        ],
      ]
    }
    for row: WireJSON in [["name": "client-1"], ["name": "first"], ["m": ["map", [["owner", "client-1"]]]], ["opt": "client-1"]] {
      requests.append(["R", ["op": "insert", "table": "T", "row": row], abort])
    }
    requests += [
      ["R", ["op": "select", "table": "Closed", "where": [], "columns": ["n"]]], ["R", ["op": "comment", "comment": "x"]],
      ["R", ["op": "commit", "durable": true]],
    ]
    return requests
  }

  @Test(.enabled(if: Programs.hasPeer, "Open vSwitch is not installed"))
  func bothServersAllowAndRefuseTheSame() throws {
    let fixture = try TLSFixture()
    let schema = fixture.directory.path("rules.ovsschema")
    try write(Self.schema.text, to: schema)
    let several = try fixture.authority.identity("several", subject: "/CN=first/O=Test/CN=second")
    var answers: [Side: Answers] = [:]
    for side in Side.allCases {
      let subject = try Subject(
        side, fixture, schema: schema, database: "R", configuration: ("Config", "managers"), roles: ["r", "undefined", ""])
      let reply = try subject.root.call("transact", .array(Self.contents(authorization: ["name", "m:owner:ignored", "opt", "names", "nonexistent"])))
      #expect(!reply.text.contains("\"details\""), "\(reply.text)")
      var all: Answers = []
      for request in Self.requests() {
        all.append("r \(request.text) -> \(try subject.transact(request, role: "r", as: fixture.client))")
      }
      for request in Self.requests().prefix(8) {
        all.append("undefined \(request.text) -> \(try subject.transact(request, role: "undefined", as: fixture.client))")
        all.append("root \(request.text) -> \(try subject.transact(request, role: "", as: fixture.client))")
        all.append("several \(request.text) -> \(try subject.transact(request, role: "r", as: several))")
      }
      try subject.server.waitForLog("rbac: role \"undefined\" not found in rbac roles table")
      answers[side] = all
    }
    let (ours, peers) = (answers[.ours] ?? [], answers[.peer] ?? [])
    #expect(ours.count == peers.count && ours.count > 100)
    for (ours, peer) in zip(ours, peers) {
      // Later versions, as ours, ask nobody for permission to change nothing.
      let isNothing = ours.contains("\"mutations\":[]") && peer.contains("prohibit mutate operation")
      #expect(isNothing ? !ours.contains("permission error") : ours == peer)
    }
    #expect(ours.contains { $0.contains("prohibit row insertion into table") })
  }

  @Test(.enabled(if: Programs.hasPeer, "Open vSwitch is not installed"))
  func rulesTakeEffectAtOnceAndSoDoNewRoles() throws {
    let fixture = try TLSFixture()
    let schema = fixture.directory.path("rules.ovsschema")
    try write(Self.schema.text, to: schema)
    var answers: [Side: Answers] = [:]
    for side in Side.allCases {
      let subject = try Subject(
        side, fixture, schema: schema, database: "R", configuration: ("Config", "managers"), roles: ["r"])
      _ = try subject.root.call("transact", .array(Self.contents(authorization: [])))
      let update: WireJSON = ["R", ["op": "update", "table": "T", "where": [["n", "==", 2]], "row": ["n": 2]]]
      var all: Answers = []
      for rule in ["m:owner", "m::owner", ":m:owner", "m:other", "m:", ":", "m", "name:x", " m:owner", ""] {
        _ = try subject.root.call(
          "transact",
          ["R", ["op": "update", "table": "RBAC_Permission", "where": [["insert_delete", "==", true]], "row": ["authorization": .string(rule)]]])
        all.append("\(rule): \(try subject.transact(update, role: "r", as: fixture.client))")
      }
      _ = try subject.root.call("transact", ["R", ["op": "delete", "table": "RBAC_Permission", "where": []]])
      all.append(try subject.transact(update, role: "r", as: fixture.client))
      answers[side] = all
    }
    #expect(answers[.ours] == answers[.peer])
  }

  @Test func aClientWithoutCertificateChangesNothingAndMayRead() throws {
    let fixture = try TLSFixture()
    let schema = fixture.directory.path("rules.ovsschema")
    try write(Self.schema.text, to: schema)
    for side in Programs.hasPeer ? Side.allCases : [.ours] {
      let subject = try Subject(
        side, fixture, schema: schema, database: "R", configuration: ("Config", "managers"), roles: ["r"], scheme: "ptcp")
      _ = try subject.root.call("transact", .array(Self.contents(authorization: [""])))
      let refused = try subject.transact(
        ["R", ["op": "insert", "table": "Open", "row": [:]]], role: "r", as: fixture.client, scheme: "tcp")
      let client = side == .ours ? "client without a name" : #"client \"(null)\""#
      #expect(
        refused.contains(#"RBAC rules for \#(client) role \"r\" prohibit row insertion into table \"Open\"."#), "\(refused)")
      let read = try subject.transact(
        ["R", ["op": "select", "table": "Open", "where": [], "columns": ["n"]]], role: "r", as: fixture.client, scheme: "tcp")
      #expect(read == "[{\"rows\":[{\"n\":1}]}]\n")
    }
  }

  @Test func onlyTheRootRoleConverts() throws {
    let fixture = try TLSFixture()
    let schema = fixture.directory.path("rules.ovsschema")
    try write(Self.schema.text, to: schema)
    for side in Programs.hasPeer ? Side.allCases : [.ours] {
      let subject = try Subject(
        side, fixture, schema: schema, database: "R", configuration: ("Config", "managers"), roles: ["r"])
      let result = try run(
        Side.ours.tool("ovsdb-client"),
        fixture.client.options(trusting: fixture.authority.certificate)
          + ["convert", "ssl:127.0.0.1:\(subject.ports["r"] ?? 0)", schema], in: fixture.directory)
      #expect(result.status == 1)
      #expect(
        (result.standardError + result.standardOutput).contains(
          #"RBAC rules for client \"client-1\" role \"r\" prohibit \"convert\" of database R (only the root role may convert databases)"#),
        "\(side): \(result)")
    }
  }

  @Test(.enabled(if: Programs.hasPeer, "Open vSwitch is not installed"))
  func theToolTriesARoleAsNobody() throws {
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("db", Self.schema, in: directory)
    let contents = WireJSON.array(Self.contents(authorization: [""])).text
    try succeed(Side.ours.tool("ovsdb-tool"), ["transact", file, contents], in: directory)
    let request = #"["R",{"op":"select","table":"Open","where":[],"columns":["n"]},{"op":"insert","table":"Open","row":{}}]"#
    for command in ["query", "transact"] {
      let results = try Side.allCases.map { side in
        presentable(
          try run(side.tool("ovsdb-tool"), ["--rbac-role=r", command, file, request], in: directory), directory: directory)
      }
      #expect(results[0].status == results[1].status)
      #expect(results[0].standardOutput.contains(#"client without a name role \"r\""#))
      let peers = results[1].standardOutput.replacing(#"client \"(null)\""#, with: "client without a name")
      #expect(results[0].standardOutput == peers)
    }
  }

  // MARK: - The southbound database of OVN

  @Test(.enabled(if: Programs.hasOVN, "OVN is not installed"))
  func aChassisMayChangeWhatIsItsOwn() throws {
    let fixture = try TLSFixture()
    var answers: [Side: Answers] = [:]
    for side in Side.allCases {
      let subject = try Subject(
        side, fixture, schema: try Programs.requiredSchema("ovn-sb"), database: "OVN_Southbound",
        configuration: ("SB_Global", "connections"), remotes: "Connection", roles: ["ovn-controller"])
      // As ovn-northd writes them.
      let rules: [(String, [String], Bool, [String])] = [
        ("Chassis", ["name"], true, ["nb_cfg", "external_ids", "encaps", "vtep_logical_switches", "other_config"]),
        ("Chassis_Private", ["name"], true, ["nb_cfg", "nb_cfg_timestamp", "chassis", "external_ids"]),
        ("Encap", ["chassis_name"], true, ["type", "options", "ip"]),
        ("Port_Binding", [""], false, ["chassis", "additional_chassis", "encap", "up", "virtual_parent"]),
        ("MAC_Binding", [""], true, ["logical_port", "ip", "mac", "datapath"]),
      ]
      var setup: [WireJSON] = ["OVN_Southbound"]
      setup += rules.enumerated().map { Self.permission("p\($0)", $1.1, $1.2, $1.3) }
      setup.append(
        Self.row(
          "RBAC_Role",
          [
            "name": "ovn-controller",
            "permissions": [
              "map", .array(rules.enumerated().map { [.string($1.0), ["named-uuid", .string("p\($0)")]] }),
            ],
          ]))
      setup += [
        ["op": "insert", "table": "Datapath_Binding", "uuid-name": "dp", "row": ["tunnel_key": 1]],
        Self.row("Port_Binding", ["logical_port": "lp", "tunnel_key": 1, "datapath": ["named-uuid", "dp"], "type": ""]),
        ["op": "insert", "table": "Encap", "uuid-name": "e", "row": ["type": "geneve", "ip": "10.0.0.9", "chassis_name": "other"]],
        Self.row("Chassis", ["name": "other", "encaps": ["named-uuid", "e"]]),
      ]
      let reply = try subject.root.call("transact", .array(setup))
      #expect(!reply.text.contains("\"details\""), "\(reply.text)")
      let own: [WireJSON] = [
        ["op": "insert", "table": "Encap", "uuid-name": "e", "row": ["type": "geneve", "ip": "10.0.0.1", "chassis_name": "client-1"]],
        Self.row("Chassis", ["name": "client-1", "encaps": ["named-uuid", "e"]]),
      ]
      let requests: [[WireJSON]] = [
        own,
        [["op": "update", "table": "Chassis", "where": [["name", "==", "client-1"]], "row": ["nb_cfg": 7]]],
        [["op": "update", "table": "Chassis", "where": [["name", "==", "other"]], "row": ["nb_cfg": 7]]],
        [["op": "update", "table": "Chassis", "where": [["name", "==", "client-1"]], "row": ["name": "other2"]]],
        [["op": "delete", "table": "Chassis", "where": [["name", "==", "other"]]]],
        [Self.row("Chassis", ["name": "third"])],
        [["op": "update", "table": "Port_Binding", "where": [["logical_port", "==", "lp"]], "row": ["up": true]]],
        [["op": "mutate", "table": "Port_Binding", "where": [["logical_port", "==", "lp"]], "mutations": [["tunnel_key", "+=", 1]]]],
        [["op": "delete", "table": "Port_Binding", "where": []]],
        [["op": "update", "table": "SB_Global", "where": [], "row": ["nb_cfg": 1]]],
        [["op": "update", "table": "RBAC_Role", "where": [], "row": ["name": "x"]]],
        [["op": "delete", "table": "Logical_Flow", "where": []]],
        [["op": "delete", "table": "Chassis", "where": [["name", "==", "client-1"]]]],
      ]
      answers[side] = try requests.map {
        try subject.transact(.array(["OVN_Southbound"] + $0), role: "ovn-controller", as: fixture.client)
      }
    }
    #expect(answers[.ours] == answers[.peer])
    let allowed = (answers[.ours] ?? []).map { !$0.contains("permission error") }
    #expect(
      allowed == [true, true, false, false, false, false, true, false, false, false, false, false, true],
      "\(answers[.ours] ?? [])")
  }

  @Test func aRelayHoldsItsClientsToTheRules() throws {
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("db", Self.schema, in: directory)
    let source = try RemoteServer(["--remote=punix:root.sock", file], directory: directory)
    let root = try source.waitForSession("root.sock")
    _ = try root.call("transact", .array(Self.contents(authorization: ["name"])))
    try write(
      """
      {"remotes": {"punix:role.sock": {"role": "r"}},
       "databases": {"R": {"service-model": "relay", "source": {"unix:root.sock": null}}}}
      """, to: directory.path("config.json"))
    let user = String(cString: getpwuid(geteuid()).pointee.pw_name)
    let relay = try RemoteServer(["--config-file=config.json", "--unix-user-identity"], directory: directory)
    let session = try relay.waitForSession("role.sock")
    func transact(_ operation: WireJSON) throws -> String { try session.call("transact", ["R", operation]).text }
    try waitUntil("the copy", seconds: 60) {
      (try? transact(["op": "select", "table": "Open", "where": [], "columns": ["n"]]))?.contains("1") ?? false
    }
    #expect(try transact(["op": "insert", "table": "T", "row": ["name": "other"]]).contains("permission error"))
    #expect(try transact(["op": "insert", "table": "Closed", "row": [:]]).contains("permission error"))
    #expect(!(try transact(["op": "insert", "table": "T", "row": ["name": .string(user), "n": 7]])).contains("error\":\"perm"))
    let rows = try root.call("transact", ["R", ["op": "select", "table": "T", "where": [["n", "==", 7]], "columns": ["name"]]])
    #expect(rows.text.contains(user))
    withExtendedLifetime(source) {}
  }

  // MARK: - Users of Unix sockets

  @Test(arguments: [true, false])
  func theUserOfAUnixSocketIsAClientWhereThatIsWanted(_ isWanted: Bool) throws {
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("db", Self.schema, in: directory)
    let server = try RemoteServer(
      (isWanted ? ["--unix-user-identity"] : []) + ["--remote=punix:root.sock", "--remote=db:R,Config,managers", file],
      directory: directory)
    let root = try server.waitForSession("root.sock")
    let user = String(cString: getpwuid(geteuid()).pointee.pw_name)
    _ = try root.call("transact", .array(Self.contents(authorization: ["name"])))
    _ = try root.call(
      "transact",
      [
        "R", Self.row("T", ["n": 6, "name": .string(user)]),
        ["op": "insert", "table": "Manager", "uuid-name": "m", "row": ["target": "punix:user.sock", "role": "r"]],
        Self.row("Config", ["managers": ["named-uuid", "m"]]),
      ])
    let session = try server.waitForSession("user.sock")
    func update(_ number: Int) throws -> String {
      try session.call(
        "transact",
        ["R", ["op": "update", "table": "T", "where": [["n", "==", .number("\(number)")]], "row": ["n": .number("\(number)")]]]
      ).text
    }
    #expect(try update(6).contains("permission error") == !isWanted)
    #expect(try update(5).contains(isWanted ? "client \\\"\(user)\\\" role" : "client without a name role"))
  }
}
