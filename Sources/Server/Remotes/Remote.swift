// SPDX-License-Identifier: Apache-2.0
//
// One remote at work: it listens or dials, and has the sessions that came of it. Which remotes there are is the business of
// RemoteManager.swift; what is told of one stands in Remote+Status.swift.

import Client
import Daemon
import Engine
import JSONRPC
import Logging
import NIOCore
import Streams

/// A remote.
final class Remote {
  /// What an active remote does, in the words of the status column.
  enum State: String {
    case backoff = "BACKOFF"
    case connecting = "CONNECTING"
    case active = "ACTIVE"
    case idle = "IDLE"
  }

  let method: ConnectionMethod
  /// A row of a database configures it, which clients may write: of what it has to say the log gets only some.
  var isOfDatabase: Bool
  private(set) var options: RemoteOptions
  unowned let server: Server
  private(set) var sessions = SessionList()

  private var listener: Listener?
  private var isRemoved = false
  private var retry: Scheduled<Void>?
  /// The pause before the next attempt, and when it began.
  private var pauseBegin = NIODeadline.uptimeNanoseconds(0)
  private var pauseMilliseconds: Int64 = 0
  private var backoff: Backoff
  private(set) var state = State.backoff
  private(set) var lastError: String?
  /// More words for people about that.
  private(set) var lastErrorDetails: String?
  private(set) var lastConnected: NIODeadline?
  private(set) var lastDisconnected: NIODeadline?

  private let log = Logger(label: "reconnect")
  /// How often a listener that could not be opened is tried again.
  private static let listenRetry = TimeAmount.milliseconds(2500)

  init(method: ConnectionMethod, isOfDatabase: Bool = false, options: RemoteOptions, server: Server) {
    self.method = method
    self.isOfDatabase = isOfDatabase
    self.options = options
    self.server = server
    backoff = Backoff(limitMilliseconds: options.maxBackoffMilliseconds)
  }

  var boundPort: UInt16? { listener?.boundPort }

  var isListening: Bool { listener != nil }

  /// - Parameter mayBlock: nobody is served yet, so that the host's name may be looked up at once.
  func start(mayBlock: Bool) {
    // Dialling waits until what is being configured is complete.
    if !method.isPassive { return server.soon { [self] in connect() } }
    if !mayBlock, method.listensOnHostName { return listenWhenLookedUp() }
    listen(method, looksUpHost: true)
  }

  /// How many lines of a kind the log gets; nil: all.
  private func limit(_ kind: String) -> Logger.Metadata? { isOfDatabase ? ["rate-limit": .string(kind)] : nil }

  /// Stops for good and closes the sessions.
  func remove() {
    stopListening()
    closeSessions()
  }

  /// Accepts nobody any more and dials no more; sessions go on.
  func stopListening() {
    isRemoved = true
    retry?.cancel()
    if let listener {
      if let path = listener.socketPath, listener.ownsSocketFile { Cleanup.unregister(path) }
      listener.close()
    } else if let number = method.inheritedNumber {
      InheritedDescriptors.shared.close(number)
    }
    listener = nil
  }

  private func closeSessions() {
    for session in sessions { session.close() }
  }

  /// Takes over changed options. The listener goes on in any case: nobody who connects meanwhile is refused. Sessions are closed when what
  /// they may do, or how their traffic is marked, is another: that was settled when they began.
  func apply(_ new: RemoteOptions) {
    let old = options
    guard new != old else { return }
    options = new
    backoff.limitMilliseconds = new.maxBackoffMilliseconds
    if new.dscp != old.dscp { listener?.setDSCP(new.dscp) }
    if new.dscp != old.dscp || new.isReadOnly != old.isReadOnly || new.role != old.role { closeSessions() }
    for session in sessions { session.connection.probeIntervalMilliseconds = probeMilliseconds }
    if retry != nil, !method.isPassive, new.maxBackoffMilliseconds < old.maxBackoffMilliseconds { awaitRetry() }
  }

  private var probeMilliseconds: Int64 {
    guard let configured = options.probeMilliseconds else { return method.defaultProbeIntervalMilliseconds }
    return configured == 0 ? 0 : max(configured, RemoteOptions.probeMillisecondsMin)
  }

  // MARK: - Listening

  /// Looks the host up on a thread of its own, then listens.
  private func listenWhenLookedUp() {
    let method = method
    server.inBackground(
      on: server.slowWork.names, { method.withHostLookedUp() }, then: { [weak self] method in self?.listen(method, looksUpHost: false) })
  }

