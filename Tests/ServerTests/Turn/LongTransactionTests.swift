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
