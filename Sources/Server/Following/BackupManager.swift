// SPDX-License-Identifier: Apache-2.0
//
// Which databases are backups, and of whom: what the command line, the control socket and the configuration file ask for. The work is
// done in Backup.swift.

import Client
import Control
import JSON
import OVSDB
import Streams

/// The active-backup service model of a server.
final class BackupManager {
  unowned let server: Server
  /// What this server is known by to its sources, and to nobody else (BackupRing.swift).
  let mark: UUID
  /// Who follows us.
  var followers = KnownFollowers()
  /// Databases whose followers gave our own mark.
  var rings: Set<String> = []
  /// Databases whose sources are to be given other marks than before.
  var untold: Set<String> = []
  /// The source of `--sync-from` and `set-active-ovsdb-server`, whether it is followed or not.
  private(set) var source: ConnectionMethod?
  private(set) var excluded = ExcludedTables()
  private var options = RemoteOptions()
  /// Whether backups are converted when their sources are: `--sync-schema`.
  var syncsSchema = false
  /// What makes the whole server a backup.
  private var general: Backup?
  /// What the configuration file says of databases that are backups or may become some, by name.
  private var configured: [String: DatabaseConfiguration.ServiceModel] = [:]
  /// Those that are backups, each of its own source.
  private var single: [String: Backup] = [:]
  /// Why the replication of the whole server has ended by itself, until another begins or is ended by command.
  private var endReason: String?
  /// The databases that are backups, and of which sources; for the log.
  private var reportedSources: [String: String] = [:]
  /// The same of single databases.
  private var singleEndReasons: [String: String] = [:]

  static let defaultProbeMilliseconds: Int64 = 60_000

  init(server: Server) {
    self.server = server
    mark = UUID.random(using: &server.random)
  }

  // MARK: - The whole server

  /// Names the source; `connect` follows it.
  ///
  /// - Throws: when it may not be named.
  func setSource(_ name: String, origin: ConnectionMethod.Origin) throws(ConnectionMethod.Refusal) {
    source = try ConnectionMethod.parse(source: name, origin: origin)
  }

  /// Names the tables that are not replicated; a backup copies anew.
  func setExcluded(_ tables: ExcludedTables) {
    excluded = tables
    if general != nil { begin(because: "other tables are excluded") }
  }

  func setProbe(milliseconds: Int64) {
    options.probeMilliseconds = max(0, milliseconds)
    general?.setProbe(milliseconds: milliseconds)
  }

  /// Makes the server a backup.
  ///
  /// - Parameter cause: who wants that, for the log.
  /// - Returns: false when no source was named.
  func connect(because cause: String) -> Bool {
    guard source != nil else { return false }
    begin(because: cause)
    return true
  }

  /// Makes the server active: it keeps what it has copied.
  func disconnect(because cause: String) {
    endReason = nil
    general?.stop()
    general = nil
    refreshRoles(because: cause)
  }

  /// The connection to the source of the whole server.
  var link: SourceLink? { general?.link }

  /// Whether the server follows its source now.
  var isFollowing: Bool { general != nil }

  private func begin(because cause: String) {
    guard let source else { return }
    general?.stop()
    let backup = Backup(
      from: source, options: options, only: nil, excluding: excluded, server: server
    ) { [weak self] ended in
      guard let self, self.general === ended else { return }
      self.disconnect(because: "replication has ended")
      self.endReason = ended.endReason
    }
    general = backup
    endReason = nil
    refreshRoles(because: cause)
    startSoon(backup)
  }

  // MARK: - Single databases

  /// Takes over what the configuration file says of databases, all of which are served.
  ///
  /// A database about which nothing new is said goes on as it does, also when its replication has ended by itself.
  func configure(_ models: [String: DatabaseConfiguration.ServiceModel]) {
    let old = configured
    configured = models.filter { if case .activeBackup = $0.value { true } else { false } }
    singleEndReasons = singleEndReasons.filter { old[$0.key] == configured[$0.key] }
    for (name, model) in configured.sorted(by: { $0.key < $1.key }) where old[name] != model {
      single.removeValue(forKey: name)?.stop()
      if case .activeBackup(isBackup: true, let source?, let excluded) = model { follow(source, database: name, excluded) }
    }
    for name in old.keys where configured[name] == nil { single.removeValue(forKey: name)?.stop() }
    refreshRoles(because: "configuration file")
    for (_, backup) in single.sorted(by: { $0.key < $1.key }) { startSoon(backup) }
  }

  /// Not before the server has started, and with it what connections are made with.
  private func startSoon(_ backup: Backup) {
    server.soon { [weak self] in
      guard let self, general === backup || single.values.contains(where: { $0 === backup }) else { return }
      backup.start()
    }
  }

  private func follow(_ source: DatabaseConfiguration.Source, database: String, _ excluded: Set<String>) {
    single[database] = Backup(
      from: source.method, options: source.options, only: database, excluding: ExcludedTables(excluded, of: database),
      server: server
    ) { [weak self] ended in
      guard let self, self.single[database] === ended else { return }
      self.single.removeValue(forKey: database)?.stop()
      self.singleEndReasons[database] = ended.endReason
      self.refreshRoles(because: "replication has ended")
    }
  }

  // MARK: - Roles

