// SPDX-License-Identifier: Apache-2.0
//
// One monitor of one client, and the group of those that are equal.

import Engine
import JSON
import OVSDB

/// A session as monitors see it.
package protocol MonitorClient: AnyObject {
  /// False while the client does not read, or waits for initial contents: it is sent the sum of its updates later.
  var acceptsUpdates: Bool { get }
  /// Takes a notification for one of its monitors; `body` is `<table-updates>`.
  func send(_ body: borrowing ByteWriter, for subscription: Subscription, commitID: UUID)
  /// The same for an update that is made piece by piece.
  func send(_ update: LargeUpdate, for subscription: Subscription)
  /// Notes that one of its monitors is owed something, and was not before.
  func noteOwed(_ subscription: Subscription)
}

/// One monitor of one client.
package final class Subscription {
  /// The monitor's id as JSON text in normal form.
  package internal(set) var id: String
  package let format: UpdateFormat
  package unowned let client: any MonitorClient
  package internal(set) var group: MonitorGroup
  /// What the client knows, when there is more to be known; nil while it is up to date.
  package internal(set) var place: Place?
  /// True until the initial contents are on their way: updates come after them, whatever the client takes.
  package var isStarting = false
  var position = 0

  init(id: String, format: UpdateFormat, client: any MonitorClient, group: MonitorGroup) {
    self.id = id
    self.format = format
    self.client = client
    self.group = group
  }

  /// The client is told everything anew.
  package func forgetPlace() { place = nil }
}

/// Monitors with equal specifications: each commit is examined and encoded once for all of them.
package final class MonitorGroup: ConditionHolder {
  package let specification: MonitorSpecification
  package internal(set) var subscriptions: [Subscription] = []
  /// What of the commit being published concerns the group, table by table.
  var changes: [GroupChange] = []
  /// Groups that were made earlier have lower numbers.
  let number: UInt64

  init(specification: MonitorSpecification, number: UInt64) {
    self.specification = specification
    self.number = number
  }
}

/// A changed row that concerns a group.
struct GroupChange {
  let change: OwedChange
  /// The states of the row that fulfil the group's condition; not empty.
  let states: RowStates
  /// The position in the specification's tables.
  let position: Int
}
