// SPDX-License-Identifier: Apache-2.0
//
// A transaction in progress: overlays of changed rows (TableOverlay.swift) over a database's tables. Operations are in
// Transaction+Operations.swift and the Operation files, the checks and the making of a commit in Transaction+Commit.swift.

import HashTreeCollections
import JSON
import OVSDB

/// A transaction.
///
/// Nothing of it is visible before it commits, and an error leaves nothing behind (architecture, invariant 3).
struct Transaction {
  let database: Database
  /// The tables as they were when the transaction began; nobody else changes them meanwhile. Given up before the commit is applied:
  /// while two hold a persistent map, each change of it copies the path to what changes.
  private(set) var tables: [Table]
  /// Overlays of the tables touched, in no order; few, so they are found by looking.
  var overlays: [TableOverlay] = []
  /// The database's: it is empty when a transaction begins.
  let symbols: SymbolTable
  var isDurable = false
  var comments: [String] = []
  /// The request, while it runs.
  var params: JSONValue?
  /// Select operations whose rows the caller writes into the result.
  var deferred: [DeferredRows] = []
  /// When a select is deferred; nil when none may be.
  var deferral: DeferralTerms?
  var isDeferralChecked = false
  /// Whose rules the operations are held to (AccessControl.swift); nil: nobody's.
  var role: AccessRole?
  /// Work done so far, and how much may be (Transaction+Work.swift).
  var work = 0
  var workMax = Int.max
  /// Nothing is committed in the end.
  var isRehearsal = false
  /// Set when the changes are another server's (Transaction+Replica.swift).
  var replica: ReplicaTerms?

  init(database: Database) {
    self.database = database
    tables = database.tables
    symbols = database.symbols
    symbols.removeAll()
  }

  /// Makes the commit's changes in the database. The transaction is over with that.
  mutating func apply(_ commit: Commit) {
    tables = []
    database.apply(commit)
  }

  func overlayPosition(_ tableIndex: Int) -> Int? {
    overlays.firstIndex { $0.tableIndex == tableIndex }
  }

  /// The row as the transaction sees it.
  func row(_ uuid: UUID, in tableIndex: Int) -> Row? {
    if let overlay = overlayPosition(tableIndex), let position = overlays[overlay].position(of: uuid) {
      return overlays[overlay][position].new
    }
    return tables[tableIndex].rows[uuid]
  }

  /// Where the draft of a row is; a draft of a committed row is made when there is none.
  mutating func draft(of uuid: UUID, in tableIndex: Int) -> (overlay: Int, position: Int)? {
    let overlay = makeOverlay(tableIndex)
    if let position = overlays[overlay].position(of: uuid) { return (overlay, position) }
    guard let old = tables[tableIndex].rows[uuid] else { return nil }
    return (overlay, overlays[overlay].append(Draft(uuid: uuid, old: old, new: old, touched: ColumnSet())))
  }

  private mutating func makeOverlay(_ tableIndex: Int) -> Int {
    if let overlay = overlayPosition(tableIndex) { return overlay }
    overlays.append(TableOverlay(tables[tableIndex].schema))
    return overlays.count - 1
  }

  /// Adds a row whose name is free: no committed row has it, and none of the transaction's.
  mutating func insert(_ row: Row) {
    let overlay = makeOverlay(row.table.index)
    if let position = overlays[overlay].position(of: row.uuid) {
      overlays[overlay][position].new = row
      overlays[overlay].file(position)
      return
    }
    _ = overlays[overlay].append(Draft(uuid: row.uuid, old: nil, new: row, touched: ColumnSet()))
  }

  /// Sets a column of a row the transaction sees; the row becomes the transaction's own at the first change.
  mutating func set(_ column: ColumnSchema, of uuid: UUID, in tableIndex: Int, to datum: Datum) {
    guard let (overlay, position) = draft(of: uuid, in: tableIndex) else { return }
    guard let row = overlays[overlay][position].new else { return }
    if row === overlays[overlay][position].old { overlays[overlay][position].new = row.copied() }
    overlays[overlay][position].new?.set(column, to: datum)
    overlays[overlay][position].touched.insert(column.index)
    overlays[overlay].file(position)
  }

