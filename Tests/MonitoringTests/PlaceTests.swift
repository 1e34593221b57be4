// SPDX-License-Identifier: Apache-2.0
//
// Clients that stop reading, and updates that many are told.

import Engine
import JSON
import Monitoring
import OVSDB
import Testing

/// Documentation/reliability.md#bounded-memory: what a client is owed that does not read is a place, and an update is encoded once.
@Suite struct PlaceTests {
  private let database: Database
  private let hub: MonitorHub
  private let client: CopyingClient
  private var history: History

  init() throws {
    database = try makeDatabase(HubTests.tables)
    hub = MonitorHub(schema: database.schema)
    client = CopyingClient(schema: database.schema)
    history = History(baseID: database.lastCommitID)
  }

  private func subscribe(_ request: String = #"{"A":{"columns":["n","s"]}}"#, _ format: UpdateFormat = .update2) throws -> Subscription {
    hub.subscribe(try specification(request, database), id: "m", format: format, client: client)
  }

  private mutating func run(_ operations: String) throws {
    let commit = try #require(try database.run(operations))
    history.append(commit, databaseBytes: database.byteCount)
    hub.publish(commit, database)
  }

  private static func inserts(_ numbers: Range<Int>) -> String {
    numbers.map { #"{"op":"insert","table":"A","row":{"n":\#($0)}}"# }.joined(separator: ",")
  }

  /// Equal monitors that stop at the same commit share one place, whatever the commits are that follow.
  @Test mutating func whoStopsAtTheSameTimeSharesAPlace() throws {
    let subscriptions = try (0..<1000).map { _ in try subscribe() }
    client.acceptsUpdates = false
    try run(Self.inserts(0..<100))
    let place = try #require(subscriptions[0].place)
    #expect(subscriptions.allSatisfy { $0.place === place })
    // What a commit stores is its own rows, once for the group.
    #expect(hub.storedChanges == 100)
    try run(#"{"op":"update","table":"A","where":[],"row":{"s":"x"}}"#)
    #expect(subscriptions.allSatisfy { $0.place === place })
    #expect(client.owed.count == 1000)

    let later = try subscribe()
    try run(#"{"op":"delete","table":"A","where":[["n","<",50]]}"#)
    #expect(later.place !== place && later.place?.sequence == 2)
    client.acceptsUpdates = true
    for subscription in subscriptions[..<10] { hub.drain(subscription, database, history) }
    #expect(client.faults == [])
    #expect(client.copies[ObjectIdentifier(subscriptions[0])]?.tables["A"]?.count == 50)
  }

  /// The sum is the same whether the commits are remembered or all rows are compared.
  @Test(arguments: [true, false]) mutating func aSumIsFoundFromCommitsOrByComparing(isRemembered: Bool) throws {
    let subscription = try subscribe()
    try run(Self.inserts(0..<20))
    client.acceptsUpdates = false
    try run(#"{"op":"update","table":"A","where":[["n","<",3]],"row":{"s":"x"}}"#)
    try run(#"{"op":"delete","table":"A","where":[["n",">",15]]}"# + "," + Self.inserts(30..<32))
    try run(#"{"op":"delete","table":"A","where":[["n","==",30]]}"#)
    let known = try #require(client.copies[ObjectIdentifier(subscription)]?.tables["A"])
    #expect(known.count == 20)
    client.acceptsUpdates = true
    let count = client.notificationCount
    hub.drain(subscription, database, isRemembered ? history : nil)
    #expect(client.notificationCount == count + 1)
    #expect(client.faults == [])
    let copy = try #require(client.copies[ObjectIdentifier(subscription)]?.tables["A"])
    #expect(copy.count == 17)
    #expect(copy.values.filter { $0["s"] == .string(Text("x")) }.count == 3)
  }

  /// A large update is made by whoever sends it, once for all whose updates have the same key.
  @Test mutating func equalMonitorsAreToldALargeUpdateByOneKey() throws {
    hub.inlineRowsMax = 10
    var keys: [LargeUpdate.Key] = []
    client.noteKey = { keys.append($0) }
    let subscriptions = try [UpdateFormat.update2, .update3, .update, .update2].map { try subscribe(#"{"A":{}}"#, $0) }
    try run(Self.inserts(0..<10))
    #expect(client.largeCount == 0)
    try run(Self.inserts(10..<21))
    #expect(client.largeCount == 4)
    #expect(keys[0] == keys[1] && keys[0] == keys[3] && keys[0] != keys[2])
    for subscription in subscriptions { #expect(client.copies[ObjectIdentifier(subscription)]?.tables["A"]?.count == 21) }
    #expect(client.faults == [])
  }

  /// Long values make an update large as many rows do.
  @Test mutating func anUpdateOfManyBytesIsLarge() throws {
    hub.inlineBytesMax = 1000
    _ = try subscribe()
    try run(#"{"op":"insert","table":"A","row":{"s":"\#(String(repeating: "x", count: 2000))"}}"#)
    #expect(client.largeCount == 1)
    try run(#"{"op":"insert","table":"A","row":{"s":"\#(String(repeating: "x", count: 200))"}}"#)
    #expect(client.largeCount == 1)
    #expect(client.faults == [])
  }

  /// However many clients are told of one commit, the bytes that are copied for them are bounded; the others share.
  @Test mutating func theBytesThatOneCommitCopiesAreBounded() throws {
    let subscriptions = try (0..<1000).map { _ in try subscribe() }
    try run(#"{"op":"insert","table":"A","row":{"s":"\#(String(repeating: "x", count: 20_000))"}}"#)
    let copied = subscriptions.count - client.largeCount
    #expect(copied * 20_000 <= 4 << 20 && copied > 100)
    #expect(client.notificationCount == 1000)
    #expect(client.faults == [])
  }

  /// A large commit that was made elsewhere is owed to everybody it may concern, since one place.
  @Test mutating func aCommitMadeElsewhereIsOwedByAll() throws {
    let (one, other) = (try subscribe(), try subscribe(#"{"A":{"where":[["n","<",3]]}}"#))
    try run(Self.inserts(0..<5))
    let before = database.snapshot
    let commit = try #require(try database.run(#"{"op":"delete","table":"A","where":[["n","<",2]]}"#))
    hub.publishLarge(commit, before: before)
    #expect(one.place != nil && one.place === other.place)
    for subscription in [one, other] { hub.drain(subscription, database) }
    #expect(client.copies[ObjectIdentifier(one)]?.tables["A"]?.count == 3)
    #expect(client.copies[ObjectIdentifier(other)]?.tables["A"]?.count == 1)
    #expect(client.faults == [])
  }
}
