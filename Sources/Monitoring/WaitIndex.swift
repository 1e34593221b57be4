// SPDX-License-Identifier: Apache-2.0
//
// Which blocked transactions a commit concerns: those that read what it touches. Their conditions are filed like those of monitors.

import Engine
import OVSDB

/// What a waiter read of one table.
package final class WatchedRows<Waiter: AnyObject>: ConditionHolder {
  fileprivate let waiter: Waiter
  fileprivate let rows: ReadSet.Rows
  fileprivate let alternatives: Alternatives?

  fileprivate init(_ waiter: Waiter, _ rows: ReadSet.Rows) {
    self.waiter = waiter
    self.rows = rows
    alternatives = rows.clause.map { Alternatives(Condition(clauses: [$0])) }
  }
}

/// Blocked transactions of one database by what they read.
package struct WaitIndex<Waiter: AnyObject> {
  private struct TableWaits {
    /// By one clause of the condition each.
    var conditions = ConditionIndex<WatchedRows<Waiter>>()
    /// Those to whom every row matters.
    var whole: [ObjectIdentifier: WatchedRows<Waiter>] = [:]
    var isEmpty: Bool { conditions.isEmpty && whole.isEmpty }
  }

  private var tables: [Int: TableWaits] = [:]
  private var stamp: UInt64 = 0
  private var waiterCount = 0

  package init() {}

  /// Adds a waiter.
  ///
  /// - Returns: what `remove` takes it out with.
  package mutating func add(_ waiter: Waiter, _ reads: ReadSet) -> [WatchedRows<Waiter>] {
    waiterCount += 1
    return reads.rows.map { read in
      let watched = WatchedRows(waiter, read)
      if let alternatives = watched.alternatives {
        tables[read.table.index, default: TableWaits()].conditions.add(watched, position: 0, alternatives)
      } else {
        tables[read.table.index, default: TableWaits()].whole[ObjectIdentifier(watched)] = watched
      }
      return watched
    }
  }

  package mutating func remove(_ watched: [WatchedRows<Waiter>]) {
    waiterCount -= 1
    for rows in watched {
      let table = rows.rows.table.index
      if let alternatives = rows.alternatives {
        tables[table]?.conditions.remove(rows, alternatives)
      } else {
        tables[table]?.whole[ObjectIdentifier(rows)] = nil
      }
      if tables[table]?.isEmpty == true { tables[table] = nil }
    }
  }

  /// The waiters to whom a commit makes a difference, each once.
  ///
  /// - Parameter work: grows with the look-ups, conditions compared and waiters met.
  package mutating func touched(by commit: Commit, work: inout Int) -> [Waiter] {
    var found = Found()
    for change in commit.tables {
      guard let waits = tables[change.table.index] else { continue }
      if !waits.whole.isEmpty { Self.gatherWhole(waits.whole, change, &found, &work) }
      if !waits.conditions.isEmpty { gather(waits.conditions, change, &found, &work) }
    }
    return found.waiters
  }

  private struct Found {
    var waiters: [Waiter] = []
    var known: Set<ObjectIdentifier> = []

    mutating func add(_ waiter: Waiter) {
      if known.insert(ObjectIdentifier(waiter)).inserted { waiters.append(waiter) }
    }

    func contains(_ waiter: Waiter) -> Bool { known.contains(ObjectIdentifier(waiter)) }
  }

  /// Looks at the table's changes as one: nobody of these needs to be asked for each row.
  private static func gatherWhole(
    _ whole: [ObjectIdentifier: WatchedRows<Waiter>], _ change: TableChange, _ found: inout Found, _ work: inout Int
  ) {
    var changed = ColumnSet()
    var isGrown = false
    for row in change.rows {
      if row.old == nil || row.new == nil { isGrown = true } else { changed.formUnion(row.changed) }
    }
    work += change.rows.count + whole.count
    for watched in whole.values where watched.rows.isTouched(columns: changed, isGrown: isGrown) { found.add(watched.waiter) }
  }

  private mutating func gather(
    _ conditions: ConditionIndex<WatchedRows<Waiter>>, _ change: TableChange, _ found: inout Found, _ work: inout Int
  ) {
    var interests: [Interest<WatchedRows<Waiter>>] = []
    for row in change.rows {
      // All are to be woken already.
      if found.waiters.count == waiterCount { return }
      stamp += 1
      interests.removeAll(keepingCapacity: true)
      conditions.gather(row, stamp: stamp, into: &interests, work: &work)
      for interest in interests where !found.contains(interest.holder.waiter) && interest.holder.rows.isTouched(by: row) {
        found.add(interest.holder.waiter)
      }
    }
  }
}
