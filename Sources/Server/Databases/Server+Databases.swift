// SPDX-License-Identifier: Apache-2.0
//
// Databases that come and go: opened at the start or by command.

import Client
import Engine
import JSON
import Journal
import Logging
import OVSDB
import Streams

/// How databases are opened.
package struct StorageOptions: Sendable {
  /// Write changed sets and maps as differences.
  package var usesDifferences = true
  /// Serve what stands before damage read-only, instead of not opening the file.
  package var keepsDamaged = false

  package init() {}
}

extension Server {
  /// A database that is open and not served yet. Let go, it closes its file.
  struct PreparedDatabase {
    let path: String
    let opened: DatabaseFile.Opened
    /// How long opening took.
    let milliseconds: Int64

    var schema: DatabaseSchema { opened.database.schema }
    var name: String { schema.name }
  }

  private static let lockLog = Logger(label: "lockfile")

  /// Opens a database file and serves it.
  ///
  /// - Returns: its name.
  /// - Throws: why the file is not served.
  @discardableResult package func openDatabase(
    _ path: String, origin: ConnectionMethod.Origin = .commandLine
  ) throws(OVSDBError) -> String {
    if path.hasPrefix(Self.relayPrefix) { return try openRelay(path, origin) }
    let prepared = try prepareDatabase(path)
    if databases[prepared.name] != nil { throw OVSDBError(.ovsdbError, "\(prepared.name): duplicate database name") }
    serve(prepared)
    return prepared.name
  }

  /// Opens a database file, locked and read.
  ///
  /// - Throws: why the file cannot be served, in the way that is asked for.
  func prepareDatabase(
    _ path: String, as model: DatabaseConfiguration.ServiceModel = .unspecified
  ) throws(OVSDBError) -> PreparedDatabase {
    switch model {
    case .unspecified, .standalone, .clustered, .activeBackup: break
    case .relay: throw OVSDBError(.ovsdbError, "\(path): a relay has no file")
    }
    if databases.values.contains(where: { $0.store?.isAt(path) == true }) {
      throw OVSDBError(.ovsdbError, "\(path): already open")
    }
    let start = nowMilliseconds
    let opened: DatabaseFile.Opened
    do {
      opened = try DatabaseFile.open(
        path, keepsDamaged: storageOptions.keepsDamaged, random: makeRandom(), fileSystem: surroundings.fileSystem)
    } catch {
      for warning in error.lockWarnings { Self.lockLog.warning("\(warning)") }
      throw error.object
    }
    if model == .clustered { throw Self.notClustered(path) }
    let name = opened.database.schema.name
    try refuseReserved(name)
    return PreparedDatabase(path: path, opened: opened, milliseconds: nowMilliseconds.saturatingMinus(start))
  }

  /// The refusal of a file that a configuration wants to be a cluster's.
  static func notClustered(_ path: String) -> OVSDBError {
    OVSDBError(.ovsdbError, "\(path): database is standalone and not clustered")
  }

  /// Serves a database from now on. Its name must be free.
  func serve(_ prepared: PreparedDatabase) {
    let opened = prepared.opened
    noteRecovery(opened.recovery, prepared.path)
    let store = DatabaseStore(log: opened.log, usesDifferences: storageOptions.usesDifferences, server: self)
    let served = ServedDatabase(
      database: opened.database, store: store, isReadOnly: opened.log.damage != nil,
      readOnlyReason: opened.log.damage?.message, openingMilliseconds: prepared.milliseconds, server: self)
    closeUnawareSessions(because: "adding \(served.name) database")
    add(served)
    publishRow(of: served)
    remotes.databaseChanged(served)
    backups.databasesChanged()
    tlsColumns?.databaseChanged(served)
    if hasAnnouncedStart { announce(served) }
  }

  func refuseReserved(_ name: String) throws(OVSDBError) {
    if name.hasPrefix("_") { throw OVSDBError(.ovsdbError, "\(name): names beginning with \"_\" are reserved") }
  }

