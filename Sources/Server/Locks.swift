// SPDX-License-Identifier: Apache-2.0
//
// The server's locks: one name space for all databases, each lock with an owner and a queue.

/// Who holds which lock and who waits for it.
///
/// Source: RFC 7047 sections 4.1.8 to 4.1.11.
struct Locks {
  /// A session's wish for a lock; the first of a queue owns it.
  private struct Claim {
    unowned let session: Session
    /// Whether it came by `steal`: such an owner leaves the queue when the lock is stolen from it.
    let isSteal: Bool
  }

  private var queues: [String: [Claim]] = [:]

  func isOwner(_ session: Session, of name: String) -> Bool {
    queues[name]?.first?.session === session
  }

  /// Whether a session owns or awaits a lock.
  func hasClaim(_ session: Session, on name: String) -> Bool {
    queues[name]?.contains { $0.session === session } ?? false
  }

  /// - Returns: whether the session owns the lock now.
  mutating func lock(_ name: String, for session: Session) -> Bool {
    queues[name, default: []].append(Claim(session: session, isSteal: false))
    return isOwner(session, of: name)
  }

  /// - Returns: the session that lost the lock, if any.
  mutating func steal(_ name: String, for session: Session) -> Session? {
    var queue = queues[name] ?? []
    let victim = queue.first
    if victim?.isSteal == true { queue.removeFirst() }
    queue.insert(Claim(session: session, isSteal: true), at: 0)
    queues[name] = queue
    return victim?.session
  }

  /// Gives up a lock or the wait for it.
  ///
  /// - Returns: the session that owns the lock now and did not before.
  mutating func unlock(_ name: String, for session: Session) -> Session? {
    guard var queue = queues[name], let position = queue.firstIndex(where: { $0.session === session }) else { return nil }
    queue.remove(at: position)
    queues[name] = queue.isEmpty ? nil : queue
    return position == 0 ? queue.first?.session : nil
  }

  /// The locks that a session owns and those it awaits, sorted.
  func names(of session: Session) -> (owned: [String], awaited: [String]) {
    var owned: [String] = []
    var awaited: [String] = []
    for (name, queue) in queues where queue.contains(where: { $0.session === session }) {
      if queue.first?.session === session { owned.append(name) } else { awaited.append(name) }
    }
    return (owned.sorted(), awaited.sorted())
  }

  /// The names that sessions of a remote own and wait for, sorted.
  func names(of remote: Remote) -> (owned: [String], awaited: [String]) {
    let owned = queues.filter { $0.value.first?.session.remote === remote }.keys.sorted()
    let awaited = queues.filter { $0.value.dropFirst().contains { $0.session.remote === remote } }.keys.sorted()
    return (owned, awaited)
  }
}
