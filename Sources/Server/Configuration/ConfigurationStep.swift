// SPDX-License-Identifier: Apache-2.0
//
// The difference between the configuration in force and a new one, checked before anything is done.

import Daemon
import Journal
import OVSDB
import Streams

/// What a new configuration asks to be done, checked: databases are open, though not served yet, and every column that configures
/// remotes is there. Dropped, it leaves nothing behind.
struct ConfigurationStep {
  /// Names of databases.
  var removed: [String] = []
  /// A database that will be served.
  struct Added {
    /// What the file calls it.
    let key: String
    let schema: DatabaseSchema
    /// Open and locked; nil when the step is only checked.
    let prepared: Server.PreparedDatabase?

    var name: String { schema.name }
  }

  var added: [Added] = []
  var relays: [(name: String, method: ConnectionMethod, options: RemoteOptions)] = []
  /// All that will be there, by what the file calls them.
  private(set) var databaseNames: [String: String]
  private let opensFiles: Bool

  /// - Parameter opensFiles: opens and locks the files of new databases; else only their schemas are read.
  init(
    from inForce: ConfigurationInForce, to new: ServerConfiguration, in server: Server, opensFiles: Bool
  ) throws(ServerConfiguration.Failure) {
    databaseNames = [:]
    self.opensFiles = opensFiles
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
    case .clustered:
      if isThere { throw ConfigurationError(description: "failed to open database '\(key)': \(Server.notClustered(key))") }
    }
    let path = Paths.workingDirectory == inForce.directory ? key : Paths.absolute(key, in: inForce.directory)
    let candidate: Added
    do throws(OVSDBError) {
      candidate = try open(path, key, database.serviceModel, server)
    } catch {
      throw ConfigurationError(description: "failed to open database '\(key)': \(error)")
    }
    let name = candidate.name
    if databaseNames.values.contains(name) || (server.databases[name] != nil && !removed.contains(name)) {
      let error = OVSDBError(.ovsdbError, "\(name): duplicate database name")
      throw ConfigurationError(description: "failed to open database '\(key)': \(error)")
    }
    databaseNames[key] = name
    added.append(candidate)
  }

  private func open(
    _ path: String, _ key: String, _ model: DatabaseConfiguration.ServiceModel, _ server: Server
  ) throws(OVSDBError) -> Added {
    if opensFiles {
      let prepared = try server.prepareDatabase(path, as: model)
      return Added(key: key, schema: prepared.schema, prepared: prepared)
    }
    let schema: DatabaseSchema
    do throws(LogError) {
      schema = try DatabaseFile.readSchema(path)
    } catch {
      throw error.object
    }
    try server.refuseReserved(schema.name)
    if model == .clustered { throw Server.notClustered(path) }
    return Added(key: key, schema: schema, prepared: nil)
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
    databaseNames[name] = name
    relays.append((name, source.method, source.options))
  }

  /// Remotes that a database configures: the column has to be in one of the databases that will be there.
  private func checkColumns(of new: ServerConfiguration, in server: Server) throws(ServerConfiguration.Failure) {
    do throws(ConfigurationError) {
      for (_, remote) in new.remotes.sorted(by: { $0.key < $1.key }) {
        guard let path = remote.name.path else { continue }
        if relays.contains(where: { $0.name == path.database }) || DatabaseColumn.isOpen(path, in: server) { continue }
        let opened = added.first { $0.name == path.database }?.schema
        let kept = removed.contains(path.database) ? nil : server.databases[path.database]?.database.schema
        _ = try path.column(in: opened ?? kept)
      }
    } catch {
      throw ServerConfiguration.Failure(lines: ["failed to configure remotes: \(error)"])
    }
  }
}

extension ConfigurationStep {
  /// What carrying the step out would change, a line each: `+` for what comes, `-` for what goes, `~` for what changes.
  func description(from old: ServerConfiguration, to new: ServerConfiguration) -> [String] {
    var lines: [String] = []
    for name in Set(old.remotes.keys).union(new.remotes.keys).sorted(by: { Text($0) < Text($1) }) {
      lines += Self.line("remote", name, old.remotes[name], new.remotes[name])
    }
    for key in Set(old.databases.keys).union(new.databases.keys).sorted(by: { Text($0) < Text($1) }) {
      lines += Self.line("database", key, old.databases[key], new.databases[key])
    }
    return lines.isEmpty ? ["nothing would change"] : lines
  }

  private static func line<Value: Equatable>(_ kind: String, _ name: String, _ old: Value?, _ new: Value?) -> [String] {
    if old == new { return [] }
    return ["\(old == nil ? "+" : new == nil ? "-" : "~") \(kind) \(name)"]
  }
}
