// SPDX-License-Identifier: Apache-2.0
//
// The commands of the server's control socket, as a table.
//
// Source: ovsdb-server(1), "Runtime Management Commands".

import CPosixShims
import Control
import Daemon
import Engine
import Journal
import NIOCore
import OVSDB
import Streams

extension Server {
  /// Adds the server's commands. They run on the server's loop.
  func addCommands(to commands: ControlCommands) {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    func add(
      _ name: String, _ usage: String = "", _ arguments: ClosedRange<Int> = 0...0,
      _ run: @escaping @Sendable (Server, [String]) throws(ControlError) -> String
    ) {
      commands.add("ovsdb-server/\(name)", usage: usage, arguments: arguments) { (arguments) throws(ControlError) in
        try run(bound.value, arguments)
      }
    }
    /// A command that changes what a configuration file, if there is one, decides.
    func addConfiguring(
      _ name: String, _ usage: String, _ arguments: ClosedRange<Int>,
      _ run: @escaping @Sendable (Server, [String]) throws(ControlError) -> String
    ) {
      add(name, usage, arguments) { (server, arguments) throws(ControlError) in
        if let path = server.configuration?.path {
          throw ControlError("Update the \(path) and use ovsdb-server/reload instead")
        }
        let answer = try run(server, arguments)
        server.saveConfiguration()
        return answer
      }
    }
    commands.add("ovsdb-server/reload", usage: "[--check]", arguments: 0...1) { (request: ControlRequest) in
      bound.value.reload(request)
    }
    addConfiguring("add-remote", "REMOTE", 1...1) { (server, arguments) throws(ControlError) in
      do {
        try server.remotes.add(arguments[0], origin: .controlSocket)
        return ""
      } catch {
        throw ControlError("\(error)")
      }
    }
    addConfiguring("remove-remote", "REMOTE", 1...1) { (server, arguments) throws(ControlError) in
      guard server.remotes.remove(arguments[0]) else { throw ControlError("no such remote") }
      return ""
    }
    add("list-fds") { (server, _) throws(ControlError) in server.remotes.inheritedTable }
    add("list-remotes") { (server, _) throws(ControlError) in
      server.remotes.names.map { "\($0.escapingControlCharacters())\n" }.joined()
    }
    add("show-remotes") { (server, _) throws(ControlError) in server.remotes.stateTable }
    addConfiguring("add-db", "DB", 1...1) { (server, arguments) throws(ControlError) in
      do throws(OVSDBError) {
        try server.openDatabase(arguments[0], origin: .controlSocket)
      } catch {
        throw ControlError("\(error)")
      }
      return ""
    }
    addConfiguring("remove-db", "DB", 1...1) { (server, arguments) throws(ControlError) in
      do throws(ConfigurationError) {
        try server.closeDatabase(arguments[0])
      } catch {
        throw ControlError(error.description)
      }
      return ""
    }
    add("list-dbs") { (server, _) throws(ControlError) in
      server.databases.keys.sorted { Text($0) < Text($1) }.map { "\($0)\n" }.joined()
    }
    add("reconnect") { (server, _) throws(ControlError) in
      server.closeSessions(because: "user ran ovsdb-server/reconnect")
      return ""
    }
    add("get-db-storage-status", "DB", 1...1) { (server, arguments) throws(ControlError) in
      guard let database = server.databases[arguments[0]] else { throw ControlError("Failed to find the database.") }
      let failure = database.store?.presentFailure().map { "\($0)" }
      return "status: \(failure ?? database.relay?.problem ?? "ok")"
    }
    add("memory-trim-on-compaction", "on|off", 1...1) { (server, arguments) throws(ControlError) in
      guard arguments[0] == "on" || arguments[0] == "off" else { throw ControlError("invalid argument") }
      server.trimsMemory = arguments[0] == "on"
      server.databaseLog.info("memory trimming after compaction \(server.trimsMemory ? "enabled" : "disabled").")
      return ""
    }
    add("disable-monitor-cond") { (server, _) throws(ControlError) in
      server.hidesConditionalMonitors = true
      server.closeSessions(because: "user ran ovsdb-server/disable-monitor-cond")
      return ""
    }
    add("tlog-set", "DB:TABLE on|off", 2...2) { (server, arguments) throws(ControlError) in
      try server.setTableLog(arguments[0], arguments[1])
      return ""
    }
    add("tlog-list") { (server, _) throws(ControlError) in server.tableLogList }
    add("perf-counters-show") { (_, _) throws(ControlError) in
      // Nothing in this server is measured in processor cycles; what can be said is whether it could be.
      posix_shim_counts_cycles() != 0
        ? "performance counter has never been hit" : "performance counter is not supported on this platform"
    }
    add("perf-counters-clear") { (_, _) throws(ControlError) in "" }
    if !storageOptions.usesDifferences {
      commands.add("ovsdb/file/column-diff-enable") { (_) throws(ControlError) in
        bound.value.storageOptions.usesDifferences = true
        for database in bound.value.databases.values { database.store?.usesDifferences = true }
        return ""
      }
    }
    commands.add("ovsdb-server/compact", arguments: 0...1) { (request: ControlRequest) in
      bound.value.compact(request)
    }
    addConfiguring("set-relay-source-probe-interval", "PROBE_INTERVAL", 1...1) { (server, arguments) throws(ControlError) in
      guard let milliseconds = Int64(arguments[0]) else { throw ControlError("Invalid probe interval, integer value expected") }
      server.relayProbeMilliseconds = max(0, milliseconds)
      for database in server.databases.values { database.relay?.link.probeMilliseconds = server.relayProbeMilliseconds }
      return ""
    }
    backups.addCommands { addConfiguring($0, "", $1, $2) }
    backups.addQueries { add($0, "", 0...0, $1) }
    let memoryUsage: @Sendable () -> [String: Int] = { bound.value.memoryUsage() }
    MemoryReport.start(on: eventLoop, usage: memoryUsage)
    commands.addStandard(memoryUsage: memoryUsage) { request in
      // Who connects from now on waits for whoever serves a passed socket next. Those who are in get their answers.
      bound.value.remotes.stopListening()
      bound.value.after(.milliseconds(10)) {
        bound.value.remotes.closeAll()
        // No turn of the loop follows, so nothing is written any more. The operator may start another server upon the answer: whatever
        // would stop that one is free before.
        FileLock.releaseAll()
        Cleanup.run()
        request.reply()
        Program.exit(0)
      }
    }
  }

