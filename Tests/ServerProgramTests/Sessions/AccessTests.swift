// SPDX-License-Identifier: Apache-2.0
//
// Who may come in, and what those may do who may only read: permissions of sockets from the moment they are there, read-only remotes,
// names that clients may not make the server open.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct AccessTests {
  /// Sockets are made with their permissions: there is no moment at which others may connect, whatever the umask.
  @Test(
    .enabled(if: Programs.hasPeer && Strace.isUsable, "Open vSwitch or strace is missing"), arguments: ["000", "022", "077"])
  func socketsAreNeverOpenToOthersAndHaveThePeersPermissions(umask: String) throws {
    var modes: [[mode_t]] = []
    for side in Side.allCases {
      let directory = try RunDirectory()
      let trace = directory.path("trace")
      let names = ["db.sock", "server.ctl"]
      let command =
        Strace.command([], calls: ["bind", "fchmod", "chmod", "fchmodat"], output: trace)
        + [side.server, "--no-dbs", "-vconsole:off", "-vsyslog:off", "--remote=punix:db.sock", "--unixctl=\(directory.path("server.ctl"))"]
      // The server ends with its command: strace passes no signals on.
      let end = directory.path("end")
      let script = "umask \(umask); exec \"$@\" \"--run=until test -e \(end); do sleep 0.05; done\""
      let process = try ChildProcess(
        "/bin/sh", ["-c", script, "sh"] + command, environment: directory.environment, directory: directory.path,
        output: directory.path("out"), errors: directory.path("err"))
      do {
        defer { try? write("", to: end) }
        try waitUntil("the sockets", seconds: 60) { names.allSatisfy { access(directory.path($0), F_OK) == 0 } }
        var found: [mode_t] = []
        for name in names {
          var status = stat()
          #expect(lstat(directory.path(name), &status) == 0)
          found.append(status.st_mode & 0o7777)
        }
        modes.append(found)
      }
      #expect(try process.waitForExit(seconds: 60) == 0)
      guard side == .ours else { continue }
      // fchmod(N, 0770) before each bind(N, ...), and nothing afterwards that says otherwise.
      var restricted: Set<Substring> = []
      var bound = 0
      for line in try readText(trace).split(separator: "\n") {
        if let call = line.firstMatch(of: #/ fchmod\((\d+), 0(\d+)/#) {
          #expect(call.2 == "770")
          restricted.insert(call.1)
        } else if let call = line.firstMatch(of: #/bind\((\d+), \{sa_family=AF_UNIX/#) {
          #expect(restricted.contains(call.1), "\(line)")
          bound += 1
        } else {
          #expect(!line.contains("chmod") || line.contains("resumed"), "\(line)")
        }
      }
      #expect(bound >= 2)
    }
    #expect(modes.allSatisfy { $0 == modes[0] })
    #expect(modes[0].allSatisfy { $0 & 0o007 == 0 })
  }

  private static let schema: WireJSON = [
    "name": "R", "version": "1.0.0",
    "tables": [
      "Config": ["columns": ["targets": ["type": ["key": ["type": "uuid", "refTable": "Target"], "min": 0, "max": "unlimited"]]], "isRoot": true],
      "Target": ["columns": ["target": ["type": "string"], "read_only": ["type": "boolean"]]],
      "T": ["columns": ["n": ["type": "integer"]], "isRoot": true],
    ],
  ]

  /// A server with a socket `reader.sock` that a row configures to be read-only.
  private static func startWithReader(_ side: Side) throws -> RemoteServer {
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("db", schema, in: directory)
    let server = try RemoteServer(
      ["--remote=punix:db.sock", "--remote=db:R,Config,targets", directory.path("db")], side: side, directory: directory)
    try server.session().call(
      "transact",
      [
        "R",
        ["op": "insert", "table": "Target", "uuid-name": "a", "row": ["target": .string("punix:\(directory.path("reader.sock"))"), "read_only": true]],
        ["op": "insert", "table": "Config", "row": ["targets": ["named-uuid", "a"]]], ["op": "insert", "table": "T", "row": ["n": 1]],
      ])
    return server
  }

  @Test(.enabled(if: Programs.hasPeer, "Open vSwitch is not installed"))
  func whoMayOnlyReadChangesNothingAndIsToldTheSameByBothServers() throws {
    let writing: [WireJSON] = [
      ["op": "insert", "table": "T", "row": ["n": 2]], ["op": "update", "table": "T", "where": [], "row": ["n": 3]],
      ["op": "mutate", "table": "T", "where": [], "mutations": [["n", "+=", 1]]], ["op": "delete", "table": "T", "where": []],
      ["op": "delete", "table": "T", "where": [["n", "==", 77]]],
    ]
    let select: WireJSON = ["op": "select", "table": "T", "where": [], "columns": ["n"]]
    var replies: [[WireJSON]] = []
    for side in Side.allCases {
      let server = try Self.startWithReader(side)
      let reader = try server.waitForSession("reader.sock")
      var said: [WireJSON] = []
      for operation in writing {
        said.append(try reader.call("transact", ["R", operation]))
        said.append(try reader.call("transact", ["R", select, operation, select]))
      }
      for method in ["lock", "steal", "unlock"] { said.append(try reader.exchange(method, ["l"]).reply) }
      said.append(try reader.call("transact", ["R", ["op": "assert", "lock": "l"]]))
      #expect(try reader.call("transact", ["R", select]) == [["rows": [["n": 1]]]])
      // Who may write has the lock that the reader did not get.
      #expect(try server.session().call("lock", ["l"]) == ["locked": true])
      #expect(try server.session().call("transact", ["R", select]) == [["rows": [["n": 1]]]])
      if side == .ours {
        // 3.1.0 converts here.
        let converted = try reader.exchange("convert", ["R", Self.schema]).reply
        #expect(converted["error"]?["error"] == "not allowed")
      }
      replies.append(
        said.map { reply in
          guard var members = reply.members else { return reply }
          members.removeAll { $0.name == "id" }
          return .object(members)
        })
    }
    for (ours, peers) in zip(replies[0], replies[1]) { #expect(ours == peers) }
  }

  @Test func rowsCannotNameDescriptorsOfTheServer() throws {
    let server = try Self.startWithReader(.ours)
    _ = try server.waitForSession("reader.sock")
    let before = server.descriptorCount
    let session = try server.session()
    for name in ["pfd:0", "pfd:3", "pfd:server.ctl"] {
      try session.call(
        "transact",
        [
          "R", ["op": "insert", "table": "Target", "uuid-name": "a", "row": ["target": .string(name)]],
          ["op": "mutate", "table": "Config", "where": [], "mutations": [["targets", "insert", ["named-uuid", "a"]]]],
        ])
      try server.waitForLog("ignoring \"\(name)\" from database")
    }
    #expect(try server.control("ovsdb-server/add-remote", "pfd:3").status != 0)
    // Its own session is one more.
    try waitUntil("no more descriptors", seconds: 60) { server.descriptorCount <= before + 1 }
  }

  /// Whoever may write the rows that hold TLS options can have the server open any file it may read. What stands in it is told to nobody
  /// by any way, and a file that is there already is never written, also when an authority is to be learnt into it.
  @Test func pathsOfKeysInADatabaseTellNothingOfFilesAndWriteNone() throws {
    let fixture = try TLSFixture()
    let directory = fixture.directory
    let secret = "the-secret-\(UUID().uuidString)"
    let file = directory.path("secret")
    // A line of its own, and what looks like PEM and is none.
    let text = "\(secret)\n-----BEGIN CERTIFICATE-----\n\(secret)\n-----END CERTIFICATE-----\n"
    try write(text, to: file)
    let keys = ["type": ["key": "string"]] as WireJSON
    let schema: WireJSON = [
      "name": "R", "version": "1.0.0",
      "tables": ["SSL": ["columns": ["private_key": keys, "certificate": keys, "ca_cert": keys, "ciphers": keys], "isRoot": true]],
    ]
    for authority in ["--ca-cert", "--bootstrap-ca-cert"] {
      let (server, port) = try fixture.start(
        ["-vdbg", "--remote=punix:\(directory.path(authority + ".sock"))"],
        tls: [
          "--private-key=db:R,SSL,private_key", "--certificate=db:R,SSL,certificate", "\(authority)=db:R,SSL,ca_cert",
          "--ssl-ciphers=db:R,SSL,ciphers",
        ], schema: schema)
      let session = try server.session(authority + ".sock")
      var told = ""
      let good = [
        "private_key": fixture.server.key, "certificate": fixture.server.certificate, "ca_cert": fixture.authority.certificate,
        "ciphers": "HIGH",
      ]
      for column in ["private_key", "certificate", "ca_cert", "ciphers"] {
        var row = good
        row[column] = file
        try session.call(
          "transact",
          [
            "R", ["op": "delete", "table": "SSL", "where": []],
            ["op": "insert", "table": "SSL", "row": .object(row.map { .init($0, .string($1)) })],
          ])
        // What a client can hear: a handshake, the rows, the control socket.
        told += try fixture.listDatabases(port).standardError
        told += try fixture.shakeHands(port, ["-showcerts"])
        told += "\(try session.call("transact", ["R", ["op": "select", "table": "SSL", "where": []]]))"
        for command in ["ovsdb-server/list-remotes", "memory/show", "coverage/show"] {
          told += try server.control(command).standardOutput
        }
        #expect(try readText(file) == text, "\(column)")
      }
      // The files were tried.
      #expect(server.log.contains(file))
      #expect(!told.contains(secret) && !server.log.contains(secret))
      // It was the files of the rows all the time: the right ones serve.
      try session.call(
        "transact",
        [
          "R", ["op": "delete", "table": "SSL", "where": []],
          ["op": "insert", "table": "SSL", "row": .object(good.map { .init($0, .string($1)) })],
        ])
      #expect(try fixture.listDatabases(port).status == 0)
    }
  }
}
