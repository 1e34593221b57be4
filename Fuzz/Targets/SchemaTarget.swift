// SPDX-License-Identifier: Apache-2.0
//
// Schemas that people write and clients send.

import Engine
import JSON
import OVSDB

extension FuzzTarget {
  /// A schema that is accepted has a normal form, which is accepted and its own normal form; and a database can be made of it.
  static let schema = FuzzTarget(
    name: "schema",
    words: [
      "\"refTable\":\"T\"", "\"refType\":\"weak\"", "\"min\":0", "\"max\":\"unlimited\"", "\"enum\":[\"set\",[1,2]]",
      "\"minInteger\":", "\"isRoot\":true", "\"ephemeral\":true", "\"mutable\":false", "\"indexes\":[[\"c\"]]",
      "\"maxRows\":1", "\"key\":", "\"value\":", "\"type\":", "\"columns\":",
    ]
  ) { bytes in
    guard let document = try? JSONDocument.parse(bytes),
      let schema = document.withRoot({ try? DatabaseSchema(json: $0) })
    else { return }
    var writer = ByteWriter()
    schema.write(to: &writer)
    let text = writer.string
    let again = try JSONDocument.parse(text).withRoot { try DatabaseSchema(json: $0) }
    writer.removeAll()
    again.write(to: &writer)
    try require(writer.string == text, "\(text) became \(writer.string)")
    let faults = Database(schema: again, random: RandomSource(seed: 1)).checkInvariants()
    try require(faults.isEmpty, "\(faults)")
  }
}
