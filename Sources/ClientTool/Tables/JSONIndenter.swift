// SPDX-License-Identifier: Apache-2.0
//
// Indents JSON text without understanding more of it than its brackets and strings: numbers stay as they are written, and a text
// can pass in pieces.

/// Compact JSON in, indented JSON out: two blanks a level, closing brackets on the line of the last element.
struct JSONIndenter {
  private var depth = 0
  private var isInString = false
  private var isEscaped = false
  /// The bracket of an array waits to see whether anything is in it.
  private var hasOpened = false

  /// Appends the next piece of the text. Give all of it, with no white space outside of strings.
  mutating func append(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    for byte in bytes {
      if isInString {
        takeStringByte(byte)
        output.append(byte)
        continue
      }
      let isClosing = byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}")
      if hasOpened {
        hasOpened = false
        if !isClosing { newLine(&output) }
      }
      output.append(byte)
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        // An object goes on below even when it is empty.
        if byte == UInt8(ascii: "{") { newLine(&output) } else { hasOpened = true }
      case UInt8(ascii: ","): newLine(&output)
      case UInt8(ascii: ":"): output.append(UInt8(ascii: " "))
      default: if isClosing { depth -= 1 }
      }
    }
  }

  private mutating func takeStringByte(_ byte: UInt8) {
    if isEscaped {
      isEscaped = false
    } else if byte == UInt8(ascii: "\\") {
      isEscaped = true
    } else if byte == UInt8(ascii: "\"") {
      isInString = false
    }
  }

  private func newLine(_ output: inout [UInt8]) {
    output.append(UInt8(ascii: "\n"))
    output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * max(depth, 0)))
  }
}
