// SPDX-License-Identifier: Apache-2.0
//
// No transaction holds up the loop for long. One that takes more work than `Limits.transactionWorkMax` is given up and begun anew
// beside the loop, on a snapshot:
//
//     loop        begin ─┐              ┌─ one step: rows, monitors, reply
//     background         └─ run, write ─┘
//
// Transactions that change the same database wait in order meanwhile, each with its session; everything else goes on. The record of a
// large commit is written beside the loop, too, and its updates are made piece by piece, as those of a source's copy are.

import Engine
import JSON
import Journal
import NIOCore
import OVSDB
import Streams

extension Server {
  /// How many transactions that waited are run in a row.
  private static let waitingPerTurnMax = 64

  /// Has a transaction run when those before it have.
  func line(up transaction: LongTransaction) {
    let database = transaction.database
    if transaction.trigger == nil { transaction.session.longTransaction = transaction }
    transaction.trigger?.isLinedUp = true
    database.line.waiting.append(transaction)
    if database.line.running == nil, database.line.waiting.count == 1 { soon { [self] in runNext(in: database) } }
  }

  private func runNext(in database: ServedDatabase) {
    guard database.line.running == nil, let transaction = database.line.waiting.popFirst() else { return }
    database.line.running = transaction
    run(transaction)
  }

  /// Runs the next one, now and then after the sockets were looked at.
  private func leaveLine(_ transaction: LongTransaction) {
    let database = transaction.database
    transaction.trigger?.isLinedUp = false
    database.line.running = nil
    database.line.rowCount += 1
    let next = { [self] in runNext(in: database) }
    if database.line.rowCount.isMultiple(of: Self.waitingPerTurnMax) { after(.breath, next) } else { soon(next) }
  }

  private func run(_ transaction: LongTransaction) {
    closeSegment()
    guard isServed(transaction.database) else { return end(transaction, .canceled) }
    let execution = transaction.params.withValue { params in
      execute(
        params, in: transaction.database, for: transaction.session, elapsedMilliseconds: transaction.elapsedMilliseconds(on: self),
        from: .line)
    }
    switch consume execution {
    case .done(let result, let isDurable): end(transaction, .done(result, isDurable: isDurable))
    case .blocked(let timeout, let reads): block(transaction, timeout, reads, isChanged: false)
    case .exceeded: runBeside(transaction)
    }
  }

  private func isServed(_ database: ServedDatabase) -> Bool { databases[database.name] === database }

  // MARK: - Beside the loop

  private func runBeside(_ transaction: LongTransaction) {
    let (database, session) = (transaction.database, transaction.session)
    let owned = Set(locks.names(of: session).owned)
    let context = TransactionContext(
      isReadOnly: session.isReadOnly || database.isReadOnly, ownsLock: { owned.contains($0) },
      elapsedMilliseconds: transaction.elapsedMilliseconds(on: self), readOnlyReason: database.readOnlyReason,
      deferral: deferralTerms, role: session.role)
    let usesDifferences = database.store?.usesDifferences
    let wallMilliseconds = surroundings.wallMilliseconds
    let run = LongRun(transaction.params, on: database.database.snapshot, context: context, random: makeRandom()) { commit, record in
      guard let usesDifferences else { return false }
      return TransactionRecord.write(
        commit, dateMilliseconds: wallMilliseconds(), usesDifferences: usesDifferences, into: &record)
    }
    let rowsMax = limits.inlineRowsMax
    inBackground { run.execute(rowsMax: rowsMax) } then: { [self] in settle(transaction, run) }
  }

  private func settle(_ transaction: LongTransaction, _ run: LongRun) {
    closeSegment()
    let database = transaction.database
    guard isServed(database) else { return end(transaction, .canceled) }
    let isChanged = database.database.sequence != run.before.sequence || database.database.schema !== run.before.schema
    switch run.outcome {
    case .failed(let denial):
      if let denial { noteDenial(denial, of: transaction.session) }
      end(transaction, run, error: nil)
    case .committed(nil, _): end(transaction, run, error: nil)
    case .blocked(let timeout, let reads): block(transaction, timeout, reads, isChanged: isChanged)
    // There was no limit.
    case .exceeded: end(transaction, .canceled)
    case .committed(let commit?, _):
      // Somebody else has changed the database, such as a conversion: the transaction is run on what is there now.
      if isChanged { return runBeside(transaction) }
      if let trigger = transaction.trigger, !database.triggers.contains(trigger) { return end(transaction, run, error: nil) }
      if commit.rowCount <= limits.inlineRowsMax || database.store?.rewriting.isHeld == true {
        // A file that is being replaced gets the record like any other.
        end(transaction, run, error: make(commit, in: database))
      } else if run.hasRecord, let store = database.store {
        write(transaction, run, commit, to: store)
      } else {
        put(run, commit, in: database)
        end(transaction, run, error: nil)
      }
    }
  }

