// SPDX-License-Identifier: Apache-2.0
//
// Clients that take what they can: what they cost is bounded, they alone suffer for it, and everybody gets all that was asked for
// (Documentation/reliability.md, "Bounded memory").

import Foundation
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: Programs.hasOurs, "our programs are not built"))
struct BoundedMemoryTests {
  private static let schema: WireJSON = [
    "name": "D", "version": "1.0.0",
    "tables": ["T": ["columns": ["n": ["type": "integer"], "s": ["type": "string"]], "isRoot": true]],
  ]
  private static let rowCount = 3000
  private static let clientCount = 24

  private static func start(_ options: [String] = [], rows: Int = 0, in directory: RunDirectory? = nil) throws -> RemoteServer {
    let directory = try directory ?? RunDirectory()
    if access(directory.path("db"), F_OK) != 0 { try RemoteServer.makeDatabase("db", schema, in: directory) }
    let server = try RemoteServer(["--remote=punix:db.sock"] + options + ["db"], directory: directory)
    try fill(server, rows)
    return server
  }

  private static func fill(_ server: RemoteServer, _ count: Int) throws {
    guard count > 0 else { return }
    let session = try server.waitForSession()
    let text = WireJSON.string(String(repeating: "x", count: 400))
    for start in stride(from: 0, to: count, by: 500) {
      let inserts: [WireJSON] = (start..<min(count, start + 500)).map {
        ["op": "insert", "table": "T", "row": ["n": .integer($0), "s": text]]
      }
      try session.call("transact", .array(["D"] + inserts))
    }
  }

  /// What a client may ask for that is everything.
  enum Request: CaseIterable {
    case monitor, select, sorted, selectAndWrite

    var method: String { self == .monitor ? "monitor_cond_since" : "transact" }

    var params: WireJSON {
      let select: WireJSON = ["op": "select", "table": "T", "where": []]
      switch self {
      case .monitor: return ["D", "m", ["T": [:]], "11111111-2222-4333-8444-555555555555"]
      case .select: return ["D", select]
      case .sorted: return ["D", ["op": "select", "table": "T", "where": [], "sort": ["n"]]]
      case .selectAndWrite: return ["D", select, ["op": "update", "table": "T", "where": [["n", "==", 5]], "row": ["n": 5]]]
      }
    }

    func rowCount(_ result: WireJSON?) -> Int? {
      self == .monitor ? result?[2]?["T"]?.members?.count : result?[0]?["rows"]?.elements?.count
    }
  }

