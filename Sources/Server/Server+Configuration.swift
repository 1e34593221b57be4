// SPDX-License-Identifier: Apache-2.0
//
// Makes the server what its configuration file says, at the start and when it is told to read the file again. Everything that can fail
// is done before anything changes: a configuration is carried out as a whole or not at all.

import Daemon
import Journal
import Logging
import OVSDB
import Streams

/// The configuration that is in force, and where it came from.
struct ConfigurationInForce {
  let path: String
  /// The working directory at the start, which relative names in the file refer to also after the server went elsewhere.
  let directory: String
  var configuration = ServerConfiguration()
  /// The names of the databases by what the file calls them.
  var databaseNames: [String: String] = [:]
}

extension Server {
  private var configurationLog: Logger { Logger(label: "ovsdb_server") }

  /// Reads the configuration file for the first time.
  ///
  /// - Throws: the first reason; all of them are logged.
  package func configure(from path: String) throws(ConfigurationError) {
    configuration = ConfigurationInForce(path: path, directory: Paths.workingDirectory)
    do throws(ServerConfiguration.Failure) {
      try loadConfiguration()
    } catch {
      throw ConfigurationError(description: "server configuration failed: \(error.lines.first ?? "unknown reason")")
    }
  }

  /// Reads the configuration file and carries it out.
  ///
  /// - Throws: when the server is as it was; the reasons are logged.
  func loadConfiguration() throws(ServerConfiguration.Failure) {
    guard let inForce = configuration else { throw ServerConfiguration.Failure(lines: ["no configuration file"]) }
    configurationLog.info("loading configuration from '\(inForce.path)'")
    do throws(ServerConfiguration.Failure) {
      let new = try ServerConfiguration(file: inForce.path)
      for warning in new.warnings { configurationLog.warning("\(warning)") }
      try carryOut(new)
    } catch {
      for line in error.lines { configurationLog.warning("\(line)") }
      configurationLog.warning("failed to load configuration from \(inForce.path)")
      throw error
    }
  }

  private func carryOut(_ new: ServerConfiguration) throws(ServerConfiguration.Failure) {
    guard let inForce = configuration else { return }
    let step = try ConfigurationStep(from: inForce, to: new, in: self)
    for name in step.removed {
      do throws(ConfigurationError) {
        try closeDatabase(name)
      } catch {
        configurationLog.warning("\(name): \(error)")
      }
    }
    for (_, database) in step.added { serve(database) }
    for relay in step.relays { serveRelay(of: relay.name, from: [relay.method], options: relay.options) }
    configuration?.configuration = new
    configuration?.databaseNames = step.databaseNames
    let names = (step.added.map(\.1.name) + step.relays.map(\.name)).sorted()
    if !names.isEmpty { closeUnawareSessions(because: "adding \(names.joined(separator: ", ")) database") }
    remotes.configure(new.remotes)
    replication.configure(
      Dictionary(uniqueKeysWithValues: new.databases.compactMap { key, database in
        step.databaseNames[key].map { ($0, database.serviceModel) }
      }))
  }
}

/// What a new configuration asks to be done, checked: databases are open, though not served yet, and every column that configures
/// remotes is there. Dropped, it leaves nothing behind.
private struct ConfigurationStep {
  /// Names of databases.
  var removed: [String] = []
  /// By what the file calls them.
  var added: [(String, Server.PreparedDatabase)] = []
  var relays: [(name: String, method: ConnectionMethod, options: RemoteOptions)] = []
  /// All that will be there, by what the file calls them.
  var databaseNames: [String: String]

  init(
    from inForce: ConfigurationInForce, to new: ServerConfiguration, in server: Server
  ) throws(ServerConfiguration.Failure) {
    databaseNames = [:]
    for (key, name) in inForce.databaseNames.sorted(by: { $0.key < $1.key }) {
      if Self.isKept(inForce.configuration.databases[key], new.databases[key]) {
        databaseNames[key] = name
      } else {
        removed.append(name)
      }
    }
    do throws(ConfigurationError) {
      for (key, database) in new.databases.sorted(by: { $0.key < $1.key }) {
        let old = inForce.configuration.databases[key]
        if databaseNames[key] != nil, old?.serviceModel == database.serviceModel { continue }
        try take(key, database, inForce, server)
      }
    } catch {
      throw ServerConfiguration.Failure(lines: [error.description, "failed to configure databases"])
    }
    try checkColumns(of: new, in: server)
  }

  /// Whether a database that is served goes on under a new configuration. Files are opened once, whatever is done with them; a relay with
  /// another source is another relay.
  private static func isKept(_ old: DatabaseConfiguration?, _ new: DatabaseConfiguration?) -> Bool {
    guard let old, let new else { return false }
    return old.serviceModel == new.serviceModel || !(old.serviceModel.isRelay || new.serviceModel.isRelay)
  }

  private mutating func take(
    _ key: String, _ database: DatabaseConfiguration, _ inForce: ConfigurationInForce, _ server: Server
  ) throws(ConfigurationError) {
    let isThere = databaseNames[key] != nil
    switch database.serviceModel {
    case .unspecified, .standalone, .activeBackup:
      // Served already: it is the same file, whether it follows another server's or not.
      if isThere { return }
    case .relay(let source): return try takeRelay(of: key, from: source, server)
    case .clustered: break
    }
    let path = Paths.workingDirectory == inForce.directory ? key : Paths.absolute(key, in: inForce.directory)
    let prepared: Server.PreparedDatabase
    do throws(OVSDBError) {
      prepared = try server.prepareDatabase(path, as: database.serviceModel)
    } catch {
      throw ConfigurationError(description: "failed to open database '\(key)': \(error)")
    }
    let name = prepared.name
    if databaseNames.values.contains(name) || (server.databases[name] != nil && !removed.contains(name)) {
      let error = OVSDBError(.ovsdbError, "\(name): duplicate database name")
      throw ConfigurationError(description: "failed to open database '\(key)': \(error)")
    }
    databaseNames[key] = name
    added.append((key, prepared))
  }

  private mutating func takeRelay(
    of name: String, from source: DatabaseConfiguration.Source, _ server: Server
  ) throws(ConfigurationError) {
    do throws(OVSDBError) {
      try server.refuseReserved(name)
      if databaseNames.values.contains(name) || (server.databases[name] != nil && !removed.contains(name)) {
        throw OVSDBError(.ovsdbError, "\(name): duplicate database name")
      }
    } catch {
      throw ConfigurationError(description: "failed to open database '\(name)': \(error)")
    }
    let method: ConnectionMethod
    do {
      method = try ConnectionMethod.parse(source.remote, origin: .configurationFile)
    } catch {
      throw ConfigurationError(description: "failed to open database '\(name)': \(error)")
    }
    databaseNames[name] = name
    relays.append((name, method, source.options))
  }

  /// Remotes that a database configures: the column has to be in one of the databases that will be there.
  private func checkColumns(of new: ServerConfiguration, in server: Server) throws(ServerConfiguration.Failure) {
    do throws(ConfigurationError) {
      for remote in new.remotes.keys.sorted() where remote.hasPrefix("db:") {
        let path = try DatabaseColumn.Path(remote)
        if relays.contains(where: { $0.name == path.database }) || DatabaseColumn.isOpen(path, in: server) { continue }
        let opened = added.first { $0.1.name == path.database }?.1.schema
        let kept = removed.contains(path.database) ? nil : server.databases[path.database]?.database.schema
        _ = try path.column(in: opened ?? kept)
      }
    } catch {
      throw ServerConfiguration.Failure(lines: ["failed to configure remotes: \(error)"])
    }
  }
}
