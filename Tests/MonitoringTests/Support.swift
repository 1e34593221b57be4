// SPDX-License-Identifier: Apache-2.0
//
// A client that keeps a copy of what its monitors tell it, and random changes to be told.

import Engine
import JSON
import Monitoring
import OVSDB

/// The generator splitmix64.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

/// The values of some columns of a row.
typealias CopiedRow = [String: Datum]

/// What a client knows: rows by table and name.
struct Copy: Equatable {
  var tables: [String: [String: CopiedRow]] = [:]

  /// Takes in `<table-updates>` of any kind, as a client does that trusts nobody: an update that does not fit is an error.
  mutating func apply(_ updates: JSONValue, schema: DatabaseSchema) throws {
    for (tableName, rows) in updates.members {
      guard let table = schema.table(tableName) else { throw CopyFault("no table") }
      for (uuid, update) in rows.members {
        guard let uuid = uuid.string, let name = tableName.string else { throw CopyFault("no name") }
        let old = tables[name]?[uuid]
        tables[name, default: [:]][uuid] = try Self.row(old, update, table)
      }
    }
  }

  private static func row(_ old: CopiedRow?, _ update: JSONValue, _ table: TableSchema) throws -> CopiedRow? {
    for (kind, value) in update.members {
      switch kind.string ?? "" {
      case "initial", "insert":
        guard old == nil else { throw CopyFault("inserted twice") }
        // Columns that are left out hold their defaults.
        var row = Dictionary(uniqueKeysWithValues: table.columns.map { ($0.name, $0.defaultDatum) })
        for (name, datum) in try columns(value, table, isDifference: false) { row[name] = datum }
        return row
      case "delete":
        guard old != nil else { throw CopyFault("deleted what is not there") }
        return nil
      case "modify":
        guard var row = old else { throw CopyFault("modified what is not there") }
        for (name, difference) in try columns(value, table, isDifference: true) {
          guard let column = table.column(named: name), let before = row[name] else { throw CopyFault("no column") }
          row[name] = try before.applying(difference: difference, type: column.type)
        }
        return row
      default: continue
      }
    }
    return try wholeRow(old, update, table)
  }

  private static func wholeRow(_ old: CopiedRow?, _ update: JSONValue, _ table: TableSchema) throws -> CopiedRow? {
    let before = try update.member("old").map { try columns($0, table, isDifference: false) }
    let after = try update.member("new").map { try columns($0, table, isDifference: false) }
    guard (before != nil) == (old != nil) else { throw CopyFault("old does not fit") }
    for (name, datum) in before ?? [:] where old?[name] != datum { throw CopyFault("\(name) was something else") }
    guard let after else { return nil }
    return (old ?? [:]).merging(after) { _, new in new }
  }

  private static func columns(_ json: JSONValue, _ table: TableSchema, isDifference: Bool) throws -> CopiedRow {
    var row: CopiedRow = [:]
    for (name, value) in json.members {
      guard let column = table.column(name), let text = name.string else { throw CopyFault("no column") }
      var type = column.type
      if isDifference, type.max > 1 { type = type.ofAnyCount }
      row[text] = try Datum(json: value, type: type, symbols: nil)
    }
    return row
  }
}

struct CopyFault: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// A session with monitors; it may be busy, so that its updates add up.
final class CopyingClient: MonitorClient {
  let schema: DatabaseSchema
  var acceptsUpdates = true
  var copies: [ObjectIdentifier: Copy] = [:]
  var notificationCount = 0
  var faults: [String] = []

  init(schema: DatabaseSchema) { self.schema = schema }

  func send(_ body: borrowing ByteWriter, for subscription: Subscription, commitID: UUID) {
    notificationCount += 1
    take(body.string, for: subscription)
  }

  func take(_ text: String, for subscription: Subscription) {
    do {
      if text == "{}" { throw CopyFault("an empty update") }
      let document = try JSONDocument.parse(text)
      try document.withRoot { try copies[ObjectIdentifier(subscription), default: Copy()].apply($0, schema: schema) }
    } catch {
      faults.append("\(error): \(text)")
    }
  }
}

func makeDatabase(_ tables: String, seed: UInt64 = 1) throws -> Database {
  let schema = try JSONDocument.parse("{\"name\":\"db\",\"tables\":\(tables)}").withRoot { try DatabaseSchema(json: $0) }
  return Database(schema: schema, random: RandomSource(seed: seed))
}

func specification(_ text: String, _ database: Database) throws -> MonitorSpecification {
  try JSONDocument.parse(text).withRoot { try MonitorSpecification(json: $0, schema: database.schema, allowsCondition: true) }
}

extension Database {
  /// Runs operations, given as the inside of an array.
  @discardableResult
  func run(_ operations: String) throws -> Commit? {
    let document = try JSONDocument.parse("[\"db\",\(operations)]")
    var writer = ByteWriter()
    let outcome = document.withRoot { transact(params: $0, context: TransactionContext(), into: &writer) }
    guard case .committed(let commit, _) = outcome else { throw CopyFault(writer.string) }
    return commit
  }
}
