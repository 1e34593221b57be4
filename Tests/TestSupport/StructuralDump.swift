// SPDX-License-Identifier: Apache-2.0
//
// The contents of a database in a form that does not depend on the UUIDs of its rows: two databases that were filled by
// the same program through different servers are equal when their structural dumps are.

/// Gives every row a label made from its contents and the labels of the rows it refers to.
package struct StructuralDump {
  /// Columns whose values are no part of the structure: random or taken from a clock. `Table.column` or `column`.
  private let ignored: Set<String>
  /// A last word on a value before it is compared.
  private let adjust: (_ table: String, _ column: String, WireJSON) -> WireJSON
  private var rows: [(table: String, uuid: String, columns: [WireJSON.Member])] = []
  private var labels: [String: String] = [:]

  /// Reads all tables of a database.
  package init(
    of database: String, over session: WireSession, ignoring ignored: Set<String> = [],
    adjust: @escaping (_ table: String, _ column: String, WireJSON) -> WireJSON = { $2 }
  ) throws {
    self.ignored = ignored.union(["_uuid", "_version"])
    self.adjust = adjust
    let schema = try session.call("get_schema", [.string(database)])
    for table in (schema["tables"]?.members ?? []).map(\.name).sorted() {
      let select: WireJSON = ["op": "select", "table": .string(table), "where": []]
      let result = try session.call("transact", [.string(database), select])
      for row in result[0]?["rows"]?.elements ?? [] { add(row, of: table) }
    }
    label()
  }

  private mutating func add(_ row: WireJSON, of table: String) {
    guard let uuid = row["_uuid"]?.uuid, let members = row.members else { return }
    let columns = members.filter { !ignored.contains($0.name) && !ignored.contains("\(table).\($0.name)") }
    rows.append((table, uuid, columns.map { .init($0.name, adjust(table, $0.name, $0.value)) }))
    labels[uuid] = table
  }

  /// Refines the labels until they tell as much apart as they ever will.
  private mutating func label() {
    var kinds = Set(labels.values).count
    while true {
      var next: [String: String] = [:]
      for row in rows { next[row.uuid] = "\(row.table)#\(Self.hash(text(of: row)))" }
      labels = next
      let refined = Set(labels.values).count
      guard refined > kinds else { return }
      kinds = refined
    }
  }

  private func text(of row: (table: String, uuid: String, columns: [WireJSON.Member])) -> String {
    let columns = row.columns.map { WireJSON.Member($0.name, sorted(named($0.value))) }
    return "\(row.table) \(WireJSON.object(columns).text)"
  }

  private func named(_ value: WireJSON) -> WireJSON {
    value.mapText { text in UUIDText.replace(in: text) { labels[$0] ?? "no row" } }
  }

  private func sorted(_ value: WireJSON) -> WireJSON {
    guard let elements = value.elements, elements.count == 2, let inner = elements[1].elements,
      let word = elements[0].stringValue, word == "set" || word == "map"
    else { return value }
    return .array([elements[0], .array(inner.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) })])
  }

  /// FNV-1a: equal for equal text in every process, which `Hasher` is not.
  private static func hash(_ text: String) -> String {
    var word: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { word = (word ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return String(word, radix: 16)
  }

  /// One line for each row, sorted.
  package var lines: [String] { rows.map { text(of: $0) }.sorted() }

  /// How many rows there are, in all tables or one.
  package func count(of table: String? = nil) -> Int { rows.filter { table == nil || $0.table == table }.count }
}

/// What only one of two dumps has, for messages; empty when they are equal.
package func differences(_ left: [String], _ right: [String], limit: Int = 20) -> String {
  let difference = right.difference(from: left)
  let text = difference.prefix(limit).map { change in
    switch change {
    case .remove(_, let line, _): "- \(line)"
    case .insert(_, let line, _): "+ \(line)"
    }
  }
  return text.joined(separator: "\n")
}
