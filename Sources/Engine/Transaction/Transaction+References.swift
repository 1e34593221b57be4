// SPDX-License-Identifier: Apache-2.0
//
// Referential integrity at commit: strong references must hit rows and hold them, rows that nothing holds are collected, weak
// references to rows that are gone are taken out.

import HashTreeCollections
import OVSDB

/// How the numbers of strong references change. A transaction changes few, which are found by looking; many are hashed.
struct ReferenceCounts {
  private var targets: [ReferenceTarget] = []
  private var amounts: [Int] = []
  private var positions: [ReferenceTarget: Int] = [:]

  private static let scanLimit = 8

  private func position(of target: ReferenceTarget) -> Int? {
    targets.count > Self.scanLimit ? positions[target] : targets.firstIndex(of: target)
  }

  mutating func add(_ delta: Int, to target: ReferenceTarget) {
    if let position = position(of: target) {
      amounts[position] += delta
      return
    }
    targets.append(target)
    amounts.append(delta)
    if targets.count == Self.scanLimit + 1 {
      for (position, target) in targets.enumerated() { positions[target] = position }
    } else if targets.count > Self.scanLimit {
      positions[target] = targets.count - 1
    }
  }

  func delta(of target: ReferenceTarget) -> Int {
    position(of: target).map { amounts[$0] } ?? 0
  }

  var isEmpty: Bool { targets.isEmpty }

  var lowered: [ReferenceTarget] {
    targets.indices.filter { amounts[$0] < 0 }.map { targets[$0] }
  }

  var deltas: [StrongDelta] {
    targets.indices.filter { amounts[$0] != 0 }.map {
      StrongDelta(tableIndex: targets[$0].tableIndex, uuid: targets[$0].uuid, delta: amounts[$0])
    }
  }
}

extension Transaction {
  private func strongCount(_ target: ReferenceTarget, _ references: ReferenceCounts) -> Int {
    (tables[target.tableIndex].strongCounts[target.uuid] ?? 0) + references.delta(of: target)
  }

  /// Counts what references each change adds and takes away.
  ///
  /// A row's references to itself do not count: they keep nothing alive.
  func countStrongReferences(_ references: inout ReferenceCounts) throws(OVSDBError) {
    for position in overlays.indices {
      let columns = tables[overlays[position].tableIndex].schema.strongColumns
      guard !columns.isEmpty else { continue }
      for draft in overlays[position].drafts where draft.old !== draft.new {
        for column in columns { try count(column, of: draft, &references) }
      }
    }
  }

  private func count(
    _ column: ColumnSchema, of draft: Draft, _ references: inout ReferenceCounts
  ) throws(OVSDBError) {
    if draft.old != nil, draft.new != nil, !draft.touched.contains(column.index) { return }
    var missing: ReferenceTarget?
    let own = (draft.new ?? draft.old)?.table.index
    Datum.forEachReferenceChange(
      from: draft.old?[column] ?? .empty, to: draft.new?[column] ?? .empty, type: column.type, isStrong: true
    ) { target, delta in
      if target.uuid == draft.uuid, target.tableIndex == own { return }
      references.add(delta, to: target)
      // A row that this transaction deletes is not missing: it may not be deleted, which `checkDeletedRows` tells.
      if delta > 0, missing == nil, row(target.uuid, in: target.tableIndex) == nil,
        tables[target.tableIndex].rows[target.uuid] == nil
      {
        missing = target
      }
    }
    guard let missing, let own else { return }
    throw .dangling(
      table: tables[own].schema, column: column, row: draft.uuid, target: missing.uuid,
      targetTable: tables[missing.tableIndex].schema)
  }

  /// A row that is still referenced may not be deleted.
  func checkDeletedRows(_ references: ReferenceCounts) throws(OVSDBError) {
    for position in overlays.indices {
      let tableIndex = overlays[position].tableIndex
      for draft in overlays[position].drafts where draft.old != nil && draft.new == nil {
        let count = strongCount(ReferenceTarget(tableIndex: tableIndex, uuid: draft.uuid), references)
        guard count > 0 else { continue }
        throw OVSDBError(
          .referentialIntegrityViolation,
          """
          cannot delete \(tables[tableIndex].schema.name) row \(draft.uuid) \
          because of \(count) remaining reference(s)
          """)
      }
    }
  }

