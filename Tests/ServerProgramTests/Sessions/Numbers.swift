// SPDX-License-Identifier: Apache-2.0
//
// The database of the storage tests: one table of numbers.

import TestSupport

enum Numbers {
  static let schema = schema(named: "D")

  /// The same under another name.
  static func schema(named name: String) -> WireJSON {
    [
      "name": .string(name), "version": "1.0.0",
      "tables": ["T": ["columns": ["n": ["type": "integer"], "s": ["type": "string"]]]],
    ]
  }

  /// A transaction that adds a number.
  ///
  /// - Parameter size: bytes of text beside it.
  static func insert(_ number: Int, size: Int = 0, isDurable: Bool = false, into name: String = "D") -> WireJSON {
    let text = WireJSON.string(String(repeating: "x", count: size))
    let insert: WireJSON = ["op": "insert", "table": "T", "row": ["n": .integer(number), "s": text]]
    let database = WireJSON.string(name)
    return isDurable ? [database, insert, ["op": "commit", "durable": true]] : [database, insert]
  }

  /// The numbers that a server has.
  static func all(_ session: WireSession) throws -> Set<String> {
    let select: WireJSON = ["D", ["op": "select", "table": "T", "where": [], "columns": ["n"]]]
    let rows = try session.call("transact", select)[0]?["rows"]?.elements ?? []
    return Set(rows.compactMap { $0["n"]?.text })
  }
}
