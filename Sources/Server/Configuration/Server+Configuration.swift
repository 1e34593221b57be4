// SPDX-License-Identifier: Apache-2.0
//
// Makes the server what its configuration file says, at the start and when it is told to read the file again. Everything that can fail
// is done before anything changes: a configuration is carried out as a whole or not at all.

import Daemon
import Journal
import Logging
import NIOCore
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

/// What came of reading the configuration file.
private struct ConfigurationReading: Sendable {
  let result: Result<ServerConfiguration, ServerConfiguration.Failure>

  init(_ path: String, _ strictness: ServerConfiguration.Strictness) {
    do throws(ServerConfiguration.Failure) {
      result = .success(try ServerConfiguration(file: path, strictness: strictness))
    } catch {
      result = .failure(error)
    }
  }

  init(failure: String) { result = .failure(ServerConfiguration.Failure(lines: [failure])) }
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
    announceLoading(path)
    do throws(ServerConfiguration.Failure) {
      try carryOut(ConfigurationReading(path, strictness))
    } catch {
      throw ConfigurationError(description: "server configuration failed: \(error.reason)")
    }
  }

  /// Says what the configuration file would have a server serve that serves nothing yet.
  ///
  /// - Returns: a line for each remote and database, warnings first.
  /// - Throws: why it would be refused.
  package func checkConfiguration(
    at path: String, strictness: ServerConfiguration.Strictness
  ) throws(ServerConfiguration.Failure) -> String {
    let nothing = ConfigurationInForce(path: path, directory: Paths.workingDirectory, strictness: strictness)
    return try plan(for: try ServerConfiguration(file: path, strictness: strictness), from: nothing)
  }

  /// What a step to another configuration would change; nothing is changed.
  private func plan(
    for new: ServerConfiguration, from inForce: ConfigurationInForce
  ) throws(ServerConfiguration.Failure) -> String {
    let step = try ConfigurationStep(from: inForce, to: new, in: self, opensFiles: false)
    let lines = new.warnings.map { "warning: \($0)" } + step.description(from: inForce.configuration, to: new)
    return lines.map { "\($0)\n" }.joined()
  }

  private func announceLoading(_ path: String) { configurationLog.info("loading configuration from '\(path)'") }

  /// Reads the configuration file again and carries it out. The file is read on a thread of its own, because it may be a pipe; reloads
  /// that are requested meanwhile are done after this one.
  ///
  /// - Parameters:
  ///   - isCheck: only finds out what would change.
  ///   - finished: called on the loop: empty when it was carried out, the plan of a check, or why the server is as it was; of a reload
  ///     the reasons are logged.
  func reloadConfiguration(
    isCheck: Bool = false, _ finished: @escaping (Result<String, ServerConfiguration.Failure>) -> Void
  ) {
    waitingReloads.append((isCheck, finished))
    if waitingReloads.count == 1 { startReload() }
  }

  private func startReload() {
    guard let inForce = configuration, let next = waitingReloads.first else { return }
    if !next.isCheck { announceLoading(inForce.path) }
    let (path, strictness) = (inForce.path, inForce.strictness)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let loop = eventLoop
    let error = PosixThread.start(name: "config") {
      let reading = ConfigurationReading(path, strictness)
      loop.execute { bound.value.finishReload(reading) }
    }
    if let error {
      finishReload(ConfigurationReading(failure: "config: no thread to read '\(path)' (\(errnoText(error)))"))
    }
  }

  private func finishReload(_ reading: ConfigurationReading) {
    guard let next = waitingReloads.first else { return }
    let outcome: Result<String, ServerConfiguration.Failure>
    do throws(ServerConfiguration.Failure) {
      outcome = .success(next.isCheck ? try check(reading) : try carryOut(reading))
    } catch {
      outcome = .failure(error)
    }
    waitingReloads.removeFirst()
    next.finished(outcome)
    if !waitingReloads.isEmpty { startReload() }
  }

  private func check(_ reading: ConfigurationReading) throws(ServerConfiguration.Failure) -> String {
    guard let inForce = configuration else { return "" }
    return try plan(for: try reading.result.get(), from: inForce)
  }

  /// Carries out what was read.
  ///
  /// - Returns: nothing to say.
  /// - Throws: when the server is as it was; the reasons are logged.
  @discardableResult
  private func carryOut(_ reading: ConfigurationReading) throws(ServerConfiguration.Failure) -> String {
    do throws(ServerConfiguration.Failure) {
      let new = try reading.result.get()
      for warning in new.warnings { configurationLog.warning("\(warning)") }
      try carryOut(new)
      return ""
    } catch {
      log(error)
      throw error
    }
  }

  /// One warning says what is wrong; what follows from it is information.
  private func log(_ failure: ServerConfiguration.Failure) {
    configurationLog.warning("\(failure.reason)")
    for line in failure.lines.dropFirst() { configurationLog.info("\(line)") }
    if let path = configuration?.path { configurationLog.info("failed to load configuration from \(path)") }
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
    remotes.configure(new.remotes)
    backups.configure(
      Dictionary(uniqueKeysWithValues: new.databases.compactMap { key, database in
        step.databaseNames[key].map { ($0, database.serviceModel) }
      }))
  }
}
