// SPDX-License-Identifier: Apache-2.0
//
// Values from the text form that people type on command lines of ctl-style tools: `[a, b]`, `{k=v}`, `5`, `"two words"`. The other
// direction is in Datum+Text.swift.

import Glibc
import JSON

/// A text that is no value of its type.
package struct TextFormError: Error, Equatable, Sendable, CustomStringConvertible {
  package let description: String
}

extension Datum {
  /// Reads a value.
  ///
  /// Shape: elements separated by comma or white space, pairs as `key=value`; `[...]` or `{...}` around them may be left out, but not
  /// of an empty value.
  ///
  /// - Parameter symbols: what `@name` refers to; nil where there are no names.
  /// - Throws: `TextFormError` with the words of Documentation/protocol/values.md#parsing-the-text-form; for values outside of the type's
  ///   constraints, the constraint's own.
  package init(text: String, type: ColumnType, symbols: SymbolTable?) throws {
    var parser = TextParser(text, type: type, symbols: symbols)
    self = try parser.datum()
  }
}

/// Reads one text.
private struct TextParser {
  private let text: String
  private let bytes: [UInt8]
  private var position = 0
  private let type: ColumnType
  private let symbols: SymbolTable?

  /// How many values a range like `3-7` may stand for.
  private static let rangeCountMax: Int64 = 4096
  /// What ends a token outside of quotes.
  private static let delimiters = Set(":=, []{}!<>".utf8)

  init(_ text: String, type: ColumnType, symbols: SymbolTable?) {
    self.text = text
    bytes = Array(text.utf8)
    self.type = type
    self.symbols = symbols
  }

  mutating func datum() throws -> Datum {
    let (open, close) = type.isMap ? (UInt8(ascii: "{"), UInt8(ascii: "}")) : (UInt8(ascii: "["), UInt8(ascii: "]"))
    skipSpace()
    guard position < bytes.count else {
      throw TextFormError(
        description: type.isMap ? "use \"{}\" to specify the empty map" : "use \"[]\" to specify the empty set")
    }
    let isBracketed = bytes[position] == open
    if isBracketed { position += 1 }
    var keys = AtomArray(of: type.key.type)
    var values = AtomArray(of: type.value?.type ?? .integer)
    while true {
      skipSeparators()
      if position == bytes.count || isBracketed && bytes[position] == close { break }
      try element(&keys, &values)
    }
    if isBracketed { try finishBracket(close) }
    try checkCount(keys.count)
    return try make(keys, values)
  }

  private mutating func finishBracket(_ close: UInt8) throws {
    let name = String(UnicodeScalar(close))
    guard position < bytes.count else { throw error("missing \"\(name)\" at end of data") }
    position += 1
    skipSpace()
    if position < bytes.count { throw error("trailing garbage after \"\(name)\"") }
  }

