// SPDX-License-Identifier: Apache-2.0
//
// Clients that mean no good, or nothing at all: many that never speak, many that come and go, more than there are descriptors for, while
// remotes are added and removed. Others do not notice, and nothing is left behind.

import Foundation
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: Programs.hasOurs, "our programs are not built"))
struct HostileConnectionTests {
  private static let databases: WireJSON = ["_Server"]

  /// `OVSDB_TEST_CHURN=10000` for a long run.
  private static let churn = Programs.environment("OVSDB_TEST_CHURN").flatMap { Int($0) } ?? 1000

  /// Connections that come and go, some in the midst of a message, while remotes do the same.
  private static func churn(_ count: Int, _ server: RemoteServer) throws {
    for number in 0..<count {
      let session = try server.session(number % 2 == 0 ? "db.sock" : "other.sock")
      switch number % 4 {
      case 0: break
      case 1: try session.send(Array("{\"method\":\"ec".utf8))
      case 2: try session.send(Array("nonsense".utf8))
      default: #expect(try session.call("list_dbs", []) == Self.databases)
      }
      session.disconnect()
      if number % 100 == 50 {
        #expect(try server.control("ovsdb-server/add-remote", "punix:extra.sock").status == 0)
        _ = try server.session("extra.sock")
        #expect(try server.control("ovsdb-server/remove-remote", "punix:extra.sock").status == 0)
      }
    }
  }

  @Test func connectionsThatComeAndGoLeaveNothing() throws {
    let server = try RemoteServer(["--no-dbs", "--remote=punix:db.sock", "--remote=punix:other.sock"])
    let witness = try server.session()
    #expect(try witness.call("list_dbs", []) == Self.databases)
    // The first of them warm up what is kept for the next.
    try Self.churn(Self.churn / 2, server)
    try waitUntil("the first to be gone", seconds: 60) { try Self.sessions(server) == 1 }
    let before = (server.descriptorCount, server.memory("VmRSS"))
    try Self.churn(Self.churn, server)
    try waitUntil("all to be gone", seconds: 60) { try Self.sessions(server) == 1 && server.descriptorCount <= before.0 }
    let after = (server.descriptorCount, server.memory("VmRSS"))
    print("\(Self.churn) connections: \(before.0) descriptors and \(before.1) kB before, \(after.0) and \(after.1) kB after")
    #expect(after.0 <= before.0)
    // Less than what the buffers of a thousandth of them would take.
    #expect(after.1 <= before.1 + 2048 + Self.churn / 10)
    #expect(try witness.call("list_dbs", []) == Self.databases)
  }

  private static func sessions(_ server: RemoteServer) throws -> Int {
    let words = try server.control("memory/show").standardOutput.split { " \n".contains($0) }
    return words.first { $0.hasPrefix("sessions:") }.flatMap { Int($0.dropFirst(9)) } ?? 0
  }

