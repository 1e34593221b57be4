// SPDX-License-Identifier: Apache-2.0
//
// All monitors of one database: who wants to see which tables, and the way of a commit to them. A commit costs what its readers cost,
// however many others are connected.

import Engine
import JSON
import OVSDB

/// A session as monitors see it.
package protocol MonitorClient: AnyObject {
  /// False while the client does not read, or waits for initial contents: its updates are added up instead of sent.
  var acceptsUpdates: Bool { get }
  /// Takes a notification for one of its monitors; `body` is `<table-updates>`.
  func send(_ body: borrowing ByteWriter, for subscription: Subscription, commitID: UUID)
}

/// One monitor of one client.
package final class Subscription {
  /// The monitor's id as JSON text in normal form.
  package fileprivate(set) var id: String
  package let format: UpdateFormat
  package unowned let client: any MonitorClient
  package fileprivate(set) var group: MonitorGroup
  /// What the client is owed; nil while it is up to date.
  package var backlog: Backlog?
  /// True until the initial contents are on their way: updates are added up, whatever the client takes.
  package var isStarting = false
  fileprivate var position = 0

  fileprivate init(id: String, format: UpdateFormat, client: any MonitorClient, group: MonitorGroup) {
    self.id = id
    self.format = format
    self.client = client
    self.group = group
  }
}

