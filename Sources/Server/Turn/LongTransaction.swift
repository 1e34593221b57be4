// SPDX-License-Identifier: Apache-2.0
//
// A transaction that would hold up the loop, or that comes behind one that does. It is run on a snapshot beside the loop; what it makes
// becomes the database's contents in one step (Server+LongTransactions.swift).

import DequeModule
import Engine
import JSON
import Journal
import NIOCore
import OVSDB

/// A transaction that is not run in the turn in which it came.
final class LongTransaction {
  let session: Session
  let database: ServedDatabase
  /// The request's id as JSON text.
  let id: String
  /// The same in normal form.
  let key: String
  /// The request's params.
  let params: LongParams
  let arrival: NIODeadline
  /// The blocked transaction that is run again; nil for a request whose session waits for the reply.
  let trigger: Trigger?
  /// Memory of the request, in bytes.
  let bytes: Int
  /// The reply, once there is one.
  fileprivate(set) var ending: Ending?

  /// How it ended.
  enum Ending: ~Copyable {
    case done(TransactionResult, isDurable: Bool)
    case failed(OVSDBError)
    /// The database is gone.
    case canceled
  }

  init(
    session: Session, database: ServedDatabase, id: String, key: String, params: LongParams, arrival: NIODeadline, trigger: Trigger? = nil,
    bytes: Int = 0
  ) {
    self.session = session
    self.database = database
    self.id = id
    self.key = key
    self.params = params
    self.arrival = arrival
    self.trigger = trigger
    self.bytes = bytes
  }

  func end(_ ending: consuming Ending) { self.ending = .some(ending) }

  func takeEnding() -> Ending? { ending.take() }
}

/// The params of a request, with the memory they are in.
enum LongParams: Sendable {
  case message(JSONDocument)
  case params(JSONDocument)

  func withValue<Result: ~Copyable>(_ body: (JSONValue) -> Result) -> Result {
    switch self {
    case .params(let document): document.withRoot(body)
    case .message(let document): document.withRoot { body($0.member("params") ?? $0) }
    }
  }

  /// Params that are kept with nothing else.
  var detached: JSONDocument {
    switch self {
    case .params(let document): document
    case .message: withValue { $0.detached() }
    }
  }
}

/// The long transactions of one database, and those that come behind them, in the order in which they came.
struct LongTransactionLine {
  var running: LongTransaction?
  var waiting: Deque<LongTransaction> = []
  /// Transactions that were run in a row.
  var rowCount = 0

  /// Whether what changes the database has to wait.
  var isBusy: Bool { running != nil || !waiting.isEmpty }
}

/// What is done beside the loop.
///
/// `@unchecked Sendable`: the loop makes it, one thread at a time works with it, and the loop gets it back.
final class LongRun: @unchecked Sendable {
  private let params: LongParams
  private let context: TransactionContext
  /// Encodes a commit's record.
  private let write: @Sendable (Commit, inout ByteWriter) -> Bool
  /// The snapshot that it began with, and the database that it makes of it.
  let before: Snapshot
  private(set) var database: Database?
  private(set) var outcome = Outcome.failed(denial: nil)
  private(set) var result: TransactionResult?
  private var record = ByteWriter()
  private(set) var hasRecord = false

  init(
    _ params: LongParams, on snapshot: Snapshot, context: TransactionContext, random: RandomSource,
    write: @escaping @Sendable (Commit, inout ByteWriter) -> Bool
  ) {
    self.params = params
    self.context = context
    self.write = write
    before = snapshot
    database = Database(snapshot, random: random)
  }

  /// Runs the transaction, and makes the record of a commit of more than `rowsMax` rows.
  func execute(rowsMax: Int) {
    guard let database else { return }
    var result = TransactionResult(bytes: ByteWriter(capacity: 4096))
    outcome = params.withValue {
      database.transact(params: $0, context: context, into: &result.bytes, deferring: &result.deferred)
    }
    self.result = .some(result)
    if let commit, commit.rowCount > rowsMax { hasRecord = write(commit, &record) }
  }

  func write(to appendix: LogAppendix) -> Result<Int, LogError> {
    do throws(LogError) {
      return .success(try appendix.write(record))
    } catch {
      return .failure(error)
    }
  }

  var commit: Commit? {
    if case .committed(let commit, _) = outcome { commit } else { nil }
  }

  func takeResult() -> TransactionResult? { result.take() }

  /// Takes out what is large, to be let go of elsewhere.
  func takeRemains() -> Any {
    defer {
      database = nil
      record = ByteWriter()
      outcome = .failed(denial: nil)
    }
    return (database, outcome)
  }
}

extension Commit {
  var rowCount: Int { tables.reduce(0) { $0 + $1.rows.count } }
}
