// SPDX-License-Identifier: Apache-2.0
//
// The parser's complaints, in the words and with the positions of ovsdb-server 3.1.0 (all observed). Out of line, so
// that the loop in JSONParser.swift stays small.

import Glibc

extension JSONParser {
  /// Notes and returns an error at a byte of the text.
  @inline(never)
  mutating func fail(_ input: UnsafePointer<UInt8>, at offset: Int, _ text: String) -> JSONSyntaxError {
    let place = place(input, at: offset)
    let error = JSONSyntaxError(line: place.line, column: place.column, byte: place.byte, text: text)
    failure = error
    return error
  }

  /// The place of a byte. Lines are counted only here, when someone asks.
  func place(_ input: UnsafePointer<UInt8>, at offset: Int) -> (line: Int, column: Int, byte: Int) {
    var (line, column, _) = origin
    var start = 0
    while start < offset, let found = memchr(input + start, CInt(UInt8(ascii: "\n")), offset - start) {
      line += 1
      column = 0
      start += UnsafeRawPointer(input + start).distance(to: found) + 1
    }
    column += offset - start
    return (line, column, origin.byte + offset)
  }

  /// An error for a well-formed token where the grammar does not allow it.
  @inline(never)
  mutating func unexpected(_ input: UnsafePointer<UInt8>, at offset: Int, _ expected: Expected) -> JSONSyntaxError {
    let text =
      switch expected {
      case .begin: "syntax error at beginning of input"
      case .elementOrEnd, .element, .memberValue: "syntax error expecting value"
      case .nameOrEnd, .name: "syntax error parsing object expecting string"
      case .colon: "syntax error parsing object expecting ':'"
      case .commaInArray: "syntax error expecting ']' or ','"
      case .commaInObject: "syntax error expecting '}' or ','"
      case .end: "trailing garbage at end of input"
      }
    return fail(input, at: offset, text)
  }

  @inline(never)
  mutating func tooDeep(_ input: UnsafePointer<UInt8>, at offset: Int) -> JSONSyntaxError {
    fail(input, at: offset, "input exceeds maximum nesting depth \(JSONLimits.depthMax)")
  }

  /// An error for a text of more than `sizeMax` bytes, at the first byte too many.
  @inline(never)
  mutating func tooLarge(_ input: UnsafePointer<UInt8>, sizeMax: Int) -> JSONSyntaxError {
    fail(input, at: first.saturatingPlus(sizeMax), "input exceeds maximum size of \(sizeMax) bytes")
  }

  /// The system gives no memory for the text, of which `count` bytes are there.
  mutating func noMemory(_ input: UnsafePointer<UInt8>, count: Int) -> JSONSyntaxError {
    fail(input, at: min(position, count), "no memory for a message of more than \(count) bytes")
  }

  /// An error for a byte that begins no token.
  @inline(never)
  mutating func invalidCharacter(_ input: UnsafePointer<UInt8>, at offset: Int) -> JSONSyntaxError {
    let byte = input[offset]
    let isPrintable = byte > 0x20 && byte < 0x7f
    return fail(
      input, at: offset,
      isPrintable
        ? "invalid character '\(Character(Unicode.Scalar(byte)))'" : "invalid character U+\(hex(byte, uppercase: false))")
  }

  /// Four hexadecimal digits.
  func hex(_ byte: UInt8, uppercase: Bool) -> String {
    let digits = String(byte, radix: 16, uppercase: uppercase)
    return String(repeating: "0", count: 4 - digits.count) + digits
  }
}
