// SPDX-License-Identifier: Apache-2.0
//
// Many clients of the control socket, and bad ones: what one of them does holds up no other, and costs bounded memory.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct ControlSocketTests {
  private func connect(_ server: RemoteServer) throws -> WireSession {
    try WireSession(socket: server.controlSocket, secondsMax: 60)
  }

  @Test func clientsThatStopInTheMiddleHoldUpNoOther() throws {
    let server = try RemoteServer(["--no-dbs"])
    let halves = try (0..<20).map { _ in try connect(server) }
    for half in halves { try half.send(Array(#"{"id":1,"method":"vers"#.utf8)) }
    #expect(try server.lines("ovsdb-server/list-dbs") == ["_Server"])
    for half in halves {
      try half.send(Array(#"ion","params":[]}"#.utf8))
      #expect(try half.receive(untilReplyTo: 1).last?.json["result"]?.stringValue?.hasPrefix("ovsdb-server (") == true)
    }
    // What they leave behind when they go, whole or half, is nothing.
    let before = server.descriptorCount
    for (index, half) in halves.enumerated() {
      if index.isMultiple(of: 2) { try half.send(Array(#"{"id":"#.utf8)) }
      half.disconnect()
    }
    try waitUntil("the sessions' end", seconds: 60) { server.descriptorCount <= before - halves.count }
  }

  @Test(arguments: [
    (#"{"id":null,"method":"version","params":[]}"#, "unixctl|WARN|", "received unexpected notification message"),
    (#"{"id":1,"result":"x","error":null}"#, "unixctl|WARN|", "received unexpected reply message"),
    (#"{"id":1,"result":null,"error":"x"}"#, "unixctl|WARN|", "received unexpected error message"),
    (#"{"id":1,"method":3,"params":[]}"#, "jsonrpc|WARN|", "received bad JSON-RPC message: method is not a JSON string"),
    ("xxx", "jsonrpc|WARN|", "error parsing stream: "),
  ])
  func whatIsNoCommandEndsTheConnection(message: String, module: String, reason: String) throws {
    let server = try RemoteServer(["--no-dbs"])
    let session = try connect(server)
    try session.send(Array((message + " ").utf8))
    #expect(try session.receiveUntilClosed().isEmpty)
    try server.waitForLog(reason)
    #expect(server.log.split(separator: "\n").contains { $0.contains(module) && $0.contains(reason) })
  }

  @Test func aMessageWithoutEndIsCutOff() throws {
    let server = try RemoteServer(["--no-dbs"])
    let session = try connect(server)
    let before = server.memory("VmRSS")
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 64 << 10)
    #expect(throws: (any Error).self) {
      try session.send(Array(#"{"id":1,"method":""#.utf8))
      for _ in 0..<1000 { try session.send(piece) }
    }
    #expect(server.memory("VmRSS") < before + (16 << 10))
    #expect(try server.lines("version").count == 1)
  }

  @Test func aClientThatDoesNotReadCostsLittle() throws {
    let server = try RemoteServer(["--no-dbs"])
    let session = try connect(server)
    _ = try server.lines("vlog/list")
    let before = server.memory("VmRSS")
    let count = 2000
    // Some 8 MB of answers. The requests are no more than the socket's buffer takes.
    var requests: [UInt8] = []
    for number in 0..<count { requests += Array("{\"id\":\(number),\"method\":\"vlog/list\",\"params\":[]}".utf8) }
    try session.send(requests)
    #expect(try server.lines("ovsdb-server/list-dbs") == ["_Server"])
    #expect(server.memory("VmRSS") < before + (5 << 10))
    for number in 0..<count {
      let message = try #require(try session.receive(seconds: 60))
      #expect(message.json["id"] == .integer(number))
    }
  }

  @Test func aLongCompactionHoldsUpNoOtherCommandAndNoTransaction() throws {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    let server = try RemoteServer(["--remote=punix:db.sock", "db.db"], directory: directory)
    let session = try server.waitForSession()
    let text = String(repeating: "x", count: 400)
    for number in 0..<20 {
      let rows = (0..<500).map { row -> WireJSON in
        ["op": "insert", "table": "T", "row": ["n": .integer(500 * number + row), "s": .string(text)]]
      }
      _ = try session.call("transact", .array(["D"] + rows))
    }
    let control = try connect(server)
    let other = try connect(server)
    try control.request("ovsdb-server/compact", [], id: 1)
    // Until it is done others are served, however long it takes.
    var served = 0
    repeat {
      _ = try other.call("version", [])
      _ = try session.call("transact", ["D", ["op": "insert", "table": "A", "row": ["k": .string("\(served)")]]])
      served += 1
    } while try control.receive(seconds: 0.001, orNone: ()) == nil
    #expect(served > 3)
    #expect(try server.lines("ovsdb-server/get-db-storage-status", "D") == ["status: ok"])
    let rows = try session.call("transact", ["D", ["op": "select", "table": "A", "where": [], "columns": ["k"]]])
    #expect(rows[0]?["rows"]?.elements?.count == served)
  }
}

extension WireSession {
  /// A message if one is there within the time.
  fileprivate func receive(seconds: Double, orNone: Void) throws -> WireMessage? {
    do { return try receive(seconds: seconds) } catch is ProcessError { return nil }
  }
}