  /// Writes the record of a large commit, then puts its rows in place.
  private func write(_ transaction: LongTransaction, _ run: LongRun, _ commit: Commit, to store: DatabaseStore) {
    let appendix: LogAppendix
    do throws(LogError) {
      appendix = try store.beginAppendix()
    } catch {
      return end(transaction, run, error: error.object)
    }
    store.rewriting.take()
    inBackground {
      run.write(to: appendix)
    } then: { [self] written in
      closeSegment()
      let isKept = isServed(transaction.database)
      let error = store.endAppendix(written, isKept: isKept)
      guard isKept else { return end(transaction, .canceled) }
      if error == nil { put(run, commit, in: transaction.database) }
      endRewrite(of: store)
      end(transaction, run, error: error?.object)
    }
  }

  /// Makes rows that were made beside the loop those of the database, and has everybody sent what changed.
  private func put(_ run: LongRun, _ commit: Commit, in database: ServedDatabase) {
    guard let made = run.database else { return }
    let previousID = database.database.lastCommitID
    let remains = database.adopt(made, commit, keepsHistory: true)
    segments.add(commit, of: database.handle, previousID: previousID, isWritten: true)
    closeSegment()
    for session in sessions where session.isOwed { session.resume() }
    letGo(remains)
  }

  // MARK: - The end

  private func end(_ transaction: LongTransaction, _ run: LongRun, error: OVSDBError?) {
    guard var result = run.takeResult() else { return end(transaction, .canceled) }
    var isDurable = false
    if let error { result.append(error) } else if case .committed(_, let wanted) = run.outcome { isDurable = wanted }
    end(transaction, .done(result, isDurable: isDurable))
    letGo(Remains(run.takeRemains()))
  }

  /// Has the reply sent as soon as the client takes it, and the next transaction run.
  private func end(_ transaction: LongTransaction, _ ending: consuming LongTransaction.Ending) {
    transaction.end(ending)
    leaveLine(transaction)
    let session = transaction.session
    if let trigger = transaction.trigger {
      // Who cancelled it has been told.
      guard transaction.database.triggers.contains(trigger) else { return }
      remove(trigger)
    } else {
      session.longTransaction = nil
    }
    session.owe(transaction)
  }

  /// - Parameter isChanged: the database is not what the transaction has seen.
  private func block(_ transaction: LongTransaction, _ timeout: Int64?, _ reads: ReadSet, isChanged: Bool) {
    if let trigger = transaction.trigger {
      leaveLine(transaction)
      if let timeout { scheduleTimeout(of: trigger, timeout) }
      noteBlocked(trigger, reads, isChanged: isChanged)
      return runDueTriggers()
    }
    let session = transaction.session
    guard !session.isClosed else { return leaveLine(transaction) }
    do throws(OVSDBError) {
      let trigger = try session.block(
        transaction.database, id: transaction.key, params: transaction.params.detached, arrival: transaction.arrival, timeout, reads)
      leaveLine(transaction)
      session.longTransaction = nil
      if isChanged { wake(trigger.group) }
      session.resume()
      runDueTriggers()
    } catch {
      end(transaction, .failed(error))
    }
  }
}

extension LongTransaction {
  func elapsedMilliseconds(on server: Server) -> Int64 { (server.eventLoop.now - arrival).nanoseconds / 1_000_000 }
}

extension Session {
  /// Notes a reply that leaves as soon as the client takes it.
  func owe(_ transaction: LongTransaction) {
    guard !isClosed else { return }
    owedReplies.append(transaction)
    hasPostponed = true
    isStalled = true
    resume()
  }

  /// Sends replies that are owed, behind all updates.
  func sendOwedReplies() {
    while !isClogged, let transaction = owedReplies.popFirst() {
      // Its commit is not taken back, so the reply must not be either.
      server.closeSegment()
      switch transaction.takeEnding() ?? .canceled {
      case .done(let result, let isDurable):
        replyToTransact(idText: transaction.id, result, database: transaction.database, isDurable: isDurable)
      case .failed(let error): replyError(idText: transaction.id) { error.write(to: &$0) }
      case .canceled: replyError(idText: transaction.id) { $0.append("\"canceled\"") }
      }
      server.closeSegment()
    }
  }
}
