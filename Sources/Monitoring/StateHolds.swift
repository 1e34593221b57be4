// SPDX-License-Identifier: Apache-2.0
//
// Past states of a database that somebody still needs: a client that has not read for a while, a large reply on its way. The maps of
// rows are persistent, so nothing else knows what such states keep in memory.

import DequeModule
import JSON

/// A state that somebody needs for as long as this object lives.
package final class StateHold: Sendable {
  /// The number of the last commit that the state contains.
  package let sequence: UInt64
  /// `StateHolds.displacedBytes` when it began.
  fileprivate let displacedBytes: Int
  /// What the database took then, at most.
  fileprivate let databaseBytes: Int
  fileprivate let owner: StateHolds.Owner

  fileprivate init(sequence: UInt64, displacedBytes: Int, databaseBytes: Int, owner: StateHolds.Owner) {
    self.sequence = sequence
    self.databaseBytes = databaseBytes
    self.displacedBytes = displacedBytes
    self.owner = owner
  }
}

/// The states of one database that are needed.
struct StateHolds {
  /// In the order of the states, not of their making: somebody may come who knows an older one.
  private var holds: Deque<WeakHold> = []
  /// Bytes of all rows that commits have replaced or deleted.
  private var displacedBytes = 0

  /// Tells the states of one database from those of others.
  fileprivate final class Owner: Sendable {}
  private let owner = Owner()

  private struct WeakHold {
    weak var hold: StateHold?
  }

  /// Those that are gone are forgotten when so many more have come.
  private static let spareCount = 64
  private var tidyCount = spareCount

  /// Holds the state after a commit, which is the present one or the one before it.
  ///
  /// - Parameters:
  ///   - databaseBytes: what the database takes now.
  ///   - displacing: bytes of later commits that are noted already.
  mutating func hold(_ sequence: UInt64, databaseBytes: Int, displacing bytes: Int = 0) -> StateHold {
    if let last = holds.last?.hold, last.sequence == sequence { return last }
    if holds.count >= tidyCount {
      holds.removeAll { $0.hold == nil }
      tidyCount = holds.count * 2 + Self.spareCount
    }
    let hold = StateHold(
      sequence: sequence, displacedBytes: displacedBytes - bytes, databaseBytes: databaseBytes + bytes, owner: owner)
    let place = holds.lastIndex { $0.hold.map { $0.displacedBytes <= hold.displacedBytes } == true }
    holds.insert(WeakHold(hold: hold), at: place.map { $0 + 1 } ?? 0)
    return hold
  }

  func own(_ hold: StateHold) -> Bool { hold.owner === owner }

  /// Notes what a commit replaces.
  mutating func note(displacedBytes bytes: Int) { displacedBytes += bytes }

  /// What has been displaced since the oldest began.
  mutating func displacedSinceOldest() -> Int {
    while let first = holds.first, first.hold == nil { holds.removeFirst() }
    return holds.first?.hold.map { displacedBytes - $0.displacedBytes } ?? 0
  }

  /// What only those states keep in memory, at most: what has been displaced since the oldest began, and no more than each of them took.
  mutating func byteCount() -> Int {
    let displaced = displacedSinceOldest()
    return min(displaced, holds.reduce(0) { $0.saturatingPlus($1.hold?.databaseBytes ?? 0) })
  }
}
