// SPDX-License-Identifier: Apache-2.0
//
// Tables that a backup keeps for itself, as the command line, the control socket and the configuration file name them.

import OVSDB

/// Tables that are not replicated, by database.
struct ExcludedTables: Equatable, Sendable {
  private var tables: [String: Set<String>] = [:]

  init() {}

  init(_ tables: Set<String>, of database: String) {
    if !tables.isEmpty { self.tables[database] = tables }
  }

  /// Reads `DATABASE:TABLE,...`.
  ///
  /// - Throws: about a word that is no such pair.
  init(_ text: String) throws(ConfigurationError) {
    for word in text.split(whereSeparator: { $0 == "," || $0 == " " }) {
      let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
        throw ConfigurationError(description: "\(word): tables are excluded as DATABASE:TABLE")
      }
      tables[String(parts[0]), default: []].insert(String(parts[1]))
    }
  }

  func tables(of database: String) -> Set<String> { tables[database] ?? [] }

  /// The pairs, sorted.
  var text: String {
    tables.flatMap { database, tables in tables.map { "\(database):\($0)" } }.sorted { Text($0) < Text($1) }
      .joined(separator: ",")
  }
}