  @Test(arguments: Request.allCases) func whatManyAskForAtOnceCostsNoMoreThanACopyOfIt(_ request: Request) throws {
    // After a restart all come at once.
    let directory = try RunDirectory()
    try Self.start(rows: Self.rowCount, in: directory).stop()
    let server = try Self.start(in: directory)
    let first = try server.waitForSession()
    let sized = try TestClient(first)
    let size = try sized.ask(request.method, request.params)
    #expect(request.rowCount(try sized.answer()) == Self.rowCount)

    let clients = try (0..<Self.clientCount).map { _ in try TestClient(server.session()) }
    let light = try server.session()
    try light.call("list_dbs", [])
    let rest = server.memory("VmRSS")
    try write("5", to: "/proc/\(server.pid)/clear_refs")
    for client in clients { try client.send(request.method, request.params) }
    // All of it could be in memory now; nobody has read anything, and others are served.
    #expect(try light.call("transact", ["D", ["op": "select", "table": "T", "where": [["n", "==", 7]]]])[0]?["rows"]?.elements?.count == 1)
    for client in clients { #expect(try client.receivedSize() >= size) }
    let growth = server.memory("VmHWM") - rest
    print("\(request): resting \(rest) kB, an answer \(size / 1024) kB, \(Self.clientCount) clients at once: \(growth) kB more")
    // One copy, and for each client what is with the kernel or on its way there.
    #expect(growth < size / 1024 + Self.clientCount * 200 + 4096)
  }

  @Test func aLongStringThatChangesOftenIsNotRemembered() throws {
    let server = try Self.start(rows: 1)
    let session = try server.session()
    let size = 2_000_000
    func set(_ number: Int) throws {
      let text = WireJSON.string("\(number)" + String(repeating: "x", count: size))
      try session.call("transact", ["D", ["op": "update", "table": "T", "where": [], "row": ["s": text]]])
    }
    for number in 0..<3 { try set(number) }
    let rest = server.memory("VmRSS")
    for number in 3..<60 { try set(number) }
    let growth = server.memory("VmRSS") - rest
    print("57 updates of a string of \(size) bytes: \(growth) kB more")
    #expect(growth < (8 << 10) + 10 * size / 1024)
  }

  @Test func theClientWhoseInputTakesMostIsCutAndOthersAreServed() throws {
    let server = try Self.start(["--max-pending-input=30000000"])
    let other = try server.session()
    let begin = Array(#"{"id":1,"method":"transact","params":["D",{"op":"insert","table":"T","row":{"s":""#.utf8)
    let piece = Array(repeating: UInt8(ascii: "x"), count: 1_000_000)
    let clients = try (0..<6).map { _ in try server.session() }
    for client in clients { try client.send(begin) }
    // Together they send too much, and one of them most.
    for client in clients { for _ in 0..<2 { try client.send(piece) } }
    #expect(throws: ProcessError.self) { for _ in 0..<60 { try clients[3].send(piece) } }
    try server.waitForLog("the most, and that of all")
    #expect(try other.call("list_dbs", []) == ["D", "_Server"])
    for (number, client) in clients.enumerated() where number != 3 {
      try client.send(Array(#""}}]}"#.utf8))
      #expect(try client.receive(untilReplyTo: 1, seconds: 60).last?.json["result"]?[0]?["uuid"] != nil)
    }
    #expect(server.log.components(separatedBy: "its input takes").count == 2)
  }

  @Test func theClientThatTakesLeastOfWhatItIsSentIsCutAndOthersAreServed() throws {
    let server = try Self.start(["--max-pending-output=8000000"], rows: 4000)
    let other = try server.session()
    // What is followed by a durable commit is made at once.
    let greedy = try server.session()
    let select: WireJSON = ["op": "select", "table": "T", "where": []]
    let durable: WireJSON = ["op": "commit", "durable": true]
    for number in 0..<3 { try greedy.request("transact", .array(["D"] + Array(repeating: select, count: 6) + [durable]), id: .integer(number)) }
    try server.waitForLog("bytes wait for it, the most")
    #expect(throws: (any Error).self) { try greedy.receive(untilReplyTo: 2, seconds: 60) }
    #expect(try other.call("list_dbs", []) == ["D", "_Server"])
    #expect(try other.call("transact", ["D", select])[0]?["rows"]?.elements?.count == 4000)
  }

  @Test(.enabled(if: Programs.has("prlimit"), "prlimit (util-linux) is not installed"), arguments: [300, 60])
  func aMessageThatThereIsNoMemoryForHurtsItsSenderOnly(megabytes: Int) throws {
    let server = try Self.start(rows: 10)
    let other = try server.session()
    let greedy = try server.session()
    _ = try greedy.call("list_dbs", [])
    // What it has, and less than the message or its execution takes.
    let size = (server.memory("VmSize") + 150_000) * 1024
    try succeed("prlimit", ["--pid", "\(server.pid)", "--as=\(size)"], in: server.directory)
    let piece = Array(repeating: UInt8(ascii: "x"), count: 1_000_000)
    try greedy.send(Array(#"{"id":1,"method":"transact","params":["D",{"op":"insert","table":"T","row":{"s":""#.utf8))
    do {
      for _ in 0..<megabytes { try greedy.send(piece) }
      try greedy.send(Array(#""}}]}"#.utf8))
      // The text was taken; what is made of it would be too much.
      let reply = try greedy.receive(untilReplyTo: 1, seconds: 60).last?.json
      #expect(reply?["error"]?["error"] == "resources exhausted")
      _ = try greedy.call("list_dbs", [])
    } catch {
      #expect(server.log.contains("no memory for a message"))
    }
    #expect(try other.call("transact", ["D", ["op": "insert", "table": "T", "row": ["n": 1]]])[0]?["uuid"] != nil)
    #expect(try other.call("transact", ["D", ["op": "select", "table": "T", "where": [], "columns": ["_uuid"]]])[0]?["rows"]?.elements?.count == 11)
  }

  @Test func aFloodOfNonsenseDoesNotFillTheLog() throws {
    let server = try Self.start()
    for number in 0..<1500 {
      let session = try server.session()
      try session.send(Array(["nonsense ", "{\"id\":1}", "{\"id\":1,\"result\":{},\"error\":null}"][number % 3].utf8))
      if number % 3 < 2 { _ = try? session.receive(seconds: 60) }
    }
    #expect(try server.session().call("list_dbs", []) == ["D", "_Server"])
    let lines = server.log.split(separator: "\n").count
    #expect(lines < 300, "\(lines) lines")
  }

  @Test func aSessionsLimitsAreItsOwn() throws {
    let server = try Self.start(["--remote=punix:second.sock"])
    let full = try server.session()
    for number in 0..<1000 { _ = try full.call("lock", [.string("l\(number)")]) }
    #expect(try full.exchange("lock", ["more"]).reply["error"]?["error"] == "resources exhausted")
    // Others come, ask, unlock what is not theirs, steal, and go: nothing of it makes room, nor takes what is theirs.
    for name in ["db.sock", "second.sock"] {
      let other = try server.session(name)
      #expect(try other.exchange("unlock", ["l1"]).reply["error"]?["error"] == "syntax error")
      _ = try other.call("steal", ["other"])
      _ = try other.call("lock", ["l2"])
      other.disconnect()
    }
    #expect(try full.exchange("lock", ["more"]).reply["error"]?["error"] == "resources exhausted")
    // One that is stolen counts until its owner gives it up.
    let thief = try server.session()
    _ = try thief.call("steal", ["l3"])
    #expect(try full.exchange("lock", ["more"]).reply["error"]?["error"] == "resources exhausted")
    _ = try full.call("unlock", ["l3"])
    _ = try full.call("lock", ["more"])
  }
}

/// A session whose large answers are counted and not looked at.
private final class TestClient {
  private let session: WireSession
  private var latest: WireMessage?

  init(_ session: WireSession) throws { self.session = session }

  func send(_ method: String, _ params: WireJSON) throws { try session.request(method, params, id: "all") }

  /// Asks, and gives the size of the answer.
  func ask(_ method: String, _ params: WireJSON) throws -> Int {
    try send(method, params)
    latest = try session.receive(untilReplyTo: "all", seconds: 60).last
    return latest?.bytes.count ?? 0
  }

  func answer() throws -> WireJSON? { latest?.json["result"] }

  /// Reads the answer, whatever it says.
  func receivedSize() throws -> Int { try session.receiveSize(until: #""error":null}"#, seconds: 60) }
}
