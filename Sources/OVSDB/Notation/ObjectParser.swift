// SPDX-License-Identifier: Apache-2.0
//
// Reads a JSON object member by member and says what is missing, mistyped or too much. Schemas, operations, monitor requests and
// configuration files all go through it, so their mistakes are told in one voice.

import JSON

/// One object being read. The first mistake is kept and told by `finish()`, as parsing goes on for the other members' sake.
package struct ObjectParser {
  package enum Expected {
    case any, string, integer, number, boolean, object, array
    /// A string of the form `[A-Za-z_][A-Za-z0-9_]*`.
    case id
    /// A string or an object.
    case stringOrObject
    /// An integer or a string.
    case integerOrString
  }

  package private(set) var error: OVSDBError?
  private let object: JSONValue
  private let name: String
  /// Members asked for so far that are there; whatever else the object has is not allowed.
  private var asked: [StaticString] = []
  /// How many other members are allowed all the same.
  private var ignoredCount = 0

  /// - Parameter name: what is being read, as it stands in messages: "Parsing NAME failed: ...".
  package init(_ object: JSONValue, _ name: @autoclosure () -> String) {
    self.object = object
    self.name = name()
    if object.kind != .object { fail("Object expected.", withSyntax: false) }
  }

  package mutating func optional(_ member: StaticString, _ expected: Expected) -> JSONValue? {
    guard object.kind == .object, let value = object.member(member) else { return nil }
    asked.append(member)
    guard Self.fits(value, expected) else {
      fail("Type mismatch for member '\(member)'.")
      return nil
    }
    return value
  }

  package mutating func required(_ member: StaticString, _ expected: Expected) -> JSONValue? {
    if object.kind == .object, object.member(member) == nil {
      fail("Required '\(member)' member is missing.")
    }
    return optional(member, expected)
  }

  /// Allows so many members that nobody asks for.
  package mutating func ignore(_ count: Int) { ignoredCount += count }

  /// Reports a mistake the caller found.
  package mutating func fail(_ text: String) { fail(text, withSyntax: true) }

  private mutating func fail(_ text: String, withSyntax: Bool) {
    guard error == nil else { return }
    error = OVSDBError(.syntaxError, "Parsing \(name) failed: \(text)", syntax: withSyntax ? object.text(sorted: true) : nil)
  }

  /// The first mistake, or the one of members nobody asked for.
  package mutating func finish() -> OVSDBError? {
    if error == nil, object.count != asked.count + ignoredCount {
      let others = object.count - asked.count - 1
      for (member, _) in object.members where !asked.contains(where: { member.isString($0) }) {
        let more = others == 0 ? "is" : "and \(others) other member\(others == 1 ? "" : "s") are"
        fail("Member '\(member.words)' \(more) present but not allowed here.")
        break
      }
    }
    return error
  }

  private static func fits(_ value: JSONValue, _ expected: Expected) -> Bool {
    switch expected {
    case .any: true
    case .string: value.kind == .string
    case .integer: value.kind == .integer
    case .number: value.kind == .integer || value.kind == .real
    case .boolean: value.boolean != nil
    case .object: value.kind == .object
    case .array: value.kind == .array
    case .id: value.utf8.map(isID) ?? false
    case .stringOrObject: value.kind == .string || value.kind == .object
    case .integerOrString: value.kind == .integer || value.kind == .string
    }
  }
}

extension JSONValue {
  /// A string for use in a message, where bytes that are not UTF-8 are told as U+FFFD; empty for other kinds.
  package var words: String { utf8.map { String(decoding: $0, as: UTF8.self) } ?? "" }
}

/// Whether the bytes are an `<id>`: `[A-Za-z_][A-Za-z0-9_]*`.
package func isID(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
  guard let first = bytes.first, isIDStart(first) else { return false }
  return bytes.allSatisfy { isIDStart($0) || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9")) }
}

package func isID(_ text: String) -> Bool {
  var text = text
  return text.withUTF8 { isID($0) }
}

private func isIDStart(_ byte: UInt8) -> Bool {
  let lower = byte | 0x20
  return (lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z")) || byte == UInt8(ascii: "_")
}
