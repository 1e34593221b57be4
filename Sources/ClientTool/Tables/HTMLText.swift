// SPDX-License-Identifier: Apache-2.0
//
// Cells as HTML: escaped, with rows that link to each other by their UUIDs.

import OVSDB

enum HTMLText {
  /// A row's own name becomes an anchor, and a UUID elsewhere a link to that.
  static func linked(_ text: String, isName: Bool) -> String {
    if isName {
      let short = String(decoding: text.utf8.prefix(8), as: UTF8.self)
      return "<a name=\"\(escaped(text))\">\(escaped(short))</a>"
    }
    let bytes = Array(text.utf8)
    var result = ""
    var begin = 0
    var index = 0
    while index + uuidLength <= bytes.count {
      let candidate = bytes[index..<index + uuidLength]
      guard candidate.withUnsafeBufferPointer({ UUID(utf8: $0) }) != nil else {
        index += 1
        continue
      }
      let uuid = String(decoding: candidate, as: UTF8.self)
      result += escaped(String(decoding: bytes[begin..<index], as: UTF8.self))
      result += "<a href=\"#\(uuid)\">\(uuid.prefix(8))</a>"
      index += uuidLength
      begin = index
    }
    return result + escaped(String(decoding: bytes[begin...], as: UTF8.self))
  }

  static func escaped(_ text: String) -> String {
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

  private static let uuidLength = 36
}
