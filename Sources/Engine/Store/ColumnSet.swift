// SPDX-License-Identifier: Apache-2.0
//
// Sets of columns of one table, as bits: which columns a transaction touched, which ones a monitor asks for.

import OVSDB

/// A set of column positions. Tables of up to 64 columns need no allocation.
package struct ColumnSet: Equatable, Sendable {
  private var low: UInt64 = 0
  private var high: [UInt64] = []

  package init() {}

  package init(_ columns: some Sequence<ColumnSchema>) {
    for column in columns { insert(column.index) }
  }

  package mutating func insert(_ index: Int) {
    if index < 64 {
      low |= 1 << UInt64(index)
      return
    }
    let word = index / 64 - 1
    while high.count <= word { high.append(0) }
    high[word] |= 1 << UInt64(index % 64)
  }

  package func contains(_ index: Int) -> Bool {
    if index < 64 { return index >= 0 && low >> UInt64(index) & 1 == 1 }
    let word = index / 64 - 1
    return word < high.count && high[word] >> UInt64(index % 64) & 1 == 1
  }

  package var isEmpty: Bool { low == 0 && high.allSatisfy { $0 == 0 } }

  package func intersects(_ other: ColumnSet) -> Bool {
    low & other.low != 0 || zip(high, other.high).contains { $0 & $1 != 0 }
  }

  package mutating func formUnion(_ other: ColumnSet) {
    low |= other.low
    while high.count < other.high.count { high.append(0) }
    for word in other.high.indices { high[word] |= other.high[word] }
  }

  /// Calls `body` with each position, ascending.
  @inline(__always)
  package func forEach(_ body: (Int) -> Void) {
    var word = low
    while word != 0 {
      body(word.trailingZeroBitCount)
      word &= word &- 1
    }
    for (position, var word) in high.enumerated() {
      while word != 0 {
        body(64 * (position + 1) + word.trailingZeroBitCount)
        word &= word &- 1
      }
    }
  }
}
