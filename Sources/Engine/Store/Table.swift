// SPDX-License-Identifier: Apache-2.0
//
// The contents of one table and what is known about them: rows by UUID, rows by index, how often each row is referenced. All of it
// is persistent maps, so a copy of a `Table` is a snapshot and costs nothing.

import HashTreeCollections
import OVSDB

/// One table's contents.
///
/// Invariants, checked by `Database.checkInvariants()`:
/// 1. `strongCounts[u]` is the number of strong references to row u from other rows; rows without any have no entry.
/// 2. `weakReferrers[u]` names each column of each row that weakly references u; rows without any have no entry.
///    `weakReferenceCount` is the number of all of them.
/// 3. `indexes[i]` maps the values of the i-th index of the schema to the only row that has them.
/// 4. `atomCount` and `rowBytes` are the sums of those of the rows.
package struct Table: Sendable {
  package let schema: TableSchema
  package internal(set) var rows: TreeDictionary<UUID, Row> = [:]
  /// Atoms in all rows.
  package private(set) var atomCount = 0
  private(set) var rowBytes = 0
  /// Grows with every change of a row: of one database's tables, those with equal numbers have equal rows.
  package private(set) var changeCount: UInt64 = 0
  package internal(set) var strongCounts: TreeDictionary<UUID, Int> = [:]
  package internal(set) var weakReferrers: TreeDictionary<UUID, Referrers> = [:]
  package private(set) var weakReferenceCount = 0
  package internal(set) var indexes: [TreeDictionary<IndexKey, UUID>]

  package init(schema: TableSchema) {
    self.schema = schema
    indexes = Array(repeating: [:], count: schema.indexes.count)
  }

  /// A table whose parts a `DatabaseBuilder` has counted; they must fulfil the invariants.
  init(
    schema: TableSchema, rows: TreeDictionary<UUID, Row>, strongCounts: TreeDictionary<UUID, Int>,
    weakReferrers: TreeDictionary<UUID, Referrers>, indexes: [TreeDictionary<IndexKey, UUID>]
  ) {
    self.schema = schema
    self.rows = rows
    self.strongCounts = strongCounts
    self.weakReferrers = weakReferrers
    self.indexes = indexes
    for row in rows.values {
      row.seal()
      atomCount += row.atomCount
      rowBytes += row.byteCount
    }
    weakReferenceCount = weakReferrers.values.reduce(0) { $0 + $1.count }
  }

  /// Memory of the rows and of the maps that find them, in bytes.
  package var byteCount: Int {
    rowBytes + Self.entryBytes * (rows.count * (1 + indexes.count) + strongCounts.count + weakReferrers.count)
  }

  /// What an entry takes in a persistent map, with its part of the nodes.
  private static let entryBytes = 48

  /// Puts `new` where `old` was, in the rows and in every index.
  mutating func replace(_ old: Row?, with new: Row?, uuid: UUID) {
    for position in indexes.indices { updateIndex(position, old, new, uuid) }
    if let old {
      atomCount -= old.atomCount
      rowBytes -= old.byteCount
    }
    if let new {
      new.seal()
      atomCount += new.atomCount
      rowBytes += new.byteCount
    }
    rows[uuid] = new
    changeCount &+= 1
  }

  private mutating func updateIndex(_ position: Int, _ old: Row?, _ new: Row?, _ uuid: UUID) {
    let columns = schema.indexes[position]
    let oldKey = old.map { IndexKey($0, columns) }
    let newKey = new.map { IndexKey($0, columns) }
    guard oldKey != newKey else { return }
    // When two rows swap values the other one may have put its own entry here already.
    if let oldKey, indexes[position][oldKey] == uuid { indexes[position][oldKey] = nil }
    if let newKey { indexes[position][newKey] = uuid }
  }

  mutating func addStrongReferences(_ delta: Int, to uuid: UUID) {
    let count = strongCounts[uuid, default: 0] + delta
    precondition(count >= 0, "more strong references taken away than there were")
    strongCounts[uuid] = count == 0 ? nil : count
  }

  mutating func addWeakReferrer(_ referrer: Referrer, to uuid: UUID) {
    setWeakReferrers(of: uuid) { $0?.adding(referrer) ?? .one(referrer) }
  }

  mutating func removeWeakReferrer(_ referrer: Referrer, from uuid: UUID) {
    setWeakReferrers(of: uuid) { $0?.removing(referrer) }
  }

  private mutating func setWeakReferrers(of uuid: UUID, _ change: (Referrers?) -> Referrers?) {
    let old = weakReferrers[uuid]
    let new = change(old)
    weakReferenceCount += (new?.count ?? 0) - (old?.count ?? 0)
    weakReferrers[uuid] = new
  }

  /// The row that has the given values in the columns of an index.
  package func row(index position: Int, key: IndexKey) -> Row? {
    indexes[position][key].flatMap { rows[$0] }
  }
}

/// The values of a row's columns in one index.
package enum IndexKey: Hashable, Sendable {
  case one(Datum)
  case several([Datum])

  package init(_ row: Row, _ columns: [ColumnSchema]) {
    if columns.count == 1 { self = .one(row[columns[0]]) } else { self = .several(columns.map { row[$0] }) }
  }

  package init(_ values: [Datum]) {
    if values.count == 1 { self = .one(values[0]) } else { self = .several(values) }
  }

  package var values: [Datum] {
    switch self {
    case .one(let value): [value]
    case .several(let values): values
    }
  }
}

/// A column of a row that holds a weak reference.
package struct Referrer: Hashable, Sendable {
  package let tableIndex: Int32
  package let columnIndex: Int32
  package let uuid: UUID
}

/// Who references one row weakly. Most rows have one referrer, a few have thousands.
package enum Referrers: Sendable, Equatable {
  case one(Referrer)
  case many(TreeSet<Referrer>)

  func adding(_ referrer: Referrer) -> Referrers {
    switch self {
    case .one(let other): return other == referrer ? self : .many([other, referrer])
    case .many(var set):
      set.insert(referrer)
      return .many(set)
    }
  }

  /// Nil when nobody is left.
  func removing(_ referrer: Referrer) -> Referrers? {
    switch self {
    case .one(let other): return other == referrer ? nil : self
    case .many(var set):
      set.remove(referrer)
      if set.count == 1, let last = set.first { return .one(last) }
      return set.isEmpty ? nil : .many(set)
    }
  }

  package func forEach(_ body: (Referrer) -> Void) {
    switch self {
    case .one(let referrer): body(referrer)
    case .many(let set): set.forEach(body)
    }
  }

  package var count: Int {
    switch self {
    case .one: 1
    case .many(let set): set.count
    }
  }
}
