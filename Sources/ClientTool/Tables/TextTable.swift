// SPDX-License-Identifier: Apache-2.0
//
// Tables as values: what they hold and how cells become text. `TableEncoder` makes the five formats of them.

import JSON
import OVSDB

/// How tables are printed.
struct TableStyle: Sendable {
  enum Format: String, Sendable { case table, list, html, csv, json }
  enum Cells: String, Sendable { case string, bare, json }

  var format = Format.table
  var cells = Cells.string
  var hasHeadings = true
  /// JSON indented.
  var isPretty = false
  var hasTimestamps = false
  /// For the format `table`.
  var columnBytesMax: Int?
  /// Whoever reads is a person at a terminal; nil: a program, which gets what every version of the program printed.
  var terminal: TerminalStyle?
}

/// One cell.
enum Cell: Sendable {
  case empty
  case text(String)
  /// JSON that is no column's value.
  case json(JSONDocument)
  case datum(Datum, ColumnType)

  /// The cell as text.
  func text(_ style: TableStyle.Cells) -> String {
    switch (self, style) {
    case (.empty, _): ""
    case (.text(let text), _): text
    case (.json(let document), _): document.withRoot { $0.text() }
    case (.datum(let datum, let type), .string): datum.text(of: type)
    case (.datum(let datum, let type), .bare): datum.bareText(of: type)
    case (.datum, .json):
      {
        var writer = ByteWriter()
        writeJSON(to: &writer)
        return writer.string
      }()
    }
  }

  /// Appends the cell as JSON.
  func writeJSON(to writer: inout ByteWriter) {
    switch self {
    case .empty: writer.append("null")
    case .text(let text): writer.appendQuoted(text)
    case .json(let document): document.withRoot { $0.write(to: &writer, sorted: true) }
    case .datum(let datum, let type): datum.write(to: &writer, type: type)
    }
  }
}

/// What stands above the rows of a table.
struct TableHeader: Sendable {
  var caption: String?
  /// When it was made, `2026-11-21 00:41:00.123`.
  var timestamp: String?
  let headings: [String]

  init(caption: String? = nil, headings: [String]) {
    self.caption = caption
    self.headings = headings
  }
}

/// A table that is small enough to be held.
struct TextTable: Sendable {
  var header: TableHeader
  private(set) var rows: [[Cell]] = []

  init(caption: String? = nil, headings: [String]) {
    header = TableHeader(caption: caption, headings: headings)
  }

  /// Adds a row; missing cells are empty.
  mutating func append(_ cells: [Cell]) {
    rows.append(cells + Array(repeating: .empty, count: max(0, header.headings.count - cells.count)))
  }

  /// The whole table in its format.
  func bytes(_ style: TableStyle) -> [UInt8] {
    var widths = ColumnWidths(header, style)
    for row in rows { widths.measure(row) }
    var encoder = TableEncoder(header, style, widths)
    for row in rows { encoder.append(row) }
    encoder.finish()
    return encoder.takeBytes()
  }
}

/// Prints tables, with a blank line between two where the format has it.
struct TablePrinter: Sendable {
  let style: TableStyle
  private var hasPrinted = false

  init(_ style: TableStyle) { self.style = style }

  /// Writes a table to standard output.
  mutating func print(_ table: TextTable) {
    // One write: whoever reads gets whole tables.
    Output.write(separator() + table.bytes(style))
  }

  /// What stands before the next table, for tables that are written elsewhere.
  mutating func separator() -> [UInt8] {
    defer { hasPrinted = true }
    return switch style.format {
    case .table, .list, .csv: hasPrinted ? [UInt8(ascii: "\n")] : []
    case .html, .json: []
    }
  }
}

/// JSON as the user wants it printed, with the end of the line.
func outputText(_ document: JSONDocument, _ style: TableStyle) -> String {
  document.withRoot { (style.isPretty ? $0.prettyText() : $0.text()) + "\n" }
}

/// JSON text that we wrote ourselves, keys sorted, as the user wants it printed.
func outputText(_ text: String, _ style: TableStyle) -> String {
  guard style.isPretty else { return text + "\n" }
  var indenter = JSONIndenter()
  var bytes: [UInt8] = []
  var text = text
  text.withUTF8 { indenter.append(UnsafeRawBufferPointer($0), to: &bytes) }
  return String(decoding: bytes, as: UTF8.self) + "\n"
}
