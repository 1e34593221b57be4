// SPDX-License-Identifier: Apache-2.0
//
// Reads a WireJSON from bytes. It accepts what a server may print and is strict about nothing else: tests of the
// dialect send bytes and look at what comes back.

package struct WireJSONError: Error, CustomStringConvertible {
  package let description: String
}

extension WireJSON {
  /// Parses one complete text; bytes after it are an error.
  package init(parsing bytes: [UInt8]) throws {
    var parser = WireJSONParser(bytes: bytes)
    self = try parser.value()
    parser.skipSpace()
    guard parser.isAtEnd else { throw WireJSONError(description: "bytes after the JSON text, at \(parser.position)") }
  }

  package init(parsing text: String) throws { try self.init(parsing: Array(text.utf8)) }
}

private struct WireJSONParser {
  let bytes: [UInt8]
  var position = 0

  var isAtEnd: Bool { position >= bytes.count }
  private var current: UInt8? { isAtEnd ? nil : bytes[position] }

  mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  private func failure(_ text: String) -> WireJSONError { WireJSONError(description: "\(text) at byte \(position)") }

  mutating func value() throws -> WireJSON {
    skipSpace()
    guard let byte = current else { throw failure("end of input") }
    switch byte {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try keyword("true", .bool(true))
    case UInt8(ascii: "f"): return try keyword("false", .bool(false))
    case UInt8(ascii: "n"): return try keyword("null", .null)
    default: return try number()
    }
  }

  private mutating func keyword(_ word: String, _ value: WireJSON) throws -> WireJSON {
    guard bytes[position...].starts(with: word.utf8) else { throw failure("no keyword") }
    position += word.utf8.count
    return value
  }

  private mutating func number() throws -> WireJSON {
    let begin = position
    while let byte = current, "+-.0123456789eE".utf8.contains(byte) { position += 1 }
    guard position > begin else { throw failure("no value") }
    return .number(String(decoding: bytes[begin..<position], as: UTF8.self))
  }

  private mutating func array() throws -> WireJSON {
    position += 1
    var elements: [WireJSON] = []
    skipSpace()
    if current == UInt8(ascii: "]") {
      position += 1
      return .array([])
    }
    while true {
      elements.append(try value())
      skipSpace()
      let byte = current
      position += 1
      if byte == UInt8(ascii: "]") { return .array(elements) }
      guard byte == UInt8(ascii: ",") else { throw failure("no comma in an array") }
    }
  }

  private mutating func object() throws -> WireJSON {
    position += 1
    var members: [WireJSON.Member] = []
    skipSpace()
    if current == UInt8(ascii: "}") {
      position += 1
      return .object([])
    }
    while true {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw failure("no name in an object") }
      let name = try string()
      skipSpace()
      guard current == UInt8(ascii: ":") else { throw failure("no colon in an object") }
      position += 1
      members.append(WireJSON.Member(name, try value()))
      skipSpace()
      let byte = current
      position += 1
      if byte == UInt8(ascii: "}") { return .object(members) }
      guard byte == UInt8(ascii: ",") else { throw failure("no comma in an object") }
    }
  }

  private mutating func string() throws -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = current {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(into: &text)
      default: text.append(byte)
      }
    }
    throw failure("end of input in a string")
  }

  private mutating func escape(into text: inout [UInt8]) throws {
    guard let byte = current else { throw failure("end of input in an escape") }
    position += 1
    switch byte {
    case UInt8(ascii: "b"): text.append(8)
    case UInt8(ascii: "t"): text.append(9)
    case UInt8(ascii: "n"): text.append(10)
    case UInt8(ascii: "f"): text.append(12)
    case UInt8(ascii: "r"): text.append(13)
    case UInt8(ascii: "u"):
      var unit = try codeUnit()
      if (0xd800..<0xdc00).contains(unit), bytes[position...].starts(with: "\\u".utf8) {
        position += 2
        unit = 0x10000 + (unit - 0xd800) << 10 + (try codeUnit()) - 0xdc00
      }
      let scalar = Unicode.Scalar(unit) ?? "\u{fffd}"
      text += String(Character(scalar)).utf8
    default: text.append(byte)
    }
  }

  private mutating func codeUnit() throws -> UInt32 {
    guard position + 4 <= bytes.count,
      let unit = UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw failure("bad \\u escape") }
    position += 4
    return unit
  }
}
