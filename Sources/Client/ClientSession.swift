// SPDX-License-Identifier: Apache-2.0
//
// One connection to a server: requests and their replies, notifications.

internal import Glibc
package import JSON
package import JSONRPC
package import NIOCore
package import Streams
internal import Synchronization

/// Why a session could not be had, or why a call has no reply.
package enum ClientError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The remote may not be named here.
  case refused(ConnectionMethod.Refusal)
  /// It could not be connected to, or listened on.
  case unreachable(StreamError)
  /// The connection ended.
  case closed(RPCCloseReason)

  /// The reason alone, as tools print it in parentheses.
  package var description: String {
    switch self {
    case .refused(let refusal): refusal.description
    case .unreachable(let error): error.description
    case .closed(let reason): reason.description
    }
  }
}

/// What a server answered.
package enum ClientReply: Sendable {
  case result(JSONDocument)
  /// A bare string or an error object.
  case error(JSONDocument)
}

/// A message that the server sent by itself.
package struct ClientNotification: Sendable {
  package let method: String
  package let params: JSONDocument
}

/// A connection to a server. All of it may be used from any thread and any task.
///
/// Replies and notifications come in the order in which the server sent them: a reply's task is woken before a later
/// notification is put into `notifications`.
package final class ClientSession: Sendable {
  /// The remote by its name, or the peer's name when it connected to us.
  package let name: String
  package let eventLoop: any EventLoop
  /// What the server sends by itself. Ends when the connection ends. For one consumer.
  package let notifications: AsyncStream<ClientNotification>
  private let state: NIOLoopBound<ClientSessionState>

  private init(name: String, state: ClientSessionState, notifications: AsyncStream<ClientNotification>, on loop: any EventLoop) {
    self.name = name
    self.eventLoop = loop
    self.notifications = notifications
    self.state = NIOLoopBound(state, eventLoop: loop)
  }

  /// A longer message is taken for rubbish, so that a server cannot fill our memory. Whoever expects more rows than that calls `select`.
  package static let messageBytesMax = 1 << 30

  // MARK: - Beginning and end

  /// Connects to an active remote, or waits on a passive one for somebody to connect.
  ///
  /// - Parameters:
  ///   - rundir: where relative socket paths lie.
  ///   - probeIntervalMilliseconds: how long the server may be silent before it is asked; 0: for ever.
  ///   - logsClosing: whether the end of the connection goes into the log, as it should when another attempt follows.
  ///   - waiting: called once a passive remote listens, with its bound port if it has one.
  /// - Throws: `unreachable`.
  package static func open(
    _ method: ConnectionMethod, on loop: any EventLoop, rundir: String, probeIntervalMilliseconds: Int64 = 0,
    logsClosing: Bool = false, waiting: @escaping @Sendable (UInt16?) -> Void = { _ in }
  ) async throws(ClientError) -> ClientSession {
    let attach: @Sendable (String, any Channel) throws -> ClientSession = { name, channel in
      try Self.attached(
        name, to: channel, probeIntervalMilliseconds: probeIntervalMilliseconds, logsClosing: logsClosing)
    }
    do {
      guard method.isPassive else {
        // The handler joins once the channel is connected: of several addresses of a host only one gets that far.
        return try await dial(method, on: loop, rundir: rundir) { _ in }
          .flatMapThrowing { try attach(method.name, $0) }.get()
      }
      let promise = loop.makePromise(of: ClientSession.self)
      let isTaken = FirstComer()
      let listener: Listener
      do {
        listener = try Listener.open(method, group: loop, rundir: rundir) { accepted in
          // One server is enough; who comes second is turned away.
          guard isTaken.take() else { throw StreamError(errnoCode: ECONNABORTED) }
          promise.succeed(try attach(accepted.name, accepted.channel))
        }
      } catch {
        promise.fail(error)
        throw error
      }
      defer { listener.close() }
      waiting(listener.boundPort)
      return try await promise.futureResult.get()
    } catch let error as StreamError {
      throw .unreachable(error)
    } catch {
      throw .closed(.endOfFile)
    }
  }

  /// Makes a channel that is being set up a session.
  private static func attached(
    _ name: String, to channel: any Channel, probeIntervalMilliseconds: Int64, logsClosing: Bool
  ) throws -> ClientSession {
    let connection = RPCConnection(name: name, messageBytesMax: messageBytesMax)
    connection.probeIntervalMilliseconds = probeIntervalMilliseconds
    connection.logsClosing = logsClosing
    connection.announcesClosing = true
    connection.readsWhileFull = true
    let notifications = AsyncStream.makeStream(of: ClientNotification.self)
    let state = ClientSessionState(
      connection: connection, channel: channel, notifications: notifications.continuation,
      closed: channel.eventLoop.makePromise(of: RPCCloseReason.self))
    connection.owner = state
    try channel.pipeline.syncOperations.addHandler(connection)
    return ClientSession(name: name, state: state, notifications: notifications.stream, on: channel.eventLoop)
  }

  /// Closes the connection after what was sent is out. Waits until it is closed.
  package func close() async {
    eventLoop.execute { self.state.value.connection.close() }
    _ = await closed()
  }

  /// Waits until the connection has ended and says why.
  package func closed() async -> RPCCloseReason {
    let future = eventLoop.flatSubmit { self.state.value.closed.futureResult }
    // The promise is never failed.
    return (try? await future.get()) ?? .local
  }

  /// Stops reading, so that the server in the end stops sending.
  package func pauseReading() {
    eventLoop.execute { self.state.value.connection.pauseReading() }
  }

  package func resumeReading() {
    eventLoop.execute {
      let state = self.state.value
      state.connection.resumeReading()
      state.inputAvailable(state.connection)
    }
  }

  // MARK: - Calls

  /// Sends a request and waits for its reply.
  ///
  /// - Parameters:
  ///   - params: an array as JSON text.
  ///   - sent: called on the event loop when the request is on its way.
  /// - Throws: `closed` when the connection ends before the reply.
  package func call(
    _ method: String, _ params: [UInt8], sent: @escaping @Sendable () -> Void = {}
  ) async throws(ClientError) -> ClientReply {
    try await reply { state in
      let reply = state.call(method, params)
      sent()
      return reply
    }
  }

  /// A call whose reply comes through a handler of its own.
  func call(
    _ method: String, _ params: [UInt8], through handler: @escaping @Sendable () -> RowExtractor
  ) async throws(ClientError) -> ClientReply {
    try await reply { $0.call(method, params, through: handler()) }
  }

  private func reply(
    _ begin: @escaping @Sendable (ClientSessionState) -> EventLoopFuture<ClientReply>
  ) async throws(ClientError) -> ClientReply {
    let future = eventLoop.flatSubmit { begin(self.state.value) }
    do {
      return try await future.get()
    } catch let error as ClientError {
      throw error
    } catch {
      throw .closed(.endOfFile)
    }
  }

  package func call(_ method: String, _ params: String) async throws(ClientError) -> ClientReply {
    try await call(method, Array(params.utf8))
  }

  /// Sends a notification.
  package func notify(_ method: String, _ params: [UInt8]) {
    eventLoop.execute {
      let state = self.state.value
      state.append(method, params, id: nil)
      state.connection.flush()
    }
  }

  /// Runs a transaction.
  ///
  /// - Parameters:
  ///   - operations: each an operation as JSON text.
  package func transact(_ database: String, _ operations: [String]) async throws(ClientError) -> ClientReply {
    var writer = ByteWriter(capacity: 256)
    writer.append("[")
    writer.appendQuoted(database)
    for operation in operations {
      writer.append(",")
      writer.append(utf8: operation)
    }
    writer.append("]")
    return try await call("transact", writer.bytes)
  }

  /// Begins to monitor; updates come as notifications.
  ///
  /// - Parameters:
  ///   - method: `monitor` or `monitor_cond`.
  ///   - id: the monitor's id, as JSON text.
  ///   - requests: the monitor requests, as JSON text.
  package func monitor(
    _ database: String, method: String = "monitor", id: String = "null", requests: String
  ) async throws(ClientError) -> ClientReply {
    var writer = ByteWriter(capacity: 256)
    writer.append("[")
    writer.appendQuoted(database)
    writer.append(utf8: ",\(id),\(requests)]")
    return try await call(method, writer.bytes)
  }
}

