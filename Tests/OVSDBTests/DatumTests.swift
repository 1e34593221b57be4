// SPDX-License-Identifier: Apache-2.0
//
// Values of every type against a model of plain dictionaries.

import JSON
import TestSupport
import Testing

@testable import OVSDB

@Suite struct DatumTests {
  /// RFC 7047 §5.1: what is written is read as the same value.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func writingAndReadingGivesTheSameValue(_ seed: UInt64) throws {
    var generator = SeededRandom(seed: seed)
    for _ in 0..<20 {
      let type = randomType(&generator)
      let datum = randomDatum(type, &generator)
      #expect(try read(datum.json(type), type) == datum, "\(type.english)")
    }
  }

  /// Sets and maps may come in any order and are kept in theirs.
  @Test(arguments: 0..<100 as Range<UInt64>)
  func elementsAreReadInAnyOrder(_ seed: UInt64) throws {
    var generator = SeededRandom(seed: seed)
    for _ in 0..<20 {
      var type = randomType(&generator)
      type.max = ColumnType.unlimited
      let pairs = randomPairs(type, &generator)
      var writer = ByteWriter()
      writer.append(type.isMap ? "[\"map\",[" : "[\"set\",[")
      for (position, pair) in pairs.shuffled(using: &generator).enumerated() {
        if position > 0 { writer.append(",") }
        if type.isMap { writer.append("[") }
        pair.key.write(to: &writer)
        if type.isMap {
          writer.append(",")
          pair.value.write(to: &writer)
          writer.append("]")
        }
      }
      writer.append("]]")
      #expect(try read(writer.string, type) == datum(pairs, type))
    }
  }

  /// Most values are read for their column without a look at the whole type: they are the same, and so are the errors.
  @Test(arguments: 0..<100 as Range<UInt64>)
  func whatIsReadForAColumnIsWhatItsTypeReads(_ seed: UInt64) throws {
    var generator = SeededRandom(seed: seed)
    for _ in 0..<40 {
      var type = randomType(&generator)
      if Bool.random(using: &generator) {
        type = ColumnType(key: BaseType(.string), value: BaseType(.string), min: 0, max: ColumnType.unlimited)
      }
      let column = ColumnSchema(name: "c", type: type, isMutable: true, isPersistent: true, index: 0)
      var text = Array(randomDatum(randomTypeLike(type, &generator), &generator).json(type).utf8)
      if Bool.random(using: &generator), !text.isEmpty {
        text[Int.random(in: 0..<text.count, using: &generator)] = Array("[],\"0a".utf8).randomElement(using: &generator) ?? 0
      }
      guard let document = try? JSONDocument.parse(String(decoding: text, as: UTF8.self)) else { continue }
      document.withRoot { json in
        let byType = Result { () throws(OVSDBError) in try Datum(json: json, type: type, symbols: nil) }
        let byColumn = Result { () throws(OVSDBError) in try Datum(json: json, column: column, symbols: nil) }
        #expect(byType == byColumn, "\(type.english) \(String(decoding: text, as: UTF8.self))")
      }
    }
  }

  /// The type itself, or another one whose values do not fit.
  private func randomTypeLike(_ type: ColumnType, _ generator: inout SeededRandom) -> ColumnType {
    Int.random(in: 0..<3, using: &generator) == 0 ? randomType(&generator) : type
  }

  /// ovsdb-server(7), update2: a difference makes the new value of the old one, and has nothing in it for equal ones.
  @Test(arguments: 0..<300 as Range<UInt64>)
  func applyingADifferenceGivesTheNewValue(_ seed: UInt64) throws {
    var generator = SeededRandom(seed: seed)
    for _ in 0..<20 {
      let type = randomType(&generator)
      let (old, new) = (randomDatum(type, &generator), randomDatum(type, &generator))
      let difference = Datum.difference(from: old, to: new, type: type)
      #expect(try old.applying(difference: difference, type: type) == new, "\(type.english) \(old) \(new)")
      // A difference goes over the wire as a value of any number of elements.
      let wire = type.max > 1 ? type.ofAnyCount : type.ofFewer
      #expect(try read(difference.json(wire), wire) == difference)
      if type.max > 1 { #expect(Datum.difference(from: old, to: old, type: type) == .empty) }
    }
  }

  /// A difference of maps has the removed pairs, the added ones, and the new ones of changed keys.
  @Test(arguments: 0..<100 as Range<UInt64>)
  func differencesOfMapsNameEachKeyThatChanges(_ seed: UInt64) throws {
    var generator = SeededRandom(seed: seed)
    let type = ColumnType(key: BaseType(.string), value: BaseType(.integer), min: 0, max: ColumnType.unlimited)
    for _ in 0..<20 {
      let (old, new) = (randomPairs(type, &generator), randomPairs(type, &generator))
      var expected: [Atom: Atom] = [:]
      for (key, value) in old where new[key] == nil { expected[key] = value }
      for (key, value) in new where old[key] != value { expected[key] = value }
      #expect(Datum.difference(from: datum(old, type), to: datum(new, type), type: type) == datum(expected, type))
    }
  }

  /// RFC 7047 §5.1 (mutators, functions): as dictionaries have it.
  @Test(arguments: 0..<300 as Range<UInt64>)
  func algebraIsThatOfDictionaries(_ seed: UInt64) {
    var generator = SeededRandom(seed: seed)
    for _ in 0..<20 {
      var type = randomType(&generator)
      type = type.ofAnyCount
      let (a, b) = (randomPairs(type, &generator), randomPairs(type, &generator))
      let (left, right) = (datum(a, type), datum(b, type))
      let key = type.key.type
      #expect(left.union(right, type: key) == datum(a.merging(b) { mine, _ in mine }, type))
      #expect(left.subtracting(right, type: key) == datum(a.filter { b[$0.key] != $0.value }, type))
      #expect(left.isIncluded(in: right, type: key) == a.allSatisfy { b[$0.key] == $0.value })
      #expect(left.isExcluded(from: right, type: key) == !a.contains { b[$0.key] == $0.value })
      #expect((left == right) == (a == b))
      if type.isMap {
        let keys = datum(b.mapValues { _ in .integer(0) }, ColumnType(key: type.key, min: 0, max: ColumnType.unlimited))
        #expect(left.removingKeys(keys, type: key) == datum(a.filter { b[$0.key] == nil }, type))
      }
    }
  }

  /// Large sets take the ways of search and block copies, small ones those of merging.
  @Test(arguments: [0, 1, 7, 8, 9, 100, 1000], [0, 1, 2, 50, 1000])
  func algebraOfUnequalSizesIsThatOfSets(_ count: Int, _ otherCount: Int) {
    var generator = SeededRandom(seed: UInt64(count * 10_000 + otherCount))
    for _ in 0..<10 {
      let a = Set((0..<count).map { _ in Int64.random(in: 0..<2000, using: &generator) })
      let b = Set((0..<otherCount).map { _ in Int64.random(in: 0..<2000, using: &generator) })
      let (left, right) = (AtomArray.integers(a.sorted()), AtomArray.integers(b.sorted()))
      #expect(left.union(right) == .integers(a.union(b).sorted()))
      #expect(left.subtracting(right) == .integers(a.subtracting(b).sorted()))
      #expect(left.symmetricDifference(right) == .integers(a.symmetricDifference(b).sorted()))
      #expect(left.isSubset(of: right) == a.isSubset(of: b))
      #expect(left.isDisjoint(with: right) == a.isDisjoint(with: b))
    }
  }

  /// Documentation/protocol/values.md#order: fewer elements first, then keys, then values.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func orderIsCountsThenKeysThenValues(_ seed: UInt64) {
    var generator = SeededRandom(seed: seed)
    for _ in 0..<20 {
      let type = randomType(&generator).ofAnyCount
      let (a, b) = (randomPairs(type, &generator), randomPairs(type, &generator))
      let order = datum(a, type).order(datum(b, type), type: type.key.type)
      #expect(order == naiveOrder(a, b))
      #expect(datum(b, type).order(datum(a, type), type: type.key.type) == -order)
    }
  }

  private func naiveOrder(_ a: [Atom: Atom], _ b: [Atom: Atom]) -> Int {
    if a.count != b.count { return a.count < b.count ? -1 : 1 }
    let (a, b) = (a.sorted { naivelyPrecedes($0.key, $1.key) }, b.sorted { naivelyPrecedes($0.key, $1.key) })
    for (x, y) in zip(a.map(\.key) + a.map(\.value), b.map(\.key) + b.map(\.value)) where x != y {
      return naivelyPrecedes(x, y) ? -1 : 1
    }
    return 0
  }

  /// References told one by one add up to the difference of what old and new value hold.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func referenceChangesAddUp(_ seed: UInt64) {
    var generator = SeededRandom(seed: seed)
    let strong = BaseType.Constraint.reference(.init(tableName: "A", isStrong: true, tableIndex: 3))
    let weak = BaseType.Constraint.reference(.init(tableName: "B", isStrong: false, tableIndex: 4))
    let constraints: [BaseType.Constraint] = [strong, weak, .none]
    for _ in 0..<20 {
      let key = BaseType(.uuid, constraints.randomElement(using: &generator) ?? .none)
      let value = Bool.random(using: &generator) ? BaseType(.uuid, constraints.randomElement(using: &generator) ?? .none) : nil
      let type = ColumnType(key: key, value: value, min: 0, max: ColumnType.unlimited)
      let (old, new) = (randomPairs(type, &generator), randomPairs(type, &generator))
      for isStrong in [true, false] {
        var told: [ReferenceTarget: Int] = [:]
        Datum.forEachReferenceChange(from: datum(old, type), to: datum(new, type), type: type, isStrong: isStrong) {
          told[$0, default: 0] += $1
        }
        var expected: [ReferenceTarget: Int] = [:]
        for (pairs, sign) in [(old, -1), (new, 1)] {
          for (atom, other) in pairs {
            for (base, uuid) in [(type.key, atom), (type.value, other)] {
              guard let reference = base?.reference, reference.isStrong == isStrong, case .uuid(let uuid) = uuid else { continue }
              expected[ReferenceTarget(tableIndex: reference.tableIndex, uuid: uuid), default: 0] += sign
            }
          }
        }
        #expect(told.filter { $0.value != 0 } == expected.filter { $0.value != 0 })
      }
    }
  }

  /// What is pruned is exactly what names rows that are not there.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func pruningTakesOutWhatIsNotThere(_ seed: UInt64) {
    var generator = SeededRandom(seed: seed)
    let weak = BaseType(.uuid, .reference(.init(tableName: "B", isStrong: false, tableIndex: 4)))
    let plain = BaseType(.uuid)
    for _ in 0..<20 {
      let (key, value) = [(weak, nil), (weak, plain), (plain, weak), (weak, weak)].randomElement(using: &generator) ?? (weak, nil)
      let type = ColumnType(key: key, value: value, min: 0, max: ColumnType.unlimited)
      let pairs = randomPairs(type, &generator)
      let gone = Set((0..<3).map { _ in randomAtom(.uuid, &generator) })
      let rest = pairs.filter { !(key == weak && gone.contains($0.key)) && !(value == weak && gone.contains($0.value)) }
      let pruned = datum(pairs, type).pruned(type: type) { target in
        #expect(target.tableIndex == 4)
        return !gone.contains(.uuid(target.uuid))
      }
      if rest.count == pairs.count {
        #expect(pruned == nil)
      } else {
        #expect(pruned?.rest == datum(rest, type))
        #expect(pruned?.lost.count == pairs.count - rest.count)
      }
    }
  }

  @Test func aHundredThousandElementsAreReadAndWritten() throws {
    let type = ColumnType(key: BaseType(.string), min: 0, max: ColumnType.unlimited)
    let text = "[\"set\",[" + (0..<100_000).map { "\"\(($0 * 7919) % 100_000)\"" }.joined(separator: ",") + "]]"
    let datum = try read(text, type)
    #expect(datum.count == 100_000)
    #expect(try read(datum.json(type), type) == datum)
    let mapType = ColumnType(key: BaseType(.integer), value: BaseType(.string), min: 0, max: ColumnType.unlimited)
    let mapText = "[\"map\",[" + (0..<100_000).map { "[\(($0 * 7919) % 100_000),\"x\"]" }.joined(separator: ",") + "]]"
    let map = try read(mapText, mapType)
    #expect(map.count == 100_000)
    #expect(try read(map.json(mapType), mapType) == map)
    #expect(throws: OVSDBError(.ovsdbError, "set contains duplicate")) {
      try read("[\"set\",[" + (0..<100_000).map { "\"\($0 / 2)\"" }.joined(separator: ",") + "]]", type)
    }
  }
}
