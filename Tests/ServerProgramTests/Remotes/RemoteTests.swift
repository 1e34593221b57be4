// SPDX-License-Identifier: Apache-2.0
//
// Remotes of the command line and of commands: what listens, what dials, what is in the way, what fails and comes back.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct RemoteTests {
  private static let databases: WireJSON = ["_Server"]

  @Test func theSetOfRemotesChangesWithoutTouchingWhatStays() throws {
    let server = try RemoteServer(["--no-dbs", "--remote=punix:db.sock", "--remote=punix:db.sock"])
    let staying = try server.session()
    #expect(try staying.call("list_dbs", []) == Self.databases)
    for name in ["punix:a.sock", "ptcp:0:127.0.0.1", "punix:a.sock"] {
      #expect(try server.control("ovsdb-server/add-remote", name).status == 0)
    }
    #expect(try server.lines("ovsdb-server/list-remotes") == ["ptcp:0:127.0.0.1", "punix:a.sock", "punix:db.sock"])
    let leaving = try server.session("a.sock")
    #expect(try leaving.call("list_dbs", []) == Self.databases)
    #expect(try server.control("ovsdb-server/remove-remote", "punix:a.sock").status == 0)
    #expect(try leaving.receiveUntilClosed().isEmpty)
    #expect(access(server.directory.path("a.sock"), F_OK) != 0)
    let again = try server.control("ovsdb-server/remove-remote", "punix:a.sock")
    #expect(again.status == 2 && again.standardError.contains("no such remote"))
    #expect(try staying.call("list_dbs", []) == Self.databases)
  }

  /// Names that can never work, with the reason.
  private static let mistyped = [
    ("punx:foo", "punx:foo: unknown connection method \"punx\"; the methods are punix, ptcp, pssl, pfd, unix, tcp and ssl"),
    ("db.sock", "db.sock: a connection method and a colon must come first"),
    ("ptcp:22222222", "ptcp:22222222: 22222222: bad port number \"22222222\""),
    ("ptcp:1:300.1.1.1", "ptcp:1:300.1.1.1: bad IP address"), ("tcp:-5", "tcp:-5: bad host name"),
    ("punix:", "punix:: the name of the socket file is missing"),
    ("db:R,Config", "\"db:R,Config\": invalid syntax"),
  ]

  @Test(arguments: mistyped)
  func aMistypedRemoteIsAnErrorAtOnce(name: String, reason: String) throws {
    // On the command line.
    let result = try failToStart(["--no-dbs", "--remote=\(name)"], in: try RunDirectory())
    #expect(result.status == 1 && result.standardError.contains(reason), "\(result)")
    // By command.
    let server = try RemoteServer(["--no-dbs", "--remote=punix:db.sock"])
    let reply = try server.control("ovsdb-server/add-remote", name)
    #expect(reply.status == 2 && reply.standardError.contains(reason), "\(reply)")
    #expect(try server.lines("ovsdb-server/list-remotes") == ["punix:db.sock"])
    #expect(try server.session().call("list_dbs", []) == Self.databases)
  }

  @Test(arguments: mistyped)
  func aMistypedRemoteOfAConfigurationFileLeavesTheOthersAlone(name: String, reason: String) throws {
    let directory = try RunDirectory()
    try write(#"{"remotes": {"punix:db.sock": null}, "databases": null}"#, to: directory.path("c.json"))
    let server = try RemoteServer(["--config-file=c.json"], directory: directory)
    try write(#"{"remotes": {"punix:x.sock": null, "\#(name)": null}, "databases": null}"#, to: directory.path("c.json"))
    let reply = try server.control("ovsdb-server/reload")
    #expect(reply.status == 2 && reply.standardError.contains(reason), "\(reply)")
    #expect(try server.lines("ovsdb-server/list-remotes") == ["punix:db.sock"])
    #expect(try server.session().call("list_dbs", []) == Self.databases)
  }

  @Test func aMistypedSourceIsAnErrorAtOnce() throws {
    for option in ["--sync-from=tpc:127.0.0.1:1", "--sync-from=ptcp:1"] {
      let result = try failToStart(["--no-dbs", option], in: try RunDirectory())
      // Of the methods there are it names those that a source can have.
      #expect(result.status == 1 && !result.standardError.contains("ptcp, ") && result.standardError.contains("tcp"), "\(result)")
    }
    #expect(try failToStart(["relay:D:tcp:127.0.0.1:x"], in: try RunDirectory()).standardError.contains("bad port number"))
    let server = try RemoteServer(["--no-dbs"])
    #expect(try server.control("ovsdb-server/set-active-ovsdb-server", "tpc:127.0.0.1:1").status == 2)
    #expect(try server.control("ovsdb-server/add-db", "relay:D:pfd:3").standardError.contains("only be specified on the command line"))
  }

  @Test func addingABadRemoteIsRefusedAsThePeerDoes() throws {
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("R", in: directory)
    let sides = Programs.hasPeer ? Side.allCases : [.ours]
    var answers: [[String]] = []
    for side in sides {
      let server = try RemoteServer(["--remote=punix:\(side).sock", directory.path("R")], side: side, directory: directory)
      answers.append(
        try ["db:", "db:R", "db:R,Config", "db:Z,a,b", "db:R,Z,b", "db:R,Config,zz", "db:R,Config,number"].map {
          let reply = try server.control("ovsdb-server/add-remote", $0)
          return "\($0): \(reply.status) \(reply.standardError.split(separator: "\n").first ?? "")"
        })
      server.stop()
    }
    #expect(answers.allSatisfy { $0 == answers[0] }, "\(answers)")
    #expect(answers[0][0] == "db:: 2 \"db:\": invalid syntax")
    // What stands behind a third comma is dropped by the reference; here it is a mistake.
    let server = try RemoteServer([directory.path("R")], directory: directory)
    #expect(try server.control("ovsdb-server/add-remote", "db:R,Config,strings,x").status == 2)
  }

  @Test func aListenerThatFailsIsTriedAgainAndToldOnce() throws {
    var occupied: TestSocket? = try TestSocket.tcp()
    let port = try #require(occupied).port
    let server = try RemoteServer(["--no-dbs", "--remote=ptcp:\(port):127.0.0.1", "--remote=punix:sub/s"])
    for line in [
      "|socket_util|ERR|\(port):127.0.0.1: bind: Address already in use",
      "|ovsdb_jsonrpc_server|ERR|ptcp:\(port):127.0.0.1: listen failed: Address already in use",
      "/sub/s: binding failed: No such file or directory", "|ovsdb_jsonrpc_server|ERR|punix:sub/s: listen failed: No such file or directory",
    ] { try server.waitForLog(line) }
    occupied = nil
    try FileManager.default.createDirectory(atPath: server.directory.path("sub"), withIntermediateDirectories: false)
    #expect(try server.waitForSession("sub/s").call("list_dbs", []) == Self.databases)
    var session: WireSession?
    try waitUntil("the port", seconds: 60) {
      session = try? connectTCP(port)
      return session != nil
    }
    #expect(try session?.call("list_dbs", []) == Self.databases)
    #expect(server.log.components(separatedBy: "bind: Address already in use").count == 2)
  }

  @Test func aPlainFileInTheWayStaysAndASocketIsReplaced() throws {
    let directory = try RunDirectory()
    try write("precious", to: directory.path("file"))
    _ = try TestSocket(listeningAt: directory.path("stale"))
    let live = try TestSocket(listeningAt: directory.path("live"))
    let server = try RemoteServer(
      ["--no-dbs", "--remote=punix:file", "--remote=punix:stale", "--remote=punix:live"], directory: directory)
    try server.waitForLog("/file: binding failed: Address already in use by a file that is no socket, which is left alone")
    #expect(try readText(directory.path("file")) == "precious")
    #expect(server.log.contains("|stream_unix|INFO|\(directory.path("live")): another server still answers on this socket"))
    #expect(!server.log.contains("/stale: another server"))
    for name in ["stale", "live"] { #expect(try server.session(name).call("list_dbs", []) == Self.databases) }
    withExtendedLifetime(live) {}
    // With the file gone the remote comes up by itself.
    unlink(directory.path("file"))
    #expect(try server.waitForSession("file").call("list_dbs", []) == Self.databases)
  }

  @Test(arguments: ["exit", "TERM"])
  func aPathThatAnotherServerTookStaysItsOwn(end: String) throws {
    let directory = try RunDirectory()
    let first = try RemoteServer(["--no-dbs", "--remote=punix:db.sock", "--remote=punix:own.sock"], directory: directory)
    let second = try RemoteServer(["--no-dbs", "--remote=punix:db.sock"], directory: directory)
    if end == "exit" { _ = try first.control("exit") } else { first.process.signal(SIGTERM) }
    _ = try first.process.waitForExit(seconds: 60)
    #expect(access(directory.path("own.sock"), F_OK) != 0)
    #expect(try second.session().call("list_dbs", []) == Self.databases)
    second.process.signal(SIGTERM)
    _ = try second.process.waitForExit(seconds: 60)
    #expect(access(directory.path("db.sock"), F_OK) != 0)
  }

  @Test func hostNamesAndIPv6AddressesAreServedAndReached() throws {
    var hosts = [("0:localhost", ["localhost"]), ("00:localhost", ["localhost"]), ("0:[::]", ["127.0.0.1", "[::1]"])]
    // A link-local address means nothing without its scope.
    if let (address, interface) = Self.linkLocalAddress { hosts.append(("0:[\(address)%\(interface)]", ["[\(address)%\(interface)]"])) }
    let server = try RemoteServer(["--no-dbs"] + hosts.map { "--remote=ptcp:\($0.0)" }.filter { $0 != "--remote=ptcp:00:localhost" })
    // At run time names are looked up beside the loop.
    #expect(try server.control("ovsdb-server/add-remote", "ptcp:00:localhost").status == 0)
    try server.waitForLog("00:localhost: listening on port ")
    for (name, hosts) in hosts {
      let line = try #require(server.log.split(separator: "\n").first { $0.contains("|\(name): listening on port ") })
      let port = try #require(UInt16(line.split(separator: " ").last ?? ""))
      for host in hosts {
        let said = try run(Side.ours.tool("ovsdb-client"), ["list-dbs", "tcp:\(host):\(port)"], in: server.directory)
        #expect(said.standardOutput == "_Server\n", "\(name) \(host): \(said)")
      }
    }
  }

  /// One of this host, with its interface.
  private static let linkLocalAddress: (String, String)? = {
    // Shape: ADDRESS INDEX PREFIX-LENGTH SCOPE FLAGS INTERFACE, the address as 32 hexadecimal digits.
    for line in ((try? readText("/proc/net/if_inet6")) ?? "").split(separator: "\n") where line.hasPrefix("fe80") {
      let fields = line.split(separator: " ")
      guard fields.count == 6, fields[0].count == 32 else { continue }
      let digits = Array(fields[0])
      let address = stride(from: 0, to: 32, by: 4).map { String(digits[$0..<($0 + 4)]) }.joined(separator: ":")
      return (address, String(fields[5]))
    }
    return nil
  }()

  @Test func activeRemotesComeBackAndSpeakOfItAsThePeerDoes() throws {
    let sides = Programs.hasPeer ? Side.allCases : [.ours]
    var said: [[String]] = []
    for side in sides {
      let directory = try RunDirectory()
      var partner: TestSocket? = try TestSocket(listeningAt: directory.path("partner"))
      let server = try RemoteServer(["--no-dbs", "--remote=unix:partner"], side: side, directory: directory)
      var session: WireSession? = try partner?.accept()
      #expect(try session?.call("list_dbs", []) == Self.databases)
      unlink(directory.path("partner"))
      partner = nil
      session = nil
      try server.waitForLog("unix:partner: waiting 4 seconds before reconnect")
      partner = try TestSocket(listeningAt: directory.path("partner"))
      session = try partner?.accept()
      #expect(try session?.call("list_dbs", []) == Self.databases)
      try server.waitForLog("unix:partner: connected", count: 2)
      said.append(
        server.log.split(separator: "\n").filter { $0.contains("|reconnect|") }.map { line in
          String(line.drop { $0 != "|" }.dropFirst().drop { $0 != "|" })
        })
    }
    #expect(said.allSatisfy { $0 == said[0] }, "\(said)")
    #expect(said[0].count >= 10)
  }

  @Test func removedActiveRemotesLeaveNothingBehind() throws {
    let directory = try RunDirectory()
    let partner = try TestSocket(listeningAt: directory.path("partner"), backlog: 200)
    let server = try RemoteServer(["--no-dbs", "--remote=punix:db.sock"], directory: directory)
    let before = server.descriptorCount
    for _ in 0..<20 {
      #expect(try server.control("ovsdb-server/add-remote", "unix:partner").status == 0)
      #expect(try server.control("ovsdb-server/remove-remote", "unix:partner").status == 0)
    }
    withExtendedLifetime(partner) {}
    try waitUntil("descriptors to be closed", seconds: 60) { server.descriptorCount <= before + 1 }
  }

  @Test func activeRemotesThatKnowNothingOfChangesAreDialledAnewWhenTheDatabasesChange() throws {
    for side in Programs.hasPeer ? Side.allCases : [.ours] {
      let directory = try RunDirectory()
      let database = try RemoteServer.makeDatabase("db", in: directory)
      let partner = try TestSocket(listeningAt: directory.path("partner"))
      let server = try RemoteServer(["--no-dbs", "--remote=unix:partner"], side: side, directory: directory)
      let first = try partner.accept()
      #expect(try first.call("list_dbs", []) == Self.databases)
      #expect(try server.control("ovsdb-server/add-db", directory.path("db")).status == 0, "\(database)")
      #expect(try first.receiveUntilClosed(seconds: 60).isEmpty)
      let second = try partner.accept()
      #expect(try second.call("list_dbs", []) == ["R", "_Server"])
      // One that wants to be told stays.
      try second.call("set_db_change_aware", [true])
      #expect(try server.control("ovsdb-server/remove-db", "R").status == 0)
      #expect(try second.call("list_dbs", []) == Self.databases)
    }
  }
}
