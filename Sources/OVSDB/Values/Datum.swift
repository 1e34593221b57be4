// SPDX-License-Identifier: Apache-2.0
//
// The value of a column. Its JSON is in Datum+JSON.swift, set algebra in SortedAtoms.swift and Datum+Algebra.swift, differences
// in Datum+Difference.swift, the text form in Datum+Text.swift.

/// The value of one column of one row: a scalar, a set or a map.
///
/// The form is canonical, so that equal values are equal enums whatever the column's type says: a set of one element *is* its
/// element, an empty set or map is `empty`. Most columns hold one atom, which then needs no allocation of its own.
///
/// Invariant: `set` holds two or more atoms, `map` one or more pairs; both are sorted (by key) without duplicates.
///
/// Source: RFC 7047 §5.1 (`<value>`).
package enum Datum: Hashable, Sendable {
  case empty
  case integer(Int64)
  case real(Double)
  case boolean(Bool)
  case string(Text)
  case uuid(UUID)
  case set(AtomArray)
  case map(AtomMap)

  package init(_ atom: Atom) {
    switch atom {
    case .integer(let value): self = .integer(value)
    case .real(let value): self = .real(value)
    case .boolean(let value): self = .boolean(value)
    case .string(let value): self = .string(value)
    case .uuid(let value): self = .uuid(value)
    }
  }

  /// The canonical form of sorted, distinct atoms.
  package init(sorted atoms: AtomArray) {
    switch atoms.count {
    case 0: self = .empty
    case 1: self.init(atoms[0])
    default: self = .set(atoms)
    }
  }

  /// The canonical form of pairs sorted by distinct keys.
  package init(sorted pairs: AtomMap) {
    self = pairs.count == 0 ? .empty : .map(pairs)
  }

  /// Elements of a set or pairs of a map.
  package var count: Int {
    switch self {
    case .empty: 0
    case .set(let atoms): atoms.count
    case .map(let pairs): pairs.count
    default: 1
    }
  }

  package var isEmpty: Bool {
    if case .empty = self { true } else { false }
  }

  /// The only element, when there is exactly one and the value is no map.
  package var onlyAtom: Atom? {
    switch self {
    case .integer(let value): .integer(value)
    case .real(let value): .real(value)
    case .boolean(let value): .boolean(value)
    case .string(let value): .string(value)
    case .uuid(let value): .uuid(value)
    case .empty, .set, .map: nil
    }
  }

  /// The elements of a set, or the keys of a map, sorted; `type` tells what an empty value would hold.
  package func keys(of type: AtomicType) -> AtomArray {
    switch self {
    case .empty: AtomArray(of: type)
    case .integer(let value): .integers([value])
    case .real(let value): .reals([value])
    case .boolean(let value): .booleans([value])
    case .string(let value): .strings([value])
    case .uuid(let value): .uuids([value])
    case .set(let atoms): atoms
    case .map(let pairs): pairs.keys
    }
  }

  /// Number of atoms held, as the history's and the memory report's measure of size: keys and values count.
  package var atomCount: Int {
    if case .map(let pairs) = self { 2 * pairs.count } else { count }
  }
}

/// The pairs of a map, sorted by key.
package struct AtomMap: Hashable, Sendable {
  package var keys: AtomArray
  /// Invariant: `values.count == keys.count`; the value of `keys[i]` is `values[i]`.
  package var values: AtomArray

  package init(keys: AtomArray, values: AtomArray) {
    self.keys = keys
    self.values = values
  }

  package var count: Int { keys.count }
}
