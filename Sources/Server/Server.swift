// SPDX-License-Identifier: Apache-2.0
//
// The server: its databases, sessions and locks, on one event loop. What clients ask is answered in Session+Dispatch.swift, when it is
// done stands in Turn.swift, what is done with the log in Server+Segments.swift, where clients come from in RemoteManager.swift.

import DequeModule
import Engine
import Glibc
import JSON
import JSONRPC
import Logging
import NIOCore
import OVSDB
import Serving

/// An OVSDB server. Everything it owns is touched on its event loop only.
package final class Server {
  package let eventLoop: any EventLoop
  let group: any EventLoopGroup
  /// Where relative socket paths lie.
  let rundir: String
  /// Told by `get_server_id`; random for each start.
  let id: UUID
  /// What befalls sessions and remotes.
  let log = Logger(label: "ovsdb_jsonrpc_server")
  /// What befalls databases.
  let databaseLog = Logger(label: "ovsdb_server")
  private(set) var databases: [String: ServedDatabase] = [:]
  /// The same databases by the bytes of their names, as requests have them. Usually there are two or three.
  private var databasesByBytes: [(name: [UInt8], database: ServedDatabase)] = []
  /// The databases that are served, by their handles.
  private(set) var servedDatabases = SlotMap<DatabaseTag, ServedDatabase>()
  private(set) var sessions = SessionMap()
  /// The number of the session that came last.
  private var lastSessionNumber: UInt64 = 0
  var locks = Locks()
  /// Whether any table's changes go to the log (TableLog.swift).
  var logsTables = false
  /// `ovsdb-server/disable-monitor-cond`: only plain monitors are known.
  var hidesConditionalMonitors = false
  let limits: Limits
  let surroundings: Surroundings
  var random: RandomSource
  var storageOptions: StorageOptions
  /// Keeps what commands change for a restart after a crash; nil without a watcher.
  var savedConfiguration: SavedConfiguration?
  /// The log says what is served; what comes later is announced as it comes (StartReport.swift).
  var hasAnnouncedStart = false
  /// Give free memory back to the system after a compaction.
  var trimsMemory = true
  /// Nil: configured by the command line and by command.
  var configuration: ConfigurationInForce?
  /// Those who wait for the configuration file to be read; the first one's reading is under way.
  var waitingReloads: [(isCheck: Bool, finished: (Result<String, ServerConfiguration.Failure>) -> Void)] = []
  /// Whether the user behind a Unix socket is the client that rules of roles name.
  var identifiesUnixUsers = false
  /// Nil: no TLS option stands in a database.
  var tlsColumns: TLSColumns?
  private(set) lazy var remotes = RemoteManager(server: self)
  private(set) lazy var backups = BackupManager(server: self)
  /// Of relays that are not configured by a file.
  var relayProbeMilliseconds = Relay.defaultProbeMilliseconds
  package var slowWork: SlowWork

  // The turn (Turn.swift).
  var ready: Deque<Session> = []
  /// Blocked transactions that a commit may have made possible, or whose time is up.
  var dueTriggers = DueTriggers()
  var isRunningTriggers = false
  var isTurnScheduled = false
  var segments = Segments()
  var resultMemory = ResultMemory()
  private var isClosingScheduled = false
  /// Memory for the input of all sessions.
  var inputBytes = 0
  /// What waits for sessions that do not take it.
  var outputBytes = 0
  /// What sessions have it keep, in bytes of their requests.
  var keptBytes = 0

  // Large messages (OutputStream.swift, SharedPieces.swift).
  var pumping: Deque<Session> = []
  var isPumpScheduled = false
  let rowArranger = RowArranger()
  var knownPieces: [WeakPieces] = []
  let retainedBytes = RetainedBytes()
  var isRetirementScheduled = false

  /// - Parameter hasThreads: for slow work; if not, the loop's owner lets time pass (EmbeddedServer.swift).
  package init(
    group: any EventLoopGroup, hasThreads: Bool, rundir: String, limits: Limits = Limits(),
    storageOptions: StorageOptions = StorageOptions(), surroundings: Surroundings = Surroundings()
  ) {
    self.surroundings = surroundings
    self.storageOptions = storageOptions
    self.limits = limits
    self.group = group
    eventLoop = group.next()
    slowWork = SlowWork(hasThreads: hasThreads)
    self.rundir = rundir
    random = surroundings.random
    id = UUID.random(using: &random)
  }

  // MARK: - Databases

  func database(named name: UnsafeBufferPointer<UInt8>) -> ServedDatabase? {
    for position in databasesByBytes.indices where databasesByBytes[position].name.count == name.count {
      let isNamed = databasesByBytes[position].name.withUnsafeBytes { known in
        guard let known = known.baseAddress, let name = name.baseAddress else { return true }
        return memcmp(known, name, databasesByBytes[position].name.count) == 0
      }
      if isNamed { return databasesByBytes[position].database }
    }
    return nil
  }

  func add(_ database: ServedDatabase) {
    forgetBytes(of: database.name)
    databases[database.name] = database
    database.handle = servedDatabases.insert(database)
    databasesByBytes.append((Array(database.name.utf8), database))
  }

  func removeDatabase(named name: String) -> ServedDatabase? {
    forgetBytes(of: name)
    guard let database = databases.removeValue(forKey: name) else { return nil }
    servedDatabases.remove(database.handle)
    return database
  }

  private func forgetBytes(of name: String) {
    databasesByBytes.removeAll { $0.name.elementsEqual(name.utf8) }
  }

  // MARK: - Sessions

  func makeSessionNumber() -> UInt64 {
    lastSessionNumber += 1
    return lastSessionNumber
  }

  func add(_ session: Session) { session.handle = sessions.insert(session) }

  /// Whether there is room for one more session; says so now and then when there is not.
  func admits(_ name: String) -> Bool {
    guard limits.sessionsMax > 0, sessions.count >= limits.sessionsMax else { return true }
    log.warning(
      "\(name): closing connection: there are \(sessions.count) sessions, as many as may be",
      metadata: ["rate-limit": "sessions"])
    return false
  }

  /// Disconnects the client whose input takes most, when that of all takes too much.
  func shedInput() {
    guard let session = sessions.max(by: { $0.inputBytes < $1.inputBytes }), !session.isClosed else { return }
    log.warning(
      """
      \(session.connection.name): closing connection: its input takes \(session.inputBytes) bytes, the most, and that of all \
      clients \(inputBytes)
      """, metadata: ["rate-limit": "input"])
    session.abort()
  }

  /// Disconnects the client that takes least of what it is sent, when too much waits for all.
  func shedOutput() {
    guard let session = sessions.max(by: { $0.outputBytes < $1.outputBytes }), !session.isClosed else { return }
    log.warning(
      """
      \(session.connection.name): closing connection: \(session.outputBytes) bytes wait for it, the most, and \(outputBytes) for all \
      clients
      """, metadata: ["rate-limit": "output"])
    session.abort()
  }

  /// Forgets a session whose connection ended: what it waited for, watched and held.
  func remove(_ session: Session) {
    guard sessions.remove(session) else { return }
    for trigger in session.pending.values { forget(trigger) }
    session.pending = [:]
    for request in session.forwarded.values.sorted(by: { $0.id < $1.id }) { request.relay.abandon(request) }
    session.forwarded = [:]
    for (database, subscription) in session.monitors.values { database.hub.unsubscribe(subscription) }
    session.monitors = [:]
    backups.forget(session)
    session.stream = nil
    for database in databases.values {
      database.forget(session)
      for line in database.contents.values { line.queue.removeAll { $0.session === session } }
    }
    let names = locks.names(of: session)
    for name in names.owned + names.awaited { release(name, of: session) }
    session.remote.remove(session)
    inputBytes -= session.inputBytes
    session.forgetOutput()
    session.forgetQuota()
    scheduleClosing()
  }

  /// Gives up a lock and tells who owns it now.
  func release(_ name: String, of session: Session) {
    locks.unlock(name, for: session)?.notify("locked") { $0.appendQuoted(name) }
  }

  func knows(_ method: Method) -> Bool {
    guard hidesConditionalMonitors else { return true }
    let name = "\(method.name)"
    return name != "monitor_cond" && name != "monitor_cond_since"
  }

  /// Closes every session, as `ovsdb-server/reconnect` does.
  func closeSessions(because reason: String) {
    for session in sessions {
      session.noteDisconnecting(reason)
      session.close()
    }
  }

  // MARK: - The loop

  /// Runs something on the loop, after what is being done.
  func soon(_ body: @escaping () -> Void) { eventLoop.assumeIsolated().execute(body) }

  func after(_ delay: TimeAmount, _ body: @escaping () -> Void) {
    _ = eventLoop.assumeIsolated().scheduleTask(in: delay, body)
  }

  /// Sends what was written outside of a turn.
  func scheduleClosing() {
    guard !isClosingScheduled else { return }
    isClosingScheduled = true
    soon { [self] in
      isClosingScheduled = false
      closeSegment()
    }
  }
}