/// Something that one of many may have.
private final class FirstComer: Sendable {
  private let isTaken = Atomic<Bool>(false)

  /// True for the first who asks.
  func take() -> Bool { !isTaken.exchange(true, ordering: .acquiringAndReleasing) }
}

/// What a session is on its event loop.
final class ClientSessionState: RPCConnectionOwner {
  let connection: RPCConnection
  let closed: EventLoopPromise<RPCCloseReason>
  private let channel: any Channel
  private let notifications: AsyncStream<ClientNotification>.Continuation
  private var pending: [Int64: EventLoopPromise<ClientReply>] = [:]
  private var nextID: Int64 = 0
  private var closeReason: RPCCloseReason?
  /// The connection holds its owner weakly; until it has ended, its owner is what holds us.
  private var keepAlive: ClientSessionState?

  init(
    connection: RPCConnection, channel: any Channel, notifications: AsyncStream<ClientNotification>.Continuation,
    closed: EventLoopPromise<RPCCloseReason>
  ) {
    self.connection = connection
    self.channel = channel
    self.notifications = notifications
    self.closed = closed
    keepAlive = self
  }

  func call(_ method: String, _ params: [UInt8]) -> EventLoopFuture<ClientReply> {
    let promise = closed.futureResult.eventLoop.makePromise(of: ClientReply.self)
    if let closeReason {
      promise.fail(ClientError.closed(closeReason))
      return promise.futureResult
    }
    pending[nextID] = promise
    append(method, params, id: nextID)
    nextID += 1
    connection.flush()
    return promise.futureResult
  }

