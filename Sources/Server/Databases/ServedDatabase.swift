// SPDX-License-Identifier: Apache-2.0
//
// A database with all that serving it takes: its log, its monitors, its recent history, the transactions that wait on it.

import Daemon
import Engine
import JSON
import Journal
import Logging
import Monitoring
import NIOCore
import NIOPosix
import OVSDB
import Serving

/// One database of the server.
final class ServedDatabase {
  /// What the server knows it by; of nothing before it is served.
  var handle = DatabaseHandle.none
  private(set) var database: Database
  private(set) var hub: MonitorHub
  private(set) var history: History
  /// Nil for a database that lives in memory only.
  let store: DatabaseStore?
  /// Clients may not write, whatever their remote allows.
  private let isFixed: Bool
  /// The database follows another server's (Backup.swift).
  var isBackup = false
  var isReadOnly: Bool { isFixed || isBackup }
  /// What the database is a copy of, when it is served as a relay.
  var relay: Relay?
  /// What clients that write are told in the place of the usual words.
  let readOnlyReason: String?
  /// How long opening its file took; for the log.
  let openingMilliseconds: Int64
  /// Whether its file system has room (SpaceWatch.swift).
  var space = SpaceWatch()
  var triggers = TriggerQueue()
  /// Transactions that take long, and those behind them.
  var line = LongTransactionLine()
  /// Commits for a conversion that goes on beside them; nil when there is none.
  var followed: [Commit]?
  /// Initial contents that are being encoded or were a moment ago.
  var contents: [ContentsKey: ContentsLine] = [:]
  /// Large updates, likewise.
  var updates: [LargeUpdate.Key: SharedPieces] = [:]
  /// Tables whose changes an operator wants to see in the log.
  var tableLog = TableLog()

  /// Durable commits wait for a sync of at least this number.
  private var wantedSync: UInt64 = 0
  private var runningSync: UInt64?
  private(set) var syncedNumber: UInt64 = 0
  private var syncWaiters: [Session] = []
  /// Syncs wait for the swap of the file.
  private var areSyncsHeld = false
  private var isNameCheckScheduled = false
  /// Runs as soon as syncs are held and none is running.
  private var whenSyncsAreHeld: (() -> Void)?
  /// A sync failed. `isRewriting`: the file is being replaced for that; otherwise durable commits fail at once, until the next try.
  private var healing: (isRewriting: Bool, failure: LogError)?
  private unowned let server: Server
  /// Waits for the disk. Each database has its own: a slow disk holds up nobody else.
  let syncing: Lane

  var name: String { database.schema.name }

  init(
    database: Database, store: DatabaseStore?, isReadOnly: Bool, readOnlyReason: String? = nil, openingMilliseconds: Int64 = 0,
    server: Server
  ) {
    self.database = database
    self.store = store
    isFixed = isReadOnly
    self.readOnlyReason = readOnlyReason
    self.openingMilliseconds = openingMilliseconds
    self.server = server
    syncing = Lane(name: "sync \(database.schema.name)", threadsMax: 1)
    hub = MonitorHub(schema: database.schema)
    hub.inlineRowsMax = server.limits.inlineRowsMax
    hub.inlineBytesMax = server.limits.pieceBytes
    history = History(baseID: database.lastCommitID, bytesMax: server.limits.historyBytesMax)
  }

  deinit { syncing.end() }

  // MARK: - Commits

  /// Frames a commit's record.
  ///
  /// - Returns: whether there is something to write.
  func appendToLog(_ commit: Commit) -> Bool {
    store?.append(commit) ?? false
  }

  /// Writes the framed records, which are to be kept or cut off then.
  ///
  /// - Returns: why they are not with the kernel, which the store logs.
  func writeLog() -> OVSDBError? {
    do {
      try store?.write()
      return nil
    } catch {
      return error.object
    }
  }

  func keepLog() {
    store?.keepWritten()
    scheduleNameCheck()
  }

  func cutLog() { store?.cutWritten() }

  func discardLog() { store?.discardPending() }

  /// Tells a commit to those who monitor it, and remembers it.
  func publish(_ commit: Commit) {
    history.append(commit, databaseBytes: database.byteCount)
    followed?.append(commit)
    hub.publish(commit, snapshot: { [database] in database.snapshot })
    server.checkPlaces(of: self)
    server.remotes.databaseChanged(self)
    server.tlsColumns?.databaseChanged(self)
  }

  /// Takes over what was made of the database elsewhere: so many changes that nobody is told of them one by one.
  ///
  /// - Parameter keepsHistory: whether those who know an earlier state are told the difference; else everything anew, which is not much
  ///   more when nearly everything has changed.
  /// - Returns: what was there before.
  func adopt(_ made: Database, _ commit: Commit, keepsHistory: Bool = false) -> Remains {
    precondition(followed == nil, "nothing else replaces the database meanwhile")
    let before = database.snapshot
    let tables = database.adopt(made)
    let old = keepsHistory ? nil : history
    if keepsHistory {
      history.append(commit, databaseBytes: database.byteCount)
    } else {
      history = History(baseID: commit.id, bytesMax: server.limits.historyBytesMax)
    }
    hub.publishLarge(commit, before: before)
    server.checkPlaces(of: self)
    server.remotes.databaseChanged(self)
    server.tlsColumns?.databaseChanged(self)
    return Remains((tables, old as Any, before), tables: before.tables)
  }