  @Test func aThousandThatNeverSpeakCostNobodyElse() throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limit)
    // Each needs a descriptor here, and other tests have theirs.
    let count = min(1000, max(100, Int(limit.rlim_cur) - 700))
    let server = try RemoteServer(["--no-dbs", "--remote=punix:db.sock"])
    try raiseDescriptors(of: server, to: 4096)
    let silent = try (0..<count).map { _ in try server.session() }
    #expect(try server.session().call("list_dbs", []) == Self.databases)
    try waitUntil("all to be sessions", seconds: 60) { try Self.sessions(server) >= count }
    withExtendedLifetime(silent) {}
  }

  private func raiseDescriptors(of server: RemoteServer, to count: Int) throws {
    try succeed("prlimit", ["--pid", "\(server.pid)", "--nofile=\(count):"], in: server.directory)
  }

  @Test func aServerOutOfDescriptorsWaitsInPeaceAndRecovers() throws {
    let server = try RemoteServer(["--no-dbs", "--remote=punix:db.sock"])
    let witness = try server.session()
    #expect(try witness.call("list_dbs", []) == Self.databases)
    try raiseDescriptors(of: server, to: server.descriptorCount + 10)
    var flood = try (0..<40).map { _ in try server.session() }
    try server.waitForLog("punix:db.sock: accept: Too many open files")
    // Who is in is served, and waiting takes no time of the processor.
    let before = try Self.processorTicks(server)
    let start = ContinuousClock.now
    for _ in 0..<20 {
      #expect(try witness.call("list_dbs", []) == Self.databases)
      usleep(50_000)
    }
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let ticks = try Self.processorTicks(server) - before
    #expect(Double(ticks) < 50 * seconds, "\(ticks) ticks in \(seconds) s")
    #expect(server.log.components(separatedBy: "Too many open files").count <= 3)
    // Those who waited in the queue are served when others have gone.
    for session in flood { try session.request("list_dbs", [], id: 1) }
    flood.removeFirst(30)
    for session in flood { #expect(try session.receive(untilReplyTo: 1).last?.json["result"] == Self.databases) }
    // Who looks afterwards is told; there is a descriptor for the control socket again.
    flood.removeAll()
    #expect(try server.lines("memory/show").joined().contains("accept-failures:"))
  }

  @Test func withoutDescriptorsNothingCanBeOpenedAndNothingThatIsOpenIsLost() throws {
    let directory = try RunDirectory()
    let file = try RemoteServer.makeDatabase("r.db", in: directory)
    let server = try RemoteServer(["--remote=punix:db.sock", file], directory: directory)
    let client = try server.session()
    let control = try WireSession(socket: server.controlSocket, secondsMax: 60)
    let addRow: WireJSON = ["R", ["op": "insert", "table": "Config", "row": [:]], ["op": "commit", "durable": true]]
    #expect(try client.exchange("transact", addRow).reply["error"]?.isNull == true)
    #expect(try control.exchange("version", []).reply["error"]?.isNull == true)

    // Two that listen, and two connections.
    let open = try OpenDescriptors.settled(of: server.pid, sockets: 4)
    try raiseDescriptors(of: server, to: OpenDescriptors.limit(above: open, leaving: 0))
    for command in ["ovsdb-server/compact", "vlog/reopen"] {
      let refusal = try control.exchange(command, []).reply["error"]?.stringValue ?? "none"
      #expect(refusal.contains("Too many open files"), "\(command): \(refusal)")
    }
    #expect(try client.exchange("transact", addRow).reply["error"]?.isNull == true)

    try raiseDescriptors(of: server, to: 200)
    for command in ["ovsdb-server/compact", "vlog/reopen"] {
      #expect(try control.exchange(command, []).reply["error"]?.isNull == true, "\(command)")
    }
    #expect(try client.exchange("transact", addRow).reply["error"]?.isNull == true)
    let select: WireJSON = ["R", ["op": "select", "table": "Config", "where": []]]
    #expect(try client.exchange("transact", select).reply["result"]?[0]?["rows"]?.elements?.count == 3)
    // The log went on with the file that it had.
    #expect(server.log.contains("for logging: Too many open files"))
  }

  /// User and system time so far, in hundredths of a second.
  private static func processorTicks(_ server: RemoteServer) throws -> Int {
    let fields = try readText("/proc/\(server.pid)/stat").split(separator: ")").last?.split(separator: " ") ?? []
    guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { throw ProcessError("no times") }
    return user + system
  }

  @Test func namesThatMakeNoSenseAreSurvived() throws {
    let server = try RemoteServer(["--no-dbs", "--remote=punix:db.sock"])
    let long = String(repeating: "x", count: 5000)
    let names = [
      "", ":", "::", "punix:", "punix:/", "punix:\(long)", "punix:/dev/null", "punix:/proc/self/x", "ptcp:", "ptcp:65536", "ptcp:-1",
      "ptcp:1:[::1", "ptcp:0:[]", "ptcp:0:256.1.1.1", "ptcp:0:nosuch.invalid", "tcp:", "tcp::", "tcp:[]", "tcp:[::1]:x", "tcp:\(long):5",
      "unix:", "unix:\(long)", "ssl:", "pssl:0:nosuch.invalid", "db", "a\u{1}b:\u{7f}", "tcp:127.0.0.1:0", "PUNIX:x", "ptcp:00000000000000000000001",
    ]
    for name in names { _ = try server.control("ovsdb-server/add-remote", name) }
    #expect(try server.session().call("list_dbs", []) == Self.databases)
    for name in names { _ = try server.control("ovsdb-server/remove-remote", name) }
    #expect(try server.lines("ovsdb-server/list-remotes").filter { $0 != "punix:db.sock" } == [])
    #expect(try server.session().call("list_dbs", []) == Self.databases)
    // None of them was taken for a file to remove.
    #expect(access("/dev/null", R_OK | W_OK) == 0)
  }
}
