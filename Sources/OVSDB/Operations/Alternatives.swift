// SPDX-License-Identifier: Apache-2.0
//
// The condition of a monitor, made ready: clauses of one kind on one column are one look-up, however many there are. Row by row this
// decides what `Condition.anyHolds` does clause by clause.

/// The clauses of a condition of which one has to hold, by column.
package struct Alternatives: Sendable {
  /// Every row fulfils it: there is no clause, or some hold for every value.
  package private(set) var isAlways = false
  /// Clauses that some values fulfil and some do not; empty when `isAlways`.
  package private(set) var columns: [ColumnAlternatives] = []

  package init(_ condition: Condition) {
    guard !condition.clauses.isEmpty else {
      isAlways = true
      return
    }
    var positions: [Int: Int] = [:]
    for clause in condition.clauses where !isAlways {
      switch clause {
      case .constant(let holds): isAlways = isAlways || holds
      case .comparison(let column, let function, let operand):
        let position = positions[column.index] ?? columns.count
        if position == columns.count {
          columns.append(ColumnAlternatives(column))
          positions[column.index] = position
        }
        if columns[position].add(function, operand) { isAlways = true }
      }
    }
    if isAlways { columns = [] }
  }

  /// Values looked at to decide for a row, at most, but for elements of sets.
  package var looksPerRow: Int { 1 + columns.reduce(0) { $0 + $1.looks } }

  /// Whether the condition holds for a row, whose value of a column is `datum`.
  @inline(__always)
  package func hold(_ datum: (ColumnSchema) -> Datum) -> Bool {
    if isAlways { return true }
    for position in columns.indices where columns[position].hold(for: datum(columns[position].column)) { return true }
    return false
  }
}

/// The clauses on one column.
package struct ColumnAlternatives: Sendable {
  package let column: ColumnSchema
  /// Values of `==`, and of `includes` on a column that holds one value.
  package private(set) var equal: Set<Datum> = []
  /// The value of `!=`, or of `excludes` on a column that holds one value: of two different ones one always holds.
  package private(set) var unequal: Datum?
  /// The lowest of the cuts that `>` and `>=` name.
  package private(set) var above: Cut?
  /// The highest of the cuts that `<` and `<=` name.
  package private(set) var below: Cut?
  package private(set) var included: [Datum] = []
  package private(set) var excluded: [Datum] = []
  private var includedIndex: ElementIndex?
  private var excludedIndex: ElementIndex?

  /// Operands up to this number are compared one after the other.
  private static let listedOperandsMax = 4

  init(_ column: ColumnSchema) { self.column = column }

  var looks: Int {
    (equal.isEmpty ? 0 : 1) + (unequal == nil ? 0 : 1) + (above == nil ? 0 : 1) + (below == nil ? 0 : 1)
      + min(included.count, Self.listedOperandsMax) + min(excluded.count, Self.listedOperandsMax)
  }

  /// Adds a clause.
  ///
  /// - Returns: whether one of the clauses now holds for every value.
  mutating func add(_ function: ConditionFunction, _ operand: Datum) -> Bool {
    switch function {
    case .equal: equal.insert(operand)
    case .includes where column.type.isScalar: equal.insert(operand)
    case .notEqual: return addUnequal(operand)
    case .excludes where column.type.isScalar: return addUnequal(operand)
    case .greater: raise(\.above, to: Cut.behind(operand), keeping: <)
    case .greaterOrEqual: raise(\.above, to: Cut.before(operand), keeping: <)
    case .less: raise(\.below, to: Cut.before(operand), keeping: >)
    case .lessOrEqual: raise(\.below, to: Cut.behind(operand), keeping: >)
    case .includes:
      if operand.isEmpty { return true }
      Self.add(operand, to: &included, &includedIndex, .includes, column)
    case .excludes:
      if operand.isEmpty { return true }
      Self.add(operand, to: &excluded, &excludedIndex, .excludes, column)
    }
    return false
  }

  private mutating func addUnequal(_ operand: Datum) -> Bool {
    if let unequal, unequal != operand { return true }
    unequal = operand
    return false
  }

  private mutating func raise(_ path: WritableKeyPath<Self, Cut?>, to cut: Cut?, keeping isWider: (Cut, Cut) -> Bool) {
    guard let cut else { return }
    if let present = self[keyPath: path], !isWider(cut, present) { return }
    self[keyPath: path] = cut
  }

  private static func add(
    _ operand: Datum, to operands: inout [Datum], _ index: inout ElementIndex?, _ purpose: ElementIndex.Purpose, _ column: ColumnSchema
  ) {
    if index == nil, operands.count == listedOperandsMax {
      var made = ElementIndex(purpose, column: column)
      for operand in operands { _ = made.add(operand) }
      index = made
    }
    if index != nil {
      if index?.number(of: operand) != nil { return }
      _ = index?.add(operand)
    } else if operands.contains(operand) {
      return
    }
    operands.append(operand)
  }

  /// Whether a clause holds for a value.
  package func hold(for datum: Datum) -> Bool {
    if !equal.isEmpty, equal.contains(datum) { return true }
    if let unequal, unequal != datum { return true }
    if let above, above.isBelow(datum) { return true }
    if let below, below.isAbove(datum) { return true }
    let type = column.type.key.type
    if let includedIndex {
      if includedIndex.holdsAny(for: datum) { return true }
    } else if included.contains(where: { $0.isIncluded(in: datum, type: type) }) {
      return true
    }
    if let excludedIndex { return excludedIndex.holdsAny(for: datum) }
    return excluded.contains { $0.isExcluded(from: datum, type: type) }
  }
}

extension ElementIndex {
  /// Whether the function holds for one of the operands.
  fileprivate func holdsAny(for datum: Datum) -> Bool {
    var isFound = false
    var work = 0
    forEachHolding(for: datum, work: &work) { _ in
      isFound = true
      return false
    }
    return isFound
  }
}
