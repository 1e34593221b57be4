// SPDX-License-Identifier: Apache-2.0
//
// What a monitor is owed while its client does not read: not the updates but their sum, so that it grows with the rows that
// changed and not with the number of changes.

import Engine
import OVSDB

/// Changes added up, by table and row.
package struct Backlog {
  private var tables: [Int: [UUID: OwedChange]] = [:]
  /// The last commit that was added.
  package private(set) var lastCommitID: UUID?
  /// The number of the first commit that was added: earlier ones were sent.
  private var firstSequence: UInt64?

  package init() {}

  package var isEmpty: Bool { tables.isEmpty }

  /// Rows with something owed.
  package var count: Int { tables.values.reduce(0) { $0 + $1.count } }

  package mutating func add(_ commit: Commit, of specification: MonitorSpecification) {
    for change in commit.tables {
      guard let table = specification.table(change.table.index) else { continue }
      for row in change.rows { add(row.uuid, row.old, row.new, table) }
    }
    lastCommitID = commit.id
    if firstSequence == nil { firstSequence = commit.sequence }
  }

  /// Takes back a commit that was added last and whose record could not be written.
  package mutating func remove(_ commit: Commit, previousID: UUID, of specification: MonitorSpecification) {
    guard let firstSequence, commit.sequence >= firstSequence else { return }
    if commit.sequence == firstSequence { self.firstSequence = nil }
    for change in commit.tables {
      guard let table = specification.table(change.table.index) else { continue }
      for row in change.rows { add(row.uuid, row.new, row.old, table) }
    }
    lastCommitID = previousID
  }

  /// A row the client neither knows nor is to know is not kept: a busy client with a narrow condition costs what it sees.
  private mutating func add(_ uuid: UUID, _ old: Row?, _ new: Row?, _ monitored: MonitoredTable) {
    let table = monitored.table.index
    let owed = tables[table]?[uuid]
    if owed == nil, !monitored.shows(old), !monitored.shows(new) { return }
    let known = owed.map(\.old) ?? old
    tables[table, default: [:]][uuid] = known === new ? nil : OwedChange(uuid: uuid, old: known, new: new)
    if tables[table]?.isEmpty == true { tables[table] = nil }
  }

  /// Calls `body` with what is owed, table by table in the order of the schema.
  package func forEach(of specification: MonitorSpecification, _ body: (OwedChange, MonitoredTable) -> Void) {
    for table in specification.tables {
      guard let rows = tables[table.table.index] else { continue }
      for change in rows.values { body(change, table) }
    }
  }
}
