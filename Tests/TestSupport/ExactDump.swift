// SPDX-License-Identifier: Apache-2.0
//
// The contents of a database with the names of its rows: two servers that shall have the same rows have equal exact dumps.

/// Every row of a database but its `_version`, one line each, sorted.
package func exactDump(of database: String, over session: WireSession, except excluded: Set<String> = []) throws -> [String] {
  let schema = try session.call("get_schema", [.string(database)])
  var lines: [String] = []
  for table in (schema["tables"]?.members ?? []).map(\.name).sorted() where !excluded.contains(table) {
    let result = try session.call("transact", [.string(database), ["op": "select", "table": .string(table), "where": []]])
    for row in result[0]?["rows"]?.elements ?? [] {
      let columns = (row.members ?? []).filter { $0.name != "_version" && $0.name != "_uuid" }.map { "\($0.name)=\(canonical($0.value))" }
      lines.append("\(table) \(row["_uuid"]?.uuid ?? "") \(columns.sorted().joined(separator: " "))")
    }
  }
  return lines.sorted()
}

/// A value whose sets and maps are in order.
private func canonical(_ value: WireJSON) -> String {
  guard let elements = value.elements, elements.count == 2, let inner = elements[1].elements,
    let word = elements[0].stringValue, word == "set" || word == "map"
  else { return value.text }
  return "\(word)(\(inner.map(\.text).sorted().joined(separator: ",")))"
}
