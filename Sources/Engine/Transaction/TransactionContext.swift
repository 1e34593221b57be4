// SPDX-License-Identifier: Apache-2.0
//
// What a transaction needs to know of the session that sent it, and what it tells back.

import OVSDB

/// The circumstances of one run of a transaction.
package struct TransactionContext {
  /// Writes are refused.
  package var isReadOnly: Bool
  /// Why, where there is more to say than that the server is in read-only mode.
  package var readOnlyReason: String?
  /// Nil: everything is allowed.
  package var role: AccessRole?
  /// Whether the session owns the lock of a name; for `assert`.
  package var ownsLock: (String) -> Bool
  /// Time since the request arrived, for `wait`.
  package var elapsedMilliseconds: Int64
  /// False for a tool without a server, where nobody can make a wait come true.
  package var canWait: Bool
  /// Work after which the transaction is given up with `.exceeded`, in units of `WorkUnits`.
  package var workMax = Int.max
  /// False: it is given up with `.exceeded` before it changes anything, because another one is under way.
  package var mayChange = true
  /// Which selects are left to the caller; nil: none.
  package var deferral: DeferralTerms?

  package init(
    isReadOnly: Bool = false, ownsLock: @escaping (String) -> Bool = { _ in false }, elapsedMilliseconds: Int64 = 0,
    canWait: Bool = true, readOnlyReason: String? = nil, deferral: DeferralTerms? = nil, role: AccessRole? = nil
  ) {
    self.isReadOnly = isReadOnly
    self.ownsLock = ownsLock
    self.elapsedMilliseconds = elapsedMilliseconds
    self.canWait = canWait
    self.readOnlyReason = readOnlyReason
    self.deferral = deferral
    self.role = role
  }
}

/// Which selects of a transaction are left to its caller.
package struct DeferralTerms: Sendable {
  /// Those with at least so many rows, and those that need a long look to find them.
  package var rowsMin: Int
  /// Those whose rows take more bytes than this.
  package var bytesMax: Int
  /// Of those that need arrangement: rows of all their tables.
  package var arrangedRowsMax: Int

  package init(rowsMin: Int, bytesMax: Int = .max, arrangedRowsMax: Int = .max) {
    self.rowsMin = rowsMin
    self.bytesMax = bytesMax
    self.arrangedRowsMax = arrangedRowsMax
  }

  /// Whether a select of a table's rows may be one of them.
  func concern(_ table: Table) -> Bool { table.rows.count >= rowsMin || table.byteCount > bytesMax }
}

/// What became of a transaction.
package enum Outcome {
  /// All operations succeeded. `commit` is nil when nothing changed; `isDurable` when it must be on stable storage before the reply.
  case committed(Commit?, isDurable: Bool)
  /// An error stands in the result array; nothing changed. `denial`: the words of a role's rules, if they refused it.
  case failed(denial: String?)
  /// It takes more work than `TransactionContext.workMax`, or would change what may not be changed at this moment; nothing of it is left.
  case exceeded
  /// A `wait` is not met: run the transaction again when a commit touches what it read, or after `timeoutMilliseconds` since the request.
  case blocked(timeoutMilliseconds: Int64?, reads: ReadSet)
}
