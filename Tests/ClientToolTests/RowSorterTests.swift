// SPDX-License-Identifier: Apache-2.0

import JSON
import OVSDB
import Testing

@testable import ClientTool

@Suite struct RowSorterTests {
  private static let columns = [
    ColumnSchema(name: "n", type: ColumnType(key: BaseType(.integer)), isMutable: true, isPersistent: true, index: 0),
    ColumnSchema(name: "s", type: ColumnType(key: BaseType(.string), min: 0, max: ColumnType.unlimited), isMutable: true,
      isPersistent: true, index: 1),
  ]

  /// The texts of rows after sorting.
  private func sorted(_ rows: [[Datum]], keys: [Int], textBytesMax: Int) throws -> [String] {
    var sorter = RowSorter(columns: Self.columns, keys: keys, textBytesMax: textBytesMax)
    for row in rows { try sorter.add(row, textBytes: 10) }
    var texts: [String] = []
    try sorter.drain { row in texts.append(zip(row, Self.columns).map { $0.text(of: $1.type) }.joined(separator: " ")) }
    return texts
  }

  private func rows(_ count: Int) throws -> [[Datum]] {
    try (0..<count).map { index in
      let strings = (0..<index % 4).map { "\"\(index * 7 % 11)\\n\($0)\"" }.joined(separator: ",")
      let set = try JSONDocument.parse("[\"set\",[\(strings)]]")
      return [.integer(Int64(index * 7919 % 101)), try Datum(json: set.root, type: Self.columns[1].type, symbols: nil)]
    }
  }

  @Test func runsInAFileGiveTheSameOrderAsMemory() throws {
    let rows = try rows(1000)
    for keys in [[0, 1], [1, 0]] {
      let inMemory = try sorted(rows, keys: keys, textBytesMax: .max)
      #expect(inMemory.count == 1000)
      for textBytesMax in [1, 100, 5000] {
        #expect(try sorted(rows, keys: keys, textBytesMax: textBytesMax) == inMemory, "\(textBytesMax)")
      }
    }
  }

  @Test func nothingSortsToNothing() throws {
    #expect(try sorted([], keys: [0], textBytesMax: 1) == [])
  }
}