  /// Has the handler in the pipeline until the reply is there.
  func call(_ method: String, _ params: [UInt8], through handler: RowExtractor) -> EventLoopFuture<ClientReply> {
    let pipeline = channel.pipeline.syncOperations
    do {
      try pipeline.addHandler(handler, position: .before(connection))
    } catch {
      // The pipeline is gone: the connection has ended, and the call says so.
      return call(method, params)
    }
    let reply = call(method, params)
    reply.assumeIsolated().whenComplete { _ in
      // What cannot be removed any more went with its pipeline.
      _ = try? pipeline.removeHandler(context: pipeline.context(handler: handler))
    }
    return reply
  }

  func append(_ method: String, _ params: [UInt8], id: Int64?) {
    connection.output.append("{\"id\":")
    if let id { connection.output.appendInteger(id) } else { connection.output.append("null") }
    connection.output.append(",\"method\":")
    connection.output.appendQuoted(method)
    connection.output.append(",\"params\":")
    connection.output.append(params)
    connection.output.append("}")
  }

  func inputAvailable(_ connection: RPCConnection) {
    do throws(RPCError) {
      while let message = try connection.next() {
        switch message {
        case .reply(let id, let result): answered(id)?.succeed(.result(result.detached()))
        case .error(let id, let error): answered(id)?.succeed(.error(error.detached()))
        case .notification(let method, let params):
          notifications.yield(ClientNotification(method: method.string ?? "", params: params.detached()))
        case .request:
          // A server asks nothing but echo, which the connection answers.
          continue
        }
      }
    } catch {
      // The connection has logged it, and tells its end to `closed`.
      return
    }
    connection.releaseInput()
    connection.flush()
  }

  /// The call that a reply belongs to; none for an id that was not asked, which is ignored.
  private func answered(_ id: JSONValue) -> EventLoopPromise<ClientReply>? {
    id.integer.flatMap { pending.removeValue(forKey: $0) }
  }

  func becameWritable(_ connection: RPCConnection) {}

  func closed(_ connection: RPCConnection, reason: RPCCloseReason) {
    closeReason = reason
    for promise in pending.values { promise.fail(ClientError.closed(reason)) }
    pending.removeAll()
    notifications.finish()
    closed.succeed(reason)
    keepAlive = nil
  }
}
