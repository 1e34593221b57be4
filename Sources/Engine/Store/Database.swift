// SPDX-License-Identifier: Apache-2.0
//
// One database: a schema and its tables. It runs transactions (Transaction.swift) and applies or takes back their commits; it
// knows neither files nor clients.

import HashTreeCollections
import JSON
import OVSDB

/// The contents of a database at one moment. Taking it costs nothing and blocks nobody; it may be read on any thread.
package struct Snapshot: Sendable {
  package let schema: DatabaseSchema
  package let tables: [Table]
  /// The last commit it contains.
  package let sequence: UInt64

  package init(schema: DatabaseSchema, tables: [Table], sequence: UInt64) {
    self.schema = schema
    self.tables = tables
    self.sequence = sequence
  }

  /// Memory of the rows and of the maps that find them, in bytes.
  package var byteCount: Int { tables.reduce(0) { $0 + $1.byteCount } }
}

/// A database in memory. It has one owner: everything that touches it runs on one event loop.
package final class Database {
  package private(set) var schema: DatabaseSchema
  package private(set) var tables: [Table]
  /// The number of the last commit.
  package private(set) var sequence: UInt64 = 0
  /// The id of the last commit; a random one stands for the state a database had when it was opened.
  package private(set) var lastCommitID: UUID
  var random: RandomSource
  /// Work that transactions have done here, in units of `WorkUnits`.
  package private(set) var workDone = 0
  /// Names of the transaction that is being run; kept for the next one, as most transactions name nothing.
  private(set) lazy var symbols = SymbolTable { [unowned self] in makeUUID() }
  package init(schema: DatabaseSchema, random: RandomSource = RandomSource()) {
    self.schema = schema
    self.random = random
    tables = schema.tables.map { Table(schema: $0) }
    lastCommitID = .zero
    lastCommitID = UUID.random(using: &self.random)
  }

  /// A database with contents, from a `DatabaseBuilder`.
  init(schema: DatabaseSchema, tables: [Table], random: RandomSource) {
    self.schema = schema
    self.random = random
    self.tables = tables
    lastCommitID = .zero
    lastCommitID = UUID.random(using: &self.random)
  }

  /// A database of its own that begins as another one was at some moment.
  package convenience init(_ snapshot: Snapshot, random: RandomSource = RandomSource()) {
    self.init(schema: snapshot.schema, tables: snapshot.tables, random: random)
    sequence = snapshot.sequence
  }

  /// Becomes, in one step, what another one is that began as this one is now.
  ///
  /// - Returns: what was here before, the release of which may take long.
  package func adopt(_ other: Database) -> [Table] {
    precondition(other.schema === schema && other.sequence >= sequence, "a database adopts what began as itself")
    let before = tables
    tables = other.tables
    sequence = other.sequence
    lastCommitID = other.lastCommitID
    return before
  }

  package var snapshot: Snapshot { Snapshot(schema: schema, tables: tables, sequence: sequence) }

  package func makeUUID() -> UUID { UUID.random(using: &random) }

  /// Runs the operations of a `transact` request and commits them when they all succeed.
  ///
  /// - Parameters:
  ///   - params: `[<db-name>, <operation>...]`; the name is passed over.
  ///   - writer: receives the result array; after `.blocked` it is as it was.
  ///   - deferred: receives the selects that are left to the caller to write (`TransactionContext.deferral`), in the order of the result;
  ///     after `.blocked` it is as it was.
  /// - Returns: what became of the transaction. A commit is applied already; `undo` takes it back.
  package func transact(
    params: JSONValue, context: borrowing TransactionContext, into writer: inout ByteWriter,
    deferring deferred: inout [DeferredRows]
  ) -> Outcome {
    var transaction = Transaction(database: self)
    let outcome = transaction.run(params: params, context: context, into: &writer)
    workDone &+= transaction.work
    switch outcome {
    case .blocked, .exceeded: return outcome
    case .committed, .failed: break
    }
    if !transaction.deferred.isEmpty { deferred += transaction.deferred }
    return outcome
  }

  /// The same for a caller that has no select left to it: the context has no `deferral`.
  package func transact(
    params: JSONValue, context: borrowing TransactionContext, into writer: inout ByteWriter
  ) -> Outcome {
    var deferred: [DeferredRows] = []
    precondition(context.deferral == nil, "selects are left to a caller that does not take them")
    return transact(params: params, context: context, into: &writer, deferring: &deferred)
  }

  /// Runs the operations and forgets what they did: what another server is to carry out is held to the rules of a role here.
  ///
  /// - Returns: `committed` when all succeeded, else `failed`; `writer` has the result array. A `wait` that is not met yet leaves what
  ///   follows unseen, so it counts as failed, with `blocked` in the place of the results.
  package func rehearse(
    params: JSONValue, context: borrowing TransactionContext, blocked: OVSDBError, into writer: inout ByteWriter
  ) -> Outcome {
    var transaction = Transaction(database: self)
    transaction.isRehearsal = true
    let outcome = transaction.run(params: params, context: context, into: &writer)
    switch outcome {
    case .committed, .failed: return outcome
    case .exceeded: return .failed(denial: nil)
    case .blocked:
      writer.append("[")
      blocked.write(to: &writer)
      writer.append("]")
      return .failed(denial: blocked.details)
    }
  }

  /// The number and id that the next commit shall have.
  func nextCommitIdentity() -> (UInt64, UUID) { (sequence + 1, makeUUID()) }

  /// Makes a commit's changes.
  package func apply(_ commit: Commit) {
    for table in commit.tables {
      for change in table.rows { tables[table.table.index].replace(change.old, with: change.new, uuid: change.uuid) }
    }
    for delta in commit.strongDeltas { tables[delta.tableIndex].addStrongReferences(delta.delta, to: delta.uuid) }
    for delta in commit.weakDeltas { change(delta, isAdded: delta.isAdded) }
    sequence = commit.sequence
    lastCommitID = commit.id
  }

  /// Takes back the last commit, whose record could not be written.
  ///
  /// - Parameter previousID: what `lastCommitID` was before it.
  package func undo(_ commit: Commit, previousID: UUID) {
    precondition(commit.sequence == sequence, "only the last commit can be taken back")
    for delta in commit.weakDeltas.reversed() { change(delta, isAdded: !delta.isAdded) }
    for delta in commit.strongDeltas { tables[delta.tableIndex].addStrongReferences(-delta.delta, to: delta.uuid) }
    for table in commit.tables.reversed() {
      for change in table.rows.reversed() {
        tables[table.table.index].replace(change.new, with: change.old, uuid: change.uuid)
      }
    }
    sequence -= 1
    lastCommitID = previousID
  }

  private func change(_ delta: WeakDelta, isAdded: Bool) {
    if isAdded {
      tables[delta.targetTable].addWeakReferrer(delta.referrer, to: delta.target)
    } else {
      tables[delta.targetTable].removeWeakReferrer(delta.referrer, from: delta.target)
    }
  }

  /// Atoms in all rows.
  package var atomCount: Int {
    tables.reduce(0) { $0 + $1.atomCount }
  }

  /// Memory of all rows and of what finds them, in bytes.
  package var byteCount: Int { tables.reduce(0) { $0 + $1.byteCount } }
}
