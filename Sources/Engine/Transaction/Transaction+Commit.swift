// SPDX-License-Identifier: Apache-2.0
//
// The end of a transaction: checks of the final state and the making of a `Commit`. References are in Transaction+References.swift,
// indexes in Transaction+Indexes.swift.

import OVSDB

extension Transaction {
  /// Checks the transaction's final state and settles what it changed.
  ///
  /// The order is the peer's, as far as clients can see it: rows without a net change are dropped; strong references; garbage
  /// collection; maxRows; weak references; indexes. In between anything may have been violated.
  ///
  /// - Returns: nil when nothing changed.
  /// - Throws: `.referentialIntegrityViolation` or `.constraintViolation`.
  mutating func makeCommit() throws(OVSDBError) -> Commit? {
    guard !overlays.isEmpty else { return nil }
    sortOverlays()
    settleTouched()
    var references = ReferenceCounts()
    try countStrongReferences(&references)
    try checkDeletedRows(references)
    // What the source of a copy has settled is not settled anew.
    if replica?.isVerbatim != true {
      collectGarbage(&references)
      try checkRowCounts()
      try pruneWeakReferences(&references)
      settleTouched()
    }
    if isExceeded { return nil }
    try checkIndexes()
    return assembleCommit(references)
  }

  /// Puts the overlays in the order of the schema.
  mutating func sortOverlays() {
    if overlays.count > 1 { overlays.sort { $0.tableIndex < $1.tableIndex } }
  }

  /// Reduces each modified row's touched columns to those whose values differ; a row without any is as it was. A value that is equal to
  /// the old one is replaced by it, so that both states of the row share its memory.
  private mutating func settleTouched() {
    for overlay in overlays.indices {
      for position in overlays[overlay].drafts.indices {
        guard let old = overlays[overlay][position].old, let new = overlays[overlay][position].new, old !== new else { continue }
        var changed = ColumnSet()
        let columns = new.table.columns
        overlays[overlay][position].touched.forEach { index in
          let known = old[columns[index]]
          if known != new[columns[index]] { changed.insert(index) } else { new.set(columns[index], to: known) }
        }
        overlays[overlay][position].touched = changed
        if changed.isEmpty { overlays[overlay][position].new = old }
      }
    }
  }

  private func checkRowCounts() throws(OVSDBError) {
    for position in overlays.indices {
      let tableIndex = overlays[position].tableIndex
      let schema = tables[tableIndex].schema
      guard schema.rowsMax != TableSchema.rowsUnlimited else { continue }
      var count = tables[tableIndex].rows.count
      var grows = false
      for draft in overlays[position].drafts {
        if draft.old == nil, draft.new != nil {
          count += 1
          grows = true
        } else if draft.old != nil, draft.new == nil {
          count -= 1
        }
      }
      if grows, count > schema.rowsMax {
        throw .tooManyRows(count, in: schema)
      }
    }
  }

  /// Gives changed rows their versions and gathers them. The rows are published by this.
  private func assembleCommit(_ references: ReferenceCounts) -> Commit? {
    var changes: [TableChange] = []
    var weakDeltas: [WeakDelta] = []
    for position in overlays.indices {
      let schema = tables[overlays[position].tableIndex].schema
      var rows: [RowChange] = []
      rows.reserveCapacity(overlays[position].drafts.count)
      for draft in overlays[position].drafts where draft.old !== draft.new {
        // A new row has its version since its insert, where a select may have shown it.
        if draft.old != nil { draft.new?.setVersion(replica?.versions[draft.uuid] ?? database.makeUUID()) }
        draft.new?.seal()
        rows.append(RowChange(uuid: draft.uuid, old: draft.old, new: draft.new, changed: draft.touched))
        for column in schema.weakColumns { note(column, of: draft, &weakDeltas) }
      }
      if !rows.isEmpty { changes.append(TableChange(table: schema, rows: rows)) }
    }
    guard !changes.isEmpty else { return nil }
    let (sequence, id) = database.nextCommitIdentity()
    return Commit(
      sequence: sequence, id: replica?.commitID ?? id, tables: changes, comment: comments.isEmpty ? nil : comments.joined(separator: "\n"),
      strongDeltas: references.deltas, weakDeltas: weakDeltas)
  }

  private func note(_ column: ColumnSchema, of draft: Draft, _ deltas: inout [WeakDelta]) {
    if draft.old != nil, draft.new != nil, !draft.touched.contains(column.index) { return }
    let referrer = Referrer(
      tableIndex: Int32((draft.new ?? draft.old)?.table.index ?? 0), columnIndex: Int32(column.index), uuid: draft.uuid)
    Datum.forEachReferrerChange(
      from: draft.old?[column] ?? .empty, to: draft.new?[column] ?? .empty, type: column.type
    ) { target, delta in
      deltas.append(
        WeakDelta(targetTable: target.tableIndex, target: target.uuid, referrer: referrer, isAdded: delta > 0))
    }
  }
}
