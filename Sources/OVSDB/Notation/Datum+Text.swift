// SPDX-License-Identifier: Apache-2.0
//
// The text form of values: what tables of ovsdb-client, show-log and messages print.

import JSON

extension Atom {
  /// The text form of one atom: strings stand bare when they look like a word, else in JSON quotes.
  package func text() -> String {
    switch self {
    case .integer(let value): "\(value)"
    case .real(let value): realText(value)
    case .boolean(let value): value ? "true" : "false"
    case .uuid(let uuid): uuid.description
    case .string(let text): Self.isBareWord(text.string) ? text.string : Self.quoted(text.string)
    }
  }

  /// The atom without any quotes.
  package func bareText() -> String {
    if case .string(let text) = self { text.string } else { text() }
  }

  private static func isBareWord(_ string: String) -> Bool {
    let bytes = string.utf8
    guard let first = bytes.first, isLetter(first) else { return false }
    guard bytes.allSatisfy({ isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2d || $0 == 0x2e }) else { return false }
    return string != "true" && string != "false" && UUID(string) == nil
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (0x61...0x7a).contains(byte | 0x20) && byte < 0x80 || byte == 0x5f
  }

  private static func quoted(_ string: String) -> String {
    var writer = ByteWriter(capacity: string.utf8.count + 2)
    writer.appendQuoted(string)
    return writer.string
  }
}

extension Datum {
  /// The text form (Documentation/protocol/values.md#text-form), `string` style: `[a, b]`, `{k=v}`, an atom by itself.
  package func text(of type: ColumnType) -> String {
    let inside = elements.map { key, value in
      value.map { "\(key.text())=\($0.text())" } ?? key.text()
    }.joined(separator: ", ")
    guard type.max > 1 || isEmpty else { return inside }
    return type.isMap ? "{\(inside)}" : "[\(inside)]"
  }

  /// The `bare` style: no brackets and no quotes.
  package func bareText(of type: ColumnType) -> String {
    elements.map { key, value in
      value.map { "\(key.bareText())=\($0.bareText())" } ?? key.bareText()
    }.joined(separator: " ")
  }

  private var elements: [(Atom, Atom?)] {
    switch self {
    case .empty: []
    case .set(let atoms): (0..<atoms.count).map { (atoms[$0], nil) }
    case .map(let pairs): (0..<pairs.count).map { (pairs.keys[$0], pairs.values[$0]) }
    default: onlyAtom.map { [($0, nil)] } ?? []
    }
  }
}