  private func noteRecovery(_ recovery: LogFile.Recovery, _ path: String) {
    switch recovery {
    case .clean: return
    case .damaged(let report): databaseLog.error("\(report)")
    case .rejected(let cause, let record, let offset, let excess):
      databaseLog.error("\(cause.object)")
      databaseLog.error(
        """
        \(path): record \(record) at offset \(offset) is whole but cannot be applied: everything before is served, and the next write \
        takes its place, with the last \(excess) bytes kept in \(path).rejected-\(offset)
        """)
    case .torn(let cause, let record, let offset, let excess):
      databaseLog.error("\(cause.object)")
      databaseLog.error(
        """
        \(path): record \(record) at offset \(offset): everything before is served, and the last \(excess) bytes are cut off by the next \
        write
        """)
    }
  }

  /// Notes what is served, after a command changed it. What a configuration file decides is read from there again.
  func saveConfiguration() {
    guard configuration == nil, let savedConfiguration else { return }
    let names = databases.values.compactMap { database in
      database.store?.log.resolvedPath
        ?? database.relay.map { "\(Self.relayPrefix)\(database.name):\($0.sources.joined(separator: ","))" }
    }
    savedConfiguration.save(
      ServedSet(
        databases: names.sorted(), remotes: remotes.names,
        source: backups.source?.name, excluded: backups.excluded.text, follows: backups.isFollowing))
  }

  /// Stops serving a database.
  ///
  /// - Throws: the command's error text.
  func closeDatabase(_ name: String) throws(ConfigurationError) {
    guard let database = databases[name] else { throw ConfigurationError(description: "Failed to find the database.") }
    if name.hasPrefix("_") { throw ConfigurationError(description: "Cannot remove reserved database.") }
    closeSegment()
    databaseChanged(database, because: "removing \(name) database by user request")
    database.relay?.stop()
    _ = removeDatabase(named: name)
    removeRow(of: name)
    closeSegment()
    remotes.databaseChanged(database)
    backups.databasesChanged()
    tlsColumns?.databaseChanged(database)
    databaseLog.info("\(name): no longer served")
  }
}

// MARK: - Relays

extension Server {
  private static let relayPrefix = "relay:"

  /// Serves another server's database.
  ///
  /// - Parameter name: `relay:DATABASE:REMOTE,...`.
  /// - Throws: why it is not served.
  private func openRelay(_ name: String, _ origin: ConnectionMethod.Origin) throws(OVSDBError) -> String {
    let parts = name.dropFirst(Self.relayPrefix.count).split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
      throw OVSDBError(.ovsdbError, "\(name): invalid syntax")
    }
    let database = String(parts[0])
    try refuseReserved(database)
    if databases[database] != nil { throw OVSDBError(.ovsdbError, "\(database): duplicate database name") }
    let methods: [ConnectionMethod]
    do throws(ConnectionMethod.Refusal) {
      methods = try Remotes(sources: String(parts[1]), origin: origin).methods
    } catch {
      throw OVSDBError(.ovsdbError, "\(name): \(error)")
    }
    guard !methods.isEmpty else { throw OVSDBError(.ovsdbError, "\(name): invalid syntax") }
    var options = RemoteOptions()
    options.probeMilliseconds = relayProbeMilliseconds
    serveRelay(of: database, from: methods, options: options)
    return database
  }

  /// Serves another server's database from now on. Its name must be free.
  func serveRelay(of name: String, from methods: [ConnectionMethod], options: RemoteOptions) {
    // Until the source's schema is known there is nothing to be seen.
    let schema = DatabaseSchema(name: name, version: nil, cksum: nil, tables: [])
    let served = ServedDatabase(database: Database(schema: schema, random: makeRandom()), store: nil, isReadOnly: true, server: self)
    let relay = Relay(methods, options: options, of: served, server: self)
    served.relay = relay
    closeUnawareSessions(because: "adding \(served.name) database")
    add(served)
    publishRow(of: served)
    remotes.databaseChanged(served)
    if hasAnnouncedStart { announce(served) }
    // Not before the server has started, and with it what connections are made with.
    soon { [weak self] in if self?.databases[name] === served { relay.start() } }
  }
}
