// SPDX-License-Identifier: Apache-2.0
//
// Groups, backlogs and the history.

import Engine
import JSON
import Monitoring
import OVSDB
import Testing

@Suite struct HubTests {
  static let tables = #"{"A":{"columns":{"n":{"type":"integer"},"s":{"type":"string"}},"isRoot":true}}"#

  private func insert(_ number: Int) -> String {
    #"{"op":"insert","table":"A","uuid":"\#(UUID(high: 0x4000, low: UInt64(number)))","row":{"n":\#(number)}}"#
  }

  /// Documentation/architecture.md#decisions: equal monitors are one group, however their requests are spelt.
  @Test func equalMonitorsAreOneGroup() throws {
    let database = try makeDatabase(Self.tables)
    let hub = MonitorHub(schema: database.schema)
    let client = CopyingClient(schema: database.schema)
    let subscriptions = try [
      #"{"A":{"columns":["n","s"]}}"#, #"{"A":[{"columns":["s","n"]}]}"#, #"{"A":[{"columns":["s"]},{"columns":["n"]}]}"#,
      #"{"A":{"columns":["n","s"],"where":[]}}"#, #"{"A":{"columns":["n"]}}"#, #"{"A":{"columns":["n"],"where":[["n","==",1]]}}"#,
    ].map { hub.subscribe(try specification($0, database), id: "m", format: .update2, client: client) }
    #expect(hub.groupCount == 3)
    #expect(hub.subscriptionCount == 6)
    let commit = try #require(try database.run(insert(1)))
    hub.publish(commit, database)
    #expect(client.notificationCount == 6)
    let other = try #require(try database.run(insert(2)))
    hub.publish(other, database)
    #expect(client.notificationCount == 11)
    for subscription in subscriptions { hub.unsubscribe(subscription) }
    #expect(hub.groupCount == 0)
  }

