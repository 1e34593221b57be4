// SPDX-License-Identifier: Apache-2.0
//
// Operands of `includes` or `excludes` on sets and maps, filed by one of their elements each, so that a value is compared only with
// operands that share an element with it, and not with all of them.

/// An element of a set, or a pair of a map.
package struct Element: Hashable, Sendable {
  let key: Atom
  /// Nil in a set.
  let value: Atom?
}

extension Datum {
  /// Calls `body` with each element or pair until it returns false.
  func forEachElement(_ body: (Element) -> Bool) {
    switch self {
    case .empty: return
    case .set(let atoms):
      for position in 0..<atoms.count where !body(Element(key: atoms[position], value: nil)) { return }
    case .map(let pairs):
      for position in 0..<pairs.count where !body(Element(key: pairs.keys[position], value: pairs.values[position])) { return }
    case .integer, .real, .boolean, .string, .uuid:
      if let atom = onlyAtom { _ = body(Element(key: atom, value: nil)) }
    }
  }

  /// Whether a set has the element, or a map the pair.
  func contains(_ element: Element) -> Bool {
    switch self {
    case .empty: false
    case .set(let atoms): element.value == nil && atoms.position(of: element.key) != nil
    case .map(let pairs): element.value.map { pairs.holds(element.key, $0) } ?? false
    case .integer, .real, .boolean, .string, .uuid: element.value == nil && onlyAtom == element.key
    }
  }
}

/// Different operands of one of the two functions on one column, none of them empty. Each has a number while it is in the index.
package struct ElementIndex: Sendable {
  package enum Purpose: Sendable {
    /// Finds operands that a value includes: filed by the element that the fewest operands have.
    case includes
    /// Finds operands that a value excludes. Filed by the element that most operands have: all of a file are passed over at once when a
    /// value has that element.
    case excludes
  }

  private struct Operand: Sendable {
    let datum: Datum
    let isSingle: Bool
    let file: Element
  }

  private let purpose: Purpose
  private let type: AtomicType
  /// By number; nil where one was removed.
  private var operands: [Operand?] = []
  private var freeNumbers: [Int] = []
  private var numbers: [Datum: Int] = [:]
  private var files: [Element: [Int]] = [:]
  /// How many operands have an element.
  private var counts: [Element: Int] = [:]

  package init(_ purpose: Purpose, column: ColumnSchema) {
    self.purpose = purpose
    type = column.type.key.type
  }

  package var isEmpty: Bool { numbers.isEmpty }
  package var count: Int { numbers.count }

  /// The number of an operand; nil if it is not in the index.
  package func number(of operand: Datum) -> Int? { numbers[operand] }

  /// Adds an operand that is not empty; one that is in the index stays.
  ///
  /// - Returns: its number.
  package mutating func add(_ operand: Datum) -> Int {
    if let number = numbers[operand] { return number }
    operand.forEachElement { element in
      counts[element, default: 0] += 1
      return true
    }
    let file = fileElement(of: operand)
    let entry = Operand(datum: operand, isSingle: operand.count == 1, file: file)
    let number = freeNumbers.popLast() ?? operands.count
    if number == operands.count { operands.append(entry) } else { operands[number] = entry }
    numbers[operand] = number
    files[file, default: []].append(number)
    return number
  }

  private func fileElement(of operand: Datum) -> Element {
    var best: (element: Element, count: Int)?
    operand.forEachElement { element in
      let count = counts[element] ?? 0
      if let best, purpose == .includes ? count >= best.count : count <= best.count { return true }
      best = (element, count)
      return true
    }
    precondition(best != nil, "an operand without elements is not filed")
    return best?.element ?? Element(key: .integer(0), value: nil)
  }

  package mutating func remove(_ operand: Datum) {
    guard let number = numbers.removeValue(forKey: operand), let entry = operands[number] else { return }
    operands[number] = nil
    freeNumbers.append(number)
    if let position = files[entry.file]?.firstIndex(of: number) {
      let last = files[entry.file]?.popLast()
      if let last, last != number { files[entry.file]?[position] = last }
    }
    if files[entry.file]?.isEmpty == true { files[entry.file] = nil }
    operand.forEachElement { element in
      let count = (counts[element] ?? 1) - 1
      counts[element] = count == 0 ? nil : count
      return true
    }
  }

  /// Calls `body` once with the number of each operand for which the function holds, until it returns false.
  ///
  /// - Parameter work: grows by the elements looked up and the operands compared.
  package func forEachHolding(for datum: Datum, work: inout Int, _ body: (Int) -> Bool) {
    guard !numbers.isEmpty else { return }
    switch purpose {
    case .includes: forEachIncluded(in: datum, &work, body)
    case .excludes: forEachExcluded(from: datum, &work, body)
    }
  }

  private func forEachIncluded(in datum: Datum, _ work: inout Int, _ body: (Int) -> Bool) {
    // Of a large set it takes less to look for the operands than to look up its elements.
    if datum.count > numbers.count {
      for number in numbers.values {
        work += 1
        if let operand = operands[number], operand.datum.isIncluded(in: datum, type: type), !body(number) { return }
      }
      return
    }
    var looks = 0
    datum.forEachElement { element in
      looks += 1
      guard let file = files[element] else { return true }
      for number in file {
        looks += 1
        guard let operand = operands[number], operand.isSingle || operand.datum.isIncluded(in: datum, type: type) else { continue }
        if !body(number) { return false }
      }
      return true
    }
    work += looks
  }

  private func forEachExcluded(from datum: Datum, _ work: inout Int, _ body: (Int) -> Bool) {
    for (element, file) in files {
      work += 1
      if datum.contains(element) { continue }
      for number in file {
        work += 1
        guard let operand = operands[number], operand.isSingle || operand.datum.isExcluded(from: datum, type: type) else { continue }
        if !body(number) { return }
      }
    }
  }
}
