// SPDX-License-Identifier: Apache-2.0
//
// Brings what two servers said to a common form. Servers draw random UUIDs (rows without an explicit one, `_version`),
// order the members of objects as they like, and sort sets of UUIDs by value; everything else must agree.

/// The random UUIDs that one server has shown so far, numbered by first appearance.
///
/// Two servers that were sent the same requests are each given one of these. As long as they agree, a UUID of the one
/// has the same number as its counterpart of the other, in every message.
package struct IdentityMap: Sendable {
  private var numbers: [String: Int] = [:]
  /// UUIDs that the test chose itself: equal on both sides, and never renamed.
  package var known: Set<String> = ["00000000-0000-0000-0000-000000000000"]

  package init(known: Set<String> = []) { self.known.formUnion(known) }

  package func name(of uuid: String) -> String? {
    if known.contains(uuid) { return uuid }
    return numbers[uuid].map { "uuid#\($0)" }
  }

  fileprivate mutating func adopt(_ uuid: String) -> String {
    if let name = name(of: uuid) { return name }
    numbers[uuid] = numbers.count
    return "uuid#\(numbers.count - 1)"
  }

  /// The common form of a value: members of objects sorted, elements of `["set",…]` and `["map",…]` sorted, random
  /// UUIDs renamed. UUIDs seen for the first time are numbered in the order of that form.
  package mutating func canonical(_ value: WireJSON) -> WireJSON {
    let ordered = sorted(value)
    // Numbers given now can change how siblings sort, so the order is made again with the final names.
    return IdentityMap().sorted(renamed(ordered))
  }

  // MARK: Ordering with unknown UUIDs blanked

  private func sorted(_ value: WireJSON) -> WireJSON {
    switch value {
    case .array(let elements):
      if elements.count == 2, let word = elements[0].stringValue, word == "set" || word == "map",
        let inner = elements[1].elements
      {
        return .array([elements[0], .array(sort(inner.map { sorted($0) }) { masked($0) })])
      }
      return .array(elements.map { sorted($0) })
    case .object(let members):
      let inner = members.map { WireJSON.Member($0.name, sorted($0.value)) }
      return .object(sort(inner) { masked(.string($0.name)) + [0] + masked($0.value) })
    default: return value
    }
  }

  private func sort<Element>(_ elements: [Element], by key: (Element) -> [UInt8]) -> [Element] {
    guard elements.count > 1 else { return elements }
    let keyed = elements.map { (key($0), $0) }
    return keyed.sorted { $0.0.lexicographicallyPrecedes($1.0) }.map(\.1)
  }

  /// Text in which a UUID without a name reads the same as any other.
  private func masked(_ value: WireJSON) -> [UInt8] {
    value.mapText { text in UUIDText.replace(in: text) { name(of: $0) ?? "uuid?" } }.bytes
  }

  // MARK: Renaming

  private mutating func renamed(_ value: WireJSON) -> WireJSON {
    switch value {
    case .string(let text): return .string(rename(text))
    case .array(let elements):
      var out: [WireJSON] = []
      for element in elements { out.append(renamed(element)) }
      return .array(out)
    case .object(let members):
      var out: [WireJSON.Member] = []
      for member in members { out.append(.init(rename(member.name), renamed(member.value))) }
      return .object(out)
    default: return value
    }
  }

  package mutating func rename(_ text: String) -> String {
    guard text.utf8.count >= 36 else { return text }
    var copy = self
    let result = UUIDText.replace(in: text) { copy.adopt($0) }
    self = copy
    return result
  }
}

extension WireJSON {
  /// Applies a function to every string and every member name.
  package func mapText(_ transform: (String) -> String) -> WireJSON {
    switch self {
    case .string(let text): .string(transform(text))
    case .array(let elements): .array(elements.map { $0.mapText(transform) })
    case .object(let members): .object(members.map { .init(transform($0.name), $0.value.mapText(transform)) })
    default: self
    }
  }
}

package enum UUIDText {
  /// Replaces each UUID (36 characters in lower case) inside a text.
  package static func replace(in text: String, _ name: (String) -> String) -> String {
    guard text.utf8.count >= 36, text.utf8.contains(UInt8(ascii: "-")) else { return text }
    let bytes = Array(text.utf8)
    var out: [UInt8] = []
    var position = 0
    while position < bytes.count {
      if position + 36 <= bytes.count, isUUID(bytes[position..<position + 36]) {
        out += name(String(decoding: bytes[position..<position + 36], as: UTF8.self)).utf8
        position += 36
      } else {
        out.append(bytes[position])
        position += 1
      }
    }
    return String(decoding: out, as: UTF8.self)
  }

  private static func isUUID(_ bytes: ArraySlice<UInt8>) -> Bool {
    for (index, byte) in bytes.enumerated() {
      switch index {
      case 8, 13, 18, 23: guard byte == UInt8(ascii: "-") else { return false }
      default: guard (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) else { return false }
      }
    }
    return true
  }
}