  /// - Parameters:
  ///   - method: ours, perhaps with an address in the place of a name.
  ///   - looksUpHost: a name is looked up, which may block; it was not looked up before.
  private func listen(_ method: ConnectionMethod, looksUpHost: Bool) {
    guard !isRemoved else { return }
    retry = nil
    let bound = NIOLoopBound(self, eventLoop: server.eventLoop)
    var details: [(Logger, String)] = []
    do {
      listener = try Listener.open(
        method, group: server.group, rundir: server.rundir, dscp: options.dscp, looksUpHost: looksUpHost, limit: limit("listening"),
        report: { details.append(($0, $1)) }
      ) { accepted in
        try bound.value.accept(accepted.channel, name: accepted.name, user: accepted.user)
      }
      if let path = listener?.socketPath { Cleanup.register(socket: path) }
      (lastError, lastErrorDetails) = (nil, nil)
      if server.hasAnnouncedStart { announce(isLimited: true) }
    } catch {
      let text = "\(error)"
      if lastError != text {
        // What is tried every few seconds is told once.
        for (logger, detail) in details { logger.error("\(detail)", metadata: limit("listening")) }
        Logger(label: "ovsdb_jsonrpc_server").error("\(method.name): listen failed: \(text)", metadata: limit("listen failed"))
      }
      lastError = text
      lastErrorDetails = details.last.map { $0.1.hasPrefix("\(method.name): ") ? String($0.1.dropFirst(method.name.count + 2)) : $0.1 }
      retry = server.eventLoop.assumeIsolated().scheduleTask(in: Self.listenRetry) { [weak self] in
        guard let self else { return }
        if self.method.listensOnHostName { listenWhenLookedUp() } else { listen(self.method, looksUpHost: true) }
      }
    }
  }

  /// Logs that it listens; a listener that had its port from the system has logged that already.
  ///
  /// - Parameter isLimited: rows of databases, which clients write, may have caused it.
  func announce(isLimited: Bool) {
    guard isListening, !method.takesPortFromSystem else { return }
    server.log.info("\(method.name): listening", metadata: isLimited ? ["rate-limit": "listening"] : nil)
  }

  func accept(_ channel: any Channel, name: String, user: UInt32? = nil) throws {
    guard !isRemoved, server.admits(name) else { throw ChannelError.ioOnClosedChannel }
    let connection = RPCConnection(name: name, messageBytesMax: server.limits.messageBytesMax)
    connection.announcesClosing = !method.isPassive
    let session = Session(
      connection: connection, server: server, remote: self, isReadOnly: options.isReadOnly,
      role: role(on: channel, user: user))
    // The channel keeps the connection, the server the session.
    connection.owner = session
    server.add(session)
    sessions.insert(session)
    connection.probeIntervalMilliseconds = probeMilliseconds
    try channel.pipeline.syncOperations.addHandler(connection)
  }

  /// The role of a session that begins, with the client's name as the transport knows it: from its certificate, or, if that is wanted,
  /// from the user behind a Unix socket.
  private func role(on channel: any Channel, user: UInt32?) -> AccessRole? {
    guard !options.role.isEmpty else { return nil }
    let userName = server.identifiesUnixUsers ? user.flatMap(UserName.of) : nil
    return AccessRole(name: options.role, client: peerCommonName(of: channel) ?? userName)
  }

  func remove(_ session: Session) {
    sessions.remove(session)
    guard !method.isPassive else { return }
    let now = server.eventLoop.now
    lastDisconnected = now
    // A connection that falls at once is as good as none: only one that stood begins anew with short pauses.
    if let lastConnected, now - lastConnected > .milliseconds(options.maxBackoffMilliseconds) { backoff.succeeded() }
    if !isRemoved { scheduleConnect() }
  }

  // MARK: - Connecting

  private func connect() {
    retry = nil
    guard !isRemoved, sessions.isEmpty else { return }
    state = .connecting
    if backoff.isAnnounced { log.info("\(method.name): connecting...", metadata: limit("connecting")) }
    let bound = NIOLoopBound(self, eventLoop: server.eventLoop)
    let name = method.name
    // The session is made when there is a connection: a host may have several addresses, each tried in turn.
    dial(
      method, on: server.eventLoop, rundir: server.rundir, dscp: options.dscp, limit: limit("connecting")
    ) { _ in }.flatMapThrowing { channel in
      do {
        try bound.value.accept(channel, name: name)
      } catch {
        // Removed meanwhile.
        channel.close(promise: nil)
        throw error
      }
    }.assumeIsolated().whenComplete { [self] result in
      switch result {
      case .success:
        state = .active
        (lastError, lastErrorDetails) = (nil, nil)
        lastConnected = server.eventLoop.now
        log.info("\(method.name): connected", metadata: limit("connected"))
      case .failure(let error):
        guard !isRemoved else { return }
        lastError = "\(error)"
        lastErrorDetails = (error as? StreamError)?.isOfUnknownHost == true ? "nobody knows the host's name (\(error))" : nil
        if backoff.isAnnounced { log.info("\(method.name): connection attempt failed (\(error))", metadata: limit("failed")) }
        scheduleConnect()
      }
    }
  }

  /// Waits 1, 2, 4, 8 seconds and so on, up to the configured limit.
  private func scheduleConnect() {
    state = .backoff
    let pause = backoff.failed()
    if let announcement = pause.announcement { log.info("\(method.name): \(announcement)", metadata: limit("waiting")) }
    (pauseBegin, pauseMilliseconds) = (server.eventLoop.now, pause.milliseconds)
    awaitRetry()
  }

  /// Connects when the pause is over, which a lowered limit shortens: the time that has passed counts, and no failure is added.
  private func awaitRetry() {
    let limit = max(options.maxBackoffMilliseconds, RemoteOptions.backoffMillisecondsMin)
    retry?.cancel()
    let end = pauseBegin + .milliseconds(min(pauseMilliseconds, limit))
    retry = server.eventLoop.assumeIsolated().scheduleTask(deadline: end) { [weak self] in
      self?.connect()
    }
  }
}
