// SPDX-License-Identifier: Apache-2.0
//
// Names come from command lines, files, environments and clients, and may hold anything. A terminal obeys control characters, and a line
// feed would forge a line of the log.

extension String {
  /// The text with its control characters (C0, DEL and C1) in words: `\n`, `\t`, `\r`, `\xNN`.
  ///
  /// - Parameter kept: characters that stay, such as the line feeds of a text of several lines.
  package func escapingControlCharacters(except kept: Unicode.Scalar? = nil) -> String {
    func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
      (scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)) && scalar != kept
    }
    guard unicodeScalars.contains(where: isEscaped) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      switch scalar {
      case _ where !isEscaped(scalar): text.unicodeScalars.append(scalar)
      case "\n": text += "\\n"
      case "\t": text += "\\t"
      case "\r": text += "\\r"
      default: text += "\\x" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
      }
    }
    return text
  }
}
