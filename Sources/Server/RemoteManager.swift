// SPDX-License-Identifier: Apache-2.0
//
// The set of remotes: configured on the command line, by command, or by a database (DatabaseRemotes.swift). A change touches only the
// remotes it is about.

import Logging
import NIOCore
import OVSDB
import Streams

/// Where the server's clients come from.
final class RemoteManager {
  private unowned let server: Server
  private struct Configured {
    let origin: ConnectionMethod.Origin
    var options = RemoteOptions()
  }

  /// As configured on the command line, by command and by the configuration file; `db:` forms are not expanded.
  private var configured: [String: Configured] = [:] {
    didSet { databases = Set(configured.keys.compactMap { try? DatabaseColumn.Path($0).database }) }
  }
  /// The databases that name remotes. Every commit asks for them.
  private var databases: Set<String> = []
  /// At work, by name.
  private(set) var remotes: [String: Remote] = [:]
  private var isReconcileScheduled = false
  /// What was last said about rows that cannot be used, so that it is said once.
  private var lastWarnings: Set<String> = []
  /// What the process was started with.
  private var inherited: InheritedRemotes?
  /// Nobody is served yet, so that names may be looked up at once.
  private var isStarting = true
  private let log = Logger(label: "ovsdb_server")

  /// How often status is written back into rows that configure remotes.
  private static let statusInterval = TimeAmount.milliseconds(2500)

  init(server: Server) {
    self.server = server
  }

  var names: [String] { configured.keys.sorted { Text($0) < Text($1) } }

  /// Adds a remote.
  ///
  /// - Parameter mayBeMissing: what a `db:` form names was there once; without it there is a line in the log, and it may come back.
  /// - Throws: when the name may not be used from where it comes, or a `db:` form names what is not there.
  func add(_ name: String, origin: ConnectionMethod.Origin, mayBeMissing: Bool = false) throws {
    if name.hasPrefix("db:") {
      if !mayBeMissing { try DatabaseColumn.check(name, in: server) }
    } else {
      _ = try ConnectionMethod.parse(name, origin: origin)
    }
    // What the command line named keeps its right to be a descriptor.
    if configured[name] == nil { configured[name] = Configured(origin: origin) }
    reconcile()
  }

  /// - Returns: whether there was such a remote.
  func remove(_ name: String) -> Bool {
    guard configured.removeValue(forKey: name) != nil else { return false }
    reconcile()
    return true
  }

  /// Takes over the remotes of a configuration file that was checked: those of the file before it go, all others stay.
  func configure(_ remotes: [String: RemoteOptions]) {
    configured = configured.filter { $0.value.origin != .configurationFile }
    for (name, options) in remotes where configured[name] == nil {
      configured[name] = Configured(origin: .configurationFile, options: options)
    }
    reconcile()
  }

  /// Serves the sockets that were passed and that no remote names. They are as fixed as remotes of the command line.
  func serve(_ inherited: InheritedRemotes) throws {
    self.inherited = inherited
    for name in inherited.unnamed { try add(name, origin: .commandLine) }
  }

  /// What a service manager passed and who serves it, for `ovsdb-server/list-fds`.
  var inheritedTable: String {
    inherited?.table { number in remotes.first { $0.value.isListening && $0.value.method.inheritedNumber == number }?.key } ?? ""
  }

  /// Begins to serve: from now on nothing may block. Starts writing status back.
  func run() {
    isStarting = false
    keepStatus()
  }

  private func keepStatus() {
    writeStatus()
    server.after(Self.statusInterval) { [self] in keepStatus() }
  }

  /// Accepts nobody any more, and goes on with those who are in.
  func stopListening() {
    for remote in remotes.values { remote.stopListening() }
  }

  func closeAll() {
    for remote in remotes.values { remote.remove() }
    remotes = [:]
  }

  // MARK: - Reconciliation

  /// A database that may configure remotes has changed.
  func databaseChanged(_ database: ServedDatabase) {
    guard !isReconcileScheduled, databases.contains(database.name) else { return }
    isReconcileScheduled = true
    server.soon { [self] in
      isReconcileScheduled = false
      reconcile()
    }
  }

  /// Makes the remotes at work what they should be.
  func reconcile() {
    let wanted = wantedRemotes()
    for (name, remote) in remotes where wanted[name] == nil { drop(name, remote) }
    for (name, (method, options)) in wanted {
      if let remote = remotes[name] {
        remote.apply(options)
        continue
      }
      let remote = Remote(method: method, options: options, server: server)
      remotes[name] = remote
      remote.start(mayBlock: isStarting)
    }
    server.scheduleClosing()
  }

  private func drop(_ name: String, _ remote: Remote) {
    server.log.info("\(name): remote deconfigured")
    remotes[name] = nil
    server.keepUntilClosed(remote)
    remote.remove()
  }

  private func wantedRemotes() -> [String: (ConnectionMethod, RemoteOptions)] {
    var wanted: [String: (ConnectionMethod, RemoteOptions)] = [:]
    var warnings: Set<String> = []
    for (name, entry) in configured {
      if name.hasPrefix("db:") {
        for (target, options) in databaseTargets(name, &warnings) where wanted[target] == nil {
          do {
            wanted[target] = (try ConnectionMethod.parse(target, origin: .database), options)
          } catch {
            warnings.insert("\(error); ignoring \"\(target)\" from database")
          }
        }
      } else if let method = try? ConnectionMethod.parse(name, origin: entry.origin) {
        // It was checked when it was added.
        wanted[name] = (method, entry.options)
      }
    }
    for warning in warnings.subtracting(lastWarnings).sorted() { log.warning("\(warning)") }
    lastWarnings = warnings
    return wanted
  }

  private func databaseTargets(_ name: String, _ warnings: inout Set<String>) -> [(String, RemoteOptions)] {
    do {
      if DatabaseColumn.isOpen(try DatabaseColumn.Path(name), in: server) { return [] }
      return try DatabaseColumn(name, in: server).targets(&warnings)
    } catch {
      warnings.insert("\(error)")
      return []
    }
  }

  private func writeStatus() {
    for name in configured.keys where name.hasPrefix("db:") {
      guard let column = try? DatabaseColumn(name, in: server) else { continue }
      column.writeStatus { remotes[$0] }
    }
    server.scheduleClosing()
  }
}
