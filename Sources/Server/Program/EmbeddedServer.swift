// SPDX-License-Identifier: Apache-2.0
//
// A server inside a program that drives its loop, without threads and sockets: clients and sources are channels of that program's own
// making. Fuzzers use it, whose runs have to be the same every time; `Server+Invariants.swift` looks after it.

import Client
import Engine
import JSONRPC
import NIOCore
import OVSDB
import Streams

/// A server and the remote its clients come in by.
package final class EmbeddedServer {
  package let server: Server
  private let remote: Remote

  /// - Parameters:
  ///   - loop: The one thread that uses the server runs it, and lets its time pass.
  ///   - role: What clients may do; nil: everything.
  package init(
    on loop: any EventLoop, rundir: String, limits: Limits, role: String? = nil, surroundings: Surroundings = Surroundings()
  ) throws {
    server = Server(group: loop, hasThreads: false, rundir: rundir, limits: limits, surroundings: surroundings)
    var options = RemoteOptions()
    options.role = role ?? ""
    // It never listens.
    remote = Remote(method: try ConnectionMethod.parse("punix:embedded", origin: .commandLine), options: options, server: server)
    try server.makeServerDatabase()
  }

  /// Makes a channel, which may not have read anything yet, the connection of a client.
  package func accept(_ channel: any Channel, name: String) throws {
    try remote.accept(channel, name: name)
  }

  /// Makes a channel the connection of a relay to its source.
  ///
  /// - Returns: whether there is such a relay, without a connection.
  package func connectRelay(of database: String, through channel: any Channel) throws -> Bool {
    guard let link = server.databases[database]?.relay?.link, !link.isConnected else { return false }
    try link.connect(through: channel)
    return true
  }

  /// Makes a channel the connection of a backup to its source.
  package func connectBackup(through channel: any Channel) throws -> Bool {
    guard let link = server.backups.link, !link.isConnected else { return false }
    try link.connect(through: channel)
    return true
  }

  /// Makes the server a backup, whose source is a channel that comes.
  package func becomeBackup() throws -> Bool {
    try server.backups.setSource(Self.nowhere, origin: .commandLine)
    return server.backups.connect(because: "the embedding program")
  }

  /// Whose attempts fail at once.
  package static let nowhere = "unix:/nowhere/nobody"

  /// The remotes that a column configures, and what is wrong with its rows.
  package func configuredRemotes(_ path: String) throws -> (remotes: [(String, RemoteOptions)], warnings: Set<String>) {
    var warnings: Set<String> = []
    let remotes = try DatabaseColumn(DatabaseColumn.Path(path), in: server).targets(&warnings)
    return (remotes, warnings)
  }

  /// Lets go of everything, so that nothing of it is left on the loop.
  package func shutDown() {
    for session in server.sessions { session.abort() }
    server.backups.disconnect(because: "the embedding program")
    for database in server.databases.values { database.relay?.stop() }
  }
}
