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
    let name: RemoteName
    let origin: ConnectionMethod.Origin
    var options = RemoteOptions()
  }

  /// As configured on the command line, by command and by the configuration file; `db:` forms are not expanded.
  private var configured: [String: Configured] = [:] {
    didSet { databases = Set(configured.values.compactMap { $0.name.path?.database }) }
  }
  /// Targets that a database configures and that cannot be served, with the reason.
  private var refused: [String: String] = [:]
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
  /// The log says that there is no remote.
  private var hasReportedNone = false
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
    let parsed = try RemoteName(name, origin: origin)
    if case .column(let path) = parsed, !mayBeMissing { try DatabaseColumn.check(path, in: server) }
    // What the command line named keeps its right to be a descriptor.
    if configured[name] == nil { configured[name] = Configured(name: parsed, origin: origin) }
    reconcile()
  }

  /// - Returns: whether there was such a remote.
  func remove(_ name: String) -> Bool {
    guard configured.removeValue(forKey: name) != nil else { return false }
    reconcile()
    return true
  }

  /// Takes over the remotes of a configuration file that was checked: those of the file before it go, all others stay.
  func configure(_ remotes: [String: ServerConfiguration.Remote]) {
    configured = configured.filter { $0.value.origin != .configurationFile }
    for (text, remote) in remotes where configured[text] == nil {
      configured[text] = Configured(name: remote.name, origin: .configurationFile, options: remote.options)
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

  /// All remotes with what they do, `db:` forms expanded, for `ovsdb-server/show-remotes`.
  var stateTable: String {
    var rows = remotes.map { name, remote in
      [name, remote.stateWord, "\(remote.sessions.count)", remote.problem ?? "-"]
    }
    rows += refused.map { target, reason in [target, "refused", "0", reason] }
    guard !rows.isEmpty else { return "" }
    rows.sort { Text($0[0]) < Text($1[0]) }
    return alignedTable([["remote", "state", "clients", "last error"]] + rows.map { $0.map { $0.escapingControlCharacters() } })
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
    for (name, remote) in remotes.sorted(by: { $0.key < $1.key }) where wanted[name] == nil { drop(name, remote) }
    for (name, new) in wanted.sorted(by: { $0.key < $1.key }) {
      if let remote = remotes[name] {
        remote.isOfDatabase = new.isOfDatabase
        remote.apply(new.options)
        continue
      }
      let remote = Remote(method: new.method, isOfDatabase: new.isOfDatabase, options: new.options, server: server)
      remotes[name] = remote
      remote.start(mayBlock: isStarting)
    }
    if server.hasAnnouncedStart { reportNone() }
    server.scheduleClosing()
  }

  /// Logs where the server listens, once it has started.
  func announce() {
    for (_, remote) in remotes.sorted(by: { Text($0.key) < Text($1.key) }) { remote.announce(isLimited: false) }
    reportNone()
  }

  /// Logs once that no client can connect; again after there was a remote.
  private func reportNone() {
    defer { hasReportedNone = remotes.isEmpty }
    guard remotes.isEmpty, !hasReportedNone else { return }
    let sources = configured.keys.sorted { Text($0) < Text($1) }.joined(separator: ", ")
    if sources.isEmpty {
      log.warning("no remote is configured: no client can connect")
    } else {
      log.warning("\(sources) names no remote that can be used: no client can connect")
    }
  }

  private func drop(_ name: String, _ remote: Remote) {
    server.log.info("\(name): remote deconfigured", metadata: ["rate-limit": "deconfigured"])
    remotes[name] = nil
    remote.remove()
  }

  private struct Wanted {
    let method: ConnectionMethod
    let options: RemoteOptions
    var isOfDatabase = false
  }

  private func wantedRemotes() -> [String: Wanted] {
    var wanted: [String: Wanted] = [:]
    var warnings: Set<String> = []
    refused = [:]
    for (text, entry) in configured.sorted(by: { $0.key < $1.key }) {
      switch entry.name {
      case .method(let method): wanted[text] = Wanted(method: method, options: entry.options)
      case .column(let path):
        var left = server.limits.databaseRemotesMax
        for (target, options) in databaseTargets(path, &warnings) where wanted[target] == nil && refused[target] == nil {
          guard left > 0 else {
            warnings.insert(
              "\"\(text)\" configures \(server.limits.databaseRemotesMax) remotes, as many as it may: the others are ignored")
            break
          }
          left -= 1
          do throws(ConnectionMethod.Refusal) {
            wanted[target] = Wanted(
              method: try ConnectionMethod.parse(target, origin: .database), options: options, isOfDatabase: true)
          } catch {
            refused[target] = error.description
            warnings.insert("\(error); ignoring \"\(target)\" from database")
          }
        }
      }
    }
    for warning in warnings.subtracting(lastWarnings).sorted() {
      log.warning("\(warning)", metadata: ["rate-limit": "remotes"])
    }
    lastWarnings = warnings
    return wanted
  }

  private func databaseTargets(
    _ path: DatabaseColumn.Path, _ warnings: inout Set<String>
  ) -> [(String, RemoteOptions)] {
    do throws(ConfigurationError) {
      if DatabaseColumn.isOpen(path, in: server) { return [] }
      return try DatabaseColumn(path, in: server).targets(&warnings)
    } catch {
      warnings.insert("\(error)")
      return []
    }
  }

  private func writeStatus() {
    for path in configured.sorted(by: { $0.key < $1.key }).compactMap(\.value.name.path) {
      guard let column = try? DatabaseColumn(path, in: server) else { continue }
      column.writeStatus({ remotes[$0] }, refusal: { refused[$0] })
    }
    server.scheduleClosing()
  }
}
