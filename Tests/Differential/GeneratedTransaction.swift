// SPDX-License-Identifier: Apache-2.0
//
// Transactions drawn from a seed: every operation, condition function and mutator. Mangling.swift breaks some of them.

import TestSupport

struct TransactionGenerator {
  let schema: GeneratedSchema
  var rows = KnownRows()
  var random: SeededRandom
  private var nameCount = 0

  init(schema: GeneratedSchema, random: SeededRandom) {
    self.schema = schema
    self.random = random
  }

  /// The params of one transact request.
  mutating func transaction() -> WireJSON {
    rows.named = [:]
    var operations: [WireJSON] = []
    for _ in 0..<random.weighted([(50, 1), (25, 2), (15, 3), (10, 6)]) { operations.append(operation()) }
    if random.chance(12) {
      let index = random.below(operations.count)
      operations[index] = Mangler.mangle(operations[index], &random)
    }
    return .array([.string(schema.name)] + operations.map(Mangler.defuse))
  }

  private mutating func operation() -> WireJSON {
    let table = random.pick(schema.tables)
    switch random.below(100) {
    case 0..<36: return insert(into: table)
    case 36..<52: return update(table)
    case 52..<70: return mutate(table)
    case 70..<76: return ["op": "delete", "table": .string(table.name), "where": condition(table, broad: false)]
    case 76..<88: return select(table)
    case 88..<95: return wait(table)
    case 95: return ["op": "commit", "durable": .bool(random.chance(20))]
    case 96: return ["op": "comment", "comment": .string(random.pick(["hello", "two\nlines", ""]))]
    case 97: return ["op": "assert", "lock": .string(random.pick(["held", "other"]))]
    case 98: return random.chance(50) ? ["op": "abort"] : ["op": "comment", "comment": "x"]
    default: return insert(into: table)
    }
  }

  // MARK: Writes

  private mutating func row(_ table: GeneratedTable, _ columns: [GeneratedColumn]) -> WireJSON {
    .object(columns.map { .init($0.name, GeneratedValues.value($0, &rows, &random)) })
  }

  private mutating func insert(into table: GeneratedTable) -> WireJSON {
    var members: [WireJSON.Member] = [.init("op", "insert"), .init("table", .string(table.name))]
    // Columns whose default breaks a constraint must be given, or hardly an insert would succeed.
    let needed = table.columns.filter { $0.min == 1 && !random.chance(10) }
    let free = table.columns.filter { column in !needed.contains { $0.name == column.name } && random.chance(50) }
    members.append(.init("row", row(table, needed + free)))
    if random.chance(85) {
      let uuid = random.chance(3) ? random.pick(maybe: rows.uuids[table.name] ?? []) ?? random.uuid() : random.uuid()
      rows.written.insert(uuid)
      rows.add(uuid, to: table.name)
      members.append(.init("uuid", .string(uuid)))
    } else if random.chance(60) {
      // Only here: a name together with an explicit UUID is a known quirk of the peer.
      nameCount += 1
      let name = "n\(nameCount)"
      rows.named[table.name, default: []].append(name)
      members.append(.init("uuid-name", .string(name)))
    }
    return .object(members)
  }

  private mutating func update(_ table: GeneratedTable) -> WireJSON {
    rows.allowsDanglingWeakReferences = false
    defer { rows.allowsDanglingWeakReferences = true }
    let changeable = table.columns.filter { $0.isMutable || random.chance(5) }
    let columns = random.sample(changeable, random.within(1...3))
    return [
      "op": "update", "table": .string(table.name), "where": condition(table, broad: false), "row": row(table, columns),
    ]
  }

  private mutating func mutate(_ table: GeneratedTable) -> WireJSON {
    rows.allowsDanglingWeakReferences = false
    defer { rows.allowsDanglingWeakReferences = true }
    var mutations: [WireJSON] = []
    for _ in 0..<random.within(0...3) {
      let changeable = table.columns.filter { $0.isMutable || random.chance(5) }
      guard let column = random.pick(maybe: changeable) else { continue }
      mutations.append(mutation(column))
    }
    return [
      "op": "mutate", "table": .string(table.name), "where": condition(table, broad: true),
      "mutations": .array(mutations),
    ]
  }

  private mutating func mutation(_ column: GeneratedColumn) -> WireJSON {
    let isNumber = column.key.kind == .integer || column.key.kind == .real
    let arithmetic = ["+=", "-=", "*=", "/=", "%="]
    var mutator = random.pick(arithmetic + ["insert", "delete"])
    if random.chance(90) {
      if column.isScalar || (isNumber && !column.isMap && random.chance(50)) {
        mutator = random.pick(column.key.kind == .real ? Array(arithmetic.dropLast()) : arithmetic)
      } else {
        mutator = random.pick(["insert", "insert", "delete"])
      }
    }
    var value: WireJSON
    if arithmetic.contains(mutator) {
      value = random.pick([1, 2, 3, -1, 0, 10, .number("1.5"), .number("9223372036854775807"), .number("1e300")])
      if isNumber, random.chance(70) { value = .integer(random.within(1...5)) }
      // 3.1.0 dies of a division by zero when it multiplies a negative integer by zero, lets -2^63 *= -1 pass, and
      // refuses products of 2^63-1 and 2^63-2, which fit.
      // It keeps the minus zero that a division makes, and prints it so.
      if mutator == "/=", column.key.kind == .real { value = random.pick([2, 3, .number("1.5"), 0]) }
      if mutator == "*=" { value = random.pick([2, 3, 5, 10, .number("1.5"), .number("1e300")]) }
    } else {
      var keysOnly = column
      if column.isMap, mutator == "delete", random.chance(50) { keysOnly.value = nil }
      value = GeneratedValues.value(keysOnly, count: random.within(0...3), &rows, &random)
    }
    return [.string(column.name), .string(mutator), value]
  }