  /// Databases came or went.
  func databasesChanged() {
    for name in configured.keys where server.databases[name] == nil {
      single.removeValue(forKey: name)?.stop()
      configured[name] = nil
    }
    // Which databases are common with the source has to be found out anew.
    let cause = "databases were added or removed"
    if general != nil { begin(because: cause) } else { refreshRoles(because: cause) }
  }

  /// - Parameter cause: why roles may change, for the log.
  private func refreshRoles(because cause: String) {
    server.closeSegment()
    var sources: [String: String] = [:]
    for (name, database) in server.databases.sorted(by: { Text($0.key) < Text($1.key) }) where database.store != nil {
      let backups = backups(of: name)
      database.isBackup = !backups.isEmpty
      if !backups.isEmpty { sources[name] = backups.map(\.source).joined(separator: ", ") }
      guard sources[name] != reportedSources[name] else { continue }
      if let source = sources[name] {
        server.databaseLog.info("\(name): is a read-only backup of \(source) now (\(cause))")
      } else {
        server.databaseLog.info("\(name): is active now (\(cause))")
      }
    }
    reportedSources = sources
  }

  /// What makes a database a backup.
  func backups(of database: String) -> [Backup] { [general, single[database]].compactMap { $0 } }

  // MARK: - Status

  /// The answer to `sync-status`: what the peer says, then relays that have nothing to follow.
  var statusText: String {
    let problems = server.databases.values.compactMap { database in
      database.relay?.problem.map { "relay: \(database.name): \($0)\n" }
    }
    return backupStatusText + problems.sorted { Text($0) < Text($1) }.joined()
  }

  private var backupStatusText: String {
    guard configured.isEmpty else {
      return configured.keys.sorted { Text($0) < Text($1) }.map(status(of:)).joined(separator: "\n")
    }
    guard let general else { return "state: active\n\(Self.words(endReason))" }
    var text = "state: backup\n\(Self.words(general))\n"
    if general.state == .replicating { text += "database: \(general.names.joined(separator: ", "))\n" }
    if !general.excluded.text.isEmpty, general.state == .replicating { text += "exclude: \(general.excluded.text)\n" }
    return text + general.misfits.map { "not replicated: \($0.text)\n" }.joined()
  }

  private func status(of database: String) -> String {
    guard let backup = single[database] ?? general else {
      return "database: \(database)\nstate: active\n\(Self.words(singleEndReasons[database]))"
    }
    var text = "database: \(database)\nstate: backup\n\(Self.words(backup))\n"
    if backup.state == .replicating, !backup.excluded.text.isEmpty { text += "exclude: \(backup.excluded.text)\n" }
    return text + backup.misfits.map { "not replicated: \($0.text)\n" }.joined()
  }

  private static func words(_ endReason: String?) -> String { endReason.map { "replication ended: \($0)\n" } ?? "" }

  private static func words(_ backup: Backup) -> String {
    let refusal = backup.refusal.map { "\nrefused: \($0)" } ?? ""
    let source = backup.source.escapingControlCharacters()
    return switch backup.state {
    case .connecting: "connecting: \(source)\(refusal)"
    case .replicating: "replicating: \(source)"
    case .idle: "connected to \(source)"
    case .lost: "not connected to \(source)\(refusal)"
    }
  }
}

extension BackupManager {
  typealias Command = @Sendable (Server, [String]) throws(ControlError) -> String

  /// Adds the commands that change something. They run on the server's loop.
  func addCommands(_ add: (_ name: String, _ arguments: ClosedRange<Int>, _ run: @escaping Command) -> Void) {
    add("set-active-ovsdb-server", 1...1) { (server, arguments) throws(ControlError) in
      do throws(ConnectionMethod.Refusal) {
        try server.backups.setSource(arguments[0], origin: .controlSocket)
        return ""
      } catch {
        throw ControlError("\(error)")
      }
    }
    add("connect-active-ovsdb-server", 0...0) { (server, _) throws(ControlError) in
      server.backups.connect(because: "ovsdb-server/connect-active-ovsdb-server")
        ? "" : "Unable to connect: active server is not specified.\n"
    }
    add("disconnect-active-ovsdb-server", 0...0) { (server, _) throws(ControlError) in
      server.backups.disconnect(because: "ovsdb-server/disconnect-active-ovsdb-server")
      return ""
    }
    add("set-active-ovsdb-server-probe-interval", 1...1) { (server, arguments) throws(ControlError) in
      guard let milliseconds = Int64(arguments[0]) else { return "Invalid probe interval, integer value expected" }
      server.backups.setProbe(milliseconds: milliseconds)
      return ""
    }
    add("set-sync-exclude-tables", 1...1) { (server, arguments) throws(ControlError) in
      do throws(ConfigurationError) {
        server.backups.setExcluded(try ExcludedTables(arguments[0]))
        return ""
      } catch {
        throw ControlError(error.description)
      }
    }
  }

  /// Adds the commands that only tell something.
  func addQueries(_ add: (_ name: String, _ run: @escaping Command) -> Void) {
    add("get-active-ovsdb-server") { (server, _) throws(ControlError) in server.backups.source?.name ?? "" }
    add("get-sync-exclude-tables") { (server, _) throws(ControlError) in server.backups.excluded.text }
    add("sync-status") { (server, _) throws(ControlError) in server.backups.statusText }
  }
}
