// SPDX-License-Identifier: Apache-2.0
//
// What the server keeps for a client (monitors, waiting transactions, locks), counted against its limits.

import JSON
import OVSDB

/// What the server keeps for a session: its count and bytes.
struct Quota {
  /// In bytes of requests.
  private(set) var bytes = 0
  private var sizes: [String: Int] = [:]

  var count: Int { sizes.count }

  /// Notes something that is kept.
  ///
  /// - Parameters:
  ///   - name: what it is known by until it is `forget`ten.
  ///   - count: how many of the kind there are without it.
  /// - Throws: `.resourcesExhausted` when there are enough.
  mutating func add(
    _ kind: Kind, _ name: String, size: Int, count: Int, limits: Limits
  ) throws(OVSDBError) {
    guard count < kind.limit(limits) else {
      throw OVSDBError(.resourcesExhausted, "a client may have \(kind.limit(limits)) \(kind.rawValue)")
    }
    guard bytes + size <= limits.keptBytesMax else {
      throw OVSDBError(
        .resourcesExhausted, "what is kept for a client may have \(limits.keptBytesMax) bytes")
    }
    forget(kind, name)
    sizes[kind.rawValue + name] = size
    bytes += size
  }

  mutating func forget(_ kind: Kind, _ name: String) {
    bytes -= sizes.removeValue(forKey: kind.rawValue + name) ?? 0
  }

  enum Kind: String {
    case monitors, waits = "waiting transactions", locks

    fileprivate func limit(_ limits: Limits) -> Int {
      switch self {
      case .monitors: limits.monitorsMax
      case .waits: limits.waitsMax
      case .locks: limits.locksMax
      }
    }
  }
}

extension Session {
  /// Looks at the length of a name.
  ///
  /// - Throws: `.resourcesExhausted` when a client gives something a longer name than it may have.
  func checkName(_ name: JSONValue, of subject: String) throws(OVSDBError) {
    guard name.utf8?.count ?? name.detachedSize > server.limits.nameBytesMax else { return }
    throw OVSDBError(.resourcesExhausted, "\(subject) may have \(server.limits.nameBytesMax) bytes")
  }

  /// Notes something that the server keeps for the client; see `Quota.add`.
  func keep(_ kind: Quota.Kind, _ name: String, size: Int, count: Int) throws(OVSDBError) {
    guard server.keptBytes + size <= server.limits.keptTotalBytesMax else {
      throw OVSDBError(
        .resourcesExhausted, "what is kept for all clients may have \(server.limits.keptTotalBytesMax) bytes")
    }
    let before = quota.bytes
    try quota.add(kind, name, size: size, count: count, limits: server.limits)
    server.keptBytes += quota.bytes - before
  }

  func forget(_ kind: Quota.Kind, _ name: String) {
    let before = quota.bytes
    quota.forget(kind, name)
    server.keptBytes += quota.bytes - before
  }

  /// The client is gone.
  func forgetQuota() {
    server.keptBytes -= quota.bytes
    quota = Quota()
  }
}
