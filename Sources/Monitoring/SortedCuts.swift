// SPDX-License-Identifier: Apache-2.0
//
// Something for each of many cuts of the number line, in their order.

import OVSDB

/// Values by cut, kept in order, in blocks: an array of all would move half of itself for each insertion.
struct SortedCuts<Value> {
  private var blocks: [[(cut: Cut, value: Value)]] = []

  private static var blockSizeMax: Int { 256 }

  var isEmpty: Bool { blocks.isEmpty }

  /// The first place whose cut is `cut` or higher; behind the last place when there is none.
  private func place(of cut: Cut) -> (block: Int, position: Int) {
    var (low, high) = (0, blocks.count)
    while low < high {
      let middle = low + (high - low) / 2
      if let last = blocks[middle].last, last.cut < cut { low = middle + 1 } else { high = middle }
    }
    guard low < blocks.count else { return (low, 0) }
    let block = low
    (low, high) = (0, blocks[block].count)
    while low < high {
      let middle = low + (high - low) / 2
      if blocks[block][middle].cut < cut { low = middle + 1 } else { high = middle }
    }
    return (block, low)
  }

  /// Lets `change` set the value of a cut, which is `initial` when there is none, and removes the cut when `change` returns false.
  mutating func update(_ cut: Cut, initial: @autoclosure () -> Value, _ change: (inout Value) -> Bool) {
    var (block, position) = place(of: cut)
    if block < blocks.count, blocks[block][position].cut == cut {
      if change(&blocks[block][position].value) { return }
      blocks[block].remove(at: position)
      if blocks[block].isEmpty { blocks.remove(at: block) }
      return
    }
    var value = initial()
    guard change(&value) else { return }
    if block == blocks.count {
      if blocks.isEmpty { blocks.append([]) }
      block = blocks.count - 1
      position = blocks[block].count
    }
    blocks[block].insert((cut, value), at: position)
    guard blocks[block].count > Self.blockSizeMax else { return }
    let half = blocks[block].count / 2
    blocks.insert(Array(blocks[block][half...]), at: block + 1)
    blocks[block].removeSubrange(half...)
  }

  /// Calls `body` with the values of all cuts up to one, this included.
  func forEach(upTo cut: Cut, _ body: (Value) -> Void) {
    for block in blocks {
      for (present, value) in block {
        guard present <= cut else { return }
        body(value)
      }
    }
  }

  /// Calls `body` with the values of all cuts from one on, this included.
  func forEach(from cut: Cut, _ body: (Value) -> Void) {
    var (block, position) = place(of: cut)
    while block < blocks.count {
      for (_, value) in blocks[block][position...] { body(value) }
      (block, position) = (block + 1, 0)
    }
  }
}
