// SPDX-License-Identifier: Apache-2.0
//
// What enters and leaves a monitor when its conditions change: all rows of the tables concerned have to be looked at, which with many
// rows and many clauses takes long. So it is done step by step, on any thread.

import Engine
import HashTreeCollections
import JSON
import OVSDB

/// A comparison of two specifications' rows in one snapshot, in progress.
package struct ConditionChange: Sendable {
  /// The rows that enter and leave, each with its table as the client is told it: without condition.
  package private(set) var changes: [(OwedChange, MonitoredTable)] = []
  private let previous: MonitorSpecification
  private let specification: MonitorSpecification
  private let snapshot: Snapshot
  /// The position in the specifications' tables.
  private var table = 0
  /// The next row of that table; nil before its first.
  private var row: TreeDictionary<UUID, Row>.Index?

  package init(from previous: MonitorSpecification, to specification: MonitorSpecification, in snapshot: Snapshot) {
    self.previous = previous
    self.specification = specification
    self.snapshot = snapshot
  }

  /// Goes on until so many values were looked at.
  ///
  /// - Returns: whether there is more to do.
  package mutating func step(lookingAt looksMax: Int) -> Bool {
    var looks = 0
    while table < specification.tables.count {
      let (before, after) = (previous.tables[table], specification.tables[table])
      if before.condition != after.condition, !compare(before, after, &looks, looksMax) { return true }
      table += 1
      row = nil
    }
    return false
  }

  /// Appends `<table-updates>` with the changes so far.
  ///
  /// - Returns: whether there are any.
  package func write(format: UpdateFormat, to writer: inout ByteWriter) -> Bool {
    var updates = TableUpdatesWriter(format: format)
    for (change, table) in changes { updates.write(change, of: table, to: &writer) }
    updates.finish(&writer)
    return !updates.isEmpty
  }

  private mutating func compare(
    _ before: MonitoredTable, _ after: MonitoredTable, _ looks: inout Int, _ looksMax: Int
  ) -> Bool {
    let rows = snapshot.tables[after.table.index].rows
    let looksPerRow = before.looksPerRow + after.looksPerRow
    var everything = after
    everything.condition = .everything
    var index = row ?? rows.startIndex
    while index != rows.endIndex {
      guard looks < looksMax else {
        row = index
        return false
      }
      looks += looksPerRow
      let row = rows[index].value
      let (knows, shows) = (before.shows(row), after.shows(row))
      if knows != shows {
        changes.append((OwedChange(uuid: row.uuid, old: knows ? row : nil, new: shows ? row : nil), everything))
      }
      rows.formIndex(after: &index)
    }
    return true
  }
}

extension MonitorSpecification {
  /// Appends `<table-updates>` with all that enters and leaves when the conditions change from another specification's to these.
  ///
  /// - Returns: whether there is anything.
  package func writeConditionChange(
    from previous: MonitorSpecification, in snapshot: Snapshot, format: UpdateFormat, to writer: inout ByteWriter
  ) -> Bool {
    var change = ConditionChange(from: previous, to: self, in: snapshot)
    while change.step(lookingAt: .max) {}
    return change.write(format: format, to: &writer)
  }
}

extension MonitoredTable {
  /// How many values have to be compared to know whether it shows a row, at most.
  var looksPerRow: Int { condition.alternatives.looksPerRow }
}
