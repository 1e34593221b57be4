// SPDX-License-Identifier: Apache-2.0
//
// The blocked transactions of one database, in the order in which they came.

import Serving

/// Blocked transactions by their handles.
struct TriggerQueue {
  private var triggers = SlotMap<TriggerTag, Trigger>()
  private var nextNumber: UInt64 = 0

  var count: Int { triggers.count }
  var isEmpty: Bool { triggers.isEmpty }

  subscript(handle: TriggerHandle) -> Trigger? { triggers[handle] }

  func contains(_ trigger: Trigger) -> Bool { triggers[trigger.handle] === trigger }

  mutating func append(_ trigger: Trigger) {
    trigger.number = nextNumber
    nextNumber += 1
    trigger.handle = triggers.insert(trigger)
  }

  mutating func remove(_ trigger: Trigger) { triggers.remove(trigger.handle) }

  /// Those that fulfil a condition, oldest first.
  func inOrder(where isIncluded: (Trigger) -> Bool = { _ in true }) -> [Trigger] {
    triggers.elements.filter(isIncluded).sorted { $0.number < $1.number }
  }
}
