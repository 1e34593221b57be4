// SPDX-License-Identifier: Apache-2.0
//
// A client that applies all it is told has the rows that it asked for, whatever the form of the updates and however often it was
// too busy to read.

import Engine
import FuzzTargets
import JSON
import Monitoring
import OVSDB
import TestSupport
import Testing

@Suite struct CopyTests {
  static let tables = """
    {"A":{"columns":{"n":{"type":"integer"},"s":{"type":"string"},
      "set":{"type":{"key":"integer","min":0,"max":"unlimited"}},
      "map":{"type":{"key":"string","value":"integer","min":0,"max":"unlimited"}},
      "few":{"type":{"key":"integer","min":1,"max":3}},"opt":{"type":{"key":"string","min":0}},
      "pair":{"type":{"key":"string","value":"integer","min":0,"max":1}},
      "peers":{"type":{"key":{"type":"uuid","refTable":"B","refType":"weak"},"min":0,"max":"unlimited"}}},"isRoot":true,
      "indexes":[["_uuid","n"]]},
    "B":{"columns":{"n":{"type":"integer"}},"isRoot":true}}
    """

  /// Random rows and changes of them.
  struct Changes {
    var generator: SeededRandom

    mutating func number(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }

    mutating func value(_ column: String) -> String {
      func elements(_ count: Int, _ make: () -> String) -> String {
        Set((0..<count).map { _ in make() }).sorted().joined(separator: ",")
      }
      switch column {
      case "n": return "\(number(5))"
      case "s": return "\"\(["", "a", "b", "c"][number(4)])\""
      case "set":
        let count = number(5)
        return "[\"set\",[\(elements(count) { "\(number(8))" })]]"
      case "few":
        let count = 1 + number(3)
        return "[\"set\",[\(elements(count) { "\(number(4))" })]]"
      case "map": return "[\"map\",[\((0..<number(4)).map { "[\"k\($0)\",\(number(3))]" }.joined(separator: ","))]]"
      case "opt": return number(2) == 0 ? "[\"set\",[]]" : "\"\(["", "x", "y"][number(3)])\""
      case "pair": return number(2) == 0 ? "[\"map\",[]]" : "[\"map\",[[\"k\(number(2))\",\(number(2))]]]"
      default:
        let count = number(3)
        return "[\"set\",[\(elements(count) { "[\"uuid\",\"\(CopyTests.uuid(number(6)))\"]" })]]"
      }
    }

    mutating func operations() -> String {
      (0..<(1 + number(4))).map { _ in operation() }.joined(separator: ",")
    }

    private mutating func operation() -> String {
      let target = "[\"_uuid\",\"==\",[\"uuid\",\"\(CopyTests.uuid(number(6)))\"]]"
      let condition = number(3) == 0 ? "[\"n\",\"==\",\(number(5))]" : target
      if number(5) == 0 {
        return number(2) == 0
          ? "{\"op\":\"delete\",\"table\":\"B\",\"where\":[\(target)]}"
          : "{\"op\":\"update\",\"table\":\"B\",\"where\":[\(condition)],\"row\":{\"n\":\(number(5))}}"
      }
      if number(5) == 0 { return "{\"op\":\"delete\",\"table\":\"A\",\"where\":[\(condition)]}" }
      let names = ["n", "s", "set", "map", "few", "opt", "pair", "peers"].filter { _ in number(3) == 0 }
      let row = names.map { "\"\($0)\":\(value($0))" }.joined(separator: ",")
      return "{\"op\":\"update\",\"table\":\"A\",\"where\":[\(condition)],\"row\":{\(row)}}"
    }

    /// Inserts of the rows that are missing, so that there is something to change.
    mutating func inserts(_ database: Database) -> String? {
      var operations: [String] = []
      for (table, columns) in [("A", ["n", "s", "set", "map", "few"]), ("B", ["n"])] {
        for position in 0..<6 where number(2) == 0 {
          let uuid = CopyTests.uuid(position)
          guard let schema = database.schema.table(named: table), database.tables[schema.index].rows[uuid] == nil else { continue }
          let row = columns.filter { _ in number(2) == 0 }.map { "\"\($0)\":\(value($0))" }.joined(separator: ",")
          operations.append("{\"op\":\"insert\",\"table\":\"\(table)\",\"uuid\":\"\(uuid)\",\"row\":{\(row)}}")
        }
      }
      return operations.isEmpty ? nil : operations.joined(separator: ",")
    }
  }

  static func uuid(_ number: Int) -> UUID { UUID(high: 0x4000, low: UInt64(number)) }

  static let requests = [
    #"{"A":{},"B":{}}"#, #"{"A":{"columns":["n","s"]}}"#, #"{"A":{"columns":[]}}"#,
    #"{"A":{"where":[["n","==",1]]},"B":{"where":[["n",">",2]]}}"#,
    #"{"A":{"columns":["set","map"],"where":[["s","==","a"],["n","==",2],["s","includes","b"]]}}"#,
    #"{"A":{"where":[["set","includes",3]]}}"#, #"{"A":{"where":[["map","excludes",["map",[["k0",1]]]]]}}"#,
    #"{"A":{"where":[["_uuid","==",["uuid","00000000-0000-4000-0000-000000000002"]]]}}"#, #"{"A":{"where":[false]}}"#,
    #"{"A":{"where":[["opt","==","x"],["opt","==",["set",[]]],["set","==",["set",[1,2]]]],"columns":["opt","peers"]}}"#,
    #"{"A":{"where":[["n","<",3],["n",">=",4]],"columns":["pair","few","_version"]}}"#,
  ]

  /// Documentation/protocol/monitors.md: `update` and `update2` each carry a client's copy from the initial contents through every change.
  @Test(arguments: 0..<30 as Range<UInt64>)
  func applyingEveryUpdateGivesTheRowsAskedFor(_ seed: UInt64) throws {
    let database = try makeDatabase(Self.tables, seed: seed)
    let hub = MonitorHub(schema: database.schema)
    let client = CopyingClient(schema: database.schema)
    let busyClient = CopyingClient(schema: database.schema)
    var changes = Changes(generator: SeededRandom(seed: seed))
    if let inserts = changes.inserts(database) { try database.run(inserts) }

    var subscriptions: [Subscription] = []
    for (position, request) in Self.requests.enumerated() {
      for format in [UpdateFormat.update, .update2, .update3] {
        for client in [client, busyClient] {
          let subscription = hub.subscribe(
            try specification(request, database), id: "\(position)", format: format, client: client)
          var writer = ByteWriter()
          subscription.group.specification.writeInitialContents(of: database.snapshot, format: format, to: &writer)
          if writer.string != "{}" { client.take(writer.string, for: subscription) }
          subscriptions.append(subscription)
        }
      }
    }
    for step in 0..<60 {
      busyClient.acceptsUpdates = step % 7 == 6
      let text = step % 5 == 0 ? changes.inserts(database) ?? changes.operations() : changes.operations()
      guard let commit = try database.run(text) else { continue }
      hub.publish(commit, database)
      try check(subscriptions.filter { $0.client === client }, client, database, "seed \(seed) step \(step): \(text)")
      if busyClient.acceptsUpdates {
        let owed = subscriptions.filter { $0.client === busyClient }
        for subscription in owed { hub.drain(subscription, database) }
        try check(owed, busyClient, database, "busy, seed \(seed) step \(step)")
      }
    }
    #expect(client.notificationCount > busyClient.notificationCount)
    for subscription in subscriptions { hub.unsubscribe(subscription) }
    #expect(hub.groupCount == 0)
    #expect(hub.subscriptionCount == 0)
  }

  private func check(
    _ subscriptions: [Subscription], _ client: CopyingClient, _ database: Database, _ comment: Comment
  ) throws {
    #expect(client.faults == [], comment)
    for subscription in subscriptions {
      let copy = client.copies[ObjectIdentifier(subscription)] ?? MonitorCopy()
      let specification = subscription.group.specification
      for monitored in specification.tables {
        let expected = rows(of: monitored, database)
        let known = copy.tables[monitored.table.name] ?? [:]
        let names = Set(monitored.columns.map(\.column.name))
        let reduced = known.mapValues { $0.filter { names.contains($0.key) } }
        if reduced != expected {
          Issue.record("\(comment) \(subscription.format) \(specification)\n\(reduced)\n\(expected)")
          return
        }
      }
    }
  }

  /// What the monitor has to show, found by looking at every row.
  private func rows(of monitored: MonitoredTable, _ database: Database) -> [String: CopiedRow] {
    var rows: [String: CopiedRow] = [:]
    for (uuid, row) in database.tables[monitored.table.index].rows {
      let clauses = monitored.condition.condition.clauses
      guard clauses.isEmpty || clauses.contains(where: { $0.holds { row[$0] } }) else { continue }
      rows[uuid.description] = Dictionary(uniqueKeysWithValues: monitored.columns.map { ($0.column.name, row[$0.column]) })
    }
    return rows
  }

  /// Documentation/protocol/monitors.md#monitor_cond_change: what enters and leaves carries a copy from one condition to the other.
  @Test(arguments: 0..<30 as Range<UInt64>)
  func changingConditionsTellsWhatEntersAndLeaves(_ seed: UInt64) throws {
    let database = try makeDatabase(Self.tables, seed: seed)
    let hub = MonitorHub(schema: database.schema)
    let client = CopyingClient(schema: database.schema)
    var changes = Changes(generator: SeededRandom(seed: seed))
    if let inserts = changes.inserts(database) { try database.run(inserts) }
    let subscription = hub.subscribe(try specification(#"{"A":{},"B":{}}"#, database), id: "m", format: .update2, client: client)
    var writer = ByteWriter()
    subscription.group.specification.writeInitialContents(of: database.snapshot, format: .update2, to: &writer)
    if writer.string != "{}" { client.take(writer.string, for: subscription) }
    let conditions = [
      #"[["n","==",1]]"#, "[]", "[false]", "[true]", #"[["s","==","a"],["n",">",2]]"#, #"[["set","includes",2]]"#,
    ]
    for step in 0..<60 {
      if step % 3 == 0 {
        let previous = subscription.group.specification
        let condition = conditions[changes.number(conditions.count)]
        let changed = try JSONDocument.parse("{\"A\":[{\"where\":\(condition)}]}").withRoot {
          try previous.changingConditions(json: $0, schema: database.schema)
        }
        hub.move(subscription, to: changed)
        var writer = ByteWriter()
        let hasChanges = changed.writeConditionChange(from: previous, in: database.snapshot, format: .update2, to: &writer)
        #expect(hasChanges == (writer.string != "{}"))
        if hasChanges { client.take(writer.string, for: subscription) }
      } else if let commit = try database.run(changes.inserts(database) ?? changes.operations()) {
        hub.publish(commit, database)
      }
      try check([subscription], client, database, "seed \(seed) step \(step)")
    }
  }
}
