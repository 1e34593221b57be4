// SPDX-License-Identifier: Apache-2.0
//
// Blocked transactions that are to be run again: one of each client in turn, so that a client with a thousand of them does not hold up
// another's only one.

import DequeModule

struct DueTriggers {
  /// Sessions that have some, by their numbers, in turn.
  private var sessions: Deque<UInt64> = []
  private var triggers: [UInt64: Deque<Trigger>] = [:]

  var isEmpty: Bool { sessions.isEmpty }

  mutating func append(_ trigger: Trigger) {
    let number = trigger.session.number
    if triggers[number] == nil { sessions.append(number) }
    triggers[number, default: []].append(trigger)
  }

  mutating func popFirst() -> Trigger? {
    guard let number = sessions.popFirst(), var own = triggers.removeValue(forKey: number) else { return nil }
    let trigger = own.popFirst()
    if !own.isEmpty {
      triggers[number] = own
      sessions.append(number)
    }
    return trigger
  }
}
