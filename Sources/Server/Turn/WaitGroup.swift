// SPDX-License-Identifier: Apache-2.0
//
// Blocked transactions of equal text: what one of them comes to the others come to as well. So after a commit that touches what they
// read, one is run for all, and the others only when that one was not blocked again.

import Engine
import Monitoring

/// What decides, with the contents of the database, whether a transaction is blocked.
enum WaitKey: Hashable {
  /// - Parameter session: the session's number, if what it may do and owns matters; nil: it does not.
  case equal(text: String, session: UInt64?, isReadOnly: Bool)
  /// One that is compared with no other.
  case alone(UInt64)

  /// A larger request is compared with no other: its text is not kept a second time.
  private static let requestBytesMax = 16 << 10

  init(of trigger: Trigger) {
    guard trigger.params.root.detachedSize <= Self.requestBytesMax else {
      self = .alone(trigger.number)
      return
    }
    let text = trigger.params.root.text(sorted: true)
    let session = trigger.session
    let isPersonal = session.role != nil || text.contains("\"assert\"")
    self = .equal(text: text, session: isPersonal ? session.number : nil, isReadOnly: session.isReadOnly)
  }
}

/// Blocked transactions that are decided together.
final class WaitGroup {
  let key: WaitKey
  /// Oldest first.
  private(set) var members: [Trigger] = []
  /// What they read, and where that is filed.
  fileprivate(set) var watched: [WatchedRows<WaitGroup>] = []
  /// The operation at which they are blocked.
  fileprivate(set) var position = -1
  /// What they read was touched, and none has been run to its end since.
  var isUndecided = false
  /// The member that is run for all.
  weak var runner: Trigger?

  fileprivate init(_ key: WaitKey) { self.key = key }

  /// The member to be run for all; nil when one is on its way already, or no client of them reads.
  var next: Trigger? { runner == nil ? members.first { !$0.isPostponed } : nil }

  fileprivate func append(_ trigger: Trigger) { members.append(trigger) }

  fileprivate func remove(_ trigger: Trigger) {
    if runner === trigger { runner = nil }
    if let place = members.firstIndex(where: { $0 === trigger }) { members.remove(at: place) }
  }
}

/// The groups of one database, found by what they read.
struct WaitGroups {
  private var groups: [WaitKey: WaitGroup] = [:]
  private var index = WaitIndex<WaitGroup>()
  /// Steps of looking for those that commits touch.
  private(set) var work = 0

  var all: some Collection<WaitGroup> { groups.values }

  /// Adds a transaction that has just been blocked.
  mutating func add(_ trigger: Trigger, _ reads: ReadSet) {
    let key = WaitKey(of: trigger)
    let group = groups[key] ?? WaitGroup(key)
    groups[key] = group
    group.append(trigger)
    trigger.group = group
    file(group, reads)
  }

  mutating func remove(_ trigger: Trigger) {
    guard let group = trigger.group else { return }
    group.remove(trigger)
    guard group.members.isEmpty, groups[group.key] === group else { return }
    index.remove(group.watched)
    group.watched = []
    groups[group.key] = nil
  }

  /// Notes what a group read when one of it was run last.
  mutating func file(_ group: WaitGroup, _ reads: ReadSet) {
    guard group.position != reads.position else { return }
    if group.position >= 0 { index.remove(group.watched) }
    group.position = reads.position
    group.watched = index.add(group, reads)
  }

  /// The groups to which a commit makes a difference, that with the oldest member first.
  mutating func touched(by commit: Commit) -> [WaitGroup] {
    index.touched(by: commit, work: &work).sorted { ($0.members.first?.number ?? 0) < ($1.members.first?.number ?? 0) }
  }
}
