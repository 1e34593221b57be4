// SPDX-License-Identifier: Apache-2.0
//
// The widths of the columns of the format `table`: known only when all rows were seen once. For programs they are bytes, for people
// columns of their terminal.

import Daemon

/// Measures rows, then says how wide the columns are to be.
struct ColumnWidths: Sendable {
  private(set) var widths: [Int]
  private let style: TableStyle

  init(_ header: TableHeader, _ style: TableStyle) {
    self.style = style
    widths = header.headings.map { style.hasHeadings ? style.width(of: $0) : 0 }
  }

  mutating func measure(_ row: [Cell]) {
    guard style.format == .table else { return }
    for (column, cell) in row.enumerated() {
      let width = style.width(of: cell.text(style.cells))
      // The limit is one for cells: headings stand as they are, and their cells may be as wide.
      widths[column] = max(widths[column], min(width, style.columnBytesMax ?? .max))
    }
  }

  /// The widths, made to fit a terminal if that is wanted and possible.
  var fitted: [Int] {
    guard let terminal = style.terminal, terminal.fit != .off else { return widths }
    return Self.fit(widths, into: terminal.columns)
  }

  /// No column gets narrower than this to make room.
  static let narrowest = 4

  /// Makes the widest columns narrower, all to the same width, until everything fits.
  static func fit(_ widths: [Int], into columns: Int) -> [Int] {
    let room = columns - (widths.count - 1)
    guard widths.reduce(0, +) > room else { return widths }
    // The greatest limit that fits: widths that lie below it leave what they do not need to the others.
    var (limit, left, remaining) = (narrowest, room, widths.count)
    for width in widths.sorted() {
      guard remaining > 0 else { break }
      let share = left / remaining
      if width > share {
        limit = max(share, narrowest)
        break
      }
      left -= width
      remaining -= 1
    }
    var result = widths.map { min($0, limit) }
    // What the division left over goes to the first columns that want it.
    var spare = room - result.reduce(0, +)
    for index in result.indices where spare > 0 && result[index] < widths[index] {
      result[index] += 1
      spare -= 1
    }
    return result
  }
}

extension TableStyle {
  /// How wide a text is when it is printed in this style.
  func width(of text: String) -> Int {
    terminal == nil ? text.utf8.count : DisplayWidth.of(TerminalText.visible(text))
  }
}
