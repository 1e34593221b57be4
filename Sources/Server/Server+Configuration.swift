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
  let strictness: ServerConfiguration.Strictness
  var configuration = ServerConfiguration()
  /// The names of the databases by what the file calls them.
  var databaseNames: [String: String] = [:]
}

extension Server {
  private var configurationLog: Logger { Logger(label: "ovsdb_server") }

  /// Reads the configuration file for the first time.
  ///
  /// - Throws: the first reason; all of them are logged.
  package func configure(
    from path: String, strictness: ServerConfiguration.Strictness = .strict
  ) throws(ConfigurationError) {
    configuration = ConfigurationInForce(path: path, directory: Paths.workingDirectory, strictness: strictness)
    do throws(ServerConfiguration.Failure) {
      try loadConfiguration()
    } catch {
      throw ConfigurationError(description: "server configuration failed: \(error.reason)")
    }
  }

  /// Checks the configuration file as a reload would, and changes nothing.
  ///
  /// - Parameter path: of the file; nil: of the configuration in force.
  /// - Returns: what a reload would do, a line each, warnings first.
  /// - Throws: why it would be refused.
  package func checkConfiguration(
    at path: String? = nil, strictness: ServerConfiguration.Strictness? = nil
  ) throws(ServerConfiguration.Failure) -> String {
    let inForce =
      configuration
      ?? ConfigurationInForce(path: path ?? "", directory: Paths.workingDirectory, strictness: strictness ?? .strict)
    let new = try ServerConfiguration(file: path ?? inForce.path, strictness: strictness ?? inForce.strictness)
    let step = try ConfigurationStep(from: inForce, to: new, in: self, opensFiles: false)
    let lines = new.warnings.map { "warning: \($0)" } + step.description(from: inForce.configuration, to: new)
    return lines.map { "\($0)\n" }.joined()
  }

  /// Reads the configuration file and carries it out.
  ///
  /// - Throws: when the server is as it was; the reasons are logged.
  func loadConfiguration() throws(ServerConfiguration.Failure) {
    guard let inForce = configuration else { throw ServerConfiguration.Failure(lines: ["no configuration file"]) }
    configurationLog.info("loading configuration from '\(inForce.path)'")
    do throws(ServerConfiguration.Failure) {
      let new = try ServerConfiguration(file: inForce.path, strictness: inForce.strictness)
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
    let step = try ConfigurationStep(from: inForce, to: new, in: self, opensFiles: true)
    for name in step.removed {
      do throws(ConfigurationError) {
        try closeDatabase(name)
      } catch {
        configurationLog.warning("\(name): \(error)")
      }
    }
    for database in step.added.compactMap(\.prepared) { serve(database) }
    for relay in step.relays { serveRelay(of: relay.name, from: [relay.method], options: relay.options) }
    configuration?.configuration = new
    configuration?.databaseNames = step.databaseNames
    let names = (step.added.map(\.name) + step.relays.map(\.name)).sorted()
    if !names.isEmpty { closeUnawareSessions(because: "adding \(names.joined(separator: ", ")) database") }
    remotes.configure(new.remotes)
    replication.configure(
      Dictionary(uniqueKeysWithValues: new.databases.compactMap { key, database in
        step.databaseNames[key].map { ($0, database.serviceModel) }
      }))
  }
}
