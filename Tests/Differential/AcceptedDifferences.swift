// SPDX-License-Identifier: Apache-2.0
//
// The differences between two servers that the differential tests let pass, each with its reason. Whatever is not in
// this list is a failure. Documentation/compatibility.md tells users the same.

import TestSupport

// Some differences are not in the texts of errors, and are avoided or taken out elsewhere:
// - "row-which": a row with several wrong columns, or a monitor request with several wrong tables, may be told off for
//   any of them (Contest+Explanations.swift).
// - "empty-modify": when only columns change that a monitor's condition names but that it does not monitor, 3.1.0 sends
//   a modification of nothing; ours sends nothing (Contest.swift).
// - "weak-no-change": a row whose only change is a weak reference to a row that does not exist gets a new version from
//   3.1.0 and none from ours; the generator avoids it (GeneratedValues.swift).
// - "index-which": of several pairs of rows with equal index values, any may be named (IndexViolation.swift).
// - "history": 3.1.0 keeps no history for databases in plain files and calls every transaction zero (Contest.swift).
// - "weak-pair": 3.1.0 goes on counting the reference in a pair that vanished with the row which its other half referred
//   to weakly, and never lets the referenced row be deleted (Contest.swift).
// - "denormals": 3.1.0 takes reals too small for full precision for a syntax error; ours reads them. What is too small
//   for any real is zero for both, but a real zero for 3.1.0 and an integer for ours.
// - "crashes": 3.1.0 dies of a negative integer multiplied by zero, a pair that refers weakly to one row twice, a
//   monitor_cond_change without conditions (and now and then one with), a monitor with fewer than three params, a
//   conversion of _Server. Ours answers.
// - "count-limits": 3.1.0 cannot read back differences that break a column's count limits (Contest.swift).

/// One rewriting of error objects that makes an accepted difference invisible.
struct AcceptedDifference: Sendable {
  let name: String
  let reason: String
  /// Later versions than 3.1 say what ours says.
  var isOf31 = false
  /// Gives the common form of an error object, or nil when the difference does not concern it.
  let rewrite: @Sendable (_ tag: String, _ details: String) -> String?
}

enum AcceptedDifferences {
  /// Those that apply to the reference that is installed.
  static let all = known.filter { !$0.isOf31 || Self.referenceIs31 }

  private static let referenceIs31: Bool = {
    guard let directory = try? RunDirectory() else { return false }
    return (try? run(Side.peer.server, ["--version"], in: directory))?.standardOutput.contains(" 3.1.") == true
  }()

  private static let known: [AcceptedDifference] = [
    AcceptedDifference(
      name: "wait-elapsed",
      reason: "The text of a timeout names the milliseconds that passed.",
      rewrite: { tag, details in
        tag == "timed out" && details.hasPrefix("\"wait\" timed out after") ? "\"wait\" timed out after N ms" : nil
      }),
    AcceptedDifference(
      name: "unexpected-member",
      reason: "When an object has several members too many, which of them the text names is unspecified.",
      rewrite: { tag, details in
        guard tag == "syntax error", let member = details.firstRange(of: "Member '") else { return nil }
        guard let rest = details.firstRange(of: "' and ") else { return nil }
        return details[..<member.upperBound] + "*" + details[rest.lowerBound...]
      }),
    AcceptedDifference(
      name: "integrity-which",
      reason: "When a transaction breaks several references, which of them the text names is unspecified.",
      rewrite: { tag, _ in tag == "referential integrity violation" ? "some reference" : nil }),
    AcceptedDifference(
      name: "weak-which",
      reason: "When several columns lose the last of their weak references, which of them the text names is unspecified.",
      rewrite: { tag, details in
        let isWeak = details.hasPrefix("Weak reference column") || details.hasPrefix("Deletion of ")
        return tag == "constraint violation" && isWeak ? "some weak reference" : nil
      }),
    AcceptedDifference(
      name: "index-order",
      reason: "Which of two rows of one transaction with equal index values is called the first is unspecified.",
      rewrite: { _, details in IndexViolation(details)?.withoutOrder }),
    AcceptedDifference(
      name: "rows-which",
      reason: "When several tables hold too many rows, which of them the text names is unspecified.",
      rewrite: { tag, details in
        tag == "constraint violation" && details.hasPrefix("transaction causes \"") ? "some table" : nil
      }),
    AcceptedDifference(
      name: "column-twice",
      reason: "When two requests for a table ask for all its columns, which of them the text names is unspecified.",
      rewrite: { tag, details in
        tag == "syntax error" && details.hasSuffix(" mentioned more than once") ? "some column mentioned more than once" : nil
      }),
    AcceptedDifference(
      name: "reserved",
      reason: "Ours refuses writes to _Server as later versions do, as a read-only database.",
      rewrite: { tag, details in
        let isRefusal = details.contains("reserved database _Server") || details.contains("in read only mode")
        return tag == "not allowed" && isRefusal ? "read only" : nil
      }),
    AcceptedDifference(
      name: "duplicate-uuid",
      reason: "3.1 leaves out the name of the table, which later versions give.", isOf31: true,
      rewrite: { tag, _ in tag == "duplicate uuid" ? "This UUID would duplicate another" : nil }),
  ]

  /// The results of a transaction in which the failure of a mutate operation is just that: rows are mutated in an
  /// unspecified order, and the text tells of the first that failed.
  static func blurredMutations(_ value: WireJSON, operations: ArraySlice<WireJSON>) -> WireJSON {
    guard case .array(var answer) = value, let results = answer.first?["result"]?.elements else { return value }
    var changed = results
    for (operation, index) in zip(operations, results.indices) where operation["op"]?.stringValue == "mutate" {
      if let tag = results[index]["error"]?.stringValue, ["constraint violation", "range error", "domain error"].contains(tag) {
        changed[index] = ["error": "some row cannot be mutated"]
      }
    }
    answer[0] = ["result": .array(changed), "error": answer[0]["error"] ?? .null]
    return .array(answer)
  }

  /// What 3.1.0 says in the words of later versions, whatever may be rewritten without looking at the other side.
  static func today(_ value: WireJSON) -> WireJSON {
    guard referenceIs31 else { return value }
    return value.mapText { IndexViolation($0)?.inTheOrderOfToday ?? $0 }
  }

  /// The value with every accepted difference taken out.
  static func blurred(_ value: WireJSON) -> WireJSON {
    switch value {
    case .array(let elements): return .array(elements.map(blurred))
    case .object(let members):
      guard let tag = value["error"]?.stringValue, let details = value["details"]?.stringValue else {
        return .object(members.map { .init($0.name, blurred($0.value)) })
      }
      // Ours says where a value stands that does not fit the schema of a conversion.
      let shared = details.replacing(#/ \(table "[^"]*", row [0-9a-f-]{36}, column "[^"]*"\)$/#, with: "")
      if shared != details {
        return blurred(.object(members.map { .init($0.name, $0.name == "details" ? .string(shared) : $0.value) }))
      }
      for difference in all {
        if let common = difference.rewrite(tag, details) {
          return ["error": .string(tag), "accepted": .string(difference.name), "details": .string(common)]
        }
      }
      return value
    default: return value
    }
  }
}