/// Monitors with equal specifications: each commit is examined and encoded once for all of them.
package final class MonitorGroup: ConditionHolder {
  package let specification: MonitorSpecification
  package fileprivate(set) var subscriptions: [Subscription] = []
  /// What of the commit being published concerns the group, table by table.
  fileprivate var changes: [GroupChange] = []
  /// Groups that were made earlier have lower numbers.
  fileprivate let number: UInt64

  fileprivate init(specification: MonitorSpecification, number: UInt64) {
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

/// The monitors of a database.
package final class MonitorHub {
  private var groups: [MonitorSpecification: MonitorGroup] = [:]
  private var groupNumber: UInt64 = 0
  /// Whose conditions a row fulfils, by table.
  private var conditions: [ConditionIndex<MonitorGroup>]
  /// The number of the last row that was looked up.
  private var stamp: UInt64 = 0
  private var found: [Interest<MonitorGroup>] = []
  /// Look-ups in the conditions, conditions compared and groups met, over all commits; a measure of their cost for tests.
  package private(set) var work = 0
  /// Changes that were stored for a group until it was sent them, over all commits.
  package private(set) var storedChanges = 0
  private var update = ByteWriter()
  private var update2 = ByteWriter()
  package private(set) var subscriptionCount = 0
  /// Rows that are added up one by one for a client that does not read.
  package var backlogRowsMax = Int.max

  package init(schema: DatabaseSchema) {
    conditions = schema.tables.map { _ in ConditionIndex() }
  }

  /// Groups of equal monitors; for the memory report.
  package var groupCount: Int { groups.count }

  package func subscribe(
    _ specification: MonitorSpecification, id: String, format: UpdateFormat, client: any MonitorClient
  ) -> Subscription {
    let group = makeGroup(specification)
    let subscription = Subscription(id: id, format: format, client: client, group: group)
    add(subscription, to: group)
    subscriptionCount += 1
    return subscription
  }

  package func unsubscribe(_ subscription: Subscription) {
    remove(subscription)
    subscriptionCount -= 1
  }

  /// Gives a monitor another specification, and by that perhaps another group.
  ///
  /// What the client is owed until now must have been sent: rows it knows, it knows by the old conditions.
  package func move(_ subscription: Subscription, to specification: MonitorSpecification) {
    remove(subscription)
    add(subscription, to: makeGroup(specification))
  }

  /// Gives a monitor another id.
  ///
  /// - Returns: the monitor.
  @discardableResult
  package func rename(_ subscription: Subscription, id: String) -> Subscription {
    subscription.id = id
    return subscription
  }

  private func makeGroup(_ specification: MonitorSpecification) -> MonitorGroup {
    if let group = groups[specification] { return group }
    groupNumber += 1
    let group = MonitorGroup(specification: specification, number: groupNumber)
    groups[specification] = group
    for (position, table) in specification.tables.enumerated() {
      conditions[table.table.index].add(group, position: position, table.condition.alternatives)
    }
    return group
  }

  private func add(_ subscription: Subscription, to group: MonitorGroup) {
    subscription.group = group
    subscription.position = group.subscriptions.count
    group.subscriptions.append(subscription)
  }

  private func remove(_ subscription: Subscription) {
    let group = subscription.group
    let position = subscription.position
    let last = group.subscriptions.removeLast()
    if last !== subscription {
      group.subscriptions[position] = last
      last.position = position
    }
    guard group.subscriptions.isEmpty else { return }
    groups[group.specification] = nil
    for table in group.specification.tables { conditions[table.table.index].remove(group, table.condition.alternatives) }
  }

  /// Sends a commit to everyone who is owed something of it.
  ///
  /// - Parameter snapshot: the database with the commit, asked for when a client that does not read is owed much.
  package func publish(_ commit: Commit, snapshot: () -> Snapshot? = { nil }) {
    for group in gather(commit) { publish(group, commit, snapshot) }
  }

  /// The groups that a commit concerns, in the order in which they were made, each with its changes. What does not fulfil the condition
  /// of a group is not stored for it.
  private func gather(_ commit: Commit) -> [MonitorGroup] {
    var touched: [MonitorGroup] = []
    for change in commit.tables where !conditions[change.table.index].isEmpty {
      for row in change.rows {
        stamp += 1
        found.removeAll(keepingCapacity: true)
        conditions[change.table.index].gather(row, stamp: stamp, into: &found, work: &work)
        guard !found.isEmpty else { continue }
        let owed = OwedChange(uuid: row.uuid, old: row.old, new: row.new)
        for interest in found {
          let group = interest.holder
          let states = group.matches
          if states == [.old, .new], !group.specification.tables[interest.position].shows(row.changed) { continue }
          if group.changes.isEmpty { touched.append(group) }
          storedChanges += 1
          group.changes.append(GroupChange(change: owed, states: states, position: interest.position))
        }
      }
    }
    found.removeAll(keepingCapacity: true)
    return touched.sorted { $0.number < $1.number }
  }

  private func publish(_ group: MonitorGroup, _ commit: Commit, _ snapshot: () -> Snapshot?) {
    var hasUpdate: Bool?
    var hasUpdate2: Bool?
    for subscription in group.subscriptions {
      guard subscription.client.acceptsUpdates, !subscription.isStarting, subscription.backlog == nil else {
        subscription.backlog = subscription.backlog ?? Backlog()
        subscription.backlog?.add(
          group.changes, commit, of: group.specification, rowsMax: backlogRowsMax, snapshot: snapshot)
        continue
      }
      if subscription.format.isDifferential {
        if hasUpdate2 == nil { hasUpdate2 = encode(group, .update2, &update2) }
        if hasUpdate2 == true { subscription.client.send(update2, for: subscription, commitID: commit.id) }
      } else {
        if hasUpdate == nil { hasUpdate = encode(group, .update, &update) }
        if hasUpdate == true { subscription.client.send(update, for: subscription, commitID: commit.id) }
      }
    }
    group.changes.removeAll(keepingCapacity: true)
  }

  /// Notes for everyone whom it may concern that there was a commit of very many rows. What of it they are owed is found out piece by
  /// piece, when they are sent what they are owed.
  ///
  /// - Parameter before: the database without the commit.
  package func publishLarge(_ commit: Commit, before: Snapshot) {
    for group in groups.values {
      guard commit.tables.contains(where: { group.specification.table($0.table.index) != nil }) else { continue }
      for subscription in group.subscriptions {
        subscription.backlog = subscription.backlog ?? Backlog()
        subscription.backlog?.add(commit, since: before)
      }
    }
  }

  private func encode(_ group: MonitorGroup, _ format: UpdateFormat, _ writer: inout ByteWriter) -> Bool {
    writer.removeAll()
    var updates = TableUpdatesWriter(format: format)
    for change in group.changes {
      updates.write(change.change, states: change.states, of: group.specification.tables[change.position], to: &writer)
    }
    updates.finish(&writer)
    return !updates.isEmpty
  }

  /// Takes a commit out of the backlogs it was added to; updates that were handed to sessions are theirs to take back.
  package func retract(_ commit: Commit, previousID: UUID) {
    for group in groups.values {
      for subscription in group.subscriptions {
        subscription.backlog?.remove(commit, previousID: previousID, of: group.specification)
      }
    }
  }

  /// Takes what one of a client's monitors is owed, to be sent as one update.
  ///
  /// - Parameter current: the database as it is.
  /// - Returns: nil when the client is up to date, or its initial contents are not on their way yet.
  package func takeOwed(_ subscription: Subscription, current: Snapshot) -> (changes: OwedChanges, backlog: Backlog)? {
    guard let backlog = subscription.backlog, !subscription.isStarting else { return nil }
    subscription.backlog = nil
    let changes = OwedChanges(
      backlog, of: subscription.group.specification, current: current, format: subscription.format)
    return (changes, backlog)
  }

  /// Sends a client what one of its monitors is owed, as one update, made at once.
  package func drain(_ subscription: Subscription, current: Snapshot, lastCommitID: UUID) {
    guard let owed = takeOwed(subscription, current: current) else { return }
    var changes = owed.changes
    send(&changes, of: owed.backlog, for: subscription, lastCommitID: lastCommitID)
  }

  /// Writes what is owed at once and sends it.
  package func send(
    _ changes: inout OwedChanges, of backlog: Backlog, for subscription: Subscription, lastCommitID: UUID
  ) {
    update2.removeAll()
    while changes.writePiece(until: .max, to: &update2) {}
    guard !changes.isEmpty else { return }
    subscription.client.send(update2, for: subscription, commitID: backlog.lastCommitID ?? lastCommitID)
  }
}
