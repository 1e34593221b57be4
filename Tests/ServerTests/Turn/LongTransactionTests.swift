// SPDX-License-Identifier: Apache-2.0
//
// A transaction that takes long is run beside the loop: clients are served meanwhile, what changes the same database waits in order, and
// no step of the loop does more than its share, counted in units of work.

import Engine
import JSON
import NIOCore
import NIOEmbedded
import OVSDB
import Testing

@testable import FuzzTargets
@testable import Server

/// A server without threads: slow work is done when the loop's time passes.
private final class LongServer {
  private let loop = EmbeddedEventLoop()
  let embedded: EmbeddedServer
  private var clients: [EmbeddedPeer] = []

  static let rowCount = 600
  static let workMax = 500

  init(hasFile: Bool = true) throws {
    var limits = Limits()
    limits.transactionWorkMax = Self.workMax
    embedded = try EmbeddedServer(on: loop, rundir: try ScratchFile.directory(), limits: limits)
    for name in ["db", "other"] {
      let text = """
        {"name":"\(name)","version":"1.0.0","tables":{"T":{"columns":{"n":{"type":"integer"},"s":{"type":"string"}},\
        "isRoot":true,"indexes":[["n"]]}}}
        """
      let schema = try JSONDocument.parse(text).withRoot { try DatabaseSchema(json: $0) }
      let file = try ScratchFile.fresh("long-\(name).db")
      try ScratchFile.makeDatabase(file, schema: schema)
      try embedded.server.openDatabase(file)
    }
    for number in 0..<4 {
      let client = EmbeddedPeer(loop: loop)
      try embedded.accept(client.channel, name: "client \(number)")
      try client.begin()
      clients.append(client)
    }
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

  private var work: Int { embedded.server.databases.values.reduce(0) { $0 + $1.database.workDone } }

  /// Lets slow work come to its end.
  func pass() {
    for _ in 0..<40 { loop.advanceTime(by: .milliseconds(1)) }
  }

  func setReading(_ client: Int, _ isReading: Bool) { clients[client].setReading(isReading) }

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

@Suite struct LongTransactionTests {
  @Test(arguments: [LongServer.changeAll, LongServer.changeOne])
  func whileOneIsRunOthersGoOn(_ operation: String) throws {
    let server = try LongServer()
    server.send(1, #"{"id":"m","method":"monitor_cond","params":["db","c",{"T":[{"where":[["n","==",0]]}]}]}"#)
    server.pass()
    _ = try server.replies(1)
    #expect(server.send(0, LongServer.transact(1, operation)) <= LongServer.workMax + 100)
    #expect(try server.replies(0) == [])
    server.send(1, #"{"id":2,"method":"echo","params":[]}"#)
    server.send(1, LongServer.transact(3, #"{"op":"select","table":"T","where":[["n","==",0]],"columns":["s"]}"#))
    server.send(1, LongServer.transact(4, LongServer.insert(1), in: "other"))
    let between = try server.replies(1)
    #expect(between.map { $0.prefix(19) } == ["2 []", #"3 [{"rows":[{"s":""}"#, #"4 [{"uuid":["uuid",""#].map { $0.prefix(19) })
    server.pass()
    let count = operation == LongServer.changeAll ? LongServer.rowCount : 1
    #expect(try server.replies(0) == [#"1 [{"count":\#(count)}]"#])
    #expect(try server.replies(1).contains("update2"))
    server.check()
  }

  @Test func whatChangesTheSameDatabaseWaitsInOrder() throws {
    let server = try LongServer()
    server.send(0, LongServer.transact(1, LongServer.changeAll))
    server.send(1, LongServer.transact(2, LongServer.insert(-1)))
    // It would take back what the one before did, and so on.
    server.send(2, LongServer.transact(3, #"{"op":"update","table":"T","where":[["n","==",-1]],"row":{"s":"z"}}"#))
    server.send(3, LongServer.transact(4, LongServer.changeOne))
    for client in 0..<4 { #expect(try server.replies(client) == []) }
    server.pass()
    #expect(try server.replies(0) == [#"1 [{"count":\#(LongServer.rowCount)}]"#])
    #expect(try server.replies(1).first?.hasPrefix("2 [{\"uuid\"") == true)
    #expect(try server.replies(2) == [#"3 [{"count":1}]"#])
    // The row that was inserted meanwhile is one of them.
    #expect(try server.replies(3) == [#"4 [{"count":2}]"#])
    server.check()
  }

  @Test func repliesOfOneClientStayInOrderAndComeBehindItsUpdates() throws {
    let server = try LongServer()
    server.send(0, #"{"id":0,"method":"monitor_cond_since","params":["db","m",{"T":[{"columns":["s"]}]},"\#(UUID.zero)"]}"#)
    server.pass()
    _ = try server.replies(0)
    server.send(0, LongServer.transact(1, LongServer.changeAll) + #"{"id":2,"method":"echo","params":[]}"# + LongServer.transact(3, LongServer.changeAll))
    server.pass()
    #expect(
      try server.replies(0) == [
        "update3", #"1 [{"count":\#(LongServer.rowCount)}]"#, "2 []", #"3 [{"count":\#(LongServer.rowCount)}]"#,
      ])
    server.check()
  }

  @Test func noStepDoesMoreThanItsShare() throws {
    let server = try LongServer()
    let requests = [
      LongServer.changeAll, LongServer.changeOne, #"{"op":"delete","table":"T","where":[["n","<",400]]}"#,
      (0..<50).map { LongServer.insert(10_000 + $0) }.joined(separator: ","),
      #"{"op":"wait","table":"T","where":[],"columns":["n"],"until":"==","rows":[],"timeout":0}"#,
    ]
    for (id, operations) in requests.enumerated() {
      #expect(server.send(id % 4, LongServer.transact(id, operations)) <= LongServer.workMax + 100)
    }
    server.pass()
    for client in 0..<4 { #expect(try server.replies(client).count >= 1) }
    server.check()
  }

  @Test func aDurableOneIsAnsweredWhenItIsOnStableStorage() throws {
    let server = try LongServer()
    server.send(0, LongServer.transact(1, LongServer.changeAll + #",{"op":"commit","durable":true}"#))
    server.pass()
    #expect(try server.replies(0) == [#"1 [{"count":\#(LongServer.rowCount)},{}]"#])
    server.check()
  }

  @Test func aBlockedOneWaitsAndIsRunBesideTheLoopAgain() throws {
    let server = try LongServer()
    let wait = #"{"op":"wait","table":"T","where":[["n",">=",0],["s","!=",""]],"columns":["n"],"until":"!=","rows":[]}"#
    server.send(0, LongServer.transact(1, wait + "," + LongServer.insert(-5)))
    server.pass()
    #expect(try server.replies(0) == [])
    // Its session is not held up by it.
    server.send(0, #"{"id":2,"method":"echo","params":[]}"#)
    #expect(try server.replies(0) == ["2 []"])
    server.send(1, LongServer.transact(3, #"{"op":"update","table":"T","where":[["n","==",7]],"row":{"s":"now"}}"#))
    server.pass()
    #expect(try server.replies(1) == [#"3 [{"count":1}]"#])
    #expect(try server.replies(0).first?.hasPrefix("1 [{},{\"uuid\"") == true)
    server.check()
  }

  @Test func aClientThatGoesTakesNothingWithIt() throws {
    let server = try LongServer()
    server.send(0, LongServer.transact(1, LongServer.changeAll))
    server.send(1, LongServer.transact(2, LongServer.insert(-1)))
    server.hangUp(0)
    server.pass()
    #expect(try server.replies(1).first?.hasPrefix("2 [{\"uuid\"") == true)
    server.send(2, LongServer.transact(3, #"{"op":"select","table":"T","where":[["n","==",9]],"columns":["s"]}"#))
    #expect(try server.replies(2) == [#"3 [{"rows":[{"s":"x"}]}]"#])
    server.check()
  }

  @Test func aClientThatDoesNotReadHasItsReplyBehindTheUpdateLater() throws {
    let server = try LongServer()
    server.send(0, #"{"id":0,"method":"monitor_cond","params":["db","m",{"T":[{"columns":["s"]}]}]}"#)
    server.pass()
    _ = try server.replies(0)
    server.send(0, LongServer.transact(1, LongServer.changeAll))
    server.setReading(0, false)
    server.pass()
    #expect(try server.replies(0) == [])
    server.setReading(0, true)
    server.pass()
    #expect(try server.replies(0) == ["update2", #"1 [{"count":\#(LongServer.rowCount)}]"#])
    server.check()
  }

  @Test func aDatabaseThatIsRemovedCancelsThem() throws {
    let server = try LongServer()
    server.send(0, #"{"id":0,"method":"set_db_change_aware","params":[true]}"#)
    server.send(1, #"{"id":0,"method":"set_db_change_aware","params":[true]}"#)
    for client in 0..<2 { _ = try server.replies(client) }
    server.send(0, LongServer.transact(1, LongServer.changeAll))
    server.send(1, LongServer.transact(2, LongServer.insert(-1)))
    try server.embedded.server.closeDatabase("db")
    server.pass()
    #expect(try server.replies(0) == [#"1 "canceled""#])
    #expect(try server.replies(1) == [#"2 "canceled""#])
    server.check()
  }
}
