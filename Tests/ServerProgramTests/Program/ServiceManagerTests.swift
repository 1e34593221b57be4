// SPDX-License-Identifier: Apache-2.0
//
// A service under a manager: the notices it sends, restarts that no client notices as a refusal, and the units that come with it.

import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct ServiceManagerTests {
  @Test(arguments: [false, true])
  func theManagerHearsOfEveryStep(isAbstract: Bool) throws {
    let directory = try RunDirectory()
    let name = isAbstract ? "@\(directory.path)/notify" : directory.path("notify")
    let notices = try NoticeSocket(name)
    try write(#"{"remotes": {"punix:db.sock": null}, "databases": null}"#, to: directory.path("config.json"))
    let server = try RemoteServer(
      ["--config-file=config.json"], activation: [:], environment: ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000"],
      directory: directory)
    #expect(try notices.receive(beginning: "STATUS=") == "STATUS=Serving 0 databases at 1 remote\n")
    #expect(try notices.receive(beginning: "READY=1") == "READY=1\n")
    for _ in 0..<3 { #expect(try notices.receive(beginning: "WATCHDOG") == "WATCHDOG=1\n") }

    for configuration in [#"{"remotes": {"punix:db.sock": null, "punix:b.sock": null}, "databases": null}"#, "{"] {
      try write(configuration, to: directory.path("config.json"))
      _ = try server.control("ovsdb-server/reload")
      let notice = try notices.receive(beginning: "RELOADING=1\nMONOTONIC_USEC=")
      var time = timespec()
      clock_gettime(CLOCK_MONOTONIC, &time)
      let told = try #require(Int(notice.dropFirst("RELOADING=1\nMONOTONIC_USEC=".count).dropLast()))
      #expect(told > 0 && told <= time.tv_sec * 1_000_000 + time.tv_nsec / 1000)
      #expect(try notices.receive(beginning: "READY=1") == "READY=1\n")
    }
    #expect(try notices.receive(beginning: "STATUS=") == "STATUS=Serving 0 databases at 2 remotes\n")
    if isAbstract {
      server.process.signal(SIGTERM)
    } else {
      _ = try server.control("exit")
    }
    #expect(try notices.receive(beginning: "STOPPING=1") == "STOPPING=1\n")
  }

  @Test func aManagerThatCannotBeReachedOrIsNonsenseStopsNothing() throws {
    let directory = try RunDirectory()
    for (socket, watchdog) in [(directory.path("nosuch"), "x"), ("relative", "-5"), (directory.path(String(repeating: "x", count: 200)), "1")] {
      let server = try RemoteServer(
        ["--no-dbs", "--remote=punix:db.sock"], activation: [:],
        environment: ["NOTIFY_SOCKET": socket, "WATCHDOG_USEC": watchdog], directory: directory)
      #expect(try server.session().call("list_dbs", []) == ["_Server"])
      server.stop()
    }
  }

  /// Clients connect, ask and go, again and again, while the server ends in different ways and comes back. The socket is held here, as a
  /// service manager holds it. A connection that the old server had accepted may end without an answer and is made anew, as every client
  /// of OVSDB does; none is refused.
  @Test func nobodyIsRefusedWhileTheServerRestarts() throws {
    let directory = try RunDirectory()
    let socket = try TestSocket(listeningAt: directory.path("db.sock"))
    let path = directory.path("db.sock")
    let isOver = Atomic(false)
    let answers = Atomic(0)
    let refusals = Mutex<[String]>([])
    let clients = (0..<4).map { _ in
      Thread {
        while !isOver.load(ordering: .relaxed) {
          do {
            let session = try WireSession(socket: path, secondsMax: 120)
            if (try? session.call("list_dbs", [])) != nil { answers.wrappingAdd(1, ordering: .relaxed) }
          } catch {
            refusals.withLock { $0.append("\(error)") }
          }
        }
      }
    }
    defer { isOver.store(true, ordering: .relaxed) }
    for client in clients { client.start() }
    for end in ["exit", "TERM", "KILL", "exit"] {
      let server = try RemoteServer(
        ["--no-dbs"], descriptors: [3: socket.descriptor], activation: ["LISTEN_FDS": "1"], directory: directory)
      let before = answers.load(ordering: .relaxed)
      try waitUntil("answers", seconds: 60) { answers.load(ordering: .relaxed) >= before + 50 }
      switch end {
      case "exit": _ = try server.control("exit")
      case "TERM": server.process.signal(SIGTERM)
      default: server.process.signal(SIGKILL)
      }
      _ = try server.process.waitForExit(seconds: 60)
    }
    #expect(refusals.withLock { $0 } == [])
    #expect(answers.load(ordering: .relaxed) >= 200)
    // Whoever waits now is served by the last one.
    let last = try RemoteServer(
      ["--no-dbs"], descriptors: [3: socket.descriptor], activation: ["LISTEN_FDS": "1"], directory: directory)
    isOver.store(true, ordering: .relaxed)
    try waitUntil("the clients", seconds: 120) { clients.allSatisfy(\.isFinished) }
    last.stop()
    #expect(refusals.withLock { $0 } == [])
  }
}
