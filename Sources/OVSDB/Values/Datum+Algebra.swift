// SPDX-License-Identifier: Apache-2.0
//
// What conditions and mutations do with whole values: containment, union, subtraction, order.

extension Datum {
  /// Whether every element, or every pair, is in `other`.
  package func isIncluded(in other: Datum, type: AtomicType) -> Bool {
    switch (self, other) {
    case (.empty, _): true
    case (.map(let pairs), .map(let others)): pairs.allSatisfy { others.holds($0, $1) }
    case (.map, _), (_, .map): false
    case (.set, _), (_, .set): keys(of: type).isSubset(of: other.keys(of: type))
    default: self == other
    }
  }

  /// Whether no element, or no pair, is in `other`.
  package func isExcluded(from other: Datum, type: AtomicType) -> Bool {
    switch (self, other) {
    case (.empty, _), (_, .empty): true
    case (.map(let pairs), .map(let others)): !pairs.contains { others.holds($0, $1) }
    case (.map, _), (_, .map): true
    case (.set, _), (_, .set): keys(of: type).isDisjoint(with: other.keys(of: type))
    default: self != other
    }
  }

  /// With the elements of `other`; a key that is there keeps its value.
  package func union(_ other: Datum, type: AtomicType) -> Datum {
    switch (self, other) {
    case (_, .empty): self
    case (.empty, _): other
    case (.map(let pairs), .map(let others)): Datum(sorted: pairs.adding(others))
    default: Datum(sorted: keys(of: type).union(other.keys(of: type)))
    }
  }

  /// Without the elements, or equal pairs, of `other`.
  package func subtracting(_ other: Datum, type: AtomicType) -> Datum {
    switch (self, other) {
    case (.empty, _), (_, .empty): self
    case (.map(let pairs), .map(let others)): Datum(sorted: pairs.filter { !others.holds($0, $1) })
    default: Datum(sorted: keys(of: type).subtracting(other.keys(of: type)))
    }
  }

  /// A map without the pairs whose key is in `keys`.
  package func removingKeys(_ keys: Datum, type: AtomicType) -> Datum {
    guard case .map(let pairs) = self else { return self }
    let removed = keys.keys(of: type)
    return Datum(sorted: pairs.filter { key, _ in removed.position(of: key) == nil })
  }

  /// -1, 0 or 1 in the order that Documentation/protocol/values.md#order gives: counts first, then keys, then values.
  package func order(_ other: Datum, type: AtomicType) -> Int {
    if case .map(let a) = self, case .map(let b) = other {
      let order = a.keys.order(b.keys)
      return order != 0 ? order : a.values.order(b.values)
    }
    return keys(of: type).order(other.keys(of: type))
  }
}

extension AtomMap {
  package func value(of key: Atom) -> Atom? {
    keys.position(of: key).map { values[$0] }
  }

  func holds(_ key: Atom, _ value: Atom) -> Bool {
    self.value(of: key) == value
  }

  func allSatisfy(_ predicate: (Atom, Atom) -> Bool) -> Bool {
    (0..<count).allSatisfy { predicate(keys[$0], values[$0]) }
  }

  func contains(where predicate: (Atom, Atom) -> Bool) -> Bool {
    (0..<count).contains { predicate(keys[$0], values[$0]) }
  }

  func filter(_ isKept: (Atom, Atom) -> Bool) -> AtomMap {
    let positions = (0..<count).filter { isKept(keys[$0], values[$0]) }
    return AtomMap(keys: keys.picking(positions), values: values.picking(positions))
  }

  /// With the pairs of `other` whose key is missing here.
  func adding(_ other: AtomMap) -> AtomMap {
    var result = self
    for position in 0..<other.count where keys.position(of: other.keys[position]) == nil {
      result.keys.append(other.keys[position])
      result.values.append(other.values[position])
    }
    return result.sortedByKey()
  }

  /// The same pairs in the order of their keys, which are distinct.
  func sortedByKey() -> AtomMap {
    guard let positions = keys.sortedDistinctPositions() else { preconditionFailure("a map holds one key twice") }
    return AtomMap(keys: keys.picking(positions), values: values.picking(positions))
  }
}
