// SPDX-License-Identifier: Apache-2.0
//
// Schemas drawn from a seed: every type, constraint, reference and table property that the schema grammar knows.
// GeneratedValues.swift draws values for their columns.

import TestSupport

enum AtomKind: String, CaseIterable, Sendable {
  case integer, real, boolean, string, uuid

  var standardAtom: WireJSON {
    switch self {
    case .integer, .real: 0
    case .boolean: false
    case .string: ""
    case .uuid: ["uuid", "00000000-0000-0000-0000-000000000000"]
    }
  }
}

/// A base type with its constraints.
struct GeneratedBase: Sendable {
  var kind: AtomKind
  var choices: [WireJSON] = []
  var range: (low: Int, high: Int)?
  var lengths: (low: Int, high: Int)?
  var refTable: String?
  var isWeak = false

  var json: WireJSON {
    var members: [WireJSON.Member] = [.init("type", .string(kind.rawValue))]
    if choices.count == 1 { members.append(.init("enum", choices[0])) }
    if choices.count > 1 { members.append(.init("enum", ["set", .array(choices)])) }
    if let range {
      let suffix = kind == .integer ? "Integer" : "Real"
      members.append(.init("min" + suffix, .integer(range.low)))
      members.append(.init("max" + suffix, .integer(range.high)))
    }
    if let lengths {
      members.append(.init("minLength", .integer(lengths.low)))
      members.append(.init("maxLength", .integer(lengths.high)))
    }
    if let refTable {
      members.append(.init("refTable", .string(refTable)))
      if isWeak { members.append(.init("refType", "weak")) }
    }
    return .object(members)
  }
}

struct GeneratedColumn: Sendable {
  var name: String
  var key: GeneratedBase
  var value: GeneratedBase?
  var min = 1
  /// Nil for unlimited.
  var max: Int? = 1
  var isEphemeral = false
  var isMutable = true

  var isMap: Bool { value != nil }
  var isScalar: Bool { !isMap && min == 1 && max == 1 }
  var isOptional: Bool { !isMap && min == 0 && max == 1 }
  /// Whether equal values mean equal order on both sides: random UUIDs sort at random.
  var holdsUUIDs: Bool { key.kind == .uuid || value?.kind == .uuid }

  /// What a column holds that nobody gave a value.
  var standardValue: WireJSON {
    guard min > 0 else { return value == nil ? ["set", []] : ["map", []] }
    guard let value else { return key.kind.standardAtom }
    return ["map", [[key.kind.standardAtom, value.kind.standardAtom]]]
  }

  var json: WireJSON {
    var type: [WireJSON.Member] = [.init("key", key.json), .init("min", .integer(min))]
    if let value { type.append(.init("value", value.json)) }
    type.append(.init("max", max.map { .integer($0) } ?? "unlimited"))
    var members: [WireJSON.Member] = [.init("type", .object(type))]
    if isEphemeral { members.append(.init("ephemeral", true)) }
    if !isMutable { members.append(.init("mutable", false)) }
    return .object(members)
  }
}

struct GeneratedTable: Sendable {
  var name: String
  var columns: [GeneratedColumn]
  var isRoot: Bool
  var rowsMax: Int?
  var indexes: [[String]]

  func column(_ name: String) -> GeneratedColumn? { columns.first { $0.name == name } }

  var json: WireJSON {
    var members: [WireJSON.Member] = [.init("columns", .object(columns.map { .init($0.name, $0.json) }))]
    if isRoot { members.append(.init("isRoot", true)) }
    if let rowsMax { members.append(.init("maxRows", .integer(rowsMax))) }
    if !indexes.isEmpty {
      members.append(.init("indexes", .array(indexes.map { .array($0.map { .string($0) }) })))
    }
    return .object(members)
  }
}

struct GeneratedSchema: Sendable {
  var name: String
  var tables: [GeneratedTable]

