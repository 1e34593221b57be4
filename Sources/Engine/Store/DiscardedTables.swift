// SPDX-License-Identifier: Apache-2.0
//
// The end of large tables, a piece at a time. Whoever just lets go of a table frees its rows in the order of their UUIDs, all over the
// heap: for a long time no page of memory is free as a whole, and then all are at once. Freed in the order in which they lie there, rows
// leave memory that can be given back to the system little by little.

import OVSDB

/// Tables that nobody else is expected to hold.
package struct DiscardedTables {
  private var tables: [Table]
  private var rows: [Row] = []

  private static let rowsAtATime = 1 << 14

  package init(_ tables: [Table]) { self.tables = tables }

  /// Lets go of a piece.
  ///
  /// - Returns: false when there was none left.
  package mutating func letGoOfSome() -> Bool {
    while let last = tables.indices.last {
      if tables[last].discardMap(rows: &rows) { return true }
      tables.removeLast()
      if tables.isEmpty { rows.sort { $0.address < $1.address } }
    }
    guard !rows.isEmpty else { return false }
    rows.removeLast(min(Self.rowsAtATime, rows.count))
    return true
  }
}

extension Table {
  /// Lets go of one of the maps.
  ///
  /// - Parameter rows: takes the rows.
  /// - Returns: false when none is left.
  fileprivate mutating func discardMap(rows discarded: inout [Row]) -> Bool {
    if indexes.popLast() != nil { return true }
    if !weakReferrers.isEmpty {
      weakReferrers = [:]
    } else if !strongCounts.isEmpty {
      strongCounts = [:]
    } else if !rows.isEmpty {
      discarded.append(contentsOf: rows.values)
      rows = [:]
    } else {
      return false
    }
    return true
  }
}
