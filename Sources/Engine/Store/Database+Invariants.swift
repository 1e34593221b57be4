// SPDX-License-Identifier: Apache-2.0
//
// Counts everything anew and compares. Tests call it after every step; the server does not.

import HashTreeCollections
import OVSDB

extension Database {
  /// What is wrong with the database's own bookkeeping; empty when all is well.
  package func checkInvariants() -> [String] {
    var faults: [String] = []
    var strong: [ReferenceTarget: Int] = [:]
    var weak: [ReferenceTarget: Set<Referrer>] = [:]
    for table in tables {
      for (uuid, row) in table.rows {
        if row.uuid != uuid || row.table !== table.schema { faults.append("row \(uuid) is filed under a wrong name") }
        for column in table.schema.columns {
          Datum.forEachReferenceChange(from: .empty, to: row[column], type: column.type, isStrong: true) { target, delta in
            if target.uuid != uuid || target.tableIndex != table.schema.index { strong[target, default: 0] += delta }
          }
          Datum.forEachReferrerChange(from: .empty, to: row[column], type: column.type) { target, _ in
            let referrer = Referrer(
              tableIndex: Int32(table.schema.index), columnIndex: Int32(column.index), uuid: uuid)
            weak[target, default: []].insert(referrer)
          }
        }
      }
    }
    for table in tables { faults += check(table, strong, weak) }
    let counted = tables.reduce(0) { $0 + $1.strongCounts.count }
    if counted != strong.count { faults.append("\(counted) referenced rows are counted, there are \(strong.count)") }
    return faults
  }

  private func check(
    _ table: Table, _ strong: [ReferenceTarget: Int], _ weak: [ReferenceTarget: Set<Referrer>]
  ) -> [String] {
    var faults = checkSize(table)
    let name = table.schema.name
    for (uuid, count) in table.strongCounts {
      let expected = strong[ReferenceTarget(tableIndex: table.schema.index, uuid: uuid)] ?? 0
      if count != expected { faults.append("\(name) row \(uuid) has \(expected) strong references, \(count) are counted") }
      if table.rows[uuid] == nil { faults.append("\(name) row \(uuid) is referenced and does not exist") }
    }
    var weakCount = 0
    for (uuid, referrers) in table.weakReferrers {
      weakCount += referrers.count
      var found: Set<Referrer> = []
      referrers.forEach { found.insert($0) }
      if found != weak[ReferenceTarget(tableIndex: table.schema.index, uuid: uuid)] ?? [] {
        faults.append("\(name) row \(uuid) has other weak referrers than are filed")
      }
      if table.rows[uuid] == nil { faults.append("\(name) row \(uuid) is weakly referenced and does not exist") }
    }
    if weakCount != table.weakReferenceCount {
      faults.append("\(name) has \(weakCount) weak references, \(table.weakReferenceCount) are counted")
    }
    for (position, columns) in table.schema.indexes.enumerated() {
      if table.indexes[position].count != table.rows.count { faults.append("\(name) index \(position) has a wrong size") }
      for (uuid, row) in table.rows where table.indexes[position][IndexKey(row, columns)] != uuid {
        faults.append("\(name) row \(uuid) is missing in index \(position)")
      }
    }
    if !table.schema.isRoot {
      for uuid in table.rows.keys where (table.strongCounts[uuid] ?? 0) == 0 {
        faults.append("\(name) row \(uuid) is garbage")
      }
    }
    return faults
  }

  private func checkSize(_ table: Table) -> [String] {
    var (atoms, bytes) = (0, 0)
    for row in table.rows.values {
      let copy = row.copied()
      atoms += copy.atomCount
      bytes += copy.byteCount
    }
    var faults: [String] = []
    if atoms != table.atomCount { faults.append("\(table.schema.name) has \(atoms) atoms, \(table.atomCount) are counted") }
    if bytes != table.rowBytes { faults.append("\(table.schema.name) has \(bytes) bytes, \(table.rowBytes) are counted") }
    return faults
  }
}
