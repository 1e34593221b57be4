// SPDX-License-Identifier: Apache-2.0
//
// A run of a transaction and what it returns.

import Engine
import JSON
import Logging
import OVSDB

/// The result array of a transaction.
struct TransactionResult: ~Copyable {
  var bytes: ByteWriter
  /// Selects whose rows belong into the array, in order; they are written while the reply is sent.
  var deferred: [DeferredRows] = []
}

/// What became of a run of a transaction.
enum Execution: ~Copyable {
  case done(TransactionResult, isDurable: Bool)
  case blocked(timeoutMilliseconds: Int64?, tables: ColumnSet)
}

/// Memory of results that were copied into their replies, for the next one.
struct ResultMemory: ~Copyable {
  /// A larger result gives its memory back.
  private static let retainedBytesMax = 1 << 20
  private static let bytesMin = 64 * 1024

  private var spare: ByteWriter?

  mutating func makeResult() -> TransactionResult {
    TransactionResult(bytes: spare.take() ?? ByteWriter(capacity: Self.bytesMin))
  }

  mutating func reuse(_ result: consuming TransactionResult) {
    var bytes = result.bytes
    guard bytes.count <= Self.retainedBytesMax else { return }
    bytes.removeAll()
    spare = consume bytes
  }
}

extension Server {
  /// Runs a transaction.
  ///
  /// - Parameter alone: see `record`.
  func execute(
    _ params: JSONValue, in database: ServedDatabase, for session: Session, elapsedMilliseconds: Int64, alone: Bool = false
  ) -> Execution {
    var result = resultMemory.makeResult()
    let previousID = database.database.lastCommitID
    let context = TransactionContext(
      isReadOnly: session.isReadOnly || database.isReadOnly, ownsLock: session.ownsLock,
      elapsedMilliseconds: elapsedMilliseconds, readOnlyReason: database.readOnlyReason,
      deferral: DeferralTerms(rowsMin: limits.inlineRowsMax, arrangedRowsMax: limits.arrangedRowsMax - rowArranger.rowCount),
      role: session.role)
    let outcome = database.database.transact(
      params: params, context: context, into: &result.bytes, deferring: &result.deferred)
    switch outcome {
    case .failed:
      if let role = session.role { noteMissing(role, in: database) }
      return .done(result, isDurable: false)
    case .blocked(let timeout, let tables):
      resultMemory.reuse(result)
      return .blocked(timeoutMilliseconds: timeout, tables: tables)
    case .committed(let commit, let isDurable):
      if let commit, let error = record(commit, in: database, previousID: previousID, alone: alone) {
        result.bytes.truncate(to: result.bytes.count - 1)
        if result.bytes.count > 1 { result.bytes.append(",") }
        error.write(to: &result.bytes)
        result.bytes.append("]")
        return .done(result, isDurable: false)
      }
      return .done(result, isDurable: isDurable)
    }
  }

  /// Looks whether the rules allow what a relay is to pass on; its source sees the relay and not the relay's client.
  ///
  /// - Returns: nil when they do, else the result array that says why not.
  func refusalToForward(
    _ params: JSONValue, in database: ServedDatabase, for session: Session, as role: AccessRole
  ) -> TransactionResult? {
    var result = resultMemory.makeResult()
    let context = TransactionContext(ownsLock: session.ownsLock, role: role)
    let isAllowed = database.database.rehearse(
      params: params, context: context, blocked: role.refusal("waiting in a transaction that writes through a relay."),
      into: &result.bytes)
    if isAllowed {
      resultMemory.reuse(result)
      return nil
    }
    noteMissing(role, in: database)
    return result
  }

  /// A role that no row defines is likely a mistake, and the errors do not show it.
  private func noteMissing(_ role: AccessRole, in database: ServedDatabase) {
    let schema = database.database.schema
    guard schema.table(named: "RBAC_Role") != nil, !database.database.hasRole(role.name) else { return }
    Self.accessLog.info(
      "rbac: role \"\(role.name)\" not found in rbac roles table", metadata: ["rate-limit": "role"])
  }

  private static let accessLog = Logger(label: "ovsdb_rbac")
}
