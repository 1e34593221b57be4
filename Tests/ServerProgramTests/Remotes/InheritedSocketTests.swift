// SPDX-License-Identifier: Apache-2.0
//
// `pfd:N`: listening sockets that whoever started the server opened, with real descriptors and real processes.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct InheritedSocketTests {
  private static let refusal = "pfd: remotes can only be specified on the command line"

  @Test func unixAndTCPListenersServeAlsoWhoCameBeforeTheServer() throws {
    let directory = try RunDirectory()
    let unix = try TestSocket(listeningAt: directory.path("db.sock"))
    let tcp = try TestSocket.tcp()
    let early = [try WireSession(socket: directory.path("db.sock"), secondsMax: 60), try connectTCP(tcp.port)]
    for session in early { try session.request("list_dbs", [], id: 1) }
    let server = try RemoteServer(
      ["--no-dbs", "--remote=pfd:20", "--remote=pfd:21"], descriptors: [20: unix.descriptor, 21: tcp.descriptor],
      directory: directory)
    for session in early { #expect(try session.receive(untilReplyTo: 1).last?.json["result"] == ["_Server"]) }
    #expect(try connectTCP(tcp.port).call("list_dbs", []) == ["_Server"])
    #expect(try server.lines("ovsdb-server/list-remotes") == ["pfd:20", "pfd:21"])
    // Non-blocking and close-on-exec.
    for number in [20, 21] {
      let flags = try readText("/proc/\(server.pid)/fdinfo/\(number)").split(separator: "\n").first { $0.hasPrefix("flags:") }
      let value = try #require(flags.flatMap { Int($0.dropFirst(6).trimmingCharacters(in: .whitespaces), radix: 8) })
      #expect(value & 0o2000000 != 0 && value & 0o4000 != 0)
    }
    server.stop()
    #expect(access(directory.path("db.sock"), F_OK) == 0)
  }

  @Test func descriptorsOfTheWrongKindAreToldAndTheOthersServe() throws {
    let directory = try RunDirectory()
    let sockets = [try TestSocket.file("/dev/null"), try TestSocket.datagram(), try TestSocket.tcp(isListening: false)]
    let server = try RemoteServer(
      ["--no-dbs", "--remote=punix:db.sock", "--remote=pfd:77", "--remote=pfd:x"]
        + (20...22).map { "--remote=pfd:\($0)" },
      descriptors: [20: sockets[0].descriptor, 21: sockets[1].descriptor, 22: sockets[2].descriptor], directory: directory)
    #expect(try server.session().call("list_dbs", []) == ["_Server"])
    for line in [
      "|stream_fd|ERR|pfd:77: not a socket (Bad file descriptor)", "|ERR|pfd:77: listen failed: Bad file descriptor",
      "|stream_fd|ERR|pfd:20: not a socket (Socket operation on non-socket)", "|stream_fd|ERR|pfd:21: not a stream socket (type 2)",
      "|ERR|pfd:21: listen failed: Invalid argument", "|stream_fd|ERR|pfd:22: not a listening socket",
      "|stream_fd|ERR|pfd:x: bad file descriptor",
    ] { try server.waitForLog(line) }
    let states = try server.lines("ovsdb-server/show-remotes")
    for words in ["not a stream socket (type 2)", "bad file descriptor (no descriptor was passed under that name; none has a name)"] {
      #expect(states.contains { $0.hasSuffix(words) }, "\(states)")
    }
    // A socket that its owner makes listen later is served then.
    #expect(listen(sockets[2].descriptor, 5) == 0)
    #expect(try connectTCP(sockets[2].port).call("list_dbs", []) == ["_Server"])
    // And what fails again and again is told once.
    #expect(server.log.components(separatedBy: "pfd:77: not a socket").count == 2)
  }

  @Test func aNumberThatWasNotOpenIsNotServedWhenTheServerOpensItself() throws {
    // The control socket gets one of these numbers, and would listen.
    let numbers = Array(3...40)
    let server = try RemoteServer(["--no-dbs"] + numbers.map { "--remote=pfd:\($0)" })
    for number in numbers { try server.waitForLog("pfd:\(number): not a socket (") }
    let control = try WireSession(socket: server.controlSocket)
    let reply = try control.exchange("list-commands", []).reply
    #expect(reply["result"]?.stringValue?.hasPrefix("The available commands are:") == true)
    #expect(!server.log.contains("listening on"))
  }

  @Test func nobodyButTheStarterNamesThem() throws {
    let directory = try RunDirectory()
    try RemoteServer.makeDatabase("R", in: directory)
    let socket = try TestSocket(listeningAt: directory.path("passed.sock"))
    let server = try RemoteServer(
      ["--remote=punix:db.sock", "--remote=db:R,Config,strings", "--remote=db:R,Config,managers", directory.path("R")],
      descriptors: [20: socket.descriptor], directory: directory)
    for name in ["pfd:20", "pfd:x", "pfd:"] {
      let reply = try server.control("ovsdb-server/add-remote", name)
      #expect(reply.status == 2)
      #expect(reply.standardError.contains(Self.refusal))
    }
    try server.session().call(
      "transact",
      [
        "R", ["op": "insert", "table": "Manager", "uuid-name": "a", "row": ["target": "pfd:20"]],
        ["op": "insert", "table": "Manager", "uuid-name": "b", "row": ["target": "punix:manager.sock"]],
        [
          "op": "insert", "table": "Config",
          "row": [
            "strings": ["set", ["pfd:21", "punix:string.sock"]], "managers": ["set", [["named-uuid", "a"], ["named-uuid", "b"]]],
          ],
        ],
      ])
    for name in ["pfd:20", "pfd:21"] { try server.waitForLog("\(Self.refusal); ignoring \"\(name)\" from database") }
    for name in ["manager.sock", "string.sock"] { #expect(try server.waitForSession(name).call("list_dbs", []) == ["R", "_Server"]) }
    #expect(try server.lines("ovsdb-server/list-remotes") == ["db:R,Config,managers", "db:R,Config,strings", "punix:db.sock"])
  }

  @Test func aRemovedDescriptorIsClosedForGoodAndItsPathStays() throws {
    let directory = try RunDirectory()
    var socket: TestSocket? = try TestSocket(listeningAt: directory.path("passed.sock"))
    let server = try RemoteServer(
      ["--no-dbs", "--remote=pfd:20"], descriptors: [20: try #require(socket).descriptor], directory: directory)
    let session = try server.session("passed.sock")
    #expect(try session.call("list_dbs", []) == ["_Server"])
    #expect(try server.control("ovsdb-server/remove-remote", "pfd:20").status == 0)
    #expect(try session.receiveUntilClosed().isEmpty)
    #expect(access(directory.path("passed.sock"), F_OK) == 0)
    // Ours was the last other hold on it.
    socket = nil
    #expect(throws: ProcessError.self) { try server.session("passed.sock") }
  }

  @Test(arguments: [0, 20])
  func theyServeInTheBackgroundAndAfterACrash(number: Int32) throws {
    let directory = try RunDirectory()
    let socket = try TestSocket(listeningAt: directory.path("db.sock"))
    let child = try ChildProcess(
      Side.ours.server,
      [
        "--no-dbs", "--detach", "--monitor", "--pidfile", "-vsyslog:off", "-vconsole:off", "--unixctl=\(directory.path("s.ctl"))",
        "--log-file=\(directory.path("log"))", "--remote=pfd:\(number)",
      ], environment: directory.environment, directory: directory.path, output: directory.path("out"),
      errors: directory.path("err"), descriptors: [number: socket.descriptor])
    #expect(try child.waitForExit(seconds: 60) == 0)
    func pid() -> pid_t? {
      (try? readText(directory.path("ovsdb-server.pid"))).flatMap { pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
    let first = try #require(pid())
    defer { if let pid = pid() { kill(pid, SIGTERM) } }
    #expect(try WireSession(socket: directory.path("db.sock"), secondsMax: 60).call("list_dbs", []) == ["_Server"])
    kill(first, SIGSEGV)
    // A signal takes its time: until then the process may still take a connection with it.
    try waitUntil("the end of the first process", seconds: 60) { kill(first, 0) != 0 }
    // Waits in the queue of the socket, which the watcher holds.
    #expect(try WireSession(socket: directory.path("db.sock"), secondsMax: 60).call("list_dbs", []) == ["_Server"])
    try waitUntil("the second process", seconds: 60) { pid().map { $0 != first } ?? false }
  }
}
