// SPDX-License-Identifier: Apache-2.0
//
// The rows of one table that a transaction in progress has changed, as `Transaction` lays them over the committed ones.

import OVSDB

/// A row as a transaction has it.
struct Draft {
  let uuid: UUID
  /// The committed row; nil when the transaction inserted it.
  let old: Row?
  /// The transaction's own row, not published; nil when deleted.
  var new: Row?
  /// Columns of `new` that were written.
  var touched: ColumnSet
}

/// The changed rows of one table.
struct TableOverlay {
  private let schema: TableSchema
  private(set) var drafts: [Draft] = []
  /// Where each row's draft is. Kept only above `scanLimit` drafts: most transactions have a few, which are found faster by looking.
  private var positions: [UUID: Int] = [:]
  /// For each index of the table, the drafts that have or had certain values. Empty until an operation looks for a row through an
  /// index among more than `scanLimit` drafts.
  private var files: [[IndexKey: Set<Int>]] = []

  private static let scanLimit = 8

  init(_ schema: TableSchema) { self.schema = schema }

  var tableIndex: Int { schema.index }

  func position(of uuid: UUID) -> Int? {
    if drafts.count > Self.scanLimit { return positions[uuid] }
    return drafts.firstIndex { $0.uuid == uuid }
  }

  mutating func append(_ draft: Draft) -> Int {
    let position = drafts.count
    drafts.append(draft)
    if drafts.count == Self.scanLimit + 1 {
      for (position, draft) in drafts.enumerated() { positions[draft.uuid] = position }
    } else if drafts.count > Self.scanLimit {
      positions[draft.uuid] = position
    }
    file(position)
    return position
  }

  subscript(position: Int) -> Draft {
    get { drafts[position] }
    _modify { yield &drafts[position] }
  }

  /// Calls `body` with the rows that may have the given values in an index; the caller checks each.
  mutating func forEachRow(index: Int, key: IndexKey, _ body: (Row) -> Void) {
    guard drafts.count > Self.scanLimit else {
      for draft in drafts { if let row = draft.new { body(row) } }
      return
    }
    for position in positions(index: index, key: key) { if let row = drafts[position].new { body(row) } }
  }

  private mutating func positions(index: Int, key: IndexKey) -> Set<Int> {
    if files.isEmpty {
      files = Array(repeating: [:], count: schema.indexes.count)
      for position in drafts.indices { file(position) }
    }
    return files[index][key] ?? []
  }

  /// Files a draft under the values it has now. What it had before is left: taking it out would cost more than looking in vain.
  @inline(__always)
  mutating func file(_ position: Int) {
    if !files.isEmpty { fileInIndexes(position) }
  }

  private mutating func fileInIndexes(_ position: Int) {
    guard let row = drafts[position].new else { return }
    for (index, columns) in schema.indexes.enumerated() {
      files[index][IndexKey(row, columns), default: []].insert(position)
    }
  }
}
