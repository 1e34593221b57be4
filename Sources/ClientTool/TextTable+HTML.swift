// SPDX-License-Identifier: Apache-2.0
//
// Tables as HTML, with rows that link to each other by their UUIDs.

import OVSDB

extension TextTable {
  func htmlText(_ style: TableStyle) -> String {
    var text = timestamp.map { "\($0)\n" } ?? ""
    text += "<table border=1>\n"
    if let caption { text += "    <caption>\(Self.escaped(caption))</caption>\n" }
    if style.hasHeadings {
      text += "  <tr>\n"
      for heading in headings { text += "    <th>\(Self.escaped(heading))</th>\n" }
      text += "  </tr>\n"
    }
    for row in rows {
      text += "  <tr>\n"
      for (heading, cell) in zip(headings, row) {
        text += "    <td>\(Self.linked(cell.text(style.cells), isName: heading == "_uuid"))</td>\n"
      }
      text += "  </tr>\n"
    }
    return text + "</table>\n"
  }

  /// A row's own name becomes an anchor, and a UUID elsewhere a link to that.
  private static func linked(_ text: String, isName: Bool) -> String {
    if isName {
      let short = String(decoding: text.utf8.prefix(8), as: UTF8.self)
      return "<a name=\"\(escaped(text))\">\(escaped(short))</a>"
    }
    let bytes = Array(text.utf8)
    var result = ""
    var begin = 0
    var index = 0
    while index + UUID.textLength <= bytes.count {
      let candidate = bytes[index..<index + UUID.textLength]
      guard candidate.withUnsafeBufferPointer({ UUID(utf8: $0) }) != nil else {
        index += 1
        continue
      }
      let uuid = String(decoding: candidate, as: UTF8.self)
      result += escaped(String(decoding: bytes[begin..<index], as: UTF8.self))
      result += "<a href=\"#\(uuid)\">\(uuid.prefix(8))</a>"
      index += UUID.textLength
      begin = index
    }
    return result + escaped(String(decoding: bytes[begin...], as: UTF8.self))
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension UUID {
  /// The length of a UUID's text.
  fileprivate static let textLength = 36
}