  /// Documentation/protocol/monitors.md#order: changes of a client that does not read are added up by row.
  @Test func aBacklogIsTheSumOfItsCommits() throws {
    let database = try makeDatabase(Self.tables)
    let hub = MonitorHub(schema: database.schema)
    let client = CopyingClient(schema: database.schema)
    let subscription = hub.subscribe(try specification(#"{"A":{"columns":["n","s"]}}"#, database), id: "m", format: .update2, client: client)
    client.acceptsUpdates = false
    for operation in [
      insert(1), insert(2), #"{"op":"update","table":"A","where":[["n","==",1]],"row":{"s":"x"}}"#,
      #"{"op":"delete","table":"A","where":[["n","==",2]]}"#, #"{"op":"update","table":"A","where":[["n","==",1]],"row":{"s":"y"}}"#,
    ] {
      let commit = try #require(try database.run(operation))
      hub.publish(commit, database)
    }
    #expect(client.notificationCount == 0)
    #expect(subscription.place?.sequence == 0)
    #expect(client.owed.count == 1)
    client.acceptsUpdates = true
    hub.drain(subscription, database)
    #expect(subscription.place == nil)
    #expect(client.notificationCount == 1)
    #expect(client.copies[ObjectIdentifier(subscription)]?.tables["A"]?.count == 1)
    #expect(client.faults == [])
    hub.drain(subscription, database)
    #expect(client.notificationCount == 1)
  }

  /// A row that went and came back as it was is no news.
  @Test func aBacklogWithoutNetEffectSendsNothing() throws {
    let database = try makeDatabase(Self.tables)
    try database.run(insert(1))
    let hub = MonitorHub(schema: database.schema)
    let client = CopyingClient(schema: database.schema)
    let subscription = hub.subscribe(try specification(#"{"A":{"columns":["n","s"]}}"#, database), id: "m", format: .update, client: client)
    client.acceptsUpdates = false
    for operation in [
      #"{"op":"update","table":"A","where":[],"row":{"s":"x"}}"#, #"{"op":"update","table":"A","where":[],"row":{"s":""}}"#,
    ] {
      hub.publish(try #require(try database.run(operation)), database)
    }
    client.acceptsUpdates = true
    hub.drain(subscription, database)
    #expect(client.notificationCount == 0)
  }

  /// Documentation/architecture.md#what-always-holds, 5: a commit whose record could not be written was never seen.
  @Test func aCommitThatIsTakenBackIsNotOwed() throws {
    let database = try makeDatabase(Self.tables)
    let hub = MonitorHub(schema: database.schema)
    let client = CopyingClient(schema: database.schema)
    let subscription = hub.subscribe(try specification(#"{"A":{}}"#, database), id: "m", format: .update2, client: client)
    client.acceptsUpdates = false
    hub.publish(try #require(try database.run(insert(1))), database)
    let previousID = database.lastCommitID
    let commit = try #require(try database.run(insert(2) + #",{"op":"update","table":"A","where":[["n","==",1]],"row":{"s":"x"}}"#))
    hub.publish(commit, database)
    database.undo(commit, previousID: previousID)
    client.acceptsUpdates = true
    hub.drain(subscription, database)
    #expect(client.copies[ObjectIdentifier(subscription)]?.tables["A"]?.values.first?["s"] == .string(.empty))
    #expect(client.faults == [])
  }

  /// Documentation/protocol/monitors.md#monitor_cond_since: a client gets what it missed since the last
  /// id it knew, as far back as the history goes.
  @Test func theHistoryReachesBackToWhatItHolds() throws {
    let database = try makeDatabase(Self.tables)
    let base = database.lastCommitID
    var history = History(baseID: base)
    var ids = [base]
    for number in 0..<20 {
      let commit = try #require(try database.run(insert(number)))
      history.append(commit, databaseBytes: database.byteCount)
      ids.append(commit.id)
    }
    #expect(history.count == 20)
    for (position, id) in ids.enumerated() {
      #expect(history.commits(after: id).map { $0.map(\.id) } == Array(ids[(position + 1)...]))
    }
    #expect(history.commits(after: UUID(high: 1, low: 1)) == nil)

    history.remove(try #require(history.commits(after: ids[19])?.last), previousID: ids[19])
    #expect(history.commits(after: ids[20]) == nil)
    #expect(history.commits(after: ids[19])?.count == 0)
    #expect(history.checkInvariants() == [])
  }

  /// Documentation/reliability.md#bounded-memory: the history is bounded by bytes, whatever the number of commits and atoms.
  @Test func theHistoryIsBoundedByBytes() throws {
    let database = try makeDatabase(Self.tables)
    try database.run(insert(1))
    let limit = 1 << 20
    var history = History(baseID: database.lastCommitID, bytesMax: limit)
    func update(bytes: Int, n: Int = 0) throws -> (Commit, previousID: UUID) {
      let previousID = database.lastCommitID
      let text = String(repeating: "x", count: bytes - 1) + "\(n % 10)"
      let commit = try #require(
        try database.run(#"{"op":"update","table":"A","where":[],"row":{"n":\#(n),"s":"\#(text)"}}"#))
      history.append(commit, databaseBytes: database.byteCount)
      #expect(history.byteCount <= limit)
      #expect(history.checkInvariants() == [])
      return (commit, previousID)
    }
    // One atom each, a quarter of the limit: what a commit keeps is the old value.
    for n in 1...20 { _ = try update(bytes: limit / 4 - 2000, n: n) }
    #expect(history.count == 4)
    // The value stays as it was, and both rows share it.
    let known = database.lastCommitID
    for n in [30, 40, 50, 60, 70, 80] { _ = try update(bytes: limit / 4 - 2000, n: n) }
    #expect(history.commits(after: known)?.count == 6)

    // A commit above the limit is not kept, nor what was before it, also after it was taken back.
    _ = try update(bytes: 2 * limit, n: 1)
    let (commit, previousID) = try update(bytes: 10, n: 2)
    #expect(history.count == 0)
    #expect(history.commits(after: commit.id)?.count == 0)
    #expect(history.commits(after: previousID) == nil)
    history.remove(commit, previousID: previousID)
    database.undo(commit, previousID: previousID)
    #expect(history.commits(after: previousID)?.count == 0)
    _ = try update(bytes: 10, n: 3)
    _ = try update(bytes: 10, n: 4)
    #expect(history.count == 1)
  }

  /// Beside a large database more is remembered, up to a quarter of it.
  @Test func theHistoryMayTakeAQuarterOfTheDatabase() throws {
    let database = try makeDatabase(Self.tables)
    let history = History(baseID: database.lastCommitID)
    #expect(history.limit(databaseBytes: 0) == 8 << 20)
    #expect(history.limit(databaseBytes: 1 << 30) == 1 << 28)
    let bytes = database.byteCount
    try database.run(insert(1))
    #expect(database.byteCount > bytes + 100)
    try database.run(#"{"op":"update","table":"A","where":[],"row":{"s":"\#(String(repeating: "x", count: 100_000))"}}"#)
    #expect(database.byteCount > bytes + 100_000 && database.byteCount < bytes + 101_000)
    try database.run(#"{"op":"delete","table":"A","where":[]}"#)
    #expect(database.byteCount == bytes)
  }

  /// A busy client is told rows it sees, not every row that changed.
  @Test func aBusyClientIsToldRowsOfItsCondition() throws {
    let database = try makeDatabase(Self.tables)
    let hub = MonitorHub(schema: database.schema)
    let client = CopyingClient(schema: database.schema)
    let subscription = hub.subscribe(
      try specification(#"{"A":{"where":[["n",">",90]]}}"#, database), id: "m", format: .update2, client: client)
    client.acceptsUpdates = false
    for number in 0..<100 { hub.publish(try #require(try database.run(insert(number))), database) }
    hub.publish(try #require(try database.run(#"{"op":"mutate","table":"A","where":[["n","<",3]],"mutations":[["n","+=",98]]}"#)), database)
    hub.publish(try #require(try database.run(#"{"op":"delete","table":"A","where":[["n",">",95]]}"#)), database)
    client.acceptsUpdates = true
    hub.drain(subscription, database)
    #expect(client.faults == [])
    #expect(client.copies[ObjectIdentifier(subscription)]?.tables["A"]?.count == 5)
  }

  /// Documentation/protocol/monitors.md#monitor_cond_change: a busy client gets the pending changes before its conditions change.
  @Test func whatIsOwedIsToldBeforeConditionsChange() throws {
    let database = try makeDatabase(Self.tables)
    try database.run(insert(1))
    let hub = MonitorHub(schema: database.schema)
    let client = CopyingClient(schema: database.schema)
    let previous = try specification(#"{"A":{"where":[["n","==",1]]}}"#, database)
    let subscription = hub.subscribe(previous, id: "m", format: .update2, client: client)
    var writer = ByteWriter()
    previous.writeInitialContents(of: database.snapshot, format: .update2, to: &writer)
    client.take(writer.string, for: subscription)
    client.acceptsUpdates = false
    hub.publish(try #require(try database.run(#"{"op":"update","table":"A","where":[],"row":{"n":2}}"#)), database)
    hub.rename(subscription, id: "n")
    #expect(subscription.place != nil)

    let changed = try specification(#"{"A":{"where":[["n",">",0]]}}"#, database)
    hub.drain(subscription, database)
    hub.move(subscription, to: changed)
    #expect(subscription.place == nil)
    #expect(client.copies[ObjectIdentifier(subscription)]?.tables["A"]?.isEmpty == true)
    writer.removeAll()
    #expect(changed.writeConditionChange(from: previous, in: database.snapshot, format: .update2, to: &writer))
    client.take(writer.string, for: subscription)
    #expect(client.faults == [])
    #expect(client.copies[ObjectIdentifier(subscription)]?.tables["A"]?.count == 1)
  }

  /// A monitor that was given another id goes on under it.
  @Test func renamedMonitorsGoOn() throws {
    let database = try makeDatabase(Self.tables)
    let hub = MonitorHub(schema: database.schema)
    let client = CopyingClient(schema: database.schema)
    let subscription = hub.subscribe(try specification(#"{"A":{}}"#, database), id: "m", format: .update2, client: client)
    let renamed = hub.rename(subscription, id: "n")
    hub.publish(try #require(try database.run(insert(1))), database)
    #expect(renamed.id == "n")
    #expect(client.copies[ObjectIdentifier(renamed)]?.tables["A"]?.count == 1)
    hub.unsubscribe(renamed)
    #expect(hub.groupCount == 0)
  }
}
