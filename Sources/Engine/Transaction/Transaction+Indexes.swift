// SPDX-License-Identifier: Apache-2.0
//
// Uniqueness of indexed values in the final state of a transaction.

import HashTreeCollections
import OVSDB

extension Transaction {
  func checkIndexes() throws(OVSDBError) {
    for overlay in overlays.indices {
      let tableIndex = overlays[overlay].tableIndex
      let indexes = tables[tableIndex].schema.indexes
      guard !indexes.isEmpty else { continue }
      for position in indexes.indices { try check(position, of: tables[tableIndex], overlays[overlay]) }
    }
  }

  /// Only rows with new values in the index's columns can collide, with each other or with a row that stays as it is.
  private func check(_ position: Int, of table: Table, _ overlay: TableOverlay) throws(OVSDBError) {
    let columns = table.schema.indexes[position]
    let set = ColumnSet(columns.filter { !$0.isSynthetic })
    var seen: [IndexKey: Row] = [:]
    // One changed row, the usual case, has no other to be compared with.
    let isAlone = overlay.drafts.count == 1
    for draft in overlay.drafts {
      guard let row = draft.new, draft.old !== row, draft.old == nil || draft.touched.intersects(set) else { continue }
      let key = IndexKey(row, columns)
      if let other = table.row(index: position, key: key), other.uuid != row.uuid,
        let current = self.row(other.uuid, in: overlay.tableIndex), IndexKey(current, columns) == key
      {
        // As later versions than 3.1.0 have it: first the row that was there.
        throw violation(columns, key, current, row)
      }
      if isAlone { continue }
      if let other = seen.updateValue(row, forKey: key) {
        // Rows come in no order; the message shall not depend on chance.
        throw other.uuid < row.uuid ? violation(columns, key, other, row) : violation(columns, key, row, other)
      }
    }
  }

  private func violation(_ columns: [ColumnSchema], _ key: IndexKey, _ first: Row, _ second: Row) -> OVSDBError {
    .duplicate(key, in: columns, first: (first, history(first, columns)), second: (second, history(second, columns)))
  }

  /// How a row came to have its values in an index.
  private func history(_ row: Row, _ columns: [ColumnSchema]) -> String {
    guard let old = tables[row.table.index].rows[row.uuid] else { return "was inserted by this transaction." }
    if old === row {
      return "existed in the database before this transaction and was not modified by the transaction."
    }
    if columns.allSatisfy({ old[$0] == row[$0] }) {
      return """
        existed in the database before this transaction, which modified some of the row's columns but not any columns in \
        this index.
        """
    }
    let values = englishList(columns.map { old[$0].text(of: $0.type) })
    return "had the following index values before the transaction: \(values)."
  }
}
