// SPDX-License-Identifier: Apache-2.0
//
// Clauses that are decided together decide as they do one by one.

import TestSupport
import Testing

@testable import OVSDB

@Suite struct FoldedConditionTests {
  /// Random clauses on one column, mostly of a few functions.
  private func clauses(
    on column: ColumnSchema, _ generator: inout SeededRandom
  ) -> [(function: ConditionFunction, operand: Datum)] {
    let type = column.type
    let ordered: Set<ConditionFunction> = [.less, .lessOrEqual, .greater, .greaterOrEqual]
    let isOrdered = type.isNumeric && (type.isScalar || type.isOptionalScalar)
    let functions = generator.sample(ConditionFunction.allCases.filter { isOrdered || !ordered.contains($0) }, 1 + generator.below(3))
    return (0..<generator.below(13)).map { _ in
      let function = generator.pick(functions)
      let operandType: ColumnType =
        switch function {
        case .equal, .notEqual: type
        case .includes: type.isScalar ? type : type.ofFewer
        case .excludes: type.isScalar ? type : type.ofAnyCount
        case .less, .lessOrEqual, .greater, .greaterOrEqual: ColumnType(key: type.key)
        }
      return (function, randomDatum(operandType, &generator))
    }
  }

  /// RFC 7047 §5.1 (`<condition>`): `where` holds if all clauses do, a monitor's condition if one does or there is none.
  @Test(arguments: 0..<80 as Range<UInt64>)
  func clausesDecidedTogetherDecideAsOneByOne(_ seed: UInt64) {
    var generator = SeededRandom(seed: seed)
    for _ in 0..<20 {
      let type = randomType(&generator)
      let column = ColumnSchema(name: "c", type: type, isMutable: true, isPersistent: true, index: 0)
      let clauses = clauses(on: column, &generator)
      let requirements = ColumnRequirements(column, clauses)
      let alternatives = Alternatives(Condition(clauses: clauses.map { .comparison(column, $0.function, $0.operand) }))
      for _ in 0..<20 {
        let datum = randomDatum(type, &generator)
        let holding = clauses.filter { $0.function.holds(datum, $0.operand, type) }.count
        #expect(requirements.hold(for: datum) == (holding == clauses.count), "all of \(clauses) for \(datum)")
        #expect(alternatives.hold { _ in datum } == (clauses.isEmpty || holding > 0), "one of \(clauses) for \(datum)")
      }
    }
  }

  @Test(arguments: 0..<40 as Range<UInt64>, [ElementIndex.Purpose.includes, .excludes])
  func anIndexOfOperandsFindsThoseForWhichTheFunctionHoldsOnce(_ seed: UInt64, _ purpose: ElementIndex.Purpose) {
    var generator = SeededRandom(seed: seed)
    var type = randomType(&generator)
    type.min = 0
    type.max = ColumnType.unlimited
    let column = ColumnSchema(name: "c", type: type, isMutable: true, isPersistent: true, index: 0)
    var index = ElementIndex(purpose, column: column)
    var operands: [Int: Datum] = [:]
    for step in 0..<200 {
      if generator.chance(60) {
        let operand = randomDatum(type, &generator)
        if !operand.isEmpty { operands[index.add(operand)] = operand }
      } else if let operand = generator.pick(maybe: operands.sorted { $0.key < $1.key }) {
        index.remove(operand.value)
        operands[operand.key] = nil
      }
      #expect(index.count == operands.count && Set(operands.values).count == operands.count)
      let datum = randomDatum(type, &generator)
      var found: [Int] = []
      var work = 0
      index.forEachHolding(for: datum, work: &work) { number in
        found.append(number)
        return true
      }
      let expected = operands.filter { operand in
        purpose == .includes
          ? operand.value.isIncluded(in: datum, type: type.key.type) : operand.value.isExcluded(from: datum, type: type.key.type)
      }
      #expect(found.sorted() == expected.keys.sorted(), "step \(step): \(datum)")
    }
  }

  /// Many operands that share no element with a value, or all share one, cost no more than few.
  @Test func operandsThatDoNotMatterAreNotLookedAt() {
    let type = ColumnType(key: BaseType(.integer), min: 0, max: ColumnType.unlimited)
    let column = ColumnSchema(name: "c", type: type, isMutable: true, isPersistent: true, index: 0)
    var includes = ElementIndex(.includes, column: column)
    var excludes = ElementIndex(.excludes, column: column)
    for number in 10..<10_010 as Range<Int64> {
      _ = includes.add(.set(.integers([1, number])))
      _ = excludes.add(.set(.integers([1, number])))
    }
    var work = 0
    var found = 0
    let value = Datum.set(.integers([1, 2, 3]))
    includes.forEachHolding(for: value, work: &work) { _ in
      found += 1
      return true
    }
    excludes.forEachHolding(for: value, work: &work) { _ in
      found += 1
      return true
    }
    #expect(found == 0)
    #expect(work < 10)
  }
}
