// SPDX-License-Identifier: Apache-2.0
//
// A server whose time passes when a test says so.

import Engine
import JSON
import NIOCore
import NIOEmbedded
import OVSDB
import Testing

@testable import FuzzTargets
@testable import Server

/// A server without threads: slow work is done when the loop's time passes.
final class LongServer {
  private let loop = EmbeddedEventLoop()
  let embedded: EmbeddedServer
  private var clients: [EmbeddedPeer] = []

  static let rowCount = 600
  static let workMax = 500

  /// A transaction that concerns all rows is long.
  static var limits: Limits {
    var limits = Limits()
    limits.transactionWorkMax = workMax
    return limits
  }

  init(_ limits: Limits = LongServer.limits, surroundings: Surroundings = Surroundings()) throws {
    embedded = try EmbeddedServer(on: loop, rundir: try ScratchFile.directory(), limits: limits, surroundings: surroundings)
    for name in ["db", "other"] {
      let text = """
        {"name":"\(name)","version":"1.0.0","tables":{"T":{"columns":{"n":{"type":"integer"},"s":{"type":"string"}},\
        "isRoot":true,"indexes":[["n"]]}}}
        """
      try embedded.addDatabase(text, file: "long-\(name).db")
    }
    for number in 0..<4 { clients.append(try embedded.connect("client \(number)", on: loop)) }
    let inserts = (0..<Self.rowCount).map { #"{"op":"insert","table":"T","row":{"n":\#($0)}}"# }
    send(0, #"{"id":"rows","method":"transact","params":["db",\#(inserts.joined(separator: ","))]}"#)
    pass()
    #expect(try replies(0).count == 1)
  }

  deinit {
    for client in clients { client.hangUp() }
    embedded.shutDown()
    EmbeddedPeer.end(loop)
  }

  var database: ServedDatabase? { embedded.server.databases["db"] }

  /// Sends a message and does what can be done at once.
  ///
  /// - Returns: the work that transactions did on the loop.
  @discardableResult
  func send(_ client: Int, _ text: String) -> Int {
    let before = work
    clients[client].send(text)
    loop.run()
    return work - before
  }

  /// Has clients send a message each, which are read together.
  func sendTogether(_ messages: [(client: Int, text: String)]) {
    for (client, text) in messages { clients[client].send(text) }
    loop.run()
  }

  private var work: Int { embedded.server.databases.values.reduce(0) { $0 + $1.database.workDone } }

  /// Lets slow work come to its end.
  func pass() {
    for _ in 0..<40 { loop.advanceTime(by: .milliseconds(1)) }
  }

  func pass(seconds: Int64) {
    for _ in 0..<seconds { loop.advanceTime(by: .seconds(1)) }
  }

  /// Bytes of encoded pieces that the server keeps.
  var retainedBytes: Int { embedded.server.retainedBytes.count }

  /// The most that is held for one session until a sync.
  var heldBytesMax: Int { embedded.server.sessions.map { $0.backlogBytes }.max() ?? 0 }

  /// Whether a reply or update is on its way in pieces.
  var isStreaming: Bool { embedded.server.sessions.contains { $0.stream != nil } }

  func setReading(_ client: Int, _ isReading: Bool) { clients[client].setReading(isReading) }

  func isOpen(_ client: Int) -> Bool { clients[client].isOpen }

  func hangUp(_ client: Int) { clients[client].hangUp() }

  /// What a client has been sent since it was last asked: ids of replies with the beginning of the result, and methods.
  func replies(_ client: Int) throws -> [String] {
    var found: [String] = []
    try clients[client].receive { message in
      if let method = message.member("method")?.string, method != "echo" { return found.append(method) }
      let result = message.member("result")?.text() ?? message.member("error")?.text() ?? ""
      found.append("\(message.member("id")?.text() ?? "") \(result.prefix(40))")
    }
    return found
  }

  /// What a client has been sent since it was last asked.
  func received(_ client: Int) throws -> [String] {
    var found: [String] = []
    try clients[client].receive { found.append($0.text()) }
    return found
  }

  func check() {
    #expect(embedded.server.checkInvariants(readsFiles: true) == [])
  }

  static func transact(_ id: Int, _ operations: String, in name: String = "db") -> String {
    #"{"id":\#(id),"method":"transact","params":["\#(name)",\#(operations)]}"#
  }

  /// Looks at all rows and changes them.
  static let changeAll = #"{"op":"update","table":"T","where":[["n",">=",0]],"row":{"s":"x"}}"#
  /// Looks at all rows and changes one.
  static let changeOne = #"{"op":"update","table":"T","where":[["n","<",1],["s","!=","y"]],"row":{"s":"y"}}"#

  static func insert(_ number: Int) -> String { #"{"op":"insert","table":"T","row":{"n":\#(number)}}"# }
}