  func table(_ name: String) -> GeneratedTable? { tables.first { $0.name == name } }

  /// Whether a column holds pairs of a strong and a weak reference.
  var hasWeakPairs: Bool {
    tables.contains { table in
      table.columns.contains { column in
        guard let value = column.value, column.key.refTable != nil, value.refTable != nil else { return false }
        return column.key.isWeak != value.isWeak
      }
    }
  }

  var json: WireJSON {
    ["name": .string(name), "version": "1.2.3", "cksum": "1 2", "tables": .object(tables.map { .init($0.name, $0.json) })]
  }

  init(random: inout SeededRandom) {
    name = "D"
    let names = ["A", "B", "C", "E", "F"].prefix(random.within(2...5))
    // One schema in four says nothing of roots: then all its tables are.
    let saysRoot = random.chance(75)
    tables = []
    for name in names {
      let columns = Self.columns(tables: Array(names), &random)
      let indexed = columns.filter { !$0.isEphemeral && $0.max == 1 }.map(\.name)
      var indexes: [[String]] = []
      if random.chance(40), !indexed.isEmpty { indexes.append(random.sample(indexed, random.within(1...2))) }
      tables.append(
        GeneratedTable(
          name: name, columns: columns, isRoot: saysRoot && random.chance(60),
          rowsMax: random.chance(10) ? random.within(1...4) : nil, indexes: indexes))
    }
  }

  private static func columns(tables: [String], _ random: inout SeededRandom) -> [GeneratedColumn] {
    let names = ["a", "b", "c", "d", "e", "f", "g", "name"]
    return random.sample(names, random.within(2...7)).sorted().map { column(named: $0, tables: tables, &random) }
  }

  private static func column(named name: String, tables: [String], _ random: inout SeededRandom) -> GeneratedColumn {
    var column = GeneratedColumn(name: name, key: base(tables: tables, &random))
    switch random.below(10) {
    case 0...3: break
    case 4...5: column.min = 0
    case 6...7:
      column.min = random.below(2)
      column.max = random.chance(70) ? nil : random.within(2...4)
    default:
      var value = base(tables: tables, &random)
      // 3.1.0 aborts when a pair refers weakly to one row with its key and with its value.
      if column.key.isWeak { value.isWeak = false }
      column.value = value
      column.min = random.below(10) == 0 ? 1 : 0
      column.max = random.chance(70) ? nil : random.within(1...3)
    }
    if random.chance(15) { column.isEphemeral = true }
    if random.chance(12) { column.isMutable = false }
    // After a restart such a column holds its default, a reference to nothing: 3.1.0 then refuses its own record.
    if column.isEphemeral, column.key.refTable != nil || column.value?.refTable != nil { column.min = 0 }
    return column
  }

  private static func base(tables: [String], _ random: inout SeededRandom) -> GeneratedBase {
    var base = GeneratedBase(kind: random.pick(AtomKind.allCases))
    if base.kind == .uuid {
      if random.chance(70) {
        base.refTable = random.pick(tables)
        base.isWeak = random.chance(50)
      }
      return base
    }
    guard random.chance(30) else { return base }
    if random.chance(40) {
      base.choices = distinct(random.sample(GeneratedValues.pool(base.kind), random.within(1...4)))
    } else if base.kind == .integer || base.kind == .real {
      base.range = (random.within(-5...0), random.within(1...20))
    } else if base.kind == .string {
      base.lengths = (random.below(2), random.within(2...6))
    }
    return base
  }

  /// Two spellings of one number (`2`, `2.0`) may not both stand in an enumeration.
  private static func distinct(_ atoms: [WireJSON]) -> [WireJSON] {
    var seen: Set<String> = []
    return atoms.filter { atom in
      if case .number(let token) = atom { return seen.insert(Double(token).map { String($0 + 0) } ?? token).inserted }
      return seen.insert(atom.text).inserted
    }
  }
}