  mutating func delete(_ uuid: UUID, in tableIndex: Int) {
    guard let (overlay, position) = draft(of: uuid, in: tableIndex) else { return }
    overlays[overlay][position].new = nil
  }

  /// Calls `body` with each row that a condition selects.
  ///
  /// Rows are found by `_uuid` or by an index where the condition allows it, else by looking at all of them.
  ///
  /// - Throws: `.exceeded` before it looks at too many.
  mutating func forEachRow(
    in table: TableSchema, where condition: Condition, _ body: (Row) -> Void
  ) throws(OperationFailure) {
    func visit(_ row: Row) { if condition.allHold({ row[$0] }) { body(row) } }
    let overlay = overlayPosition(table.index)
    switch candidates(in: table, condition) {
    case .none: return
    case .uuid(let uuid):
      if let row = row(uuid, in: table.index) { visit(row) }
    case .indexed(let index, let key):
      if let row = tables[table.index].row(index: index, key: key), !isOverlaid(row.uuid, overlay) { visit(row) }
      if let overlay { overlays[overlay].forEachRow(index: index, key: key, visit) }
    case .all:
      try chargeScan(of: table, condition)
      let prepared = PreparedCondition(condition)
      for row in tables[table.index].rows.values where prepared.holds(for: row) && !isOverlaid(row.uuid, overlay) { body(row) }
      guard let overlay else { return }
      for draft in overlays[overlay].drafts { if let row = draft.new, prepared.holds(for: row) { body(row) } }
    }
  }

  /// Calls `body` with each row that a condition selects, until it returns false. What is not looked at counts as no work.
  mutating func forFirstRows(
    in table: TableSchema, where condition: Condition, _ body: (Row) -> Bool
  ) throws(OperationFailure) {
    guard case .all = candidates(in: table, condition) else {
      var goesOn = true
      return try forEachRow(in: table, where: condition) { if goesOn { goesOn = body($0) } }
    }
    let prepared = PreparedCondition(condition)
    let units = max(1, condition.clauses.count)
    let overlay = overlayPosition(table.index)
    for row in tables[table.index].rows.values {
      try charge(units)
      guard prepared.holds(for: row), !isOverlaid(row.uuid, overlay) else { continue }
      guard body(row) else { return }
    }
    guard let overlay else { return }
    for draft in overlays[overlay].drafts {
      try charge(units)
      guard let row = draft.new, prepared.holds(for: row) else { continue }
      guard body(row) else { return }
    }
  }

  /// Whether all rows of a table have to be looked at for a condition.
  func needsScan(of table: TableSchema, _ condition: Condition) -> Bool {
    if case .all = candidates(in: table, condition) { return true }
    return false
  }

  private func isOverlaid(_ uuid: UUID, _ overlay: Int?) -> Bool {
    guard let overlay else { return false }
    return overlays[overlay].position(of: uuid) != nil
  }

  /// Where the rows of a condition may be.
  private enum Candidates {
    case none
    case uuid(UUID)
    case indexed(Int, IndexKey)
    case all
  }

  private func candidates(in table: TableSchema, _ condition: Condition) -> Candidates {
    guard !condition.clauses.isEmpty else { return .all }
    for clause in condition.clauses {
      switch clause {
      case .constant(let holds): if !holds { return .none }
      case .comparison(let column, .equal, .uuid(let uuid)) where column.index == ColumnSchema.uuidIndex: return .uuid(uuid)
      case .comparison: break
      }
    }
    for (index, columns) in table.indexes.enumerated() {
      if let key = key(for: columns, condition) { return .indexed(index, key) }
    }
    return .all
  }

  /// The values a condition prescribes for all columns of an index; nil when it leaves one open.
  private func key(for columns: [ColumnSchema], _ condition: Condition) -> IndexKey? {
    var values: [Datum] = []
    for column in columns {
      guard let value = condition.equalValue(of: column) else { return nil }
      values.append(value)
    }
    return IndexKey(values)
  }
}

extension Condition {
  /// The value that an `==` clause prescribes for a column.
  package func equalValue(of column: ColumnSchema) -> Datum? {
    for clause in clauses {
      if case .comparison(let compared, .equal, let value) = clause, compared === column { return value }
    }
    return nil
  }
}
