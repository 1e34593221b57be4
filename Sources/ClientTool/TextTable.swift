// SPDX-License-Identifier: Apache-2.0
//
// Tables as values: what they hold and how cells become text. The formats are in TextTable+Formats.swift.

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
    case (.json(let document), _): document.root.text()
    case (.datum(let datum, let type), .string): datum.text(of: type)
    case (.datum(let datum, let type), .bare): datum.bareText(of: type)
    case (.datum, .json): jsonText
    }
  }

  /// The cell as JSON.
  var jsonText: String {
    var writer = ByteWriter()
    switch self {
    case .empty: writer.append("null")
    case .text(let text): writer.appendQuoted(text)
    case .json(let document): document.root.write(to: &writer, sorted: true)
    case .datum(let datum, let type): datum.write(to: &writer, type: type)
    }
    return writer.string
  }
}

/// A table to be printed.
struct TextTable: Sendable {
  var caption: String?
  /// When it was made, `2026-11-21 00:41:00.123`.
  var timestamp: String?
  let headings: [String]
  private(set) var rows: [[Cell]] = []

  init(caption: String? = nil, headings: [String]) {
    self.caption = caption
    self.headings = headings
  }

  /// Adds a row; missing cells are empty.
  mutating func append(_ cells: [Cell]) {
    rows.append(cells + Array(repeating: .empty, count: max(0, headings.count - cells.count)))
  }
}