  /// Deletes rows of non-root tables that nothing references, and what only they referenced.
  ///
  /// Only rows that the transaction changed, or that lost a reference, can have become garbage. A ring of rows that reference each
  /// other is not collected.
  mutating func collectGarbage(_ references: inout ReferenceCounts) {
    var candidates: [ReferenceTarget] = []
    for position in overlays.indices {
      let tableIndex = overlays[position].tableIndex
      guard !tables[tableIndex].schema.isRoot else { continue }
      for draft in overlays[position].drafts where draft.new != nil {
        candidates.append(ReferenceTarget(tableIndex: tableIndex, uuid: draft.uuid))
      }
    }
    if !references.isEmpty { candidates += references.lowered.filter { !tables[$0.tableIndex].schema.isRoot } }
    if candidates.isEmpty { return }
    while !isExceeded, let candidate = candidates.popLast() {
      guard let row = row(candidate.uuid, in: candidate.tableIndex), strongCount(candidate, references) == 0 else { continue }
      count(WorkUnits.changedRow)
      delete(candidate.uuid, in: candidate.tableIndex)
      for column in row.table.strongColumns {
        Datum.forEachReferenceChange(from: row[column], to: .empty, type: column.type, isStrong: true) { target, delta in
          if target == candidate { return }
          references.add(delta, to: target)
          if !tables[target.tableIndex].schema.isRoot { candidates.append(target) }
        }
      }
    }
    sortOverlays()
  }

  /// Takes weak references to rows that do not exist out of the columns that hold them.
  ///
  /// A pair of a map may hold a weak reference and a strong one: what goes with it may be garbage then, so both are repeated until
  /// nothing changes.
  mutating func pruneWeakReferences(_ references: inout ReferenceCounts) throws(OVSDBError) {
    var done: Set<Referrer> = []
    while true {
      var lostStrong = false
      let suspects = suspectReferrers()
      if suspects.isEmpty { return }
      for referrer in suspects where done.insert(referrer).inserted {
        count(WorkUnits.changedRow)
        if isExceeded { return }
        if try prune(referrer, &references) { lostStrong = true }
      }
      guard lostStrong else { return }
      collectGarbage(&references)
      done = []
    }
  }

  /// Columns that may hold a reference to a row that is not there: those written, and those that reference a deleted row.
  private func suspectReferrers() -> [Referrer] {
    var suspects: [Referrer] = []
    for position in overlays.indices {
      let tableIndex = overlays[position].tableIndex
      let columns = tables[tableIndex].schema.weakColumns
      for draft in overlays[position].drafts {
        if draft.new == nil {
          tables[tableIndex].weakReferrers[draft.uuid]?.forEach { suspects.append($0) }
          continue
        }
        guard !columns.isEmpty, draft.old !== draft.new else { continue }
        for column in columns where draft.old == nil || draft.touched.contains(column.index) {
          suspects.append(
            Referrer(tableIndex: Int32(tableIndex), columnIndex: Int32(column.index), uuid: draft.uuid))
        }
      }
    }
    return suspects
  }

  /// - Returns: whether strong references went as well.
  private mutating func prune(_ referrer: Referrer, _ references: inout ReferenceCounts) throws(OVSDBError) -> Bool {
    let tableIndex = Int(referrer.tableIndex)
    guard let row = row(referrer.uuid, in: tableIndex) else { return false }
    let column = row.table.columns[Int(referrer.columnIndex)]
    let before = row[column]
    let pruned = before.pruned(type: column.type) { self.row($0.uuid, in: $0.tableIndex) != nil }
    guard let (rest, lost) = pruned else { return false }
    if rest.count < column.type.min { throw .emptied(column, of: row, isNew: tables[tableIndex].rows[row.uuid] == nil, lost: lost) }
    set(column, of: referrer.uuid, in: tableIndex, to: rest)
    var lostStrong = false
    Datum.forEachReferenceChange(from: before, to: rest, type: column.type, isStrong: true) { target, delta in
      if target.uuid == referrer.uuid, target.tableIndex == tableIndex { return }
      references.add(delta, to: target)
      lostStrong = true
    }
    return lostStrong
  }
}
