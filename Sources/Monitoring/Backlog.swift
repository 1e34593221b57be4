// SPDX-License-Identifier: Apache-2.0
//
// What a monitor is owed while its client does not read: not the updates but their sum, so that it grows with the rows that
// changed and not with the number of changes. When that grows large, too, a snapshot takes its place, which clients share.

import Engine
import HashTreeCollections
import JSON
import OVSDB

/// Changes added up, by table and row, and from some commit on the difference of two snapshots.
package struct Backlog: Sendable {
  private var tables: [Int: [UUID: OwedChange]] = [:]
  /// Rows in `tables`.
  package private(set) var count = 0
  /// The database when the sum had grown large: later changes are found by comparing. Persistent maps share what did not change, and
  /// clients that stopped at the same time share all of it.
  private var base: Snapshot?
  /// The last commit that was added.
  package private(set) var lastCommitID: UUID?
  /// The number of the first commit that was added: earlier ones were sent.
  private var firstSequence: UInt64?

  package init() {}

  fileprivate init(_ changes: [(OwedChange, MonitoredTable)]) {
    for (change, table) in changes { tables[table.table.index, default: [:]][change.uuid] = change }
    count = changes.count
  }

  package var isEmpty: Bool { tables.isEmpty && base == nil }

  /// Whether changes are found by comparing snapshots.
  package var isLarge: Bool { base != nil }

  /// - Parameters:
  ///   - changes: what of the commit concerns the monitor.
  ///   - rowsMax: rows that are added up one by one, each of which takes about a hundred bytes.
  ///   - snapshot: the database with the commit; asked for when there are more.
  mutating func add(
    _ changes: [GroupChange], _ commit: Commit, of specification: MonitorSpecification, rowsMax: Int, snapshot: () -> Snapshot?
  ) {
    lastCommitID = commit.id
    if firstSequence == nil { firstSequence = commit.sequence }
    guard base == nil else { return }
    for change in changes {
      add(change.change.uuid, change.change.old, change.change.new, specification.tables[change.position])
    }
    if count > rowsMax { base = snapshot() }
  }

  /// Adds a commit that is too large to be looked at row by row.
  ///
  /// - Parameter before: the database without the commit.
  package mutating func add(_ commit: Commit, since before: Snapshot) {
    lastCommitID = commit.id
    if firstSequence == nil { firstSequence = commit.sequence }
    if base == nil { base = before }
  }

  /// Adds a commit without ever taking a snapshot: for a sum that is sent at once.
  package mutating func addUp(_ commit: Commit, of specification: MonitorSpecification) {
    for change in commit.tables {
      guard let table = specification.table(change.table.index) else { continue }
      for row in change.rows where table.concerns(row) { add(row.uuid, row.old, row.new, table) }
    }
  }

  /// Takes back a commit that was added last and whose record could not be written.
  package mutating func remove(_ commit: Commit, previousID: UUID, of specification: MonitorSpecification) {
    guard let firstSequence, commit.sequence >= firstSequence else { return }
    lastCommitID = previousID
    if commit.sequence == firstSequence { self.firstSequence = nil }
    if let base {
      // A later commit is not in the sum; comparing with the database as it is finds it gone.
      guard commit.sequence <= base.sequence else { return }
      self.base = nil
    }
    for change in commit.tables {
      guard let table = specification.table(change.table.index) else { continue }
      for row in change.rows where table.concerns(row) { add(row.uuid, row.new, row.old, table) }
    }
  }

  /// Only for rows that the client knows or is to know: a busy client with a narrow condition costs what it sees. A change between two
  /// states that the condition hides makes no difference to the sum.
  private mutating func add(_ uuid: UUID, _ old: Row?, _ new: Row?, _ monitored: MonitoredTable) {
    let table = monitored.table.index
    let owed = tables[table]?[uuid]
    let known = owed.map(\.old) ?? old
    let change = known === new ? nil : OwedChange(uuid: uuid, old: known, new: new)
    count += (change == nil ? 0 : 1) - (owed == nil ? 0 : 1)
    tables[table, default: [:]][uuid] = change
    if tables[table]?.isEmpty == true { tables[table] = nil }
  }

  /// Calls `body` with what is owed, table by table in the order of the schema. Not for a backlog that `isLarge`.
  package func forEach(of specification: MonitorSpecification, _ body: (OwedChange, MonitoredTable) -> Void) {
    for table in specification.tables {
      guard let rows = tables[table.table.index] else { continue }
      for change in rows.values { body(change, table) }
    }
  }

  // MARK: - Piece by piece

  /// What of a table the client knows otherwise than the base, or than the database when there is none.
  fileprivate func sum(of table: Int) -> [UUID: OwedChange] { tables[table] ?? [:] }
  fileprivate func base(of table: Int) -> Table? { base?.tables[table] }
}

