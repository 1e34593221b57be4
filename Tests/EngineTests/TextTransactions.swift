// SPDX-License-Identifier: Apache-2.0
//
// A database that runs transactions given as text.

import Engine
import JSON
import OVSDB

/// What a transaction came to.
struct TransactionResult {
  let outcome: Outcome
  /// The result array, or what was in the writer, as text.
  let text: String
  /// Selects that were left to the caller.
  var deferred: [DeferredRows] = []

  var commit: Commit? {
    if case .committed(let commit, _) = outcome { commit } else { nil }
  }

  var isDurable: Bool {
    if case .committed(_, let isDurable) = outcome { isDurable } else { false }
  }

  /// The tag of the error in the result array.
  var errorTag: String? {
    get throws {
      try JSONDocument.parse(text).withRoot { root in
        root.elements.lazy.compactMap { $0.member("error")?.string }.first
      }
    }
  }
}

func makeDatabase(_ tables: String, seed: UInt64 = 1) throws -> Database {
  let schema = try JSONDocument.parse("{\"name\":\"db\",\"tables\":\(tables)}").withRoot { try DatabaseSchema(json: $0) }
  return Database(schema: schema, random: RandomSource(seed: seed))
}

extension Database {
  /// Runs operations, given as the inside of an array.
  func run(_ operations: String, context: TransactionContext = TransactionContext()) throws -> TransactionResult {
    let document = try JSONDocument.parse(operations.isEmpty ? "[\"db\"]" : "[\"db\",\(operations)]")
    var writer = ByteWriter()
    var deferred: [DeferredRows] = []
    let outcome = document.withRoot { transact(params: $0, context: context, into: &writer, deferring: &deferred) }
    return TransactionResult(outcome: outcome, text: writer.string, deferred: deferred)
  }

  /// All rows as text, versions included.
  var contents: [String] {
    tables.flatMap { table in
      table.rows.values.map { row in
        var writer = ByteWriter()
        row.write([.uuid, .version] + table.schema.columns, to: &writer)
        return table.schema.name + writer.string
      }
    }.sorted()
  }
}