  // MARK: Reads

  private mutating func columnList(_ table: GeneratedTable) -> WireJSON {
    var names = random.sample(table.columns.map(\.name), random.within(0...table.columns.count))
    if random.chance(60) { names.append("_uuid") }
    // A version is only comparable where its row is named.
    if names.last == "_uuid", random.chance(30) { names.append("_version") }
    return .array(names.map { .string($0) })
  }

  private mutating func select(_ table: GeneratedTable) -> WireJSON {
    var members: [WireJSON.Member] = [
      .init("op", "select"), .init("table", .string(table.name)), .init("where", condition(table, broad: true)),
    ]
    let sortable = table.columns.filter { !$0.holdsUUIDs }.map(\.name)
    if random.chance(60) || sortable.isEmpty {
      members.append(.init("columns", columnList(table)))
    } else if random.chance(60) {
      members.append(.init("sort", .array(random.sample(sortable, random.within(1...2)).map { .string($0) })))
    }
    return .object(members)
  }

  private mutating func wait(_ table: GeneratedTable) -> WireJSON {
    var members: [WireJSON.Member] = [
      .init("op", "wait"), .init("table", .string(table.name)), .init("where", condition(table, broad: true)),
      .init("until", .string(random.pick(["==", "!="]))),
    ]
    let columns = random.sample(table.columns, random.within(0...2))
    members.append(.init("columns", .array(columns.map { .string($0.name) })))
    var expected: [WireJSON] = []
    for _ in 0..<random.within(0...2) { expected.append(row(table, columns)) }
    members.append(.init("rows", .array(expected)))
    if random.chance(90) { members.append(.init("timeout", random.chance(90) ? 0 : 100_000)) }
    return .object(members)
  }

  // MARK: Conditions

  /// A `where` array; `broad` ones match many rows more often.
  mutating func condition(_ table: GeneratedTable, broad: Bool) -> WireJSON {
    if random.chance(broad ? 40 : 10) { return [] }
    if random.chance(50), let uuid = random.pick(maybe: rows.uuids[table.name] ?? []) {
      return [["_uuid", .string(random.chance(broad ? 50 : 90) ? "==" : "!="), ["uuid", .string(uuid)]]]
    }
    var clauses: [WireJSON] = []
    for _ in 0..<random.weighted([(80, 1), (20, 2)]) { clauses.append(clause(table)) }
    return .array(clauses)
  }

  mutating func clause(_ table: GeneratedTable) -> WireJSON {
    if random.chance(4) { return .bool(random.chance(70)) }
    let column = random.pick(table.columns)
    var function = random.pick(["==", "!=", "includes", "excludes"])
    let isNumber = column.key.kind == .integer || column.key.kind == .real
    let isComparable = isNumber && (column.isScalar || column.isOptional)
    if isComparable ? random.chance(60) : random.chance(4) { function = random.pick(["<", "<=", ">", ">="]) }
    let count = ["<", "<=", ">", ">="].contains(function) ? 1 : function.hasSuffix("cludes") ? random.below(3) : nil
    return [.string(column.name), .string(function), GeneratedValues.value(column, count: count, &rows, &random)]
  }

  // MARK: Monitors

  /// The third param of a monitor request over some of the tables.
  mutating func monitorRequests(conditional: Bool) -> WireJSON {
    var tables: [WireJSON.Member] = []
    for table in schema.tables where random.chance(80) {
      var request: [WireJSON.Member] = []
      if random.chance(70) { request.append(.init("columns", monitoredColumns(table))) }
      if random.chance(25) { request.append(.init("select", selectFlags())) }
      if conditional, random.chance(70) { request.append(.init("where", condition(table, broad: true))) }
      let object = WireJSON.object(request)
      tables.append(.init(table.name, random.chance(60) ? .array([object]) : object))
    }
    return .object(tables)
  }

  private mutating func monitoredColumns(_ table: GeneratedTable) -> WireJSON {
    .array(random.sample(table.columns.map(\.name), random.within(0...table.columns.count)).map { .string($0) })
  }

  private mutating func selectFlags() -> WireJSON {
    var flags: [WireJSON.Member] = []
    for name in ["initial", "insert", "delete", "modify"] where random.chance(50) {
      flags.append(.init(name, .bool(random.chance(50))))
    }
    return .object(flags)
  }

  /// The third param of a monitor_cond_change request: never malformed, because 3.1.0 can crash on those.
  mutating func conditionChange() -> WireJSON {
    var tables: [WireJSON.Member] = []
    for table in schema.tables where random.chance(50) {
      tables.append(.init(table.name, [["where": condition(table, broad: true)]]))
    }
    return .object(tables)
  }
}
