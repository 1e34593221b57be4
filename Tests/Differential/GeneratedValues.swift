// SPDX-License-Identifier: Apache-2.0
//
// Values for the columns of a generated schema: mostly valid, from small pools so that they collide, written in every
// spelling the protocol allows; and sometimes wrong.

import TestSupport

/// What the generator remembers of the databases it talks to.
struct KnownRows: Sendable {
  /// UUIDs chosen by the generator, by table. A row may be gone by now: that is a case, too.
  var uuids: [String: [String]] = [:]
  /// Names given to inserts of the transaction at hand, by table.
  var named: [String: [String]] = [:]
  /// Every UUID the generator ever wrote.
  var written: Set<String> = []

  /// Rows that exist, by table, as a monitor of everything tells.
  private(set) var live: [String: Set<String>] = [:]
  /// Whether weak references may name rows that do not exist (AcceptedDifferences.swift, "weak-no-change").
  var allowsDanglingWeakReferences = true

  /// Takes note of the updates of a plain monitor of all tables.
  mutating func note(updates: WireJSON) {
    for update in updates.elements ?? [] {
      for table in update["params"]?[1]?.members ?? [] {
        for row in table.value.members ?? [] {
          if row.value["new"] == nil { live[table.name]?.remove(row.name) } else { live[table.name, default: []].insert(row.name) }
        }
      }
    }
  }

  mutating func add(_ uuid: String, to table: String) {
    uuids[table, default: []].append(uuid)
    if let count = uuids[table]?.count, count > 60 { uuids[table]?.removeFirst(count - 60) }
  }
}

enum GeneratedValues {
  static func pool(_ kind: AtomKind) -> [WireJSON] {
    switch kind {
    case .integer:
      [0, 1, 2, 3, 4, 5, -1, -3, 7, 10, 11, .number("2.0"), .number("1e1"), .number("9223372036854775807"),
        .number("-9223372036854775808")]
    case .real:
      [0, 1, 2, .number("1.5"), .number("-0.0"), .number("0.1"), .number("1e15"), .number("1e20"), .number("-2.5e-07"),
        .number("123456789.123456789"), .number("1e300"), -3, 10]
    case .boolean: [true, false]
    case .string:
      ["", "a", "b", "c", "ab", "abc", "one two", "\u{e9}", "e\u{301}", "q\"\\/", "tab\tnl\n", "\u{1}\u{7f}", "\u{1f600}",
        "\u{ffff}", "a-long-string", "true"]
    case .uuid: []
    }
  }

  static func atom(_ base: GeneratedBase, _ rows: inout KnownRows, _ random: inout SeededRandom) -> WireJSON {
    if base.kind == .uuid { return reference(base, &rows, &random) }
    if !base.choices.isEmpty, random.chance(92) { return random.pick(base.choices) }
    if let range = base.range, random.chance(90) { return .integer(random.within(range.low...range.high)) }
    if let lengths = base.lengths, random.chance(90) {
      let count = random.within(lengths.low...lengths.high)
      return .string(String((0..<count).map { _ in random.pick(["a", "b", "\u{e9}"] as [Character]) }))
    }
    return random.pick(pool(base.kind))
  }

  private static func reference(
    _ base: GeneratedBase, _ rows: inout KnownRows, _ random: inout SeededRandom
  ) -> WireJSON {
    let tables = base.refTable.map { [$0] } ?? Array(rows.uuids.keys.sorted())
    let table = random.pick(maybe: tables) ?? ""
    if base.isWeak, !rows.allowsDanglingWeakReferences {
      let live = (rows.live[table] ?? []).intersection(rows.written).sorted()
      return random.pick(maybe: live).map { ["uuid", .string($0)] } ?? ["uuid", "00000000-0000-0000-0000-000000000000"]
    }
    switch random.below(20) {
    case 0:
      let stranger = random.uuid()
      rows.written.insert(stranger)
      return ["uuid", .string(random.chance(30) ? stranger.uppercased() : stranger)]
    case 1: return ["uuid", "00000000-0000-0000-0000-000000000000"]
    case 2...8:
      if let name = random.pick(maybe: rows.named[table] ?? []) { return ["named-uuid", .string(name)] }
      fallthrough
    default:
      if let known = random.pick(maybe: rows.uuids[table] ?? []) { return ["uuid", .string(known)] }
      if let name = random.pick(maybe: rows.named[table] ?? []) { return ["named-uuid", .string(name)] }
      return ["uuid", "00000000-0000-0000-0000-000000000000"]
    }
  }

  /// A value for a column with about `count` elements; nil picks a count that the type allows.
  static func value(
    _ column: GeneratedColumn, count: Int? = nil, _ rows: inout KnownRows, _ random: inout SeededRandom
  ) -> WireJSON {
    let high = min(column.max ?? 5, 5) + (random.chance(3) ? 1 : 0)
    let low = random.chance(3) ? 0 : column.min
    let elementCount = count ?? random.within(min(low, high)...high)
    var keys: [WireJSON] = []
    // Duplicates are an error: drawn again, but for a few.
    for _ in 0..<elementCount {
      let atom = atom(column.key, &rows, &random)
      if !keys.contains(atom) || random.chance(2) { keys.append(atom) }
    }
    let nothing: WireJSON = ["uuid", "00000000-0000-0000-0000-000000000000"]
    let isOptional = column.min == 0 && !rows.allowsDanglingWeakReferences
    if isOptional, column.key.isWeak { keys.removeAll { $0 == nothing } }
    if let value = column.value {
      var pairs = keys.map { key -> (WireJSON, WireJSON) in (key, atom(value, &rows, &random)) }
      if isOptional, value.isWeak { pairs.removeAll { $0.1 == nothing } }
      return ["map", .array(pairs.map { [$0.0, $0.1] })]
    }
    if keys.count == 1, random.chance(70) { return keys[0] }
    return ["set", .array(keys)]
  }
}
