// SPDX-License-Identifier: Apache-2.0
//
// The blocked transactions of one database, in the order in which they came.

import Engine
import Serving

/// Blocked transactions by their handles.
struct TriggerQueue {
  private var triggers = SlotMap<TriggerTag, Trigger>()
  private var nextNumber: UInt64 = 0
  private(set) var groups = WaitGroups()

  var count: Int { triggers.count }
  var isEmpty: Bool { triggers.isEmpty }

  subscript(handle: TriggerHandle) -> Trigger? { triggers[handle] }

  func contains(_ trigger: Trigger) -> Bool { triggers[trigger.handle] === trigger }

  mutating func append(_ trigger: Trigger, _ reads: ReadSet) {
    trigger.number = nextNumber
    nextNumber += 1
    trigger.handle = triggers.insert(trigger)
    groups.add(trigger, reads)
  }

  mutating func remove(_ trigger: Trigger) {
    guard contains(trigger) else { return }
    triggers.remove(trigger.handle)
    groups.remove(trigger)
  }

  /// Notes what a transaction read that was run again.
  mutating func file(_ trigger: Trigger, _ reads: ReadSet) {
    if let group = trigger.group { groups.file(group, reads) }
  }

  /// The groups of transactions to which a commit makes a difference.
  mutating func touched(by commit: Commit) -> [WaitGroup] { groups.touched(by: commit) }

  /// Those that fulfil a condition, oldest first.
  func inOrder(where isIncluded: (Trigger) -> Bool = { _ in true }) -> [Trigger] {
    triggers.elements.filter(isIncluded).sorted { $0.number < $1.number }
  }
}
