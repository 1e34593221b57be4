// SPDX-License-Identifier: Apache-2.0
//
// The least, the greatest and other extreme numbers in every place of the programs that takes one: command lines, environment,
// configuration file, control commands, requests, schemas, columns of remotes. What is refused is refused in words; no program ends by a
// signal, and servers go on. Files are in DatabaseToolTests.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct ExtremeNumbersTests {
  private static let schema: WireJSON = [
    "name": "D", "version": "1.0.0",
    "tables": [
      "T": [
        "isRoot": true,
        "columns": [
          "n": ["type": "integer"], "x": ["type": "real"], "some": ["type": ["key": "integer", "min": 0, "max": "unlimited"]],
          "map": ["type": ["key": "integer", "value": "integer", "min": 0, "max": "unlimited"]],
        ],
      ]
    ],
  ]

  private static func start(_ arguments: [String] = [], directory: RunDirectory? = nil) throws -> RemoteServer {
    let directory = try directory ?? RunDirectory()
    let path = try RemoteServer.makeDatabase("D", schema, in: directory)
    return try RemoteServer(["--remote=punix:db.sock", path] + arguments, directory: directory)
  }

  private func expectAlive(_ server: RemoteServer, _ context: String) throws {
    let names = try? server.session().call("list_dbs", []).elements
    let fate = server.process.isRunning ? "no answer" : "ended"
    try #require(names?.contains("D") == true, "\(context): \(fate): \(server.said.suffix(2000))")
  }

  // MARK: - Command lines

  /// A program and words; `N` stands for the number.
  struct Line: Sendable, CustomTestStringConvertible {
    let program: String
    let words: [String]
    var environment: [String: String] = [:]
    /// Ends that are no crash: SIGALRM is what `--timeout` is made of.
    var signals: [Int32] = []

    var testDescription: String { ([program] + words + environment.map { "\($0)=\($1)" }).joined(separator: " ") }
  }

  private static let lines: [Line] = {
    let quick = ["-vsyslog:off", "-vconsole:emer", "--unixctl=none", "--run=true"]
    let server: [[String]] = [
      ["--max-sessions=N"], ["--max-database-remotes=N"], ["--max-message-size=N"], ["--max-pending-input=N"], ["--max-pending-output=N"],
      ["--history-size=N"],
      ["--ssl-expiry-grace=N"], ["--remote=ptcp:N:127.0.0.1"], ["--remote=tcp:127.0.0.1:N"], ["--remote=pfd:N"],
      ["-vPATTERN:console:%Nm%-0Np"],
      ["--syslog-method=udp:127.0.0.1:N"], ["--syslog-target=127.0.0.1:N"], ["--sync-from=tcp:127.0.0.1:N"],
    ]
    let client: [[String]] = [
      ["--timeout=N", "list-dbs", "unix:nosuch"], ["--max-column-width=N", "list-dbs", "unix:nosuch"], ["list-dbs", "tcp:127.0.0.1:N"],
      ["--ssl-expiry-grace=N", "list-dbs", "unix:nosuch"], ["monitor-cond-since", "unix:nosuch", "D", "N", "[]", "T"],
      ["transact", "unix:nosuch", "[N]"],
    ]
    let bench = ["rounds", "seconds", "connections", "depth", "rows", "ports", "monitors", "idle", "clients", "many"]
      .map { ["--\($0)", "N", "--list"] }
    let tool: [[String]] = [
      ["--election-timer=N", "create-cluster", "c.db", "s", "tcp:127.0.0.1:1"], ["create-cluster", "c.db", "s", "tcp:127.0.0.1:N"],
      ["join-cluster", "j.db", "D", "tcp:127.0.0.1:N", "tcp:127.0.0.1:N"], ["compare-versions", "N.N.N", "<", "1.2.3"],
      ["query", "D", "[N]"],
    ]
    return server.map { Line(program: "ovsdb-server", words: $0 + quick + ["D"]) }
      + client.map { Line(program: "ovsdb-client", words: $0, signals: [SIGALRM]) } + tool.map { Line(program: "ovsdb-tool", words: $0) }
      + (bench + [["--pin", "N:N", "--list"]]).map { Line(program: "ovsdb-bench", words: $0) }
      + [["-T", "N", "-t", "/nosuch", "version"], ["-t", "N", "version"]].map { Line(program: "ovs-appctl", words: $0, signals: [SIGALRM]) }
      + ["LISTEN_FDS", "WATCHDOG_USEC"].map { Line(program: "ovsdb-server", words: quick + ["D"], environment: [$0: "N"]) }
      + [
        Line(program: "ovsdb-client", words: ["list-dbs", "unix:nosuch"], environment: ["OVS_CTL_TIMEOUT": "N"], signals: [SIGALRM]),
        Line(program: "ovsdb-client", words: ["--help"], environment: ["COLUMNS": "N", "LINES": "N"]),
      ]
  }()

  @Test(arguments: lines) func noCommandLineCrashesAProgram(line: Line) throws {
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("D", Self.schema, in: directory)
    try write(Self.schema.text, to: directory.path("s"))
    for word in ExtremeNumbers.words {
      for name in ["c.db", "j.db"] { unlink(directory.path(name)) }
      let result = try run(
        Side.ours.tool(line.program), line.words.map { $0.replacing("N", with: word) },
        environment: line.environment.mapValues { $0.replacing("N", with: word) }, in: directory)
      let isFine = result.status < 128 || line.signals.contains(result.status - 128)
      #expect(isFine, "\(line.testDescription), N = \(word.prefix(40)): \(result)")
    }
  }

  // MARK: - A running server

  @Test func noConfigurationCrashesTheServer() throws {
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("D", Self.schema, in: directory)
    func configure(_ number: String) throws {
      let options = #"{"inactivity-probe": \#(number), "max-backoff": \#(number)}"#
      try write(
        """
        {"remotes": {"punix:db.sock": {"inactivity-probe": \(number), "dscp": \(number)}, "unix:nosuch": \(options)},
         "databases": {"D": null, "E": {"service-model": "relay", "source": {"unix:nosuch": \(options)}},
                       "F": {"service-model": "active-backup", "backup": true, "source": {"unix:nosuch": \(options)}}}}
        """, to: directory.path("config.json"))
    }
    try write(#"{"remotes": {"punix:db.sock": null}, "databases": {"D": null}}"#, to: directory.path("config.json"))
    let server = try RemoteServer(["--config-file=config.json"], directory: directory)
    for number in ExtremeNumbers.json {
      try configure(number)
      _ = try server.control("ovsdb-server/reload")
      try expectAlive(server, number)
    }
    // Each lowering shortens a pause, and failures double it.
    let source = #"{"remotes": {"punix:db.sock": null, "unix:nosuch": {"max-backoff": N}}, "#
    for step in 0..<80 {
      try write(
        (source + #""databases": {"D": null, "E": {"service-model": "relay", "source": {"unix:nosuch": {"max-backoff": N}}}}}"#)
          .replacing("N", with: "\(Int64.max - Int64(step))"), to: directory.path("config.json"))
      #expect(try server.control("ovsdb-server/reload").status == 0)
    }
    try expectAlive(server, "lowered")
  }

  @Test func noControlCommandCrashesTheServer() throws {
    let server = try Self.start()
    let commands = try server.lines("list-commands").dropFirst().compactMap { $0.split(separator: " ").first.map(String.init) }
    #expect(commands.count > 20)
    for command in commands where command != "exit" {
      for word in ["-9223372036854775808", "-1", "0", "2147483648", "9223372036854775807", String(repeating: "9", count: 400)] {
        _ = try server.control(command, word)
      }
      try #require(server.process.isRunning, "\(command): \(server.said.suffix(2000))")
    }
    for word in ExtremeNumbers.words {
      _ = try server.control("vlog/set", "PATTERN:file:%\(word)m%-0\(word)p|%m")
      for name in ["set-active-ovsdb-server-probe-interval", "set-relay-source-probe-interval"] {
        _ = try server.control("ovsdb-server/\(name)", word)
      }
      try #require(server.process.isRunning, "\(word): \(server.said.suffix(2000))")
    }
  }

  /// Requests in which `N` and `M` are numbers, `I` is the id.
  private static let requests = [
    #"{"method":"echo","params":[N],"id":N}"#, #"{"method":"transact","params":N,"id":I}"#, #"{"method":"transact","params":[N,M],"id":I}"#,
    #"{"method":"lock","params":[N],"id":I}"#, #"{"method":"lock","params":["l"],"id":N}"#, #"{"method":"unlock","params":["l"],"id":N}"#,
    #"{"method":"cancel","params":[N],"id":null}"#, #"{"method":"get_schema","params":[N],"id":I}"#,
    #"{"method":"set_db_change_aware","params":[N],"id":I}"#, #"{"method":"monitor_cancel","params":[N],"id":I}"#,
    #"{"method":"monitor","params":["D",N,{"T":{"columns":["n"],"select":{"initial":false}}}],"id":I}"#,
    #"{"method":"monitor_cond","params":["D",[N,M],{"T":[{"columns":["n"],"where":[["n","<",N],["n",">=",M]]}]}],"id":I}"#,
    #"{"method":"monitor_cond_since","params":["D",{"a":N},{"T":[{"columns":["n"],"where":[["x","<",N]]}]},N],"id":I}"#,
    #"{"method":"monitor_cond_change","params":[N,{"a":M},{"T":[{"where":[["n","==",M]]}]}],"id":I}"#,
  ]

  /// Operations of a transaction.
  private static let operations: [String] = {
    let mutators = ["+=", "-=", "*=", "/=", "%="]
    let mutations = ["n", "x", "some"].flatMap { column in mutators.map { #"["\#(column)","\#($0)",M]"# } }
    let comparisons = ["<", "<=", "==", "!=", ">=", ">"].flatMap { name in ["n", "x"].map { #"["\#($0)","\#(name)",N]"# } }
    return mutations.map { #"{"op":"mutate","table":"T","where":[],"mutations":[\#($0)]}"# }
      + comparisons.map { #"{"op":"select","table":"T","where":[\#($0)]}"# } + [
        #"{"op":"insert","table":"T","row":{"n":N,"x":M,"some":["set",[N,M]],"map":["map",[[N,M]]]}}"#,
        #"{"op":"update","table":"T","where":[],"row":{"n":N,"x":N}}"#,
        #"{"op":"mutate","table":"T","where":[],"mutations":[["some","insert",["set",[N]]],["map","insert",["map",[[M,N]]]]]}"#,
        #"{"op":"select","table":"T","where":[["some","includes",N],["map","excludes",["map",[[N,M]]]]]}"#,
        #"{"op":"wait","table":"T","where":[["n","==",N]],"columns":["n"],"rows":[{"n":M}],"until":"==","timeout":N}"#,
        #"{"op":"wait","table":"T","where":[],"columns":["x"],"rows":[],"until":"==","timeout":M}"#, #"{"op":N}"#,
        #"{"op":"comment","comment":N}"#, #"{"op":"commit","durable":N}"#,
      ]
  }()

  @Test func noRequestCrashesTheServer() throws {
    let server = try Self.start()
    let transactions = Self.operations.map { #"{"method":"transact","params":["D",\#($0)],"id":I}"# }
    for request in Self.requests + transactions {
      for number in ExtremeNumbers.json {
        // Whoever blocks in a wait or loses the connection is gone for the next.
        let session = try server.session()
        for other in ["-9223372036854775808", "-1", "0", "2", "9223372036854775807", "1.7e308"] {
          try? session.send(Array(request.replacing("N", with: number).replacing("M", with: other).replacing("I", with: other).utf8))
        }
        try? session.send(Array(#"{"method":"echo","params":[],"id":"end"}"#.utf8))
        _ = try? session.receive(untilReplyTo: "end", seconds: 30)
      }
      try expectAlive(server, request)
    }
  }

  /// Schemas in which `N` is a number.
  private static let types = [
    #"{"key":"integer","min":N,"max":N}"#, #"{"key":"integer","min":0,"max":N}"#, #"{"key":{"type":"integer","minInteger":N}}"#,
    #"{"key":{"type":"integer","maxInteger":N,"minInteger":N}}"#, #"{"key":{"type":"real","minReal":N,"maxReal":N}}"#,
    #"{"key":{"type":"string","minLength":N,"maxLength":N}}"#, #"{"key":{"type":"integer","enum":["set",[N]]}}"#,
    #"{"key":{"type":"real","enum":["set",[N]]}}"#,
  ]

  @Test func noSchemaCrashesTheServerThatConverts() throws {
    let server = try Self.start()
    try server.session().call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 1, "x": 1e300, "some": ["set", [1, 2]]]]])
    func schema(_ type: String, rowsMax: String = "5", version: String = "1.0.0") -> String {
      """
      {"name":"D","version":"\(version)","tables":{"T":{"isRoot":true,"maxRows":\(rowsMax),
       "columns":{"n":{"type":\(type)},"x":{"type":\(type)},"some":{"type":\(type)}}}}}
      """
    }
    for number in ExtremeNumbers.json {
      let schemas =
        Self.types.map { schema($0.replacing("N", with: number)) } + [
          schema(#""integer""#, rowsMax: number), schema(#""integer""#, version: "\(number).\(number).\(number)"), schema(#""integer""#),
          schema(#""real""#),
        ]
      for schema in schemas {
        let session = try server.session()
        try session.send(Array(#"{"method":"convert","params":["D",\#(schema)],"id":"c"}"#.utf8))
        _ = try? session.receive(untilReplyTo: "c", seconds: 30)
        try #require(server.process.isRunning, "\(schema): \(server.said.suffix(2000))")
      }
    }
    try expectAlive(server, "converted")
  }
}
