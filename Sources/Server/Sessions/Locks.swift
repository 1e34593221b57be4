// SPDX-License-Identifier: Apache-2.0
//
// The server's locks: one name space for all databases, each lock with an owner and a queue.

/// Who holds which lock and who waits for it.
///
/// Invariant: `claims` names for each session the queues that it is in, each of which it is in once.
///
/// Source: RFC 7047 §4.1.8 to §4.1.11; Documentation/protocol/wire.md#locks.
struct Locks {
  /// A session's wish for a lock; the first of a queue owns it.
  private struct Claim {
    unowned let session: Session
    /// Whether it came by `steal`: such an owner leaves the queue when the lock is stolen from it.
    let isSteal: Bool
  }

  private var queues: [String: [Claim]] = [:]
  private var claims: [UInt64: Set<String>] = [:]

  func isOwner(_ session: Session, of name: String) -> Bool {
    queues[name]?.first?.session === session
  }

  /// Whether a session owns or awaits a lock.
  func hasClaim(_ session: Session, on name: String) -> Bool {
    claims[session.number]?.contains(name) ?? false
  }

  /// The number of locks that a session owns or awaits.
  func count(of session: Session) -> Int { claims[session.number]?.count ?? 0 }

  /// - Returns: whether the session owns the lock now.
  mutating func lock(_ name: String, for session: Session) -> Bool {
    queues[name, default: []].append(Claim(session: session, isSteal: false))
    claims[session.number, default: []].insert(name)
    return isOwner(session, of: name)
  }

  /// - Returns: the session that lost the lock, if any.
  mutating func steal(_ name: String, for session: Session) -> Session? {
    var queue = queues[name] ?? []
    let victim = queue.first
    if let victim, victim.isSteal {
      queue.removeFirst()
      forget(name, of: victim.session)
    }
    queue.insert(Claim(session: session, isSteal: true), at: 0)
    claims[session.number, default: []].insert(name)
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
    forget(name, of: session)
    return position == 0 ? queue.first?.session : nil
  }

  private mutating func forget(_ name: String, of session: Session) {
    claims[session.number]?.remove(name)
    if claims[session.number]?.isEmpty == true { claims[session.number] = nil }
  }

  /// The locks that a session owns and those it awaits, sorted.
  func names(of session: Session) -> (owned: [String], awaited: [String]) {
    let names = claims[session.number] ?? []
    let owned = names.filter { isOwner(session, of: $0) }
    return (owned.sorted(), names.subtracting(owned).sorted())
  }

  /// What is wrong with the bookkeeping; empty when all is well.
  func checkInvariants() -> [String] {
    var faults: [String] = []
    var counted = 0
    for (name, queue) in queues {
      if queue.isEmpty { faults.append("lock \(name) is kept without a claim") }
      let claimants = Set(queue.map(\.session.number))
      if claimants.count != queue.count { faults.append("lock \(name) is claimed twice by one session") }
      for claim in queue where !hasClaim(claim.session, on: name) { faults.append("a claim on lock \(name) is not filed") }
      if queue.dropFirst().contains(where: \.isSteal) { faults.append("lock \(name): a thief waits") }
      counted += queue.count
    }
    if counted != claims.values.reduce(0, { $0 + $1.count }) { faults.append("claims are filed that no lock has") }
    return faults
  }

  /// The names that sessions of a remote own and wait for, sorted.
  func names(of remote: Remote) -> (owned: [String], awaited: [String]) {
    let owned = queues.filter { $0.value.first?.session.remote === remote }.keys.sorted()
    let awaited = queues.filter { $0.value.dropFirst().contains { $0.session.remote === remote } }.keys.sorted()
    return (owned, awaited)
  }
}
