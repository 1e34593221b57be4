// SPDX-License-Identifier: Apache-2.0
//
// The index of conditions finds the monitors that a changed row concerns: exactly those that a look at each condition finds, at the cost
// of what it finds.

import Engine
import FuzzTargets
import JSON
import OVSDB
import TestSupport
import Testing

@testable import Monitoring

@Suite struct ConditionIndexTests {
  private struct World {
    let database: Database
    let hub: MonitorHub
    let client: CopyingClient
    var text: ConditionText

    init(seed: UInt64) throws {
      database = try makeDatabase("{\(ConditionText.table)}", seed: seed)
      hub = MonitorHub(schema: database.schema)
      client = CopyingClient(schema: database.schema)
      text = ConditionText(seed: seed)
    }

    var table: TableSchema { database.tables[0].schema }

    func subscribe(_ request: String, id: String = "m") throws -> Subscription {
      hub.subscribe(try specification(request, database), id: id, format: .update2, client: client)
    }
  }

  /// Monitors come and go, and change their conditions, while rows change.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func itFindsWhatALookAtEachConditionFinds(_ seed: UInt64) throws {
    var world = try World(seed: seed)
    var index = ConditionIndex<MonitorGroup>()
    var groups: [MonitorGroup] = []
    var stamp: UInt64 = 0
    for step in 0..<150 {
      if groups.count < 40, world.text.random.chance(60) {
        // The columns make groups with equal conditions different ones.
        let columns = world.text.random.pick([#""columns":["i"],"#, #""columns":["s"],"#, ""])
        let group = try world.subscribe("{\"T\":{\(columns)\"where\":\(world.text.condition(clausesMax: 7))}}").group
        if groups.contains(where: { $0 === group }) { continue }
        index.add(group, position: 0, group.specification.tables[0].condition.alternatives)
        groups.append(group)
      } else if !groups.isEmpty, world.text.random.chance(40) {
        let group = groups.remove(at: world.text.random.below(groups.count))
        index.remove(group, group.specification.tables[0].condition.alternatives)
      }
      let change = try rowChange(&world)
      var found: [Interest<MonitorGroup>] = []
      var work = 0
      stamp += 1
      index.gather(change, stamp: stamp, into: &found, work: &work)
      #expect(Set(found.map { ObjectIdentifier($0.holder) }).count == found.count, "seed \(seed) step \(step): found twice")
      for group in groups {
        let condition = group.specification.tables[0].condition.condition
        var expected: RowStates = []
        if let old = change.old, condition.anyHolds({ old[$0] }) { expected.insert(.old) }
        if let new = change.new, condition.anyHolds({ new[$0] }) { expected.insert(.new) }
        let states = found.contains { $0.holder === group } ? group.matches : []
        if states != expected { Issue.record("seed \(seed) step \(step): \(states) for \(condition)") }
      }
    }
    for group in groups { index.remove(group, group.specification.tables[0].condition.alternatives) }
    #expect(index.isEmpty)
  }

  private func rowChange(_ world: inout World) throws -> RowChange {
    let uuid = try #require(UUID(ConditionText.uuid(world.text.random.below(8))))
    let old = world.text.random.chance(70) ? try row("{\(world.text.row())}", uuid, world.table) : nil
    guard let old else { return RowChange(uuid: uuid, old: nil, new: try row("{\(world.text.row())}", uuid, world.table), changed: ColumnSet()) }
    if world.text.random.chance(30) { return RowChange(uuid: uuid, old: old, new: nil, changed: ColumnSet()) }
    let new = old.copied()
    let values = "{\(world.text.someColumns())}"
    var changed = ColumnSet()
    try JSONDocument.parse(values).withRoot { root in
      for (name, value) in root.members {
        let column = try #require(world.table.column(name))
        new.set(column, to: try Datum(json: value, column: column, symbols: nil))
        if old[column] != new[column] { changed.insert(column.index) }
      }
    }
    return RowChange(uuid: uuid, old: old, new: new, changed: changed)
  }

  private func row(_ text: String, _ uuid: UUID, _ table: TableSchema) throws -> Row {
    let row = Row.make(table: table, uuid: uuid, fields: table.columns.map(\.defaultDatum))
    try JSONDocument.parse(text).withRoot { root in
      for (name, value) in root.members {
        let column = try #require(table.column(name))
        row.set(column, to: try Datum(json: value, column: column, symbols: nil))
      }
    }
    return row
  }

  /// What each monitor is told adds up to the rows of its condition, also of those that wait and those whose condition changes.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func everyMonitorIsToldTheRowsOfItsCondition(_ seed: UInt64) throws {
    var world = try World(seed: seed)
    let busy = CopyingClient(schema: world.database.schema)
    var subscriptions: [Subscription] = []
    for number in 0..<30 {
      let request = "{\"T\":{\"where\":\(world.text.condition(clausesMax: 6))}}"
      let client = number % 2 == 0 ? world.client : busy
      let format: UpdateFormat = number % 3 == 0 ? .update : .update2
      subscriptions.append(
        world.hub.subscribe(try specification(request, world.database), id: "\(number)", format: format, client: client))
    }
    for step in 0..<50 {
      busy.acceptsUpdates = step % 5 == 4
      let uuid = ConditionText.uuid(world.text.random.below(8))
      let exists = world.database.tables[0].rows[try #require(UUID(uuid))] != nil
      let condition = #"[["_uuid","==",["uuid","\#(uuid)"]]]"#
      let operation =
        !exists
        ? #"{"op":"insert","table":"T","uuid":"\#(uuid)","row":{\#(world.text.row())}}"#
        : world.text.random.chance(20)
          ? #"{"op":"delete","table":"T","where":\#(condition)}"#
          : #"{"op":"update","table":"T","where":\#(condition),"row":{\#(world.text.someColumns())}}"#
      if let commit = try world.database.run(operation) { world.hub.publish(commit, world.database) }
      if busy.acceptsUpdates {
        for subscription in subscriptions {
          world.hub.drain(subscription, world.database)
        }
        if step % 10 == 9 { try changeCondition(of: world.text.random.pick(subscriptions), &world) }
        for subscription in subscriptions { try check(subscription, world.database, "seed \(seed) step \(step): \(operation)") }
      }
    }
    for subscription in subscriptions { world.hub.unsubscribe(subscription) }
    #expect(world.hub.groupCount == 0)
  }

  private func changeCondition(of subscription: Subscription, _ world: inout World) throws {
    let previous = subscription.group.specification
    let text = "{\"T\":[{\"where\":\(world.text.condition(clausesMax: 6))}]}"
    let changed = try JSONDocument.parse(text).withRoot { try previous.changingConditions(json: $0, schema: world.database.schema) }
    world.hub.move(subscription, to: changed)
    var writer = ByteWriter()
    if changed.writeConditionChange(from: previous, in: world.database.snapshot, format: subscription.format, to: &writer) {
      (subscription.client as? CopyingClient)?.take(writer.string, for: subscription)
    }
  }

  private func check(_ subscription: Subscription, _ database: Database, _ comment: Comment) throws {
    let client = try #require(subscription.client as? CopyingClient)
    #expect(client.faults == [], comment)
    let table = subscription.group.specification.tables[0]
    let known = client.copies[ObjectIdentifier(subscription)]?.tables["T"] ?? [:]
    let expected = database.tables[0].rows.values.filter { row in table.condition.condition.anyHolds { row[$0] } }
    #expect(Set(known.keys) == Set(expected.map { "\($0.uuid)" }), comment)
    let isComplete = expected.allSatisfy { row in row.table.columns.allSatisfy { known["\(row.uuid)"]?[$0.name] == row[$0] } }
    #expect(isComplete, comment)
  }

  // MARK: - Cost

  /// Conditions of each kind, the number in them, and a row that none of them shows.
  static let kinds = [
    #"[["i","==",%]]"#, #"[["i","<",-%]]"#, #"[["i","<=",-%]]"#, #"[["i",">",%]]"#, #"[["i",">=",%]]"#, #"[["r",">",%]]"#,
    #"[["oi","<",-%]]"#, #"[["s","includes","x%"]]"#, #"[["s","==","x%"],["s","==","y%"]]"#, #"[["os","includes","x%"]]"#,
    #"[["is","includes",["set",[1,%]]]]"#, #"[["ss","includes",["set",["a","x%"]]]]"#, #"[["sm","includes",["map",[["a",%]]]]]"#,
    #"[["im","==",["map",[[%,"a"]]]]]"#, #"[["i","!=",0],["i","<",-%]]"#, #"[["is","excludes",["set",[1,%]]]]"#,
    #"[["sm","excludes",["map",[["a",1],["b",%]]]]]"#, #"[["ss","excludes",["set",["a"]]],["i",">",%]]"#,
  ]

  /// Rows that no condition of the kinds above shows.
  private static let row =
    #""i":0,"r":0.5,"s":"a","ss":["set",["a","b"]],"is":["set",[1,2,3]],"sm":["map",[["a",1],["c",3]]],"im":["map",[[1,"a"]]]"#

  /// - Returns: units of work for a commit: values that are read into a row and written to the log, and the look-ups in conditions.
  private func cost(of groupCount: Int, _ kinds: [String]) throws -> Int {
    let world = try World(seed: 1)
    for kind in kinds {
      for number in 0..<groupCount {
        let condition = kind.replacing("%", with: "\(number + 10)")
        // `!=` and `excludes` are often equal in many groups, which then differ elsewhere.
        _ = try world.subscribe("{\"T\":{\"columns\":[\"i\"],\"where\":\(condition)}}", id: "\(number)")
      }
    }
    #expect(world.hub.groupCount == groupCount * kinds.count)
    let values = #"\#(Self.row),"um":["map",[[["uuid","\#(ConditionText.uuid(1))"],["uuid","\#(ConditionText.uuid(1))"]]]]"#
    let inserts = (0..<8).map { #"{"op":"insert","table":"T","uuid":"\#(ConditionText.uuid($0))","row":{\#(values)}}"# }
    let commit = try #require(try world.database.run(inserts.joined(separator: ",")))
    world.hub.publish(commit, world.database)
    #expect(world.client.notificationCount == 0)
    return commit.tables[0].rows.count * 2 * ConditionText.columns.count + world.hub.work
  }

  /// Documentation/architecture.md#what-always-holds, 8.
  @Test(arguments: kinds)
  func tenThousandConditionsThatMatchNothingAtMostDoubleTheCostOfACommit(_ kind: String) throws {
    #expect(try cost(of: 10_000, [kind]) <= 2 * cost(of: 0, [kind]))
  }

  @Test func conditionsOfAllKindsThatMatchNothingAtMostDoubleTheCostOfACommit() throws {
    #expect(try cost(of: 1000, Self.kinds) <= 2 * cost(of: 0, Self.kinds))
  }

  /// Memory grows with what conditions match, not with monitors times rows.
  @Test func nothingIsStoredForAMonitorThatIsOwedNothing() throws {
    let world = try World(seed: 1)
    for request in [#"{"T":{"where":[["i",">",100]]}}"#, #"{"T":{"columns":["s"]}}"#, #"{"T":{"columns":["i"]}}"#] {
      _ = try world.subscribe(request)
    }
    let values = #""um":["map",[[["uuid","\#(ConditionText.uuid(1))"],["uuid","\#(ConditionText.uuid(1))"]]]]"#
    world.hub.publish(try #require(try world.database.run(#"{"op":"insert","table":"T","row":{\#(values)}}"#)), world.database)
    #expect(world.client.notificationCount == 2)
    world.hub.publish(try #require(try world.database.run(#"{"op":"update","table":"T","where":[],"row":{"i":7}}"#)), world.database)
    #expect(world.client.notificationCount == 3)
    #expect(world.hub.storedChanges == 3)
  }
}
