// SPDX-License-Identifier: Apache-2.0
//
// Text for a person at a terminal: nothing in it can control the terminal, and it is cut or wrapped by what is seen.

import Daemon

/// How tables are shown at a terminal.
struct TerminalStyle: Sendable, Equatable {
  /// What happens to tables that are wider than the terminal.
  enum Fit: String, Sendable { case cut, wrap, off }

  var fit: Fit
  /// Of the terminal.
  var columns: Int
  /// Stands where something was cut away.
  var ellipsis: String

  init(fit: Fit, columns: Int, ellipsis: String = Self.usualEllipsis) {
    self.fit = fit
    self.columns = columns
    self.ellipsis = ellipsis
  }

  /// By the locale: a terminal that knows no Unicode gets a tilde.
  static var usualEllipsis: String {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { Paths.environment($0) }.first ?? ""
    let folded = locale.lowercased()
    return folded.contains("utf-8") || folded.contains("utf8") ? "…" : "~"
  }
}

enum TerminalText {
  /// The text with everything that would do something, rather than be seen, written as JSON writes it.
  ///
  /// - Parameter keepsLines: whether ends of lines stay what they are.
  static func visible(_ text: String, keepsLines: Bool = false) -> String {
    guard text.unicodeScalars.contains(where: isHarmful) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n" where keepsLines, "\t" where keepsLines: result.unicodeScalars.append(scalar)
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      default:
        if isHarmful(scalar) {
          let digits = String(scalar.value, radix: 16)
          result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result
  }

  /// Control characters, and the marks that turn the direction of what follows.
  private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }

  /// The text, or as much of it as fits with an ellipsis behind.
  static func cut(_ text: String, columns: Int, ellipsis: String) -> (text: String, columns: Int) {
    let whole = DisplayWidth.of(text)
    guard whole > columns else { return (text, whole) }
    let mark = DisplayWidth.prefix(ellipsis, columns: columns)
    let kept = DisplayWidth.prefix(text, columns: columns - mark.columns)
    return (String(kept.text) + mark.text, kept.columns + mark.columns)
  }

  /// The text in lines that fit; at least one. Broken anywhere: values are not prose.
  static func wrap(_ text: String, columns: Int) -> [(text: String, columns: Int)] {
    var lines: [(String, Int)] = []
    var rest = text
    while DisplayWidth.of(rest) > columns {
      let line = DisplayWidth.prefix(rest, columns: columns)
      // A letter that is wider than the column goes alone.
      guard !line.text.isEmpty, line.text.endIndex < rest.endIndex else { break }
      lines.append((String(line.text), line.columns))
      rest = String(rest.unicodeScalars[line.text.endIndex...])
    }
    return lines + [(rest, DisplayWidth.of(rest))]
  }
}
