// SPDX-License-Identifier: Apache-2.0
//
// A JSON value for tests. It shares no code with the JSON target, so that a fault there cannot hide itself: what the
// servers send is read, compared and printed by this small tree alone. WireSession.swift frames it, Canonical.swift
// brings two servers' values to a common form.

/// One JSON value as it stood on the wire.
///
/// Numbers keep their token, so that `1e+15` and `1000000000000000` differ; objects keep their order of members.
package enum WireJSON: Sendable {
  case null
  case bool(Bool)
  case number(String)
  case string(String)
  case array([WireJSON])
  case object([Member])

  package struct Member: Sendable {
    package var name: String
    package var value: WireJSON

    package init(_ name: String, _ value: WireJSON) {
      self.name = name
      self.value = value
    }
  }
}

// MARK: - Reading

extension WireJSON {
  package var stringValue: String? { if case .string(let text) = self { text } else { nil } }
  package var elements: [WireJSON]? { if case .array(let elements) = self { elements } else { nil } }
  package var members: [Member]? { if case .object(let members) = self { members } else { nil } }
  package var isNull: Bool { if case .null = self { true } else { false } }

  /// The value of a member of an object; nil when this is no object or has no such member.
  package subscript(_ name: String) -> WireJSON? {
    members?.last { $0.name.utf8.elementsEqual(name.utf8) }?.value
  }

  /// An element of an array; nil when this is no array or is shorter.
  package subscript(_ index: Int) -> WireJSON? {
    guard let elements, elements.indices.contains(index) else { return nil }
    return elements[index]
  }

  /// The atom of a `["uuid",X]` pair.
  package var uuid: String? {
    guard let elements, elements.count == 2, elements[0].stringValue == "uuid" else { return nil }
    return elements[1].stringValue
  }
}

// MARK: - Writing

extension WireJSON {
  /// Compact JSON with the members of objects sorted by bytes.
  package var text: String { String(decoding: bytes, as: UTF8.self) }

  package var bytes: [UInt8] {
    var out: [UInt8] = []
    write(to: &out)
    return out
  }

  package func write(to out: inout [UInt8]) {
    switch self {
    case .null: out += "null".utf8
    case .bool(let value): out += (value ? "true" : "false").utf8
    case .number(let token): out += token.utf8
    case .string(let text): Self.writeQuoted(text, to: &out)
    case .array(let elements):
      out.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        element.write(to: &out)
      }
      out.append(UInt8(ascii: "]"))
    case .object(let members):
      out.append(UInt8(ascii: "{"))
      let sorted = members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
      for (index, member) in sorted.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        Self.writeQuoted(member.name, to: &out)
        out.append(UInt8(ascii: ":"))
        member.value.write(to: &out)
      }
      out.append(UInt8(ascii: "}"))
    }
  }

  private static func writeQuoted(_ text: String, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
      case 0..<0x20:
        let digits = Array("0123456789abcdef".utf8)
        out += "\\u00".utf8
        out += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: out.append(byte)
      }
    }
    out.append(UInt8(ascii: "\""))
  }
}

extension WireJSON: CustomStringConvertible { package var description: String { text } }

/// Equal when the compact sorted text is equal, byte by byte.
extension WireJSON: Equatable {
  package static func == (left: WireJSON, right: WireJSON) -> Bool { left.bytes == right.bytes }
}

// MARK: - Literals

extension WireJSON: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByNilLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByFloatLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int) { self = .number(String(value)) }
  package init(floatLiteral value: Double) { self = .number(String(value)) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(nilLiteral: ()) { self = .null }
  package init(arrayLiteral elements: WireJSON...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, WireJSON)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }

  package static func integer(_ value: Int) -> WireJSON { .number(String(value)) }
}