/// What is owed, to be written piece by piece: the state that a client knows against the state of a snapshot.
package struct OwedChanges: Sendable {
  private let specification: MonitorSpecification
  private let current: Snapshot
  private let backlog: Backlog
  private var updates: TableUpdatesWriter
  /// The position in the specification's tables, and what of that table is done.
  private var table = 0
  private var stage = Stage.sum
  private var sum: Dictionary<UUID, OwedChange>.Index?
  private var row: TreeDictionary<UUID, Row>.Index?

  /// The rows of a table in three parts: those in the sum, those that are there now, those that were in the base.
  private enum Stage { case sum, present, gone }

  /// - Parameter current: the database as the client shall know it.
  package init(_ backlog: Backlog, of specification: MonitorSpecification, current: Snapshot, format: UpdateFormat) {
    self.specification = specification
    self.current = current
    self.backlog = backlog
    updates = TableUpdatesWriter(format: format)
  }

  /// Rows that enter and leave by new conditions: `MonitorSpecification.conditionChange`.
  package init(
    _ changes: [(OwedChange, MonitoredTable)], of specification: MonitorSpecification, in current: Snapshot,
    format: UpdateFormat
  ) {
    var everything = specification
    for position in everything.tables.indices { everything.tables[position].condition = .everything }
    self.init(Backlog(changes), of: everything, current: current, format: format)
  }

  /// Whether any row was written so far.
  package var isEmpty: Bool { updates.isEmpty }

  /// Rows looked at before a piece ends, however few of them are told.
  private static let rowsPerPieceMax = 2000

  /// Appends `<table-updates>` from where the last call ended, until the writer holds `sizeMax` bytes, some rows were looked at, or
  /// everything is written.
  ///
  /// - Returns: whether there is more.
  package mutating func writePiece(until sizeMax: Int, to writer: inout ByteWriter) -> Bool {
    var budget = Self.rowsPerPieceMax
    while table < specification.tables.count {
      let monitored = specification.tables[table]
      if !write(monitored, sizeMax, &budget, &writer) { return true }
      table += 1
      stage = .sum
      (sum, row) = (nil, nil)
    }
    updates.finish(&writer)
    return false
  }

  /// - Returns: whether the table is done.
  private mutating func write(
    _ monitored: MonitoredTable, _ sizeMax: Int, _ budget: inout Int, _ writer: inout ByteWriter
  ) -> Bool {
    let index = monitored.table.index
    let known = backlog.sum(of: index)
    let now = current.tables[index].rows
    let base = backlog.base(of: index)
    if stage == .sum {
      var place = sum ?? known.startIndex
      while place != known.endIndex {
        guard writer.count < sizeMax, budget > 0 else {
          sum = place
          return false
        }
        budget -= 1
        let change = known[place].value
        let new = base == nil ? change.new : now[change.uuid]
        if change.old !== new {
          updates.write(OwedChange(uuid: change.uuid, old: change.old, new: new), of: monitored, to: &writer)
        }
        known.formIndex(after: &place)
      }
      stage = .present
    }
    guard let base, base.changeCount != current.tables[index].changeCount else { return true }
    if stage == .present {
      let isDone = scan(now, sizeMax, &budget, writer: &writer) { uuid, row, updates, writer in
        guard known[uuid] == nil else { return }
        let old = base.rows[uuid]
        if old !== row { updates.write(OwedChange(uuid: uuid, old: old, new: row), of: monitored, to: &writer) }
      }
      guard isDone else { return false }
      stage = .gone
    }
    return scan(base.rows, sizeMax, &budget, writer: &writer) { uuid, row, updates, writer in
      guard known[uuid] == nil, now[uuid] == nil else { return }
      updates.write(OwedChange(uuid: uuid, old: row, new: nil), of: monitored, to: &writer)
    }
  }

  /// - Returns: whether all rows were looked at.
  private mutating func scan(
    _ rows: TreeDictionary<UUID, Row>, _ sizeMax: Int, _ budget: inout Int, writer: inout ByteWriter,
    _ body: (UUID, Row, inout TableUpdatesWriter, inout ByteWriter) -> Void
  ) -> Bool {
    var place = row ?? rows.startIndex
    while place != rows.endIndex {
      guard writer.count < sizeMax, budget > 0 else {
        row = place
        return false
      }
      budget -= 1
      let (uuid, value) = rows[place]
      body(uuid, value, &updates, &writer)
      rows.formIndex(after: &place)
    }
    row = nil
    return true
  }
}
