// SPDX-License-Identifier: Apache-2.0
//
// What many clients are told of changes, encoded once for all of them.

import Engine
import OVSDB

/// An update that is too large to be made at once, or to be copied for each client.
package struct LargeUpdate {
  /// What makes two updates the same bytes.
  package struct Key: Hashable, Sendable {
    let group: UInt64
    /// The number of the last commit that the client knows.
    let from: UInt64
    /// The last commit that it is told.
    let commitID: UUID
    let isDifferential: Bool
  }

  package let key: Key
  package let changes: OwedChanges
  /// The state that it begins with.
  package let hold: StateHold
  /// The last commit it tells of.
  package var commitID: UUID { key.commitID }
}

extension LargeUpdate {
  /// What a group is told of a commit.
  ///
  /// - Parameter hold: of the state before the commit.
  init(_ group: MonitorGroup, _ commit: Commit, isDifferential: Bool, hold: StateHold) {
    self.hold = hold
    let format = isDifferential ? UpdateFormat.update2 : .update
    changes = OwedChanges(group.changes, of: group.specification, format: format)
    key = Key(group: group.number, from: commit.sequence &- 1, commitID: commit.id, isDifferential: isDifferential)
  }

  /// What a client that was here before has missed.
  ///
  /// - Parameters:
  ///   - commits: those since then, oldest first.
  ///   - lastCommitID: the id of the last one, or of the state that the client knows when there are none.
  ///   - hold: of the state before them.
  init(_ commits: [Commit], for subscription: Subscription, lastCommitID: UUID, hold: StateHold) {
    self.hold = hold
    let group = subscription.group
    changes = OwedChanges(commits, of: group.specification, format: subscription.format)
    key = Key(
      group: group.number, from: (commits.first?.sequence ?? 1) &- 1, commitID: lastCommitID,
      isDifferential: subscription.format.isDifferential)
  }
}
