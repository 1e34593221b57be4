// SPDX-License-Identifier: Apache-2.0
//
// A request with two mistakes in places without an order (columns of a row, tables of a monitor) may be told off for
// either. When two servers name different mistakes, each mistake is made again alone: both servers must know both.

import TestSupport

extension Contest {
  /// Whether the sides differ only in which of several mistakes in one operation they name.
  func isExplained(_ params: WireJSON, _ replies: [WireJSON]) throws -> Bool {
    let results = replies.compactMap { $0[0]?["result"]?.elements }
    guard results.count == 2, results[0].count == results[1].count else { return false }
    let operations = Array((params.elements ?? []).dropFirst())
    guard let index = results[0].indices.first(where: { results[0][$0] != results[1][$0] && results[0][$0]["error"] != nil }),
      index < operations.count, results[1][index]["error"] != nil
    else { return false }
    let probes = probes(of: operations[index])
    guard probes.count > 1 else { return false }
    return try areKnown([results[0][index], results[1][index]], probes.map { .array([.string(database), $0]) }) { answer in
      answer["result"]?[0]
    }
  }

  /// The operation once for each of its columns, without the others.
  private func probes(of operation: WireJSON) -> [WireJSON] {
    guard let name = operation["table"], let table = generator.schema.table(name.stringValue ?? "") else { return [] }
    let row = operation["row"]?.members ?? []
    // A wait reads its rows as an insert does, and changes nothing.
    let reading = { (member: WireJSON.Member) -> WireJSON in
      [
        "op": "wait", "table": name, "where": [], "columns": [], "until": "!=", "timeout": 0,
        "rows": [.object([member])],
      ]
    }
    switch operation["op"]?.stringValue {
    case "insert":
      let missing = table.columns.filter { column in column.min > 0 && !row.contains { $0.name == column.name } }
      return row.map(reading) + missing.map { reading(.init($0.name, $0.standardValue)) }
    case "update":
      return row.map { ["op": "update", "table": name, "where": [false], "row": .object([$0])] }
    case "wait":
      return (operation["rows"]?.elements ?? []).flatMap { $0.members ?? [] }.map(reading)
    default: return []
    }
  }

  /// The same for the tables of a monitor request.
  func isExplained(
    _ session: KeyPath<Contestant, WireSession>, _ method: String, _ params: WireJSON, _ answers: [WireJSON]
  ) throws -> Bool {
    guard let elements = params.elements, elements.count > 2, let tables = elements[2].members, tables.count > 1 else {
      return false
    }
    let errors = answers.compactMap { $0.elements?.last?["error"] }
    guard errors.count == 2, errors.allSatisfy({ $0.members != nil }) else { return false }
    var known: [[WireJSON]] = [[], []]
    for table in tables {
      var probe = elements
      probe[1] = "probe"
      probe[2] = .object([table])
      let replies = try ask(session, method, .array(probe)).map { $0.last?.json ?? nil }
      for index in known.indices { known[index].append(replies[index]["error"] ?? nil) }
      if replies.contains(where: { $0["error"]?.isNull == true }) { _ = try ask(session, "monitor_cancel", ["probe"]) }
    }
    return areSame(known) && known[0].contains(errors[0]) && known[0].contains(errors[1])
  }

  private func areKnown(
    _ errors: [WireJSON], _ probes: [WireJSON], _ error: (WireJSON) -> WireJSON?
  ) throws -> Bool {
    var known: [[WireJSON]] = [[], []]
    for probe in probes {
      for (index, side) in sides.enumerated() {
        let reply = try side.writer.exchange("transact", probe).reply
        known[index].append(error(reply) ?? nil)
      }
    }
    let named = errors.map(Self.withoutRow)
    known = known.map { $0.map(Self.withoutRow) }
    return areSame(known) && known[0].contains(named[0]) && known[0].contains(named[1])
  }

  /// An error about a column itself quotes the whole row or operation, which a probe has only a part of.
  private static func withoutRow(_ error: WireJSON) -> WireJSON {
    let isImmutable = error["details"]?.stringValue?.hasPrefix("Cannot update immutable column") ?? false
    guard let tag = error["error"], tag == "unknown column" || isImmutable else { return error }
    return ["error": tag, "details": error["details"] ?? nil]
  }

  private func areSame(_ known: [[WireJSON]]) -> Bool { WireJSON.array(known[0]) == WireJSON.array(known[1]) }
}
