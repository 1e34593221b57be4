// SPDX-License-Identifier: Apache-2.0
//
// Set algebra on sorted arrays of distinct atoms. Generic over the element, so each loop runs on plain integers, UUIDs or
// strings; `AtomArray` chooses the instance.

/// How many times larger one side must be before its elements are searched for one by one instead of merged.
private let searchRatio = 8

extension Array where Element: AtomElement {
  /// The first position whose element does not precede `element`.
  func lowerBound(_ element: Element, from start: Int = 0) -> Int {
    var low = start
    var high = count
    while low < high {
      let middle = low + (high - low) / 2
      if Element.precedes(self[middle], element) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  func position(of element: Element) -> Int? {
    let position = lowerBound(element)
    return position < count && self[position] == element ? position : nil
  }

  /// Whether all elements are in order and distinct.
  var isStrictlyAscending: Bool {
    for position in indices.dropFirst() where !Element.precedes(self[position - 1], self[position]) { return false }
    return true
  }

  /// Whether sorted neighbours are equal anywhere.
  var hasEqualNeighbours: Bool {
    for position in indices.dropFirst() where self[position - 1] == self[position] { return true }
    return false
  }

  /// Walks two sorted arrays together, telling which side each element is on.
  @inline(__always)
  func merge(_ other: [Element], onlySelf: (Element) -> Void, onlyOther: (Element) -> Void, both: (Element) -> Void) {
    var (i, j) = (0, 0)
    while i < count, j < other.count {
      if self[i] == other[j] {
        both(self[i])
        i += 1
        j += 1
      } else if Element.precedes(self[i], other[j]) {
        onlySelf(self[i])
        i += 1
      } else {
        onlyOther(other[j])
        j += 1
      }
    }
    while i < count {
      onlySelf(self[i])
      i += 1
    }
    while j < other.count {
      onlyOther(other[j])
      j += 1
    }
  }

  /// A few elements are put in place by search and block copies, so that adding one to a set of thousands does not compare them all.
  func sortedUnion(_ other: [Element]) -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(count + other.count)
    if other.count * searchRatio < count {
      var copied = 0
      for element in other {
        let position = lowerBound(element, from: copied)
        result.append(contentsOf: self[copied..<position])
        copied = position
        if position == count || self[position] != element { result.append(element) }
      }
      result.append(contentsOf: self[copied...])
    } else {
      merge(other, onlySelf: { result.append($0) }, onlyOther: { result.append($0) }, both: { result.append($0) })
    }
    return result
  }

  func sortedSubtraction(_ other: [Element]) -> [Element] {
    var result: [Element] = []
    result.reserveCapacity(count)
    if other.count * searchRatio < count {
      var copied = 0
      for element in other {
        let position = lowerBound(element, from: copied)
        result.append(contentsOf: self[copied..<position])
        copied = position < count && self[position] == element ? position + 1 : position
      }
      result.append(contentsOf: self[copied...])
    } else {
      merge(other, onlySelf: { result.append($0) }, onlyOther: { _ in }, both: { _ in })
    }
    return result
  }

  /// Equal runs at both ends are passed over first: a small change of a large set costs little more than one comparison of bytes.
  func sortedSymmetricDifference(_ other: [Element]) -> [Element] {
    let (middle, otherMiddle) = differingMiddles(other)
    var result: [Element] = []
    Array(self[middle]).merge(
      Array(other[otherMiddle]), onlySelf: { result.append($0) }, onlyOther: { result.append($0) }, both: { _ in })
    return result
  }

  /// What is left of two arrays when their equal beginnings and ends are taken away.
  func differingMiddles(_ other: [Element]) -> (Range<Int>, Range<Int>) {
    let shorter = Swift.min(count, other.count)
    return withUnsafeBufferPointer { a in
      other.withUnsafeBufferPointer { b in
        var start = 0
        while start < shorter, a[start] == b[start] { start += 1 }
        var (endA, endB) = (a.count, b.count)
        while endA > start, endB > start, a[endA - 1] == b[endB - 1] {
          endA -= 1
          endB -= 1
        }
        return (start..<endA, start..<endB)
      }
    }
  }

  func isSortedSubset(of other: [Element]) -> Bool {
    guard count <= other.count else { return false }
    var from = 0
    for element in self {
      from = other.lowerBound(element, from: from)
      guard from < other.count, other[from] == element else { return false }
    }
    return true
  }

  func isSortedDisjoint(with other: [Element]) -> Bool {
    if other.count < count { return other.isSortedDisjoint(with: self) }
    var from = 0
    for element in self {
      from = other.lowerBound(element, from: from)
      if from == other.count { return true }
      if other[from] == element { return false }
    }
    return true
  }

  /// -1, 0 or 1 by the first difference; arrays of equal count only.
  func sortedOrder(_ other: [Element]) -> Int {
    for position in indices where self[position] != other[position] {
      return Element.precedes(self[position], other[position]) ? -1 : 1
    }
    return 0
  }
}

/// Arrays of different types never meet: both sides come from one column.
private func mixed() -> Never { preconditionFailure("arrays of different atomic types in one operation") }

extension AtomArray {
  package func union(_ other: AtomArray) -> AtomArray {
    switch (self, other) {
    case (.integers(let a), .integers(let b)): .integers(a.sortedUnion(b))
    case (.reals(let a), .reals(let b)): .reals(a.sortedUnion(b))
    case (.booleans(let a), .booleans(let b)): .booleans(a.sortedUnion(b))
    case (.strings(let a), .strings(let b)): .strings(a.sortedUnion(b))
    case (.uuids(let a), .uuids(let b)): .uuids(a.sortedUnion(b))
    default: mixed()
    }
  }

