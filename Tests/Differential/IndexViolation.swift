// SPDX-License-Identifier: Apache-2.0
//
// The error about two rows with equal values in an index. When one was there before the transaction and the other is of it, later versions
// name the older one first; 3.1.0 names either. Two rows of the transaction come in the order of a hash table.

import TestSupport

/// Shape: `Transaction causes … column "k".  First row, with UUID U, HISTORY.  Second row, with UUID U, HISTORY.`
struct IndexViolation {
  private let beginning: String
  /// UUID and history of each.
  private let rows: [String]

  init?(_ details: String) {
    let shape = #/(Transaction causes multiple rows in .*)  First row, with UUID (.*)  Second row, with UUID (.*)/#
    guard let match = details.wholeMatch(of: shape) else { return nil }
    beginning = String(match.1)
    rows = [String(match.2), String(match.3)]
  }

  private static func wasThere(_ row: String) -> Bool { row.hasSuffix("and was not modified by the transaction.") }

  private var isOrdered: Bool { Self.wasThere(rows[0]) != Self.wasThere(rows[1]) }

  private var isMisordered: Bool { isOrdered && !Self.wasThere(rows[0]) }

  private func text(_ rows: [String]) -> String {
    "\(beginning)  First row, with UUID \(rows[0])  Second row, with UUID \(rows[1])"
  }

  /// What later versions say where 3.1.0 says this.
  var inTheOrderOfToday: String { isMisordered ? text(rows.reversed()) : text(rows) }

  /// A common form of the two orders in which two rows of one transaction may be named; nil when the order is settled.
  var withoutOrder: String? { isOrdered ? nil : text(rows.sorted()) }

  /// Whether two answers to a transaction differ only in which of several pairs of rows they name. A single insert makes but one pair.
  static func explains(_ answers: [WireJSON], operations: ArraySlice<WireJSON>) -> Bool {
    let results = answers.map { $0[0]?["result"]?.elements ?? [] }
    let violations = results.compactMap { $0.last?["details"]?.stringValue.flatMap(IndexViolation.init) }
    guard violations.count == 2, Set(violations[0].rows) != Set(violations[1].rows),
      !violations.contains(where: \.isMisordered)
    else { return false }
    let writes = operations.compactMap { $0["op"]?.stringValue }.filter { ["insert", "update", "mutate", "delete"].contains($0) }
    return writes != ["insert"] && results[0].dropLast() == results[1].dropLast()
  }
}
