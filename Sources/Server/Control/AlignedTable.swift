// SPDX-License-Identifier: Apache-2.0
//
// Tables in the answers of control commands.

/// Lays out rows of equal length: columns padded to their widest cell, but for the last one, two blanks between them.
func alignedTable(_ rows: [[String]]) -> String {
  let columnCount = rows.map(\.count).min() ?? 0
  let widths = (0..<max(0, columnCount - 1)).map { column in rows.map { $0[column].count }.max() ?? 0 }
  return rows.map { row in
    let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
    return (cells + row.suffix(1)).joined(separator: "  ") + "\n"
  }.joined()
}
