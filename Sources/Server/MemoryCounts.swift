// SPDX-License-Identifier: Apache-2.0
//
// What the server holds for its clients beside the databases' contents, in bytes, and the most that it may. Documentation/reliability.md
// states the same in words; `Server+Invariants.swift` holds one against the other.

import JSON
import Monitoring

/// Bytes by what they are for.
package struct MemoryCounts: Equatable {
  /// What clients have sent and is not executed, with what parsing makes of it.
  package var input = 0
  /// What is made for clients and not taken by the kernel.
  package var output = 0
  /// Requests of monitors, waiting transactions and locks.
  package var kept = 0
  /// Recent commits.
  package var history = 0
  /// Encoded pieces that clients share.
  package var pieces = 0
  /// Rows that only clients know which have not read for a while.
  package var places = 0

  package init() {}

  package var total: Int { input + output + kept + history + pieces + places }

  /// Each with its name and what it may come to.
  package func compared(with other: MemoryCounts) -> [(name: String, amount: Int, limit: Int)] {
    [
      ("input", input, other.input), ("output", output, other.output), ("kept", kept, other.kept),
      ("history", history, other.history), ("pieces", pieces, other.pieces), ("places", places, other.places),
    ]
  }
}

extension Limits {
  /// The most that a server may hold.
  ///
  /// - Parameters:
  ///   - databases: what each takes, in bytes; its history depends on it.
  ///   - messageBytes: the largest message that a client has sent or was sent: a limit is seen to after it, not in the middle of it.
  package func memoryMax(databases: [Int], messageBytes: Int) -> MemoryCounts {
    var counts = MemoryCounts()
    counts.input = inputBytesMax.saturatingPlus(messageBytes)
    counts.output = outputBytesMax.saturatingPlus(messageBytes)
    counts.kept = keptTotalBytesMax
    counts.history = databases.reduce(0) { $0.saturatingPlus(historyBytesMax ?? max(History.bytesMin, $1 / 4)) }
    let ahead = (SharedPieces.piecesKept + SharedPieces.piecesPerJob).saturatingTimes(pieceBytes)
    counts.pieces = contentsBytesMax.saturatingPlus(ahead).saturatingPlus(messageBytes)
    counts.places = counts.output
    return counts
  }
}

extension Server {
  package var memoryCounts: MemoryCounts {
    var counts = MemoryCounts()
    counts.input = inputBytes
    counts.output = outputBytes
    counts.kept = keptBytes
    counts.history = databases.values.reduce(0) { $0 + $1.history.byteCount }
    counts.pieces = retainedBytes.count
    counts.places = placesBytes
    return counts
  }

  /// Rows that only past states have which clients still need, at most.
  var placesBytes: Int { databases.values.reduce(0) { $0 + $1.placesBytes } }

  /// Sees to the limit of that, after a commit.
  func checkPlaces(of database: ServedDatabase) {
    guard database.hub.mayHold(moreThan: limits.outputBytesMax), placesBytes > limits.outputBytesMax else { return }
    // It may be the session whose request is being executed.
    soon { [self] in shedPlaces() }
  }

  /// Disconnects the clients that are furthest behind, when what only they need takes too much.
  private func shedPlaces() {
    if placesBytes > limits.outputBytesMax { databases.values.forEach { $0.forgetAllPieces() } }
    while placesBytes > limits.outputBytesMax, let session = furthestBehind() {
      log.warning(
        """
        \(session.connection.name): closing connection: it has taken nothing for longest, and rows that only such clients need take \
        \(placesBytes) bytes
        """, metadata: ["rate-limit": "output"])
      session.abort()
      session.letGoOfStates()
    }
  }

  /// Who needs the oldest state of the database whose past states take most.
  private func furthestBehind() -> Session? {
    guard let database = databases.values.max(by: { ($0.placesBytes, $1.name) < ($1.placesBytes, $0.name) }) else { return nil }
    var oldest: (session: Session, sequence: UInt64)?
    // Also one that is closed for us and whose last words are on their way.
    for session in sessions {
      guard let sequence = session.oldestState(of: database), sequence < oldest?.sequence ?? .max else { continue }
      oldest = (session, sequence)
    }
    return oldest?.session
  }
}

extension ServedDatabase {
  var placesBytes: Int { hub.heldBytes }
}

extension Session {
  /// Needs nothing more, for it is closed.
  fileprivate func letGoOfStates() {
    for subscription in owed { subscription.forgetPlace() }
    owed = []
    stream = nil
    connection.holdsOutput = false
  }

  /// The number of the oldest state of a database that is kept for it.
  fileprivate func oldestState(of database: ServedDatabase) -> UInt64? {
    var sequences = owed.compactMap { subscription in
      monitors[subscription.id].flatMap { $0.database === database ? subscription.place?.sequence : nil }
    }
    sequences += (stream?.holds ?? []).filter { database.hub.owns($0) }.map(\.sequence)
    return sequences.min()
  }
}
