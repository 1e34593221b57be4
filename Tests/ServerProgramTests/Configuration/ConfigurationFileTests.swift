// SPDX-License-Identifier: Apache-2.0
//
// The configuration file on a running server: what it configures, what a reload changes and leaves alone, and how it fails.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct ConfigurationFileTests {
  private static func schema(named name: String) -> WireJSON {
    ["name": .string(name), "version": "1.0.0", "tables": ["T": ["columns": ["n": ["type": "integer"]], "isRoot": true]]]
  }

  /// A server with a configuration, which the test changes.
  private static func start(_ configuration: String, prepare: (RunDirectory) throws -> Void = { _ in }) throws -> RemoteServer {
    let directory = try RunDirectory()
    for name in ["A", "B"] { try RemoteServer.makeDatabase(name, schema(named: name), in: directory) }
    try RemoteServer.makeDatabase("R", in: directory)
    try prepare(directory)
    try write(configuration, to: directory.path("config.json"))
    return try RemoteServer(["--config-file=config.json"], directory: directory)
  }

  private static func reload(_ server: RemoteServer, _ configuration: String) throws -> CommandResult {
    try write(configuration, to: server.directory.path("config.json"))
    return try server.control("ovsdb-server/reload")
  }

  /// A reload that waits for its file, and one behind it; the server serves meanwhile.
  @Test func aConfigurationThroughAPipeStopsNobody() throws {
    let server = try Self.start(#"{"remotes": {"punix:db.sock": null}, "databases": {"A": null}}"#)
    let path = server.directory.path("config.json")
    unlink(path)
    try #require(mkfifo(path, 0o600) == 0)
    let reload = try ChildProcess(
      Side.ours.tool("ovs-appctl"), ["-t", server.controlSocket, "ovsdb-server/reload"], environment: server.directory.environment,
      directory: server.directory.path, output: server.directory.path("out"), errors: server.directory.path("err"))
    try waitUntil("the second loading", seconds: 60) { server.log.ranges(of: "loading configuration from").count == 2 }
    #expect(try server.session().call("list_dbs", []) == ["A", "_Server"])
    #expect(try server.control("version").status == 0)
    let writer = try #require(FileHandle(forWritingAtPath: path))
    writer.write(Data(#"{"remotes": {"punix:db.sock": null}, "databases": {"A": null, "B": null}}"#.utf8))
    try writer.close()
    #expect(try reload.waitForExit(seconds: 60) == 0)
    #expect(try server.lines("ovsdb-server/list-dbs") == ["A", "B", "_Server"])
    // Nobody writes any more.
    #expect(try server.control("ovsdb-server/reload").standardError.hasPrefix(Self.failure))
    #expect(server.log.contains("nobody writes to this pipe"))
  }

  @Test func aReloadThatFailsIsOneWarning() throws {
    let server = try Self.start(#"{"remotes": {"punix:db.sock": null}, "databases": {"A": null}}"#)
    let earlier = server.log.ranges(of: "|WARN|").count
    #expect(try Self.reload(server, #"{"remotes": {"punix:db.sock": 5}, "databases": {"A": null}}"#).status != 0)
    #expect(server.log.ranges(of: "|WARN|").count == earlier + 1, "\(server.log)")
    #expect(server.log.contains("|INFO|failed to load configuration from "))
  }

  private static let failure = "Configuration failed.  "
  private static let insert: WireJSON = ["A", ["op": "insert", "table": "T", "row": ["n": 1]]]

  @Test func remotesAndDatabasesComeFromTheFile() throws {
    let server = try Self.start(
      """
      {"remotes": {"punix:db.sock": null, "punix:ro.sock": {"read-only": true, "inactivity-probe": 0, "max-backoff": 2000, "dscp": 10}},
       "databases": {"A": null, "B": {"service-model": "standalone"}}, "comment": ["others may", {"read": "it"}]}
      """)
    #expect(try server.lines("ovsdb-server/list-dbs") == ["A", "B", "_Server"])
    #expect(try server.lines("ovsdb-server/list-remotes") == ["punix:db.sock", "punix:ro.sock"])
    #expect(try server.session().call("transact", Self.insert)[0]?["uuid"] != nil)
    #expect(try server.session("ro.sock").exchange("transact", Self.insert).reply["result"]?[0]?["error"] == "not allowed")
    #expect(server.log.contains("loading configuration from '\(server.directory.path("config.json"))'"))
  }

  @Test func aReloadChangesWhatChangedAndNobodyElseNotices() throws {
    let server = try Self.start(#"{"remotes": {"punix:db.sock": null, "punix:gone.sock": null}, "databases": {"A": null}}"#)
    let staying = try server.session()
    _ = try staying.call("set_db_change_aware", [true])
    let leaving = try server.session("gone.sock")
    _ = try leaving.call("list_dbs", [])
    let reply = try Self.reload(
      server, #"{"remotes": {"punix:db.sock": {}, "punix:new.sock": null}, "databases": {"A": {"service-model": "standalone"}, "B": null}}"#)
    #expect(reply.status == 0)
    #expect(try leaving.receiveUntilClosed().isEmpty)
    #expect(try staying.call("list_dbs", []) == ["A", "B", "_Server"])
    _ = try server.session("new.sock").call("list_dbs", [])
    #expect(access(server.directory.path("gone.sock"), F_OK) != 0)
    // Another file may take over the name of a database.
    #expect(try Self.reload(server, #"{"remotes": {"punix:db.sock": {}}, "databases": {"B": null}}"#).status == 0)
    #expect(try staying.call("list_dbs", []) == ["B", "_Server"])
  }

  @Test(arguments: [
    (#"{"remotes": {"punix:db.sock": 3}, "databases": null}"#, "punix:db.sock: JSON-RPC options are not a JSON object or null"),
    (#"{"remotes": {"punix:db.sock": null}}"#, "config: 'databases' is missing"),
    (#"{"databases": {"A": null}}"#, "config: 'remotes' is missing"),
    (#"{"remotes": [], "databases": {"A": null}}"#, "config: 'remotes' is not a JSON object or null"),
    (#"{"remotes": null, "databases": {"A": 5}}"#, "Parsing database A failed: Object expected."),
    (#"{"remotes": {"pfd:3": null, "punix:db.sock": null}, "databases": {"A": null}}"#,
      "pfd:3: pfd: remotes can only be specified on the command line"),
    (#"{"remotes": {"punix:db.sock": null}, "databases": {"A": null, "nosuch": null}}"#, "failed to open database 'nosuch': "),
    (#"{"remotes": {"punix:db.sock": null}, "databases": {"A": null, "B": {"service-model": "clustered"}}}"#,
      "failed to open database 'B': ovsdb error: B: database is standalone and not clustered"),
    (#"{"remotes": {"punix:db.sock": null}, "databases": {"A": {"service-model": "clustered"}}}"#,
      "failed to open database 'A': ovsdb error: A: database is standalone and not clustered"),
    (#"{"remotes": {"db:A,T,n": null, "db:A,T,nosuch": null}, "databases": {"A": null}}"#,
      #"failed to configure remotes: "db:A,T,nosuch": table "T" has no column "nosuch""#),
    (#"{"remotes": {"db:R,Config,strings": null}, "databases": {"A": null}}"#, "no database named R"),
    (#"{"remotes": {"punix:db.sock": {"read-only": "yes"}}, "databases": {"A": null}}"#, "punix:db.sock: 'read-only' must be true or false"),
    (#"{"remotes": {"punix:db.sock": null}, "#, "config: failed to read"),
  ])
  func aReloadThatFailsChangesNothing(configuration: String, reason: String) throws {
    let server = try Self.start(#"{"remotes": {"punix:db.sock": null, "punix:b.sock": null}, "databases": {"A": null}}"#)
    let session = try server.session()
    let before = try (server.lines("ovsdb-server/list-dbs"), server.lines("ovsdb-server/list-remotes"), session.call("list_dbs", []))
    let reply = try Self.reload(server, configuration)
    #expect(reply.status == 2)
    #expect(reply.standardError.contains(Self.failure) && reply.standardError.contains(reason), "\(reply)")
    #expect(server.log.contains(reason), "\(server.log)")
    #expect(server.log.contains("failed to load configuration from \(server.directory.path("config.json"))"))
    #expect(try server.lines("ovsdb-server/list-dbs") == before.0)
    #expect(try server.lines("ovsdb-server/list-remotes") == before.1)
    #expect(try session.call("list_dbs", []) == before.2)
    _ = try server.session("b.sock").call("list_dbs", [])
    // No file stays locked by the attempt.
    #expect(try Self.reload(server, #"{"remotes": {"punix:db.sock": null}, "databases": {"A": null, "B": null}}"#).status == 0)
    #expect(try session.receiveUntilClosed().isEmpty)
    #expect(try server.session().call("list_dbs", []) == ["A", "B", "_Server"])
  }

  @Test func databasesOfOneNameAreRefused() throws {
    let server = try Self.start(#"{"remotes": null, "databases": {"A": null}}"#) { directory in
      try RemoteServer.makeDatabase("other", Self.schema(named: "A"), in: directory)
    }
    #expect(try Self.reload(server, #"{"remotes": null, "databases": {"A": null, "other": null}}"#).status == 2)
    #expect(server.log.contains("failed to open database 'other': ovsdb error: A: duplicate database name"))
    // One after the other is no conflict.
    #expect(try Self.reload(server, #"{"remotes": null, "databases": {"other": null}}"#).status == 0)
    #expect(try server.lines("ovsdb-server/list-dbs") == ["A", "_Server"])
  }

  @Test func aMistypedOptionIsRefusedUnlessTheFileIsReadLeniently() throws {
    let configuration = #"{"remotes": {"punix:db.sock": {"read-olny": true}}, "databases": {"A": null}}"#
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("A", Self.schema(named: "A"), in: directory)
    try write(configuration, to: directory.path("config.json"))
    let refused = try failToStart(["--config-file=config.json"], in: directory)
    #expect(refused.status == 1 && refused.standardError.contains("unknown option 'read-olny'"), "\(refused)")
    let server = try RemoteServer(["--config-file=config.json", "--lenient-config"], directory: directory)
    #expect(server.log.contains("|WARN|punix:db.sock: unknown option 'read-olny'"), "\(server.log)")
    _ = try server.session().call("list_dbs", [])
  }

  @Test func aCheckSaysWhatAReloadWouldDoAndDoesNothing() throws {
    let server = try Self.start(#"{"remotes": {"punix:db.sock": null, "punix:b.sock": null}, "databases": {"A": null}}"#)
    let session = try server.session()
    func check(_ configuration: String) throws -> CommandResult {
      try write(configuration, to: server.directory.path("config.json"))
      return try server.control("ovsdb-server/reload", "--check")
    }
    let plan = try check(
      #"{"remotes": {"punix:db.sock": {"read-only": true}, "punix:new.sock": null}, "databases": {"A": null, "B": null}}"#)
    #expect(plan.status == 0)
    #expect(plan.standardOutput == "- remote punix:b.sock\n~ remote punix:db.sock\n+ remote punix:new.sock\n+ database B\n")
    let refused = try check(#"{"remotes": {"punxi:new.sock": null}, "databases": {"A": null}}"#)
    #expect(refused.status == 2 && refused.standardError.contains("unknown connection method \"punxi\""), "\(refused)")
    #expect(try check(#"{"remotes": {}, "databases": {"nosuch": null}}"#).status == 2)
    #expect(try server.lines("ovsdb-server/list-remotes") == ["punix:b.sock", "punix:db.sock"])
    #expect(try session.call("list_dbs", []) == ["A", "_Server"])
    #expect(try server.control("ovsdb-server/reload", "--chekc").status == 2)
  }

  @Test func theCommandLineChecksAFileBesideTheServerThatUsesIt() throws {
    let server = try Self.start(#"{"remotes": {"punix:db.sock": null}, "databases": {"A": null}}"#)
    func check(_ options: String...) throws -> CommandResult {
      try run(Side.ours.server, ["--check-config", "--config-file=config.json"] + options, in: server.directory)
    }
    let plan = try check()
    #expect(plan.status == 0)
    #expect(plan.standardOutput == "+ remote punix:db.sock\n+ database A\n")
    try write(#"{"remotes": {"punix:db.sock": {"foo": 1}}, "databases": {"A": null}}"#, to: server.directory.path("config.json"))
    let refused = try check()
    #expect(refused.status == 1 && refused.standardError.contains("unknown option 'foo'"), "\(refused)")
    #expect(try check("--lenient-config").status == 0)
    _ = try server.session().call("list_dbs", [])
  }

  @Test func commandsThatChangeConfigurationPointAtTheFile() throws {
    let server = try Self.start(#"{"remotes": {"punix:db.sock": null}, "databases": {"A": null}}"#)
    let path = server.directory.path("config.json")
    for words in [["add-remote", "punix:x"], ["remove-remote", "punix:db.sock"], ["add-db", "B"], ["remove-db", "A"]] {
      let reply = try server.control("ovsdb-server/\(words[0])", words[1])
      #expect(reply.status == 2)
      #expect(reply.standardError.contains("Update the \(path) and use ovsdb-server/reload instead"))
    }
  }

  @Test func aServerWithoutConfigurationFileCannotReload() throws {
    let server = try RemoteServer(["--no-dbs"])
    let reply = try server.control("ovsdb-server/reload")
    #expect(reply.status == 2)
    #expect(reply.standardError.contains("Configuration file was not specified on command line"))
  }

  @Test(arguments: [
    (["--config-file=c.json", "--remote=punix:x"], "--config-file is mutually exclusive with --remote"),
    (["--config-file=c.json", "a.db"], "Databases should be specified in a config file"),
    (["--config-file=c.json", "--active"], "--config-file is mutually exclusive with --sync-from, --sync-exclude and --active"),
    (["--config-file=c.json"], "server configuration failed: config: failed to read"),
  ])
  func startsThatAreRefusedSayWhy(arguments: [String], reason: String) throws {
    let result = try failToStart(arguments, in: try RunDirectory())
    #expect(result.status == 1)
    #expect(result.standardError.contains("ovsdb-server: \(reason)"), "\(result)")
  }

  @Test func aDetachedServerFindsRelativeFilesAgain() throws {
    let directory = try RunDirectory()
    for name in ["A", "B"] { try RemoteServer.makeDatabase(name, Self.schema(named: name), in: directory) }
    let path = directory.path("config.json")
    try write(#"{"remotes": {"punix:db.sock": null}, "databases": {"A": null}}"#, to: path)
    let control = directory.path("detached.ctl")
    try succeed(
      Side.ours.server, ["--detach", "--pidfile", "-vsyslog:off", "--unixctl=\(control)", "--config-file=config.json"], in: directory)
    let pid = try #require(pid_t(try readText(directory.path("ovsdb-server.pid")).trimmingCharacters(in: .whitespacesAndNewlines)))
    defer { kill(pid, SIGKILL) }
    try write(#"{"remotes": {"punix:db.sock": null}, "databases": {"A": null, "B": null}}"#, to: path)
    try succeed(Side.ours.tool("ovs-appctl"), ["-t", control, "ovsdb-server/reload"], in: directory)
    #expect(try WireSession(socket: directory.path("db.sock")).call("list_dbs", []) == ["A", "B", "_Server"])
    try succeed(Side.ours.tool("ovs-appctl"), ["-t", control, "exit"], in: directory)
  }
}
