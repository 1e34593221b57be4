// SPDX-License-Identifier: Apache-2.0
//
// One remote at work: it listens or dials, and has the sessions that came of it. Which remotes there are is the business of
// RemoteManager.swift.

import Daemon
import JSONRPC
import Logging
import NIOCore
import Streams

/// A remote.
final class Remote {
  /// The state of an active remote, in the words of the status column.
  enum State: String {
    case backoff = "BACKOFF"
    case connecting = "CONNECTING"
    case active = "ACTIVE"
    case idle = "IDLE"
    case reconnect = "RECONNECT"
  }

  let method: ConnectionMethod
  private(set) var options: RemoteOptions
  unowned let server: Server
  private(set) var sessions: [ObjectIdentifier: Session] = [:]

  private var listener: Listener?
  private var isRemoved = false
  private var retry: Scheduled<Void>?
  private var backoffMilliseconds: Int64 = 0
  private(set) var state = State.backoff
  private(set) var lastError: String?
  private(set) var lastConnected: NIODeadline?
  private(set) var lastDisconnected: NIODeadline?

  private let log = Logger(label: "reconnect")
  /// How often a listener that could not be opened is tried again.
  private static let listenRetry = TimeAmount.milliseconds(2500)

  init(method: ConnectionMethod, options: RemoteOptions, server: Server) {
    self.method = method
    self.options = options
    self.server = server
  }

  var boundPort: UInt16? { listener?.boundPort }

  var isListening: Bool { listener != nil }

  func start() {
    if method.isPassive { listen() } else { connect() }
  }

  /// Stops for good and closes the sessions.
  func remove() {
    guard !isRemoved else { return }
    isRemoved = true
    retry?.cancel()
    if let path = listener?.socketPath { Cleanup.unregister(path) }
    listener?.close()
    listener = nil
    for session in sessions.values { session.close() }
  }

  /// Takes over changed options.
  ///
  /// - Returns: false when that takes a new remote: what a session may do, or its socket's marking, is settled when it begins.
  func apply(_ new: RemoteOptions) -> Bool {
    guard new.dscp == options.dscp, new.isReadOnly == options.isReadOnly, new.role == options.role else { return false }
    options = new
    for session in sessions.values { session.connection.probeIntervalMilliseconds = probeMilliseconds }
    return true
  }

  private var probeMilliseconds: Int64 {
    guard let configured = options.probeMilliseconds else { return method.defaultProbeIntervalMilliseconds }
    return configured == 0 ? 0 : max(configured, RemoteOptions.probeMillisecondsMin)
  }

  // MARK: - Listening

  private func listen() {
    guard !isRemoved else { return }
    let bound = NIOLoopBound(self, eventLoop: server.eventLoop)
    do {
      listener = try Listener.open(method, group: server.group, rundir: server.rundir, dscp: options.dscp) { accepted in
        try bound.value.accept(accepted.channel, name: accepted.name)
      }
      if let path = listener?.socketPath { Cleanup.register(path) }
      lastError = nil
    } catch {
      let text = "\(error)"
      if lastError != text { log.warning("\(method.name): listen failed: \(text)") }
      lastError = text
      retry = server.eventLoop.assumeIsolated().scheduleTask(in: Self.listenRetry) { [weak self] in self?.listen() }
    }
  }

  private func accept(_ channel: any Channel, name: String) throws {
    guard !isRemoved else { throw ChannelError.ioOnClosedChannel }
    let connection = RPCConnection(name: name, messageBytesMax: server.limits.messageBytesMax)
    let session = Session(connection: connection, server: server, remote: self, isReadOnly: options.isReadOnly)
    // The channel keeps the connection, the server the session.
    connection.owner = session
    sessions[ObjectIdentifier(session)] = session
    server.add(session)
    connection.probeIntervalMilliseconds = probeMilliseconds
    try channel.pipeline.syncOperations.addHandler(connection)
  }

  func remove(_ session: Session) {
    sessions[ObjectIdentifier(session)] = nil
    guard !method.isPassive else { return }
    lastDisconnected = .now()
    state = .backoff
    if !isRemoved { scheduleConnect() }
  }

  // MARK: - Connecting

  private func connect() {
    guard !isRemoved, sessions.isEmpty else { return }
    state = .connecting
    log.info("\(method.name): connecting...")
    let bound = NIOLoopBound(self, eventLoop: server.eventLoop)
    let name = method.name
    // The session is made when there is a connection: a host may have several addresses, each tried in turn.
    dial(method, on: server.eventLoop, rundir: server.rundir, dscp: options.dscp) { _ in }.flatMapThrowing { channel in
      try bound.value.accept(channel, name: name)
    }.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success:
        state = .active
        lastError = nil
        lastConnected = .now()
        backoffMilliseconds = 0
        log.info("\(method.name): connected")
      case .failure(let error):
        lastError = "\(error)"
        log.info("\(method.name): connection attempt failed (\(error))")
        scheduleConnect()
      }
    }
  }

  /// Waits 1, 2, 4, 8 seconds and so on, up to the configured limit.
  private func scheduleConnect() {
    state = .backoff
    let limit = max(options.maxBackoffMilliseconds, RemoteOptions.backoffMillisecondsMin)
    backoffMilliseconds = min(limit, max(RemoteOptions.backoffMillisecondsMin, 2 * backoffMilliseconds))
    retry?.cancel()
    retry = server.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(backoffMilliseconds)) { [weak self] in
      self?.connect()
    }
  }

  // MARK: - Status

  /// The `status` column of a row that configures this remote.
  func status() -> [(String, String)] {
    var status: [(String, String)] = []
    if method.isPassive {
      if let port = boundPort { status.append(("bound_port", "\(port)")) }
    } else {
      status.append(("state", (sessions.isEmpty ? state : .active).rawValue))
    }
    if let lastError { status.append(("last_error", lastError)) }
    let isPassive = method.isPassive
    status.append(("sec_since_connect", isPassive ? "0" : Self.seconds(since: lastConnected)))
    status.append(("sec_since_disconnect", isPassive ? "0" : Self.seconds(since: lastDisconnected)))
    if sessions.count > 1 { status.append(("n_connections", "\(sessions.count)")) }
    // Locks are those of one session; the peer tells those of any one.
    if let session = sessions.values.first {
      let names = server.locks.names(of: session)
      for (key, list) in [
        ("locks_held", names.owned), ("locks_waiting", names.awaited), ("locks_lost", session.locksLost.sorted()),
      ] where !list.isEmpty { status.append((key, list.joined(separator: " "))) }
    }
    return status
  }

  private static func seconds(since moment: NIODeadline?) -> String {
    guard let moment else { return "0" }
    return "\((NIODeadline.now() - moment).nanoseconds / 1_000_000_000)"
  }
}
