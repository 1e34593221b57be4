// SPDX-License-Identifier: Apache-2.0
//
// All monitors of one database: who wants to see which tables, and the way of a commit to them. A commit costs what its readers cost,
// however many others are connected.

import Engine
import JSON
import OVSDB

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
  var holds = StateHolds()
  private var update = ByteWriter()
  private var update2 = ByteWriter()
  package private(set) var subscriptionCount = 0
  /// Rows, and bytes, of an update that is made at once. Larger ones are made piece by piece, once for all who are told them.
  package var inlineRowsMax = Int.max
  package var inlineBytesMax = Int.max

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
    subscription.place = nil
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

  /// Sends a commit to everyone whom it concerns, and notes the place of those who do not take it.
  ///
  /// - Parameter snapshot: the database with the commit; asked for when somebody does not take it.
  package func publish(_ commit: Commit, snapshot: @escaping () -> Snapshot) {
    holds.note(displacedBytes: commit.byteCount)
    let touched = gather(commit)
    guard !touched.isEmpty else { return }
    let before = StateBefore(commit, snapshot) { [unowned self] in holdState(before: commit, in: $0) }
    var copied = 0
    for group in touched { publish(group, commit, copied: &copied, before) }
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

  private func publish(_ group: MonitorGroup, _ commit: Commit, copied: inout Int, _ before: StateBefore) {
    var plain: UpdateForm?
    var differential: UpdateForm?
    for subscription in group.subscriptions {
      guard subscription.client.acceptsUpdates, !subscription.isStarting, subscription.place == nil else {
        if subscription.place == nil { owe(subscription, since: before.place) }
        continue
      }
      let isDifferential = subscription.format.isDifferential
      var form = (isDifferential ? differential : plain) ?? encode(group, commit, isDifferential: isDifferential, before)
      if case .encoded(let size) = form {
        copied += size
        if size > Self.alwaysCopiedBytesMax, copied > Self.copiedBytesMax {
          form = .large(LargeUpdate(group, commit, isDifferential: isDifferential, hold: before.hold))
        }
      }
      if isDifferential { differential = form } else { plain = form }
      switch form {
      case .nothing: break
      case .encoded:
        if isDifferential {
          subscription.client.send(update2, for: subscription, commitID: commit.id)
        } else {
          subscription.client.send(update, for: subscription, commitID: commit.id)
        }
      case .large(let large): subscription.client.send(large, for: subscription)
      }
    }
    group.changes.removeAll(keepingCapacity: group.changes.count <= Self.retainedChangesMax)
  }

  /// A form of what a group is told of a commit.
  private enum UpdateForm {
    case nothing
    /// It is in `update` or `update2`, so many bytes.
    case encoded(Int)
    case large(LargeUpdate)
  }

  /// Bytes of one commit's updates that are copied for clients, one by one; what comes beyond it is shared.
  private static let copiedBytesMax = 4 << 20
  /// To share so few bytes costs more than to copy them.
  private static let alwaysCopiedBytesMax = 4 << 10
  private static let retainedChangesMax = 1024
  /// Of a row that is so many times larger than an update may be, it is not tried how little of it is told: just looking takes long.
  private static let tellablePart = 16

  private func encode(
    _ group: MonitorGroup, _ commit: Commit, isDifferential: Bool, _ before: StateBefore
  ) -> UpdateForm {
    let size =
      group.changes.count > inlineRowsMax
      ? nil
      : isDifferential ? encode(group, .update2, &update2) : encode(group, .update, &update)
    switch size {
    case nil: return .large(LargeUpdate(group, commit, isDifferential: isDifferential, hold: before.hold))
    case 0?: return .nothing
    case let size?: return .encoded(size)
    }
  }

  /// - Returns: how many bytes the update has; nil when it is too large to be made at once.
  private func encode(_ group: MonitorGroup, _ format: UpdateFormat, _ writer: inout ByteWriter) -> Int? {
    writer.removeAll()
    let rowBytesMax = inlineBytesMax.saturatingTimes(Self.tellablePart)
    var updates = TableUpdatesWriter(format: format)
    for change in group.changes {
      guard change.change.byteCount <= rowBytesMax else {
        writer = ByteWriter()
        return nil
      }
      updates.write(change.change, states: change.states, of: group.specification.tables[change.position], to: &writer)
      guard writer.count <= inlineBytesMax else {
        writer = ByteWriter()
        return nil
      }
    }
    guard !updates.isEmpty else { return 0 }
    updates.finish(&writer)
    return writer.count
  }

  // MARK: - Clients that do not read

  /// Notes what a client knows that does not take what comes.
  private func owe(_ subscription: Subscription, since place: Place) {
    guard subscription.place == nil else { return }
    subscription.place = place
    subscription.client.noteOwed(subscription)
  }

  /// Notes for everyone whom it may concern that there was a commit of very many rows. What of it they are owed is found out piece by
  /// piece, when they are sent what they are owed.
  ///
  /// - Parameter before: the database without the commit.
  package func publishLarge(_ commit: Commit, before: Snapshot) {
    holds.note(displacedBytes: commit.byteCount)
    let place = Place(before, hold: holds.hold(before.sequence, databaseBytes: before.byteCount, displacing: commit.byteCount))
    for group in groups.values.sorted(by: { $0.number < $1.number }) {
      guard commit.tables.contains(where: { group.specification.table($0.table.index) != nil }) else { continue }
      for subscription in group.subscriptions { owe(subscription, since: place) }
    }
  }

  /// Takes what one of a client's monitors is owed, to be sent as one update.
  ///
  /// - Parameters:
  ///   - current: the database as it is, with all its commits in the log: what is taken is not given back.
  ///   - lastCommitID: the id of its last commit.
  /// - Returns: nil when the client is up to date, or its initial contents are not on their way yet.
  package func takeOwed(
    _ subscription: Subscription, current: Snapshot, lastCommitID: UUID, history: borrowing History
  ) -> LargeUpdate? {
    guard let place = subscription.place, !subscription.isStarting else { return nil }
    subscription.place = nil
    guard place.sequence != current.sequence else { return nil }
    let format = subscription.format
    let key = LargeUpdate.Key(
      group: subscription.group.number, from: place.sequence, commitID: lastCommitID, isDifferential: format.isDifferential)
    let changes = OwedChanges(
      since: place, commits: history.commits(afterSequence: place.sequence).map(Array.init), current: current,
      of: subscription.group.specification, format: format)
    return LargeUpdate(key: key, changes: changes, hold: place.hold)
  }

  /// Sends an update at once, if it is small.
  ///
  /// - Returns: false, with nothing sent, when it is not.
  package func sendAtOnce(_ owed: LargeUpdate, for subscription: Subscription) -> Bool {
    guard owed.changes.write(rowsMax: inlineRowsMax, bytesMax: inlineBytesMax, to: &update2) else { return false }
    if update2.count > 0 { subscription.client.send(update2, for: subscription, commitID: owed.commitID) }
    return true
  }
}