  private mutating func element(_ keys: inout AtomArray, _ values: inout AtomArray) throws {
    let key = try token()
    guard let value = type.value else {
      for atom in try atoms(key) { keys.append(atom) }
      return
    }
    keys.append(try atom(key, type.key))
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: "=") else {
      let found = position < bytes.count ? String(UnicodeScalar(bytes[position])) : ""
      throw error("syntax error at \"\(found)\" expecting \"=\"")
    }
    position += 1
    skipSpace()
    values.append(try atom(try token(), value))
  }

  private func make(_ keys: AtomArray, _ values: AtomArray) throws -> Datum {
    guard type.isMap else {
      guard let sorted = keys.sortedDistinct() else { throw error("set contains duplicate value") }
      return Datum(sorted: sorted)
    }
    guard let positions = keys.sortedDistinctPositions() else { throw error("map contains duplicate key") }
    return Datum(sorted: AtomMap(keys: keys.picking(positions), values: values.picking(positions)))
  }

  private func checkCount(_ count: Int) throws {
    let unit = type.isMap ? "pair(s)" : "value(s)"
    if count < type.min { throw error("\(count) \(unit) specified but the minimum number is \(type.min)") }
    if count > type.max { throw error("\(count) \(unit) specified but the maximum number is \(type.max)") }
  }

  private func error(_ problem: String) -> TextFormError { TextFormError(description: "\(text): \(problem)") }

  // MARK: - Tokens

  private mutating func skipSpace() {
    while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
  }

  private mutating func skipSeparators() {
    while position < bytes.count, Self.isSpace(bytes[position]) || bytes[position] == UInt8(ascii: ",") { position += 1 }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

  /// The next token, its quotes kept.
  private mutating func token() throws -> String {
    var token: [UInt8] = []
    var isQuoted = false
    while position < bytes.count {
      let byte = bytes[position]
      if !isQuoted, Self.delimiters.contains(byte) || Self.isSpace(byte) { break }
      position += 1
      if byte == UInt8(ascii: "\\") {
        guard position < bytes.count else {
          throw error(isQuoted ? "quoted string extends past end of argument" : "backslash at end of argument")
        }
        // Inside quotes the escape is JSON's business.
        if isQuoted { token.append(byte) }
        token.append(bytes[position])
        position += 1
        continue
      }
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      token.append(byte)
    }
    if isQuoted { throw error("quoted string extends past end of argument") }
    if token.isEmpty, position < bytes.count {
      throw error("unexpected \"\(UnicodeScalar(bytes[position]))\" parsing \(type.english)")
    }
    return String(decoding: token, as: UTF8.self)
  }

  // MARK: - Atoms

  /// The atoms of one token of a set: several, when it is a range.
  private func atoms(_ token: String) throws -> [Atom] {
    guard type.key.type == .integer, type.max > 1, Int64(token) == nil, let dash = token.dropFirst().firstIndex(of: "-"),
      let low = Int64(token[..<dash]), let high = Int64(token[token.index(after: dash)...])
    else { return [try atom(token, type.key)] }
    guard low < high else {
      throw TextFormError(description: "\"\(token)\" is not a valid range. Range end cannot be before start.")
    }
    let (distance, overflow) = high.subtractingReportingOverflow(low)
    guard !overflow, distance < Self.rangeCountMax else {
      throw TextFormError(description: "Range \"\(token)\" is too big. Maximum allowed size is \(Self.rangeCountMax).")
    }
    return try (low...high).map { value in
      try type.key.check(.integer(value))
      return .integer(value)
    }
  }

  private func atom(_ token: String, _ base: BaseType) throws -> Atom {
    let atom = try unchecked(token, base)
    try base.check(atom)
    return atom
  }

  private func unchecked(_ token: String, _ base: BaseType) throws -> Atom {
    switch base.type {
    case .integer:
      if let value = Int64(token) { return .integer(value) }
      throw TextFormError(description: "\"\(token)\" is not a valid integer or range")
    case .real:
      if let value = Self.real(token) { return .real(value) }
      throw TextFormError(description: "\"\(token)\" is not a valid real number")
    case .boolean:
      switch token {
      case "true", "yes", "on", "1": return .boolean(true)
      case "false", "no", "off", "0": return .boolean(false)
      default: throw TextFormError(description: "\"\(token)\" is not a valid boolean (use \"true\" or \"false\")")
      }
    case .string: return .string(Text(try string(token)))
    case .uuid:
      if let uuid = UUID(token) { return .uuid(uuid) }
      if token.first == "@", let symbols { return .uuid(symbols.uuid(of: Text(token))) }
      throw TextFormError(description: "\"\(token)\" is not a valid UUID")
    }
  }

  /// A number that C's strtod takes whole; no infinity, no NaN.
  private static func real(_ token: String) -> Double? {
    guard let first = token.utf8.first, first != 0x20 else { return nil }
    return token.withCString { start in
      var end: UnsafeMutablePointer<CChar>?
      let value = strtod(start, &end)
      guard let end, end.pointee == 0, value.isFinite else { return nil }
      return value == 0 ? 0 : value
    }
  }

  private func string(_ token: String) throws -> String {
    guard let first = token.utf8.first else {
      throw TextFormError(
        description: "An empty string is not valid as input; use \"\" to represent the empty string")
    }
    guard first == UInt8(ascii: "\"") else { return token }
    guard token.utf8.count >= 2, token.utf8.last == UInt8(ascii: "\"") else {
      throw error("missing quote at end of quoted string")
    }
    do {
      let document = try JSONDocument.parse(token, anyValue: true)
      if let string = document.withRoot({ $0.string }) { return string }
    } catch {
      throw self.error(error.text)
    }
    throw error("not a valid UTF-8 string")
  }
}