  package func subtracting(_ other: AtomArray) -> AtomArray {
    switch (self, other) {
    case (.integers(let a), .integers(let b)): .integers(a.sortedSubtraction(b))
    case (.reals(let a), .reals(let b)): .reals(a.sortedSubtraction(b))
    case (.booleans(let a), .booleans(let b)): .booleans(a.sortedSubtraction(b))
    case (.strings(let a), .strings(let b)): .strings(a.sortedSubtraction(b))
    case (.uuids(let a), .uuids(let b)): .uuids(a.sortedSubtraction(b))
    default: mixed()
    }
  }

  package func symmetricDifference(_ other: AtomArray) -> AtomArray {
    switch (self, other) {
    case (.integers(let a), .integers(let b)): .integers(a.sortedSymmetricDifference(b))
    case (.reals(let a), .reals(let b)): .reals(a.sortedSymmetricDifference(b))
    case (.booleans(let a), .booleans(let b)): .booleans(a.sortedSymmetricDifference(b))
    case (.strings(let a), .strings(let b)): .strings(a.sortedSymmetricDifference(b))
    case (.uuids(let a), .uuids(let b)): .uuids(a.sortedSymmetricDifference(b))
    default: mixed()
    }
  }

  package func isSubset(of other: AtomArray) -> Bool {
    switch (self, other) {
    case (.integers(let a), .integers(let b)): a.isSortedSubset(of: b)
    case (.reals(let a), .reals(let b)): a.isSortedSubset(of: b)
    case (.booleans(let a), .booleans(let b)): a.isSortedSubset(of: b)
    case (.strings(let a), .strings(let b)): a.isSortedSubset(of: b)
    case (.uuids(let a), .uuids(let b)): a.isSortedSubset(of: b)
    default: mixed()
    }
  }

  package func isDisjoint(with other: AtomArray) -> Bool {
    switch (self, other) {
    case (.integers(let a), .integers(let b)): a.isSortedDisjoint(with: b)
    case (.reals(let a), .reals(let b)): a.isSortedDisjoint(with: b)
    case (.booleans(let a), .booleans(let b)): a.isSortedDisjoint(with: b)
    case (.strings(let a), .strings(let b)): a.isSortedDisjoint(with: b)
    case (.uuids(let a), .uuids(let b)): a.isSortedDisjoint(with: b)
    default: mixed()
    }
  }

  /// Where an atom is, by binary search; nil when it is missing or of another type.
  package func position(of atom: Atom) -> Int? {
    switch (self, atom) {
    case (.integers(let array), .integer(let value)): array.position(of: value)
    case (.reals(let array), .real(let value)): array.position(of: value)
    case (.booleans(let array), .boolean(let value)): array.position(of: value)
    case (.strings(let array), .string(let value)): array.position(of: value)
    case (.uuids(let array), .uuid(let value)): array.position(of: value)
    default: nil
    }
  }

  /// -1, 0 or 1: fewer elements first, then element by element.
  package func order(_ other: AtomArray) -> Int {
    guard count == other.count else { return count < other.count ? -1 : 1 }
    return switch (self, other) {
    case (.integers(let a), .integers(let b)): a.sortedOrder(b)
    case (.reals(let a), .reals(let b)): a.sortedOrder(b)
    case (.booleans(let a), .booleans(let b)): a.sortedOrder(b)
    case (.strings(let a), .strings(let b)): a.sortedOrder(b)
    case (.uuids(let a), .uuids(let b)): a.sortedOrder(b)
    default: mixed()
    }
  }

  /// The same atoms in order, or nil when one of them is there twice.
  package func sortedDistinct() -> AtomArray? {
    func sort<E: AtomElement>(_ array: [E], _ make: ([E]) -> AtomArray) -> AtomArray? {
      if array.isStrictlyAscending { return make(array) }
      let sorted = array.sorted(by: E.precedes)
      return sorted.hasEqualNeighbours ? nil : make(sorted)
    }
    return switch self {
    case .integers(let array): sort(array, AtomArray.integers)
    case .reals(let array): sort(array, AtomArray.reals)
    case .booleans(let array): sort(array, AtomArray.booleans)
    case .strings(let array): sort(array, AtomArray.strings)
    case .uuids(let array): sort(array, AtomArray.uuids)
    }
  }

  /// The positions of the atoms in sorted order, or nil when one of them is there twice.
  package func sortedDistinctPositions() -> [Int]? {
    func sort<E: AtomElement>(_ array: [E]) -> [Int]? {
      if array.isStrictlyAscending { return Array(array.indices) }
      let positions = array.indices.sorted { E.precedes(array[$0], array[$1]) }
      for next in positions.indices.dropFirst() where array[positions[next - 1]] == array[positions[next]] { return nil }
      return positions
    }
    return switch self {
    case .integers(let array): sort(array)
    case .reals(let array): sort(array)
    case .booleans(let array): sort(array)
    case .strings(let array): sort(array)
    case .uuids(let array): sort(array)
    }
  }

  /// The atoms at the given positions, in that order.
  package func picking(_ positions: [Int]) -> AtomArray {
    switch self {
    case .integers(let array): .integers(positions.map { array[$0] })
    case .reals(let array): .reals(positions.map { array[$0] })
    case .booleans(let array): .booleans(positions.map { array[$0] })
    case .strings(let array): .strings(positions.map { array[$0] })
    case .uuids(let array): .uuids(positions.map { array[$0] })
    }
  }
}
