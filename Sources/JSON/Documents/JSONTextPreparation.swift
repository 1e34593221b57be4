// SPDX-License-Identifier: Apache-2.0
//
// The things in which libjansson's dialect is not ours are settled before it reads a text: integers of more than 64
// bits, which it refuses and we read as reals; the nesting depth, of which it takes twice as much; and zero bytes
// between tokens, some of which it overlooks.

/// A text made ready for libjansson.
struct JSONTextPreparation {
  /// The text, with `e0` behind each integer that is too large, which makes it a real.
  private(set) var bytes: [UInt8] = []
  /// Where in `bytes` an `e0` was put in, ascending.
  private var insertions: [Int] = []

  /// - Throws: When containers nest too deep, and at a zero byte outside strings.
  init(_ text: [UInt8]) throws(JSONSyntaxError) {
    bytes.reserveCapacity(text.count)
    var copied = 0
    var depth = 0
    var at = 0
    while at < text.count {
      switch text[at] {
      case UInt8(ascii: "\""): at = Self.stringEnd(text, at + 1)
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        guard depth <= JSONLimits.depthMax else {
          throw Self.error(text, at, "input exceeds maximum nesting depth \(JSONLimits.depthMax)")
        }
        at += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        depth -= 1
        at += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
        let end = text[at...].firstIndex { !JSONScanner.isNumberByte($0) } ?? text.count
        if Self.isTooLarge(text[at..<end]) {
          bytes += text[copied..<end]
          copied = end
          insertions.append(bytes.count)
          bytes += "e0".utf8
        }
        at = end
      case 0: throw Self.error(text, at, "invalid character U+0000")
      default: at += 1
      }
    }
    bytes += text[copied...]
  }

  /// An error in `bytes`, placed in the text as it was given.
  func original(_ error: JSONSyntaxError) -> JSONSyntaxError {
    var error = error
    let before = insertions.prefix { $0 < error.byte }
    let lineStart = bytes[..<min(error.byte, bytes.count)].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    error.column -= before.count { $0 >= lineStart } * 2
    error.byte -= before.count * 2
    return error
  }

  /// Behind the closing quote, or the end of the text.
  private static func stringEnd(_ text: [UInt8], _ from: Int) -> Int {
    var at = from
    while at < text.count {
      if text[at] == UInt8(ascii: "\"") { return at + 1 }
      at += text[at] == UInt8(ascii: "\\") ? 2 : 1
    }
    return text.count
  }

  /// Whether this is an integer outside the range of 64 bits with sign.
  private static func isTooLarge(_ token: ArraySlice<UInt8>) -> Bool {
    guard token.count > 18 else { return false }
    let digits = token.first == UInt8(ascii: "-") ? token.dropFirst() : token
    guard digits.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) else { return false }
    return Int64(String(decoding: token, as: UTF8.self)) == nil
  }

  private static func error(_ text: [UInt8], _ at: Int, _ message: String) -> JSONSyntaxError {
    let before = text[..<at]
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return JSONSyntaxError(
      line: before.count { $0 == UInt8(ascii: "\n") }, column: at - lineStart, byte: at,
      text: message)
  }
}