  /// Takes back the last commit, which was published to sessions whose output is taken back as well.
  func undo(_ commit: Commit, previousID: UUID) {
    database.undo(commit, previousID: previousID)
    history.remove(commit, previousID: previousID)
    if followed?.isEmpty == false { followed?.removeLast() }
  }

  /// Takes back a commit nobody has heard of.
  func takeBackUnpublished(_ commit: Commit, previousID: UUID) {
    discardLog()
    database.undo(commit, previousID: previousID)
  }

  // MARK: - Durability

  /// Asks for a sync that covers what the open segment writes.
  ///
  /// - Returns: the number of the sync that the reply has to wait for; nil when there is nothing to sync.
  func requestSync() -> UInt64? {
    guard store != nil else { return nil }
    wantedSync = (runningSync ?? syncedNumber) + 1
    return wantedSync
  }

  /// Starts the sync, or lets the session wait for the next one: one sync serves all who wait.
  func whenSynced(_ number: UInt64, session: Session) {
    if number <= syncedNumber { return server.soon { session.synced(self) } }
    if let healing, !healing.isRewriting { return server.soon { [self] in fail([session], healing.failure) } }
    if !syncWaiters.contains(where: { $0 === session }) { syncWaiters.append(session) }
    startSync()
  }

  private func startSync() {
    guard !areSyncsHeld, healing == nil, runningSync == nil, wantedSync > syncedNumber, let target = store?.syncTarget
    else { return }
    let number = wantedSync
    runningSync = number
    server.inBackground(on: syncing) {
      target.result()
    } then: { [self] failure in
      runningSync = nil
      if let failure { syncFailed(failure) } else { finishSync(number) }
      whenSyncsAreHeld.take()?()
    }
  }

  private func finishSync(_ number: UInt64) {
    syncedNumber = number
    let waiters = syncWaiters
    syncWaiters = []
    for session in waiters { session.synced(self) }
    for session in waiters where session.waits(for: self) && !syncWaiters.contains(where: { $0 === session }) {
      syncWaiters.append(session)
    }
    startSync()
  }

  func forget(_ session: Session) { syncWaiters.removeAll { $0 === session } }

  /// Starts no more syncs, and runs `body` when the last one is over.
  func holdSyncs(_ body: @escaping () -> Void) {
    precondition(whenSyncsAreHeld == nil, "\(name): two rewrites hold its syncs")
    areSyncsHeld = true
    if runningSync == nil { body() } else { whenSyncsAreHeld = body }
  }

  func releaseSyncs() {
    areSyncsHeld = false
    if let failure = store?.log.syncFailure { return syncFailed(failure) }
    // Whatever replaced the file has made up for the failure.
    if healing?.isRewriting == false { healing = nil }
    startSync()
  }

  /// At most one look at the file's name a second, on the thread that syncs, and only where something is written.
  private func scheduleNameCheck() {
    guard store != nil, !isNameCheckScheduled else { return }
    isNameCheckScheduled = true
    server.after(Self.nameCheckInterval) { [weak self] in
      guard let self else { return }
      isNameCheckScheduled = false
      checkName()
    }
  }

  private static let nameCheckInterval = TimeAmount.seconds(1)

  /// False once it is removed: what becomes of its file is no business of the server any more.
  private var isServed: Bool { server.databases[name] === self }

  private func checkName() {
    guard isServed, !areSyncsHeld, healing == nil, let target = store?.syncTarget else { return }
    server.inBackground(on: syncing) {
      target.nameFailure()
    } then: { [self] _ in
      // The file may have been replaced meanwhile, and what was found with it.
      if isServed, !areSyncsHeld, let failure = store?.log.syncFailure { syncFailed(failure) }
    }
  }

  // MARK: - A sync that failed

  /// What was asked to be durable may not be. Those who wait go on waiting while everything is written into another file, and learn
  /// of the failure when that fails as well.
  private func syncFailed(_ failure: LogError) {
    guard healing == nil else { return }
    server.log.error("\(failure); commits are refused until the database is in a new file")
    healing = (true, failure)
    server.heal(self)
  }

  func beginHealing() { healing?.isRewriting = true }

  /// - Parameter failure: nil when everything is on stable storage.
  func endHealing(_ failure: LogError?) {
    guard let present = healing else { return }
    guard failure != nil else {
      healing = nil
      return startSync()
    }
    healing?.isRewriting = false
    let waiters = syncWaiters
    syncWaiters = []
    syncedNumber = wantedSync
    fail(waiters, present.failure)
  }

  private func fail(_ sessions: [Session], _ failure: LogError) {
    var error = failure.object
    error.details = "\(error.details ?? "fsync failed"); the transaction is made, but may not survive a loss of power"
    syncedNumber = max(syncedNumber, wantedSync)
    for session in sessions { session.syncFailed(self, error) }
  }

  // MARK: - Conversion

  /// Puts a converted database in the place of this one.
  ///
  /// - Returns: what was there before.
  func replace(with converted: Database) -> Remains {
    server.beginAllContents(of: self)
    let remains = Remains((database, history), tables: database.tables)
    database = converted
    hub = MonitorHub(schema: converted.schema)
    hub.inlineRowsMax = server.limits.inlineRowsMax
    hub.inlineBytesMax = server.limits.pieceBytes
    history = History(baseID: converted.lastCommitID, bytesMax: server.limits.historyBytesMax)
    tableLog = TableLog()
    return remains
  }
}
