// SPDX-License-Identifier: Apache-2.0
//
// A slow and obvious model of a database: dictionaries, no indexes, everything counted anew. RandomOperations.swift acts on it.

import OVSDB

/// A column of the model's world.
enum ModelValue: Hashable {
  case number(Int)
  case numbers(Set<Int>)
  case rows(Set<UUID>)
  case named([Int: UUID])

  var references: [UUID] {
    switch self {
    case .number, .numbers: []
    case .rows(let rows): Array(rows)
    case .named(let rows): Array(rows.values)
    }
  }
}

typealias ModelRow = [String: ModelValue]

/// The database as dictionaries.
///
/// P is a root table with strong references to C (`kids`, and by number `named`) and weak ones to C (`weak`) and to P itself
/// (`peers`). C is no root, references C strongly (`next`) and P weakly (`owner`, at most two), and has an index on `k`. L is
/// limited to three rows.
struct Model {
  var tables: [String: [UUID: ModelRow]] = ["P": [:], "C": [:], "L": [:]]

  static let schema = """
    {"P":{"columns":{"n":{"type":"integer"},"set":{"type":{"key":"integer","min":0,"max":"unlimited"}},
      "kids":{"type":{"key":{"type":"uuid","refTable":"C"},"min":0,"max":"unlimited"}},
      "named":{"type":{"key":"integer","value":{"type":"uuid","refTable":"C"},"min":0,"max":"unlimited"}},
      "weak":{"type":{"key":{"type":"uuid","refTable":"C","refType":"weak"},"min":0,"max":"unlimited"}},
      "peers":{"type":{"key":"integer","value":{"type":"uuid","refTable":"P","refType":"weak"},"min":0,"max":"unlimited"}}},
      "isRoot":true},
    "C":{"columns":{"k":{"type":"integer"},"next":{"type":{"key":{"type":"uuid","refTable":"C"},"min":0,"max":"unlimited"}},
      "owner":{"type":{"key":{"type":"uuid","refTable":"P","refType":"weak"},"min":0,"max":2}}},"indexes":[["k"]]},
    "L":{"columns":{"n":{"type":"integer"}},"isRoot":true,"maxRows":3,"indexes":[["n"]]}}
    """

  static let defaults: [String: ModelRow] = [
    "P": ["n": .number(0), "set": .numbers([]), "kids": .rows([]), "named": .named([:]), "weak": .rows([]), "peers": .named([:])],
    "C": ["k": .number(0), "next": .rows([]), "owner": .rows([])],
    "L": ["n": .number(0)],
  ]
  static let strong: [String: [(String, String)]] = ["P": [("kids", "C"), ("named", "C")], "C": [("next", "C")], "L": []]
  static let weak: [String: [(String, String)]] = ["P": [("weak", "C"), ("peers", "P")], "C": [("owner", "P")], "L": []]

  /// Ends a transaction.
  ///
  /// - Returns: The tags of which one must be told; none when the transaction succeeds.
  mutating func commit(before: Model) -> Set<String> {
    if hasDanglingReference() { return ["referential integrity violation"] }
    while let garbage = firstGarbage() { tables["C"]?[garbage] = nil }
    let (count, countBefore) = (tables["L"]?.count ?? 0, before.tables["L"]?.count ?? 0)
    if count > 3, count > countBefore { return ["constraint violation"] }
    prune()
    for (table, column) in [("C", "k"), ("L", "n")] {
      let values = (tables[table] ?? [:]).values.map { $0[column] }
      if Set(values).count != values.count { return ["constraint violation"] }
    }
    return []
  }

  private func hasDanglingReference() -> Bool {
    for (name, rows) in tables {
      for (uuid, row) in rows {
        for (column, target) in Self.strong[name] ?? [] {
          for reference in row[column]?.references ?? [] where tables[target]?[reference] == nil {
            // A row's reference to itself is no reference.
            if !(name == target && reference == uuid) { return true }
          }
        }
      }
    }
    return false
  }

  private func firstGarbage() -> UUID? {
    tables["C"]?.keys.first { uuid in
      !tables.contains { name, others in
        others.contains { other, row in
          (Self.strong[name] ?? []).contains { column, target in
            target == "C" && !(name == "C" && other == uuid) && row[column]?.references.contains(uuid) == true
          }
        }
      }
    }
  }

  private mutating func prune() {
    let all = tables
    for (name, rows) in tables {
      for (uuid, row) in rows {
        for (column, target) in Self.weak[name] ?? [] {
          switch row[column] {
          case .rows(let set): tables[name]?[uuid]?[column] = .rows(set.filter { all[target]?[$0] != nil })
          case .named(let map): tables[name]?[uuid]?[column] = .named(map.filter { all[target]?[$0.value] != nil })
          default: break
          }
        }
      }
    }
  }
}
