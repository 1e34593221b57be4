// SPDX-License-Identifier: Apache-2.0
//
// Who is interested in rows, and a collection of them from which one is removed at no more cost than a dictionary's.

/// Whoever has conditions on the rows of tables: a group of equal monitors, or a transaction that waits.
package class ConditionHolder {
  /// The row that was looked up last and concerns it, and which of its states do.
  fileprivate(set) var stamp: UInt64 = 0
  fileprivate(set) var matches: RowStates = []

  /// Notes that a state of the row that is being looked up fulfils a condition.
  ///
  /// - Returns: whether it is the first that does.
  @inline(__always)
  func note(_ states: RowStates, stamp: UInt64) -> Bool {
    if self.stamp == stamp {
      matches.formUnion(states)
      return false
    }
    self.stamp = stamp
    matches = states
    return true
  }
}

/// The states of a row that a commit changes.
package struct RowStates: OptionSet, Sendable {
  package let rawValue: UInt8
  package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let old = RowStates(rawValue: 1)
  package static let new = RowStates(rawValue: 2)
}

/// A holder's condition on one table.
package struct Interest<Holder: ConditionHolder> {
  package let holder: Holder
  /// Where the table stands among the holder's.
  package let position: Int
}

/// Interests of different holders, in no order.
struct Interests<Holder: ConditionHolder> {
  private var few: [Interest<Holder>] = []
  /// All of them, once there were more than `fewMax`.
  private var many: [ObjectIdentifier: Interest<Holder>] = [:]

  private static var fewMax: Int { 16 }

  var isEmpty: Bool { few.isEmpty && many.isEmpty }

  mutating func add(_ interest: Interest<Holder>) {
    if many.isEmpty, few.count < Self.fewMax { return few.append(interest) }
    for other in few { many[ObjectIdentifier(other.holder)] = other }
    few = []
    many[ObjectIdentifier(interest.holder)] = interest
  }

  mutating func remove(_ holder: Holder) {
    if many.isEmpty {
      few.removeAll { $0.holder === holder }
    } else {
      many[ObjectIdentifier(holder)] = nil
    }
  }

  @inline(__always)
  func forEach(_ body: (Interest<Holder>) -> Void) {
    for interest in few { body(interest) }
    if !many.isEmpty { for interest in many.values { body(interest) } }
  }
}
