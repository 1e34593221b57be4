// SPDX-License-Identifier: Apache-2.0
//
// Sessions in the order in which they came. Whoever is dropped, told or woken first must not depend on an address or on the seed of a
// dictionary: a run of a server that is given the same input again has the same output (EmbeddedServer.swift).

/// Sessions, found and removed at no more cost than a dictionary's. Going through all of them sorts them, which is done when something
/// befalls all of them and not for a request.
struct SessionList: Sequence {
  private var sessions: [UInt64: Session] = [:]

  var count: Int { sessions.count }
  var isEmpty: Bool { sessions.isEmpty }
  /// The one that came first.
  var first: Session? { sessions.values.min { $0.number < $1.number } }

  mutating func insert(_ session: Session) { sessions[session.number] = session }

  /// - Returns: whether it was there.
  @discardableResult
  mutating func remove(_ session: Session) -> Bool { sessions.removeValue(forKey: session.number) != nil }

  func makeIterator() -> IndexingIterator<[Session]> { sessions.values.sorted { $0.number < $1.number }.makeIterator() }
}
