// SPDX-License-Identifier: Apache-2.0
//
// Random rows, and random conditions on them, as JSON text: all types of columns and all functions, of values that meet often.

/// Makes rows and conditions of one table.
package struct ConditionText {
  /// A column whose keys and values are of atomic types.
  package struct Column: Sendable {
    package let name: String
    let key: String
    let value: String?
    let min: Int
    /// At most this many elements are made.
    let max: Int

    init(_ name: String, _ key: String, value: String? = nil, _ min: Int = 1, _ max: Int = 1) {
      (self.name, self.key, self.value, self.min, self.max) = (name, key, value, min, max)
    }

    fileprivate var isScalar: Bool { value == nil && min == 1 && max == 1 }
    fileprivate var isNumber: Bool { value == nil && max == 1 && (key == "integer" || key == "real") }

    fileprivate var schema: String {
      let value = value.map { #","value":"\#($0)""# } ?? ""
      return #""\#(name)":{"type":{"key":"\#(key)"\#(value),"min":\#(min),"max":\#(max == 1 ? "1" : "\"unlimited\"")}}"#
    }
  }

  package static let columns = [
    Column("i", "integer"), Column("r", "real"), Column("b", "boolean"), Column("s", "string"), Column("u", "uuid"),
    Column("oi", "integer", 0), Column("or", "real", 0), Column("os", "string", 0),
    Column("is", "integer", 0, 5), Column("rs", "real", 0, 4), Column("bs", "boolean", 0, 2), Column("ss", "string", 1, 5),
    Column("us", "uuid", 0, 4), Column("im", "integer", value: "string", 0, 4), Column("sm", "string", value: "integer", 0, 4),
    Column("um", "uuid", value: "uuid", 1, 3),
  ]

  /// A root table with these columns, as a member of a schema's `tables`.
  package static var table: String {
    #""T":{"columns":{\#(columns.map(\.schema).joined(separator: ","))},"isRoot":true}"#
  }

  package var random: SeededRandom

  package init(seed: UInt64) { random = SeededRandom(seed: seed) }

  package static func uuid(_ number: Int) -> String {
    "00000000-0000-4000-8000-00000000000\(String(number, radix: 16))"
  }

  /// A value for each column, as the members of an object.
  package mutating func row() -> String {
    Self.columns.map { "\"\($0.name)\":\(value($0, $0.min...$0.max))" }.joined(separator: ",")
  }

  /// Values for some columns.
  package mutating func someColumns() -> String {
    random.sample(Self.columns, 1 + random.below(3)).map { "\"\($0.name)\":\(value($0, $0.min...$0.max))" }.joined(separator: ",")
  }

  /// Clauses of a condition, mostly several on one column.
  package mutating func condition(clausesMax: Int) -> String {
    let columns = random.sample(Self.columns, 1 + random.below(3))
    let clauses = (0..<random.below(clausesMax + 1)).map { _ in clause(on: random.pick(columns)) }
    return "[\(clauses.joined(separator: ","))]"
  }

  private mutating func clause(on column: Column) -> String {
    if random.chance(2) { return "false" }
    if random.chance(1) { return "true" }
    if random.chance(5) {
      return "[\"_uuid\",\"\(random.pick(["==", "!=", "includes", "excludes"]))\",[\"uuid\",\"\(Self.uuid(random.below(8)))\"]]"
    }
    let functions = ["==", "!=", "includes", "excludes"] + (column.isNumber ? ["<", "<=", ">", ">="] : [])
    let function = random.pick(functions)
    let counts: ClosedRange<Int> =
      switch function {
      case "==", "!=": column.min...column.max
      case "includes": column.isScalar ? 1...1 : 0...column.max
      case "excludes": column.isScalar ? 1...1 : 0...4
      default: 1...1
      }
    return "[\"\(column.name)\",\"\(function)\",\(value(column, counts))]"
  }

  private mutating func value(_ column: Column, _ counts: ClosedRange<Int>) -> String {
    var keys: [String] = []
    let count = random.within(counts)
    for _ in 0..<8 where keys.count < count {
      let key = atom(column.key)
      if !keys.contains(key) { keys.append(key) }
    }
    if let type = column.value {
      return "[\"map\",[\(keys.map { "[\($0),\(atom(type))]" }.joined(separator: ","))]]"
    }
    return keys.count == 1 && random.chance(50) ? keys[0] : "[\"set\",[\(keys.joined(separator: ","))]]"
  }

  private mutating func atom(_ type: String) -> String {
    switch type {
    case "integer": random.pick(["0", "1", "2", "3", "4", "5", "-9223372036854775808", "9223372036854775807"])
    case "real": random.pick(["0", "0.5", "-0.5", "1", "1.5", "1e20", "-1e-7"])
    case "boolean": random.pick(["true", "false"])
    case "string": random.pick(["\"\"", "\"a\"", "\"b\"", "\"c\"", "\"ab\"", "\"\u{e9}\"", "\"e\u{301}\""])
    default: "[\"uuid\",\"\(Self.uuid(random.below(6)))\"]"
    }
  }
}
