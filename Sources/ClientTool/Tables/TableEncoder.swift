// SPDX-License-Identifier: Apache-2.0
//
// The five formats of tables, row by row: a table may be larger than memory.

import JSON

/// Encodes one table. The bytes pile up until they are taken.
///
///     encoder.append(row) ...  encoder.finish()     and between them, whenever there is enough: encoder.takeBytes()
struct TableEncoder: ~Copyable {
  private let header: TableHeader
  private let style: TableStyle
  /// Only of the format `table`.
  private let widths: [Int]
  private var output: [UInt8] = []
  private var json = ByteWriter()
  private var indenter = JSONIndenter()
  private var rowCount = 0

  /// Begins with what stands above the rows.
  init(_ header: TableHeader, _ style: TableStyle, _ widths: ColumnWidths) {
    self.header = header
    self.style = style
    self.widths = widths.fitted
    switch style.format {
    case .table: beginTable()
    case .list: beginText()
    case .csv: beginCSV()
    case .html: beginHTML()
    case .json: beginJSON()
    }
  }

  /// How many bytes wait to be taken.
  var count: Int { output.count }

  mutating func takeBytes() -> [UInt8] {
    defer { output.removeAll(keepingCapacity: true) }
    return output
  }

  mutating func append(_ row: [Cell]) {
    switch style.format {
    case .table: appendLine(row.map { $0.text(style.cells) })
    case .list: appendList(row)
    case .csv: appendCSV(row.map { $0.text(style.cells) })
    case .html: appendHTML(row)
    case .json: appendJSON(row)
    }
    rowCount += 1
  }

  mutating func finish() {
    switch style.format {
    case .table, .list, .csv: break
    case .html: append("</table>\n")
    case .json: finishJSON()
    }
  }

  private mutating func append(_ text: String) { output.append(contentsOf: text.utf8) }

  /// Text for whoever reads it.
  private func shown(_ text: String) -> String {
    style.terminal == nil ? text : TerminalText.visible(text, keepsLines: true)
  }

  /// Time and caption, a line each.
  private mutating func beginText() {
    if let timestamp = header.timestamp { append("\(timestamp)\n") }
    if let caption = header.caption { append("\(shown(caption))\n") }
  }

  // MARK: - table

  private mutating func beginTable() {
    beginText()
    guard style.hasHeadings else { return }
    appendLine(header.headings)
    appendLine(widths.map { String(repeating: "-", count: $0) })
  }

  private mutating func appendLine(_ cells: [String]) {
    if let terminal = style.terminal {
      appendTerminalLine(cells.map { TerminalText.visible($0) }, terminal)
      return
    }
    let begin = output.count
    for (column, cell) in cells.enumerated() {
      if column > 0 { output.append(UInt8(ascii: " ")) }
      let bytes = cell.utf8.prefix(widths[column])
      output.append(contentsOf: bytes)
      output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: widths[column] - bytes.count))
    }
    endLine(begin)
  }

  /// Without blanks at its end.
  private mutating func endLine(_ begin: Int) {
    while output.count > begin, output.last == UInt8(ascii: " ") { output.removeLast() }
    output.append(UInt8(ascii: "\n"))
  }

  private mutating func appendTerminalLine(_ cells: [String], _ terminal: TerminalStyle) {
    switch terminal.fit {
    case .cut:
      appendTerminalLine(cells.enumerated().map { TerminalText.cut($1, columns: widths[$0], ellipsis: terminal.ellipsis) })
    case .off:
      // A width can only have been limited on demand.
      appendTerminalLine(cells.enumerated().map { TerminalText.cut($1, columns: widths[$0], ellipsis: "") })
    case .wrap:
      let wrapped = cells.enumerated().map { TerminalText.wrap($1, columns: widths[$0]) }
      for line in 0..<(wrapped.map(\.count).max() ?? 0) {
        appendTerminalLine(wrapped.map { line < $0.count ? $0[line] : ("", 0) })
      }
    }
  }

  private mutating func appendTerminalLine(_ cells: [(text: String, columns: Int)]) {
    let begin = output.count
    for (column, cell) in cells.enumerated() {
      if column > 0 { output.append(UInt8(ascii: " ")) }
      append(cell.text)
      output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: max(0, widths[column] - cell.columns)))
    }
    endLine(begin)
  }

  // MARK: - list

  private mutating func appendList(_ row: [Cell]) {
    if rowCount > 0 { append("\n") }
    for (heading, cell) in zip(header.headings, row) {
      if style.hasHeadings { append(heading + String(repeating: " ", count: max(0, 20 - heading.utf8.count)) + ": ") }
      append(shown(cell.text(style.cells)))
      append("\n")
    }
  }

  // MARK: - csv

  private mutating func beginCSV() {
    beginText()
    if style.hasHeadings { appendCSV(header.headings) }
  }

  private mutating func appendCSV(_ cells: [String]) {
    for (column, cell) in cells.enumerated() {
      if column > 0 { output.append(UInt8(ascii: ",")) }
      appendCSVCell(shown(cell))
    }
    append("\n")
  }

  /// Quoted where the reader could be misled (RFC 4180).
  private mutating func appendCSVCell(_ text: String) {
    let quote = UInt8(ascii: "\"")
    guard text.utf8.contains(where: { $0 == quote || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\n") }) else {
      return append(text)
    }
    output.append(quote)
    for byte in text.utf8 {
      if byte == quote { output.append(quote) }
      output.append(byte)
    }
    output.append(quote)
  }

  // MARK: - html

  private mutating func beginHTML() {
    if let timestamp = header.timestamp { append("\(timestamp)\n") }
    append("<table border=1>\n")
    if let caption = header.caption { append("    <caption>\(HTMLText.escaped(caption))</caption>\n") }
    guard style.hasHeadings else { return }
    append("  <tr>\n")
    for heading in header.headings { append("    <th>\(HTMLText.escaped(heading))</th>\n") }
    append("  </tr>\n")
  }

  private mutating func appendHTML(_ row: [Cell]) {
    append("  <tr>\n")
    for (heading, cell) in zip(header.headings, row) {
      append("    <td>\(HTMLText.linked(shown(cell.text(style.cells)), isName: heading == "_uuid"))</td>\n")
    }
    append("  </tr>\n")
  }

  // MARK: - json

  private mutating func beginJSON() {
    json.append("{")
    if let caption = header.caption {
      json.append("\"caption\":")
      json.appendQuoted(caption)
      json.append(",")
    }
    json.append("\"data\":[")
    moveJSON()
  }

  private mutating func appendJSON(_ row: [Cell]) {
    json.append(rowCount > 0 ? ",[" : "[")
    for (index, cell) in row.enumerated() {
      if index > 0 { json.append(",") }
      cell.writeJSON(to: &json)
    }
    json.append("]")
    moveJSON()
  }

  private mutating func finishJSON() {
    json.append("],\"headings\":[")
    for (index, heading) in header.headings.enumerated() {
      if index > 0 { json.append(",") }
      json.appendQuoted(heading)
    }
    json.append("]")
    if let timestamp = header.timestamp {
      json.append(",\"time\":")
      json.appendQuoted(timestamp)
    }
    json.append("}")
    moveJSON()
    append("\n")
  }

  private mutating func moveJSON() {
    if style.isPretty {
      json.withBytes { indenter.append($0, to: &output) }
    } else {
      json.withBytes { output.append(contentsOf: $0) }
    }
    json.removeAll()
  }
}
