// SPDX-License-Identifier: Apache-2.0
//
// Makes random operations as text and does them to the model at the same time.

import OVSDB
import TestSupport

struct RandomOperations {
  var generator: SeededRandom
  var model = Model()
  /// The model when the transaction began.
  var base = Model()

  init(seed: UInt64) { generator = SeededRandom(seed: seed) }

  /// One operation and the result it must have; nil when it must fail.
  mutating func next() -> (operation: String, result: String?) {
    let table = ["P", "P", "C", "C", "C", "L"][number(6)]
    switch number(10) {
    case 0...3: return insert(table)
    case 4, 5: return update(table)
    case 6, 7: return mutate(table)
    default: return delete(table)
    }
  }

  private mutating func number(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }

  private mutating func someUUID() -> UUID { UUID(high: 0x4000, low: UInt64(number(14))) }

  private mutating func value(of kind: ModelValue) -> ModelValue {
    switch kind {
    case .number: .number(number(12))
    case .numbers: .numbers(Set((0..<number(5)).map { _ in number(8) }))
    case .rows: .rows(Set((0..<number(3)).map { _ in someUUID() }))
    case .named: .named(Dictionary((0..<number(3)).map { _ in (number(4), someUUID()) }) { first, _ in first })
    }
  }

  private static func json(_ value: ModelValue) -> String {
    func row(_ uuid: UUID) -> String { "[\"uuid\",\"\(uuid)\"]" }
    return switch value {
    case .number(let number): "\(number)"
    case .numbers(let numbers): "[\"set\",[\(numbers.map(String.init).joined(separator: ","))]]"
    case .rows(let rows): "[\"set\",[\(rows.map(row).joined(separator: ","))]]"
    case .named(let rows): "[\"map\",[\(rows.map { "[\($0),\(row($1))]" }.joined(separator: ","))]]"
    }
  }

  /// A value a column may hold: `owner` takes two rows at most, which `value(of:)` never exceeds.
  private mutating func insert(_ table: String) -> (String, String?) {
    let uuid = someUUID()
    var row = Model.defaults[table] ?? [:]
    var members: [String] = []
    for (column, kind) in row.sorted(by: { $0.key < $1.key }) where Bool.random(using: &generator) {
      let new = value(of: kind)
      row[column] = new
      members.append("\"\(column)\":\(Self.json(new))")
    }
    let operation = "{\"op\":\"insert\",\"table\":\"\(table)\",\"uuid\":\"\(uuid)\",\"row\":{\(members.joined(separator: ","))}}"
    if model.tables[table]?[uuid] != nil || base.tables[table]?[uuid] != nil { return (operation, nil) }
    model.tables[table]?[uuid] = row
    return (operation, "{\"uuid\":[\"uuid\",\"\(uuid)\"]}")
  }

  /// A condition, and the rows that satisfy it.
  private mutating func condition(_ table: String) -> (String, [UUID]) {
    let column = table == "C" ? "k" : "n"
    let limit = number(12)
    let rows = model.tables[table] ?? [:]
    func isLess(_ value: ModelValue?) -> Bool { if case .number(let number) = value { number < limit } else { false } }
    switch number(5) {
    case 0:
      let uuid = someUUID()
      return ("[\"_uuid\",\"==\",[\"uuid\",\"\(uuid)\"]]", rows.keys.filter { $0 == uuid })
    case 1, 2:
      return ("[\"\(column)\",\"==\",\(limit)]", rows.filter { $0.value[column] == .number(limit) }.map(\.key))
    case 3: return ("[\"\(column)\",\"<\",\(limit)]", rows.filter { isLess($0.value[column]) }.map(\.key))
    default: return ("[\"\(column)\",\"!=\",\(limit)]", rows.filter { $0.value[column] != .number(limit) }.map(\.key))
    }
  }

  private mutating func update(_ table: String) -> (String, String?) {
    let (text, uuids) = condition(table)
    var members: [String] = []
    for (column, kind) in (Model.defaults[table] ?? [:]).sorted(by: { $0.key < $1.key }) where number(3) == 0 {
      let new = value(of: kind)
      members.append("\"\(column)\":\(Self.json(new))")
      for uuid in uuids { model.tables[table]?[uuid]?[column] = new }
    }
    return (
      "{\"op\":\"update\",\"table\":\"\(table)\",\"where\":[\(text)],\"row\":{\(members.joined(separator: ","))}}",
      "{\"count\":\(uuids.count)}"
    )
  }

  private mutating func mutate(_ table: String) -> (String, String?) {
    let (text, uuids) = condition(table)
    let columns = (Model.defaults[table] ?? [:]).sorted(by: { $0.key < $1.key })
    let (column, kind) = columns[number(columns.count)]
    let operand = value(of: kind)
    let mutator = if case .number = kind { ["+=", "-=", "%="][number(3)] } else { ["insert", "delete"][number(2)] }
    var result: String? = "{\"count\":\(uuids.count)}"
    for uuid in uuids {
      guard let new = mutated(model.tables[table]?[uuid]?[column] ?? kind, mutator, operand) else {
        result = nil
        continue
      }
      if column == "owner", case .rows(let rows) = new, rows.count > 2 { result = nil }
      model.tables[table]?[uuid]?[column] = new
    }
    return (
      """
      {"op":"mutate","table":"\(table)","where":[\(text)],"mutations":[["\(column)","\(mutator)",\(Self.json(operand))]]}
      """,
      result
    )
  }

  /// Nil when the mutation must fail.
  private func mutated(_ value: ModelValue, _ mutator: String, _ operand: ModelValue) -> ModelValue? {
    switch (value, operand, mutator) {
    case (.number(let a), .number(let b), "+="): .number(a + b)
    case (.number(let a), .number(let b), "-="): .number(a - b)
    case (.number(let a), .number(let b), _): b == 0 ? nil : .number(a % b)
    case (.numbers(let a), .numbers(let b), "insert"): .numbers(a.union(b))
    case (.numbers(let a), .numbers(let b), _): .numbers(a.subtracting(b))
    case (.rows(let a), .rows(let b), "insert"): .rows(a.union(b))
    case (.rows(let a), .rows(let b), _): .rows(a.subtracting(b))
    case (.named(let a), .named(let b), "insert"): .named(a.merging(b) { mine, _ in mine })
    case (.named(let a), .named(let b), _): .named(a.filter { b[$0.key] != $0.value })
    default: value
    }
  }

  private mutating func delete(_ table: String) -> (String, String?) {
    let (text, uuids) = condition(table)
    for uuid in uuids { model.tables[table]?[uuid] = nil }
    return ("{\"op\":\"delete\",\"table\":\"\(table)\",\"where\":[\(text)]}", "{\"count\":\(uuids.count)}")
  }
}
