// SPDX-License-Identifier: Apache-2.0
//
// The five formats of tables.

import JSON

/// Prints tables, with a blank line between two where the format has it.
struct TablePrinter: Sendable {
  let style: TableStyle
  private var hasPrinted = false

  init(_ style: TableStyle) { self.style = style }

  /// Writes a table to standard output.
  mutating func print(_ table: TextTable) {
    switch style.format {
    case .table: Output.write(Array(separator.utf8) + table.tableBytes(style))
    case .list: Output.write(separator + table.listText(style))
    case .csv: Output.write(separator + table.csvText(style))
    case .html: Output.write(table.htmlText(style))
    case .json: Output.write(table.jsonText(style))
    }
    hasPrinted = true
  }

  private var separator: String { hasPrinted ? "\n" : "" }
}

extension TextTable {
  // MARK: - table

  /// Columns as wide as their widest cell, in bytes.
  func tableBytes(_ style: TableStyle) -> [UInt8] {
    let limit = style.columnBytesMax ?? .max
    func clipped(_ text: String) -> [UInt8] { Array(text.utf8.prefix(limit)) }
    let heads = headings.map(clipped)
    let body = rows.map { $0.map { clipped($0.text(style.cells)) } }
    var widths = style.hasHeadings ? heads.map(\.count) : heads.map { _ in 0 }
    for row in body {
      for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.count) }
    }
    var bytes = Array(opening.utf8)
    if style.hasHeadings {
      Self.append(heads, widths, to: &bytes)
      Self.append(widths.map { [UInt8](repeating: UInt8(ascii: "-"), count: $0) }, widths, to: &bytes)
    }
    for row in body { Self.append(row, widths, to: &bytes) }
    return bytes
  }

  private static func append(_ cells: [[UInt8]], _ widths: [Int], to bytes: inout [UInt8]) {
    let begin = bytes.count
    for (column, cell) in cells.enumerated() {
      if column > 0 { bytes.append(UInt8(ascii: " ")) }
      bytes += cell
      bytes += repeatElement(UInt8(ascii: " "), count: widths[column] - cell.count)
    }
    while bytes.count > begin, bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Time and caption, a line each.
  private var opening: String {
    (timestamp.map { "\($0)\n" } ?? "") + (caption.map { "\($0)\n" } ?? "")
  }

  // MARK: - list

  func listText(_ style: TableStyle) -> String {
    var text = opening
    for (index, row) in rows.enumerated() {
      if index > 0 { text += "\n" }
      for (heading, cell) in zip(headings, row) {
        if style.hasHeadings {
          text += heading + String(repeating: " ", count: max(0, 20 - heading.utf8.count)) + ": "
        }
        text += cell.text(style.cells) + "\n"
      }
    }
    return text
  }

  // MARK: - csv

  func csvText(_ style: TableStyle) -> String {
    var text = opening
    if style.hasHeadings { text += headings.map(Self.csvCell).joined(separator: ",") + "\n" }
    for row in rows {
      text += row.map { Self.csvCell($0.text(style.cells)) }.joined(separator: ",") + "\n"
    }
    return text
  }

  /// Quoted where the reader could be misled (RFC 4180).
  private static func csvCell(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\n") })
    else { return text }
    let doubled = text.utf8.reduce(into: [UInt8]()) { bytes, byte in
      if byte == UInt8(ascii: "\"") { bytes.append(byte) }
      bytes.append(byte)
    }
    return "\"" + String(decoding: doubled, as: UTF8.self) + "\""
  }

  // MARK: - json

  func jsonText(_ style: TableStyle) -> String {
    var writer = ByteWriter(capacity: 1024)
    writer.append("{")
    if let caption {
      writer.append("\"caption\":")
      writer.appendQuoted(caption)
      writer.append(",")
    }
    writer.append("\"data\":[")
    for (index, row) in rows.enumerated() {
      writer.append(index > 0 ? ",[" : "[")
      writer.append(utf8: row.map(\.jsonText).joined(separator: ","))
      writer.append("]")
    }
    writer.append("],\"headings\":[")
    for (index, heading) in headings.enumerated() {
      if index > 0 { writer.append(",") }
      writer.appendQuoted(heading)
    }
    writer.append("]")
    if let timestamp {
      writer.append(",\"time\":")
      writer.appendQuoted(timestamp)
    }
    writer.append("}")
    return outputText(writer.string, style)
  }
}

/// JSON as the user wants it printed, with the end of the line.
func outputText(_ document: JSONDocument, _ style: TableStyle) -> String {
  (style.isPretty ? document.root.prettyText() : document.root.text()) + "\n"
}

/// JSON text that we wrote ourselves, keys sorted, as the user wants it printed.
func outputText(_ text: String, _ style: TableStyle) -> String {
  guard style.isPretty, let document = try? JSONDocument.parse(text, anyValue: true) else { return text + "\n" }
  return outputText(document, style)
}
