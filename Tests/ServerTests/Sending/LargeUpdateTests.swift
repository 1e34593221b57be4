// SPDX-License-Identifier: Apache-2.0
//
// Updates that many are told, or that wait for those who do not take them: the server holds one encoding, or a place.

import Glibc
import JSON
import Journal
import NIOCore
import OVSDB
import Testing

@testable import FuzzTargets
@testable import Server

/// Documentation/reliability.md#bounded-memory.
@Suite struct LargeUpdateTests {
  private static let monitorCount = 60

  private static func monitor(_ id: Int, _ method: String = "monitor_cond") -> String {
    #"{"id":"\#(id)","method":"\#(method)","params":["db",\#(id),{"T":{"columns":["n","s"],"select":{"initial":false}}}]}"#
  }

  private static let update = LongServer.transact(1, #"{"op":"update","table":"T","where":[],"row":{"s":"x"}}"#)

  /// All of a server's rows are changed by one transaction that is short enough for the loop.
  private func makeServer(_ surroundings: Surroundings = Surroundings()) throws -> LongServer {
    var limits = Limits()
    limits.inlineRowsMax = 100
    limits.pieceBytes = 4096
    limits.transactionWorkMax = .max
    return try LongServer(limits, surroundings: surroundings)
  }

  @Test func equalMonitorsOfAClientShareOneEncodingAndComeBeforeTheReply() throws {
    let server = try makeServer()
    for id in 0..<Self.monitorCount { server.send(0, Self.monitor(id, id.isMultiple(of: 2) ? "monitor" : "monitor_cond")) }
    server.pass()
    _ = try server.replies(0)
    server.setReading(0, false)
    server.send(0, Self.update)
    server.pass()
    // Two forms, of some 60 KB each.
    #expect(server.retainedBytes < 200_000)
    #expect(server.embedded.server.outputBytes < 50_000)
    server.setReading(0, true)
    for _ in 0..<50 { server.pass() }
    let replies = try server.replies(0)
    #expect(replies.dropLast().filter { $0 == "update" || $0 == "update2" }.count == Self.monitorCount)
    #expect(replies.last == #"1 [{"count":\#(LongServer.rowCount)}]"#)
    server.check()
  }

  @Test func clientsThatDoNotReadHoldAPlaceEachAndAreToldTheSum() throws {
    let server = try makeServer()
    for client in 1...3 {
      for id in 0..<Self.monitorCount { server.send(client, Self.monitor(id)) }
      server.pass()
      _ = try server.replies(client)
      server.setReading(client, false)
    }
    for value in 0..<20 {
      server.send(0, LongServer.transact(value, #"{"op":"update","table":"T","where":[],"row":{"s":"\#(value)"}}"#))
    }
    server.pass()
    #expect(server.retainedBytes < 400_000)
    for client in 1...3 { server.setReading(client, true) }
    for _ in 0..<200 { server.pass() }
    for client in 1...3 {
      var counts: [String: Int] = [:]
      var last: [String: String] = [:]
      for text in try server.received(client) where text.contains("update2") {
        let document = try JSONDocument.parse(text)
        let (id, first) = document.withRoot { message in
          let params = message.member("params")
          return (params?[0]?.text() ?? "", params?[1]?.text() ?? "")
        }
        counts[id, default: 0] += 1
        last[id] = first
      }
      #expect(counts.count == Self.monitorCount)
      // What was on its way, and the sum of what came after it.
      #expect(counts.values.allSatisfy { $0 <= 3 })
      #expect(last.values.allSatisfy { $0.contains(#""s":"19""#) })
    }
    server.check()
  }

  @Test func whatChangesDuringASlowSyncIsSummedUpForThoseWhoWaitForIt() throws {
    let server = try makeServer()
    server.embedded.server.slowWork.delays = { lane in
      lane.name.hasPrefix("sync") ? (.zero, .seconds(20)) : (.milliseconds(1), .zero)
    }
    server.send(1, Self.monitor(0))
    server.pass()
    _ = try server.replies(1)
    server.send(1, LongServer.transact(7, LongServer.insert(-1) + #",{"op":"commit","durable":true}"#))
    let text = String(repeating: "x", count: 3000)
    for value in 0..<500 {
      server.send(0, LongServer.transact(value, #"{"op":"update","table":"T","where":[["n","==",5]],"row":{"s":"\#(text)\#(value)"}}"#))
    }
    #expect(try server.replies(1) == [])
    #expect(server.heldBytesMax < 20_000)
    server.pass(seconds: 21)
    let received = try server.received(1)
    #expect(received.contains { $0.contains(#""id":7"#) })
    #expect(received.filter { $0.contains("update2") }.count < 10)
    #expect(received.last?.contains("x499") == true)
    server.check()
  }

  /// The sync fails while the update is on its way.
  @Test func aDurableReplyBehindLargeUpdatesReportsThatItsSyncFailed() throws {
    var surroundings = Surroundings()
    surroundings.fileSystem.syncData = { _ throws(SystemError) in throw SystemError(code: EIO) }
    surroundings.fileSystem.sync = { _ throws(SystemError) in throw SystemError(code: EIO) }
    surroundings.fileSystem.syncAll = { _ throws(SystemError) in throw SystemError(code: EIO) }
    let server = try makeServer(surroundings)
    server.send(1, Self.monitor(0))
    server.pass()
    _ = try server.replies(1)
    server.embedded.server.slowWork.delays = { lane in (.milliseconds(1), lane.name == "work" ? .seconds(10) : .zero) }
    server.send(1, Self.durable)
    server.pass(seconds: 3)
    #expect(server.isStreaming)
    #expect(server.embedded.server.databases["db"]?.store?.log.syncFailure != nil)
    server.pass(seconds: 100)
    let received = try server.received(1)
    #expect(received.first?.contains("update2") == true)
    #expect(received.last?.contains(#""id":7"#) == true)
    #expect(received.last?.contains("fsync failed") == true)
  }

  private static let durable = LongServer.transact(
    7, #"{"op":"update","table":"T","where":[],"row":{"s":"mine"}},{"op":"commit","durable":true}"#)

  /// A client's own update is on its way in pieces when the reply to its durable commit is due.
  @Test(arguments: [false, true]) func aDurableReplyBehindLargeUpdatesWaitsForItsSync(isFollowed: Bool) throws {
    let server = try makeServer()
    server.embedded.server.slowWork.delays = { lane in
      lane.name.hasPrefix("sync") ? (.zero, .seconds(20)) : (.milliseconds(1), .zero)
    }
    server.send(1, Self.monitor(0))
    server.pass()
    _ = try server.replies(1)
    server.sendTogether(isFollowed ? [(1, Self.durable), (0, Self.update)] : [(1, Self.durable)])
    server.pass(seconds: 10)
    var received = try server.received(1)
    #expect(received.contains { $0.contains("update2") && $0.contains("mine") })
    #expect(!received.contains { $0.contains(#""id":7"#) })
    server.pass(seconds: 21)
    received = try server.received(1)
    #expect(received.first?.contains(#""id":7"#) == true)
    #expect(received.contains { $0.contains("update2") } == isFollowed)
    server.check()
  }
}
