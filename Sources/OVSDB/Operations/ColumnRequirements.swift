// SPDX-License-Identifier: Apache-2.0
//
// Several clauses of a `where` on one column, all of which have to hold, as one look-up for each kind. For one value this decides what
// `Condition.allHold` does clause by clause.

/// The clauses on one column.
package struct ColumnRequirements: Sendable {
  package let column: ColumnSchema
  /// No value fulfils all clauses.
  private var isNever = false
  /// The value of `==`, and of `includes` on a column that holds one value.
  private var equal: Datum?
  /// The values of `!=`, and of `excludes` on a column that holds one value.
  private var unequal: Set<Datum> = []
  /// The highest of the cuts that `>` and `>=` name.
  private var above: Cut?
  /// The lowest of the cuts that `<` and `<=` name.
  private var below: Cut?
  /// The elements or pairs of all operands of `includes`.
  private var included = Datum.empty
  /// The elements of all operands of `excludes`. Pairs of a map stand in `excludedPairs`, as several may have one key.
  private var excluded = Datum.empty
  private var excludedPairs: Set<Element> = []

  package init(_ column: ColumnSchema, _ clauses: [(function: ConditionFunction, operand: Datum)]) {
    self.column = column
    var includes: [Datum] = []
    var excludes: [Datum] = []
    for (function, operand) in clauses {
      switch function {
      case .equal: addEqual(operand)
      case .includes where column.type.isScalar: addEqual(operand)
      case .notEqual: unequal.insert(operand)
      case .excludes where column.type.isScalar: unequal.insert(operand)
      case .greater: above = Self.tighter(above, Cut.behind(operand), max)
      case .greaterOrEqual: above = Self.tighter(above, Cut.before(operand), max)
      case .less: below = Self.tighter(below, Cut.before(operand), min)
      case .lessOrEqual: below = Self.tighter(below, Cut.behind(operand), min)
      case .includes: includes.append(operand)
      case .excludes: excludes.append(operand)
      }
    }
    if column.isMap { addPairs(includes, excludes) } else { addElements(includes, excludes) }
  }

  private mutating func addEqual(_ operand: Datum) {
    if let equal, equal != operand { isNever = true }
    equal = operand
  }

  private static func tighter(_ present: Cut?, _ cut: Cut?, _ choose: (Cut, Cut) -> Cut) -> Cut? {
    guard let present, let cut else { return present ?? cut }
    return choose(present, cut)
  }

  private mutating func addElements(_ includes: [Datum], _ excludes: [Datum]) {
    included = Datum(unionOf: includes, type: column.type.key.type)
    excluded = Datum(unionOf: excludes, type: column.type.key.type)
  }

  private mutating func addPairs(_ includes: [Datum], _ excludes: [Datum]) {
    guard let valueType = column.type.value?.type else { return }
    var values: [Atom: Atom] = [:]
    var pairs = AtomMap(keys: AtomArray(of: column.type.key.type), values: AtomArray(of: valueType))
    for case .map(let operand) in includes {
      for position in 0..<operand.count {
        let (key, value) = (operand.keys[position], operand.values[position])
        if let present = values[key] {
          if present != value { isNever = true }
          continue
        }
        values[key] = value
        pairs.keys.append(key)
        pairs.values.append(value)
      }
    }
    included = Datum(sorted: pairs.sortedByKey())
    for operand in excludes {
      operand.forEachElement { element in
        excludedPairs.insert(element)
        return true
      }
    }
  }

  /// Whether all clauses hold for a value.
  package func hold(for datum: Datum) -> Bool {
    if isNever { return false }
    if let equal, equal != datum { return false }
    if !unequal.isEmpty, unequal.contains(datum) { return false }
    if let above, !above.isBelow(datum) { return false }
    if let below, !below.isAbove(datum) { return false }
    let type = column.type.key.type
    guard included.isIncluded(in: datum, type: type), excluded.isExcluded(from: datum, type: type) else { return false }
    return excludedPairs.isEmpty || hasNoExcludedPair(datum)
  }

  private func hasNoExcludedPair(_ datum: Datum) -> Bool {
    if excludedPairs.count < datum.count { return !excludedPairs.contains { datum.contains($0) } }
    var isFound = false
    datum.forEachElement { element in
      isFound = excludedPairs.contains(element)
      return !isFound
    }
    return !isFound
  }
}

extension Datum {
  /// The elements of several sets. A single sort, as merging them one by one would copy the sum each time.
  fileprivate init(unionOf sets: [Datum], type: AtomicType) {
    if sets.count == 1 {
      self = sets[0]
      return
    }
    var atoms = AtomArray(of: type, capacity: sets.reduce(0) { $0 + $1.count })
    for set in sets {
      if let atom = set.onlyAtom {
        atoms.append(atom)
      } else if case .set(let elements) = set {
        for position in 0..<elements.count { atoms.append(elements[position]) }
      }
    }
    self.init(sorted: atoms.sortedUnique())
  }
}

extension AtomArray {
  /// The same atoms in order, each once.
  fileprivate func sortedUnique() -> AtomArray {
    func sort<E: AtomElement>(_ array: [E]) -> [E] {
      var unique: [E] = []
      for element in array.sorted(by: E.precedes) where unique.last != element { unique.append(element) }
      return unique
    }
    return switch self {
    case .integers(let array): .integers(sort(array))
    case .reals(let array): .reals(sort(array))
    case .booleans(let array): .booleans(sort(array))
    case .strings(let array): .strings(sort(array))
    case .uuids(let array): .uuids(sort(array))
    }
  }
}
