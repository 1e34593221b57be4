// SPDX-License-Identifier: Apache-2.0
//
// Compactions, conversions, copies of a source and the rewrite after a failed sync replace a database's file. One does so at a time.

/// The right to replace a database's file, and those who wait for it.
///
/// Invariant: while there are waiters, somebody holds the right, or all waiters have just been woken.
struct RewriteQueue {
  private(set) var isHeld = false
  private var waiters: [() -> Void] = []

  /// Takes the right, which must be free.
  mutating func take() {
    precondition(!isHeld, "two rewrites of one file")
    isHeld = true
  }

  /// Notes what is to be tried again when the right is free.
  mutating func wait(_ retry: @escaping () -> Void) {
    precondition(isHeld, "a waiter that nobody will wake")
    waiters.append(retry)
  }

  /// Gives the right up.
  ///
  /// - Returns: all waiters, in the order in which they came. Each is to try again: the first that still wants to takes the right, and
  ///   the others wait again.
  mutating func release() -> [() -> Void] {
    isHeld = false
    defer { waiters = [] }
    return waiters
  }
}

extension Server {
  /// Ends a rewrite and lets the next one begin, after what is being done.
  func endRewrite(of store: DatabaseStore?) {
    guard let store else { return }
    for retry in store.rewriting.release() { soon(retry) }
  }
}
