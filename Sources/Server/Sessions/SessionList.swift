// SPDX-License-Identifier: Apache-2.0
//
// Sessions in the order in which they came. Whoever is dropped, told or woken first must not depend on an address or on the seed of a
// dictionary: a run of a server that is given the same input again has the same output (EmbeddedServer.swift).

import Serving

/// Sessions by their handles. Going through all of them sorts them, which is done when something befalls all of them and not for a
/// request.
struct SessionMap: Sequence {
  private var sessions = SlotMap<SessionTag, Session>()

  var count: Int { sessions.count }

  subscript(handle: SessionHandle) -> Session? { sessions[handle] }

  mutating func insert(_ session: Session) -> SessionHandle { sessions.insert(session) }

  /// - Returns: whether it was there.
  mutating func remove(_ session: Session) -> Bool { sessions.remove(session.handle) != nil }

  func makeIterator() -> IndexingIterator<[Session]> { sessions.elements.sorted { $0.number < $1.number }.makeIterator() }
}

/// Some of a server's sessions.
struct SessionList: Sequence {
  private var sessions: [SessionHandle: Session] = [:]

  var count: Int { sessions.count }
  var isEmpty: Bool { sessions.isEmpty }
  /// The one that came first.
  var first: Session? { sessions.values.min { $0.number < $1.number } }

  mutating func insert(_ session: Session) { sessions[session.handle] = session }
  mutating func remove(_ session: Session) { sessions[session.handle] = nil }

  func makeIterator() -> IndexingIterator<[Session]> { sessions.values.sorted { $0.number < $1.number }.makeIterator() }
}
