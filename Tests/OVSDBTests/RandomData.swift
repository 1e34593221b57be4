// SPDX-License-Identifier: Apache-2.0
//
// Random types and values, each from a seed, so that a failure can be had again.

import JSON

@testable import OVSDB

extension AtomicType {
  static let all: [AtomicType] = [.integer, .real, .boolean, .string, .uuid]
}

/// Atoms of a small world, in which values meet often.
func randomAtom(_ type: AtomicType, _ generator: inout some RandomNumberGenerator) -> Atom {
  switch type {
  case .integer: .integer([0, 1, -1, 2, 3, 40, .min, .max].randomElement(using: &generator) ?? 0)
  case .real: .real([0, 0.1, -0.5, 2, 1e20, -1e-7, 3.25, 1e15].randomElement(using: &generator) ?? 0)
  case .boolean: .boolean(Bool.random(using: &generator))
  case .string:
    .string(
      Text(["", "a", "b", "ab", "\u{e9}", "e\u{301}", "\"\\\n", "😀", "true"].randomElement(using: &generator) ?? ""))
  case .uuid: .uuid(UUID(high: UInt64.random(in: 0..<3, using: &generator), low: UInt64.random(in: 0..<4, using: &generator)))
  }
}

/// A set or map type with any bounds.
func randomType(_ generator: inout some RandomNumberGenerator) -> ColumnType {
  let key = AtomicType.all.randomElement(using: &generator) ?? .integer
  let value = Int.random(in: 0..<3, using: &generator) == 0 ? AtomicType.all.randomElement(using: &generator) : nil
  let max = [1, 1, 3, ColumnType.unlimited].randomElement(using: &generator) ?? 1
  return ColumnType(
    key: BaseType(key), value: value.map { BaseType($0) }, min: Int.random(in: 0...1, using: &generator), max: max)
}

/// Distinct pairs of a map, or elements of a set with a value of no account, as many as the type allows.
func randomPairs(_ type: ColumnType, _ generator: inout some RandomNumberGenerator) -> [Atom: Atom] {
  var pairs: [Atom: Atom] = [:]
  let count = Int.random(in: type.min...min(type.max, 6), using: &generator)
  for _ in 0..<40 where pairs.count < count {
    pairs[randomAtom(type.key.type, &generator)] = type.value.map { randomAtom($0.type, &generator) } ?? .integer(0)
  }
  return pairs
}

/// The value of pairs, made without the code under test but for its constructors.
func datum(_ pairs: [Atom: Atom], _ type: ColumnType) -> Datum {
  let sorted = pairs.sorted { naivelyPrecedes($0.key, $1.key) }
  guard let value = type.value else {
    switch sorted.count {
    case 0: return .empty
    case 1: return Datum(sorted[0].key)
    default: return .set(array(sorted.map(\.key), type.key.type))
    }
  }
  return sorted.isEmpty
    ? .empty : .map(AtomMap(keys: array(sorted.map(\.key), type.key.type), values: array(sorted.map(\.value), value.type)))
}

func randomDatum(_ type: ColumnType, _ generator: inout some RandomNumberGenerator) -> Datum {
  datum(randomPairs(type, &generator), type)
}

private func array(_ atoms: [Atom], _ type: AtomicType) -> AtomArray {
  switch type {
  case .integer: .integers(atoms.compactMap { if case .integer(let value) = $0 { value } else { nil } })
  case .real: .reals(atoms.compactMap { if case .real(let value) = $0 { value } else { nil } })
  case .boolean: .booleans(atoms.compactMap { if case .boolean(let value) = $0 { value } else { nil } })
  case .string: .strings(atoms.compactMap { if case .string(let value) = $0 { value } else { nil } })
  case .uuid: .uuids(atoms.compactMap { if case .uuid(let value) = $0 { value } else { nil } })
  }
}

/// The order in Documentation/protocol/values.md#order, spelt out.
func naivelyPrecedes(_ a: Atom, _ b: Atom) -> Bool {
  switch (a, b) {
  case (.integer(let a), .integer(let b)): a < b
  case (.real(let a), .real(let b)): a < b
  case (.boolean(let a), .boolean(let b)): !a && b
  case (.string(let a), .string(let b)): Array(a.string.utf8).lexicographicallyPrecedes(Array(b.string.utf8))
  case (.uuid(let a), .uuid(let b)): a.description < b.description
  default: false
  }
}

extension Datum {
  /// The pairs of a map, or the elements of a set with a value of no account.
  func pairs(_ type: ColumnType) -> [Atom: Atom] {
    let keys = keys(of: type.key.type)
    var pairs: [Atom: Atom] = [:]
    for position in 0..<keys.count {
      if case .map(let map) = self { pairs[keys[position]] = map.values[position] } else { pairs[keys[position]] = .integer(0) }
    }
    return pairs
  }

  func json(_ type: ColumnType) -> String {
    var writer = ByteWriter()
    write(to: &writer, type: type)
    return writer.string
  }
}

/// Reads a value.
func read(_ text: String, _ type: ColumnType) throws -> Datum {
  try JSONDocument.parse(text, anyValue: true).withRoot { try Datum(json: $0, type: type, symbols: nil) }
}

func readSchema(_ text: String) throws -> DatabaseSchema {
  try JSONDocument.parse(text, anyValue: true).withRoot { try DatabaseSchema(json: $0) }
}
