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

  /// Puts an error behind the results.
  mutating func append(_ error: OVSDBError) {
    bytes.truncate(to: bytes.count - 1)
    if bytes.count > 1 { bytes.append(",") }
    error.write(to: &bytes)
    bytes.append("]")
  }
}

/// Where a transaction comes from.
enum ExecutionOrigin {
  /// The input of its session, which it can be executed from again.
  case request
  /// It was blocked.
  case trigger
  /// The line of those that come behind a long one.
  case line
}

/// What became of a run of a transaction.
enum Execution: ~Copyable {
  case done(TransactionResult, isDurable: Bool)
  case blocked(timeoutMilliseconds: Int64?, reads: ReadSet)
  /// It takes too long for the loop, or comes behind one that does (LongTransaction.swift).
  case exceeded
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
  /// Which selects are left to be written while the reply is sent.
  var deferralTerms: DeferralTerms {
    DeferralTerms(
      rowsMin: limits.inlineRowsMax, bytesMax: limits.inlineBytesMax, arrangedRowsMax: limits.arrangedRowsMax - rowArranger.rowCount)
  }

  /// Runs a transaction.
  func execute(
    _ params: JSONValue, in database: ServedDatabase, for session: Session, elapsedMilliseconds: Int64, from origin: ExecutionOrigin
  ) -> Execution {
    var result = resultMemory.makeResult()
    let previousID = database.database.lastCommitID
    var context = TransactionContext(
      isReadOnly: session.isReadOnly || database.isReadOnly, ownsLock: session.ownsLock,
      elapsedMilliseconds: elapsedMilliseconds, readOnlyReason: database.readOnlyReason,
      deferral: deferralTerms, role: session.role)
    context.workMax = limits.transactionWorkMax
    context.mayChange = origin == .line || !database.line.isBusy
    let outcome = database.database.transact(
      params: params, context: context, into: &result.bytes, deferring: &result.deferred)
    switch outcome {
    case .failed(let denial):
      if let role = session.role { noteMissing(role, in: database) }
      if let denial { noteDenial(denial, of: session) }
      return .done(result, isDurable: false)
    case .blocked(let timeout, let reads):
      resultMemory.reuse(result)
      return .blocked(timeoutMilliseconds: timeout, reads: reads)
    case .exceeded:
      resultMemory.reuse(result)
      return .exceeded
    case .committed(let commit, let isDurable):
      if let commit, let error = record(commit, in: database, previousID: previousID, alone: origin != .request) {
        result.append(error)
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
    let outcome = database.database.rehearse(
      params: params, context: context, blocked: role.refusal("waiting in a transaction that writes through a relay."),
      into: &result.bytes)
    guard case .failed(let denial) = outcome else {
      resultMemory.reuse(result)
      return nil
    }
    if let denial { noteDenial(denial, of: session) }
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

  /// Logs whom the rules refuse what: a client that is wrongly configured tries again and again, and may not show its errors.
  func noteDenial(_ words: String, of session: Session) {
    Self.accessLog.warning("\(session.connection.name): \(words)", metadata: ["rate-limit": "denied"])
  }

  private static let accessLog = Logger(label: "ovsdb_rbac")
}
