// SPDX-License-Identifier: Apache-2.0
//
// Past states of the database that monitors and replies need.

import Engine
import OVSDB

extension MonitorHub {
  /// What a client that was here before has missed.
  ///
  /// - Parameters:
  ///   - commits: those since then, oldest first.
  ///   - lastCommitID: the id of the last one, or of the state that the client knows when there are none.
  package func missed(_ commits: [Commit], by subscription: Subscription, in snapshot: Snapshot, lastCommitID: UUID) -> LargeUpdate {
    let sequence = (commits.first?.sequence ?? 1) &- 1
    let hold = holds.hold(
      sequence, databaseBytes: snapshot.byteCount, displacing: commits.reduce(0) { $0 + $1.byteCount })
    return LargeUpdate(commits, for: subscription, lastCommitID: lastCommitID, hold: hold)
  }

  // MARK: - Past states

  /// Notes for as long as the result lives that somebody needs the state of now.
  package func holdState(of snapshot: Snapshot) -> StateHold {
    holds.hold(snapshot.sequence, databaseBytes: snapshot.byteCount)
  }

  func holdState(before commit: Commit, in snapshot: Snapshot) -> StateHold {
    holds.hold(commit.sequence &- 1, databaseBytes: snapshot.byteCount, displacing: commit.byteCount)
  }

  /// Whether a state is one of this database.
  package func owns(_ hold: StateHold) -> Bool { holds.own(hold) }

  /// Rows that only past states have which are needed, at most, in bytes.
  package var heldBytes: Int { holds.byteCount() }

  /// Whether that may be more than so many bytes.
  package func mayHold(moreThan bytes: Int) -> Bool { holds.displacedSinceOldest() > bytes }
}