  private func reload(_ request: ControlRequest) {
    guard configuration != nil else { return request.fail("Configuration file was not specified on command line") }
    if let option = request.arguments.first {
      guard option == "--check" else { return request.fail("unknown option \"\(option)\"; the only one is --check") }
      return reloadConfiguration(isCheck: true) { Self.answer(request, $0) }
    }
    ReadinessNotice.reloading()
    reloadConfiguration { outcome in
      // Whatever came of it, the server goes on.
      ReadinessNotice.reloaded()
      Self.answer(request, outcome)
    }
  }

  private static func answer(_ request: ControlRequest, _ outcome: Result<String, ServerConfiguration.Failure>) {
    switch outcome {
    case .success(let text): request.reply(text)
    case .failure(let failure): request.fail("Configuration failed.  \(failure.reason)")
    }
  }

  private func compact(_ request: ControlRequest) {
    var chosen: [ServedDatabase] = []
    if let name = request.arguments.first {
      guard let database = databases[name] else { return request.fail("no database by that name") }
      guard !name.hasPrefix("_") else { return request.fail("cannot compact built-in databases") }
      chosen = [database]
    } else {
      chosen = databases.values.filter { $0.store != nil }.sorted { $0.name < $1.name }
    }
    var failures: [String] = []
    var remaining = chosen.count
    if remaining == 0 { return request.reply() }
    for database in chosen {
      databaseLog.info("compacting \(database.name) database by user request")
      compact(database) { failure in
        if let failure { failures.append(failure) }
        remaining -= 1
        guard remaining == 0 else { return }
        if failures.isEmpty { request.reply() } else { request.fail(failures.joined(separator: "\n")) }
      }
    }
  }

  /// What the server holds, in the words of `memory/show`.
  func memoryUsage() -> [String: Int] {
    var usage: [String: Int] = ["monitors": 0, "n-weak-refs": 0]
    func add(_ key: String, _ amount: Int) { if amount > 0 { usage[key, default: 0] += amount } }
    for database in databases.values {
      let tables = database.database.tables
      add("atoms", database.database.atomCount)
      add("cells", tables.reduce(0) { $0 + $1.rows.count * ($1.schema.columns.count + 2) })
      add("n-weak-refs", tables.reduce(0) { $0 + $1.weakReferenceCount })
      add("monitors", database.hub.subscriptionCount)
      add("triggers", database.triggers.count)
      add("txn-history", database.history.count)
      add("txn-history-atoms", database.history.atomCount)
    }
    add("sessions", sessions.count)
    add("accept-failures", Listener.acceptFailureCount)
    add("backlog", sessions.reduce(0) { $0 + $1.backlogBytes })
    return usage
  }
}
