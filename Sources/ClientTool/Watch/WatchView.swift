// SPDX-License-Identifier: Apache-2.0
//
// What `watch` draws: a line that says what one looks at, the headings, the rows, a line with the keys. A pure function of the table,
// the place one has moved to, and the size of the terminal.

import Daemon
import JSON
import OVSDB

/// Where one looks, and how.
struct WatchView: Sendable {
  /// The first row in sight.
  var firstRow = 0
  /// The first column in sight.
  var firstColumn = 0
  var isPaused = false
  var style: TableStyle
  /// What is watched, `Port in Sample at unix:db.sock`.
  let title: String
  /// What is wrong at the moment.
  var trouble: String?

  private static let (reverse, bold, dim, plain) = ("\u{1B}[7m", "\u{1B}[1m", "\u{1B}[2m", "\u{1B}[0m")
  private static let keys = "q quit  arrows, PgUp, PgDn, Home, End move  space pause"
  /// The title, the headings and the keys.
  private static let otherLines = 3

  init(title: String, style: TableStyle) {
    self.title = title
    self.style = style
  }

  enum Key: Equatable, Sendable {
    case up, down, left, right, pageUp, pageDown, home, end, pause, redraw, suspend, quit
  }

  /// Moves. Nothing leads further than the last row and the last column.
  mutating func press(_ key: Key, rowCount: Int, columnCount: Int, size: Terminal.Size) {
    let page = max(1, size.rows - Self.otherLines)
    switch key {
    case .up: firstRow -= 1
    case .down: firstRow += 1
    case .pageUp: firstRow -= page
    case .pageDown: firstRow += page
    case .home: firstRow = 0
    case .end: firstRow = rowCount
    case .left: firstColumn -= 1
    case .right: firstColumn += 1
    case .pause: isPaused.toggle()
    case .redraw, .suspend, .quit: break
    }
    firstRow = max(0, min(firstRow, rowCount - page))
    firstColumn = max(0, min(firstColumn, columnCount - 1))
  }

  /// The lines of the screen, no more than it has, none wider than it is.
  func lines(_ rows: [WatchTable.Row], columns: [ColumnSchema], count: Int, now: Int64, size: Terminal.Size) -> [String] {
    let room = max(0, size.rows - Self.otherLines)
    let first = max(0, min(firstRow, rows.count - room))
    let shown = rows.dropFirst(first).prefix(room)
    let columns = Array(columns.enumerated().dropFirst(firstColumn))
    let cells = shown.map { row in
      columns.map { TerminalText.visible(Cell.datum(row.values[$0.offset], $0.element.type).text(style.cells)) }
    }
    let widths = widths(columns.map(\.element.name), cells, size)

    var lines = [titleLine(count, first, shown.count, rows.count, size)]
    let heads = zip(columns, widths).map { padded($0.element.name, $1) }
    lines.append(clipped([("  ", "")] + heads.map { ($0 + " ", Self.bold) }, size))
    for (row, cells) in zip(shown, cells) {
      lines.append(line(row, cells, columns.map(\.offset), widths, now, size))
    }
    lines += Array(repeating: "", count: max(0, size.rows - 1 - lines.count))
    lines.append(clipped([(Self.keys, Self.dim)], size))
    return Array(lines.prefix(size.rows))
  }

  private func widths(_ names: [String], _ cells: [[String]], _ size: Terminal.Size) -> [Int] {
    var widths = names.map { DisplayWidth.of($0) }
    for row in cells {
      for (column, cell) in row.enumerated() {
        widths[column] = max(widths[column], min(DisplayWidth.of(cell), style.columnBytesMax ?? .max))
      }
    }
    // Two columns go to the mark before the row.
    return style.terminal?.fit == .off ? widths : ColumnWidths.fit(widths, into: size.columns - 2)
  }

  private func padded(_ text: String, _ width: Int) -> String {
    let cut = TerminalText.cut(text, columns: width, ellipsis: style.terminal?.ellipsis ?? "")
    return cut.text + String(repeating: " ", count: max(0, width - cut.columns))
  }

  private func titleLine(_ count: Int, _ first: Int, _ shown: Int, _ all: Int, _ size: Terminal.Size) -> String {
    var text = "\(TerminalText.visible(title)): \(count) \(count == 1 ? "row" : "rows")"
    if shown < all { text += ", lines \(min(first + 1, all)) to \(first + shown)" }
    if isPaused { text += ", paused" }
    if let trouble { text += " - \(TerminalText.visible(trouble))" }
    return clipped([(padded(text, size.columns), Self.reverse)], size)
  }

  /// A row: `+` came, `-` went, `~` changed lately.
  private func line(
    _ row: WatchTable.Row, _ cells: [String], _ offsets: [Int], _ widths: [Int], _ now: Int64, _ size: Terminal.Size
  ) -> String {
    func isRecent(_ time: Int64) -> Bool { time > 0 && now.saturatingMinus(time) < WatchTable.markMilliseconds }
    let isNew = isRecent(row.insertedAt)
    let isGone = row.deletedAt != nil
    let mark = isGone ? "- " : isNew ? "+ " : row.changedAt.contains(where: isRecent) ? "~ " : "  "
    var parts = [(mark, isGone ? Self.dim : "")]
    for (index, cell) in cells.enumerated() {
      let isMarked = isNew || isRecent(row.changedAt[offsets[index]])
      parts.append((padded(cell, widths[index]), isGone ? Self.dim : isMarked ? Self.reverse : ""))
      parts.append((" ", ""))
    }
    return clipped(parts, size)
  }

  /// Puts pieces with their looks together, up to the width of the screen.
  private func clipped(_ parts: [(text: String, look: String)], _ size: Terminal.Size) -> String {
    var result = ""
    var room = size.columns
    for part in parts {
      let piece = DisplayWidth.prefix(part.text, columns: room)
      guard !piece.text.isEmpty else { continue }
      result += part.look.isEmpty ? String(piece.text) : part.look + piece.text + Self.plain
      room -= piece.columns
    }
    return result
  }
}
