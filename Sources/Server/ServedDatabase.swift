// SPDX-License-Identifier: Apache-2.0
//
// A database with all that serving it takes: its log, its monitors, its recent history, the transactions that wait on it.

import Engine
import JSON
import Journal
import Logging
import Monitoring
import NIOCore
import NIOPosix
import OVSDB

/// One database of the server.
final class ServedDatabase {
  private(set) var database: Database
  private(set) var hub: MonitorHub
  private(set) var history: History
  /// Nil for a database that lives in memory only.
  let store: DatabaseStore?
  /// Clients may not write, whatever their remote allows.
  let isReadOnly: Bool
  var triggers: [Trigger] = []
  /// Initial contents that are being encoded or were a moment ago.
  var dumps: [DumpKey: InitialDump] = [:]
  private var atomCount: Int

  /// Durable commits wait for a sync of at least this number.
  private var wantedSync: UInt64 = 0
  private var runningSync: UInt64?
  private(set) var syncedNumber: UInt64 = 0
  private var syncWaiters: [Session] = []
  private unowned let server: Server

  var name: String { database.schema.name }

  init(database: Database, store: DatabaseStore?, isReadOnly: Bool, server: Server) {
    self.database = database
    self.store = store
    self.isReadOnly = isReadOnly
    self.server = server
    hub = MonitorHub(schema: database.schema)
    history = History(baseID: database.lastCommitID)
    atomCount = database.atomCount
  }

  /// Atoms in all tables, for the memory report.
  var atoms: Int { atomCount }

  // MARK: - Commits

  /// Frames a commit's record.
  ///
  /// - Returns: whether there is something to write.
  func appendToLog(_ commit: Commit) -> Bool {
    store?.append(commit) ?? false
  }

  /// - Returns: whether the records are with the kernel; the reason is logged when they are not.
  func writeLog() -> Bool { writeLogNow() == nil }

  func writeLogNow() -> OVSDBError? {
    do {
      try store?.flush()
      return nil
    } catch {
      server.log.error("\(name): \(error)")
      return error.object
    }
  }

  func discardLog() { store?.discardPending() }

  /// Tells a commit to those who monitor it, and remembers it.
  func publish(_ commit: Commit) {
    atomCount += commit.atomGrowth
    history.append(commit, databaseAtoms: atomCount)
    hub.publish(commit)
    server.remotes.databaseChanged(self)
  }

  /// Takes back the last commit, which was published to sessions whose output is taken back as well.
  func undo(_ commit: Commit, previousID: UUID) {
    database.undo(commit, previousID: previousID)
    atomCount -= commit.atomGrowth
    history.removeLast()
    hub.retract(commit, previousID: previousID)
  }

  /// Takes back a commit nobody has heard of.
  func takeBackUnpublished(_ commit: Commit, previousID: UUID) {
    discardLog()
    database.undo(commit, previousID: previousID)
  }

  // MARK: - Durability

  /// Asks for a sync that covers what the open segment writes.
  ///
  /// - Returns: what the reply has to wait for; nil when there is nothing to sync.
  func requestSync() -> (database: ServedDatabase, number: UInt64)? {
    guard store != nil else { return nil }
    wantedSync = (runningSync ?? syncedNumber) + 1
    return (self, wantedSync)
  }

  /// Starts the sync, or lets the session wait for the next one: one sync serves all who wait.
  func whenSynced(_ number: UInt64, session: Session) {
    if number <= syncedNumber { return server.soon { session.synced(self) } }
    if !syncWaiters.contains(where: { $0 === session }) { syncWaiters.append(session) }
    startSync()
  }

  private func startSync() {
    guard runningSync == nil, wantedSync > syncedNumber, let target = store?.syncTarget else { return }
    let number = wantedSync
    runningSync = number
    server.inBackground { () -> LogError? in
      do throws(LogError) {
        try target.sync()
        return nil
      } catch {
        return error
      }
    } then: { [self] failure in
      runningSync = nil
      finishSync(number, failure)
    }
  }

  private func finishSync(_ number: UInt64, _ failure: LogError?) {
    syncedNumber = number
    let waiters = syncWaiters
    syncWaiters = []
    if let failure {
      // What was asked to be durable may not be: a reply would be a lie, so those clients are told by losing the connection.
      server.log.error("\(name): \(failure)")
      store?.noteFailedSync(failure)
      for session in waiters { session.close(discardingOutput: true) }
      return
    }
    for session in waiters { session.synced(self) }
    for session in waiters where session.waits(for: self) && !syncWaiters.contains(where: { $0 === session }) {
      syncWaiters.append(session)
    }
    startSync()
  }

  func forget(_ session: Session) { syncWaiters.removeAll { $0 === session } }

  // MARK: - Conversion

  /// Puts a converted database in the place of this one.
  func replace(with converted: Database) {
    database = converted
    hub = MonitorHub(schema: converted.schema)
    history = History(baseID: converted.lastCommitID)
    atomCount = converted.atomCount
    dumps = [:]
  }
}
