// SPDX-License-Identifier: Apache-2.0
//
// The blocked transactions of one database, in the order in which they came.

/// Blocked transactions, found and removed at no more cost than a dictionary's.
struct TriggerQueue {
  private var triggers: [UInt64: Trigger] = [:]
  private var nextNumber: UInt64 = 0

  var count: Int { triggers.count }
  var isEmpty: Bool { triggers.isEmpty }

  func contains(_ trigger: Trigger) -> Bool { triggers[trigger.number] === trigger }

  mutating func append(_ trigger: Trigger) {
    trigger.number = nextNumber
    triggers[nextNumber] = trigger
    nextNumber += 1
  }

  mutating func remove(_ trigger: Trigger) {
    if contains(trigger) { triggers[trigger.number] = nil }
  }

  /// Those that fulfil a condition, oldest first.
  func inOrder(where isIncluded: (Trigger) -> Bool = { _ in true }) -> [Trigger] {
    triggers.values.filter(isIncluded).sorted { $0.number < $1.number }
  }
}
