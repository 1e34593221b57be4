// SPDX-License-Identifier: Apache-2.0
//
// A server's lasting connection to another one: dialled, lost, dialled again with growing pauses, several remotes in turn. Requests and
// what comes back are handed over as views, on the event loop, without a task in between: a server that follows another does so at
// the pace of its own clients.

package import JSON
package import JSONRPC
internal import Logging
package import NIOCore
package import Streams

/// A connection that is made again whenever it ends, until `stop`. All of it is used on its event loop.
package final class SourceLink {
  package weak var owner: (any SourceLinkOwner)?
  package private(set) var isConnected = false
  /// What came of the last attempt to connect, if it failed: `REMOTE cannot be reached: REASON`.
  package private(set) var failure: String?
  /// How long the source may be silent before it is asked, in milliseconds; 0: for ever.
  package var probeMilliseconds: Int64 {
    didSet { connection?.probeIntervalMilliseconds = probeMilliseconds }
  }
  private let methods: [ConnectionMethod]
  private let eventLoop: any EventLoop
  private let rundir: String
  private let messageBytesMax: Int
  private let dscp: UInt8
  /// The remote in use or tried next.
  private var position = 0
  /// Remotes tried since the last pause: each gets its chance before there is one.
  private var triedCount = 0
  private var backoff: Backoff
  private var timer: Scheduled<Void>?
  private var extraPauseMilliseconds: Int64 = 0
  private var isStopped = true
  /// Tells attempts and timers of a former connection from those of this one.
  private var generation: UInt64 = 0

  private var connection: RPCConnection?
  private var pending: [Int64: Call] = [:]
  private var nextID: Int64 = 0
  private var isFlushScheduled = false
  private var isResumeScheduled = false
  /// The owner is busy with something that it was told.
  private var isHolding = false
  private var held = HeldMessages()
  /// The message that is handed over, when it is one that was held.
  private var handedOver: HeldMessage?

  private struct Call {
    let method: StaticString
    let isLarge: Bool
    let reply: (SourceReply) -> Void
    let timer: Scheduled<Void>?
  }

  /// Messages handed over before others on the loop get their turn.
  private static let messagesPerTurnMax = 256

  /// - Parameters:
  ///   - methods: active remotes, not empty, tried in this order.
  ///   - rundir: where relative socket paths lie.
  ///   - messageBytesMax: a longer message of the source ends the connection.
  ///   - maxBackoffMilliseconds: the longest pause between attempts.
  package init(
    _ methods: [ConnectionMethod], on eventLoop: any EventLoop, rundir: String, probeMilliseconds: Int64,
    messageBytesMax: Int, maxBackoffMilliseconds: Int64 = Backoff.defaultLimitMilliseconds,
    dscp: UInt8 = Listener.defaultDSCP
  ) {
    precondition(!methods.isEmpty, "a link needs a remote")
    self.methods = methods
    self.eventLoop = eventLoop
    self.rundir = rundir
    self.probeMilliseconds = probeMilliseconds
    self.messageBytesMax = messageBytesMax
    self.dscp = dscp
    backoff = Backoff(limitMilliseconds: maxBackoffMilliseconds)
  }

  /// The remote in use or tried next.
  private var method: ConnectionMethod { methods[position % methods.count] }

  /// Its name.
  package var name: String { method.name }

  /// Whether the source takes more requests.
  package var isWritable: Bool { isConnected && connection?.isWritable == true }

  // MARK: - Beginning and end

  package func start() {
    guard isStopped else { return }
    isStopped = false
    connect()
  }

  /// Ends the connection, or the attempts, for good. The owner hears no more.
  package func stop() {
    guard !isStopped else { return }
    isStopped = true
    owner = nil
    timer?.cancel()
    generation += 1
    connection?.close()
    drop()
  }

  /// The source does what a connection is for: the next pause is short again.
  package func succeeded() {
    backoff.succeeded()
    triedCount = 0
  }

  /// Gives up a connection that is of no use, and tries the next remote after a pause.
  ///
  /// - Parameter extraPauseMilliseconds: what is added to the pause.
  package func abandon(extraPauseMilliseconds: Int64 = 0) {
    guard let connection, isConnected else { return }
    self.extraPauseMilliseconds = extraPauseMilliseconds
    generation += 1
    connection.close()
    lost()
  }

  private func connect() {
    generation += 1
    let attempt = generation
    let method = method
    let level: Logger.Level = backoff.isAnnounced ? .info : .debug
    Log.reconnect.log(level: level, "\(method.name): connecting...")
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    // The handler joins once the channel is connected: of several addresses of a host only one gets that far.
    dial(method, on: eventLoop, rundir: rundir, dscp: dscp) { _ in }.flatMapThrowing { channel in
      try bound.value.attach(channel, attempt)
    }.assumeIsolated().whenComplete { [self] result in
      guard attempt == generation else { return }
      switch result {
      case .success: connected()
      case .failure(let error):
        Log.reconnect.log(level: level, "\(method.name): connection attempt failed (\(error))")
        failure = "\(method.name) cannot be reached: \(error)"
        tryNext()
      }
    }
  }

  private func attach(_ channel: any Channel, _ attempt: UInt64) throws {
    guard attempt == generation else { throw ChannelError.ioOnClosedChannel }
    let connection = RPCConnection(name: method.name, messageBytesMax: messageBytesMax)
    connection.probeIntervalMilliseconds = probeMilliseconds
    connection.announcesClosing = true
    connection.readsWhileFull = true
    connection.input.defersLargeObjects = true
    connection.owner = self
    try channel.pipeline.syncOperations.addHandler(connection)
    self.connection = connection
  }

  private func connected() {
    isConnected = true
    failure = nil
    Log.reconnect.info("\(method.name): connected")
    owner?.linkConnected(self)
    flushSoon()
  }

  /// Takes a channel in the place of one that it would have dialled: the source is in this process.
  package func connect(through channel: any Channel) throws {
    generation += 1
    timer?.cancel()
    try attach(channel, generation)
    connected()
  }

  private func tryNext() {
    guard !isStopped else { return }
    position = (position + 1) % methods.count
    triedCount += 1
    if triedCount < methods.count { return schedule(0) }
    triedCount = 0
    let name = name
    let pause = backoff.failed()
    if let announcement = pause.announcement { Log.reconnect.info("\(name): \(announcement)") }
    schedule(pause.milliseconds.saturatingPlus(extraPauseMilliseconds))
    extraPauseMilliseconds = 0
  }

  private func schedule(_ milliseconds: Int64) {
    timer?.cancel()
    timer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) { [weak self] in
      guard let self, !self.isStopped else { return }
      self.connect()
    }
  }

  /// The connection is gone: tells who waits, and goes on.
  private func lost() {
    let wasConnected = isConnected
    drop()
    if wasConnected { owner?.linkLost(self) }
    tryNext()
  }

  private func drop() {
    isConnected = false
    isHolding = false
    held = HeldMessages()
    connection?.owner = nil
    connection = nil
    let calls = pending.sorted { $0.key < $1.key }
    pending = [:]
    for (_, call) in calls {
      call.timer?.cancel()
      call.reply(.lost)
    }
  }

  // MARK: - Requests

  /// Sends a request.
  ///
  /// - Parameters:
  ///   - timeoutMilliseconds: a source that has not answered by then is abandoned; nil: it may take as long as it likes.
  ///   - isLarge: a result of many members is not looked at before `takeMessage`, which the owner calls for it.
  ///   - params: appends an array.
  ///   - reply: called once, also when the connection ends.
  /// - Returns: the request's id; nil without a connection, `reply` has been called then.
  @discardableResult
  package func call(
    _ method: StaticString, timeoutMilliseconds: Int64? = nil, isLarge: Bool = false, params: (inout ByteWriter) -> Void,
    reply: @escaping (SourceReply) -> Void
  ) -> Int64? {
    guard isConnected, let connection else {
      reply(.lost)
      return nil
    }
    let id = nextID
    nextID += 1
    connection.output.append("{\"id\":")
    connection.output.appendInteger(id)
    append(method, params, to: connection)
    let timer = timeoutMilliseconds.map { milliseconds in
      eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(milliseconds)) { [weak self] () -> Void in self?.noteSilence(id) }
    }
    pending[id] = Call(method: method, isLarge: isLarge, reply: reply, timer: timer)
    flushSoon()
    return id
  }

  package func notify(_ method: StaticString, params: (inout ByteWriter) -> Void) {
    guard isConnected, let connection else { return }
    connection.output.append("{\"id\":null")
    append(method, params, to: connection)
    flushSoon()
  }

  /// Forgets who waits for a reply; it is passed over when it comes.
  package func forget(_ id: Int64) {
    pending[id]?.timer?.cancel()
    if let call = pending[id] { pending[id] = Call(method: call.method, isLarge: false, reply: { _ in }, timer: nil) }
  }

  private func append(_ method: StaticString, _ params: (inout ByteWriter) -> Void, to connection: RPCConnection) {
    connection.output.append(",\"method\":\"")
    connection.output.append(method)
    connection.output.append("\",\"params\":")
    // What a client said is passed on as it was said.
    connection.output.writesExactReals = true
    params(&connection.output)
    connection.output.writesExactReals = false
    connection.output.append("}")
  }

  private func noteSilence(_ id: Int64) {
    guard let call = pending[id] else { return }
    Log.reconnect.warning("\(name): no reply to \(call.method), giving this connection up")
    abandon()
  }

  /// Requests of one turn leave in one write.
  private func flushSoon() {
    guard !isFlushScheduled else { return }
    isFlushScheduled = true
    eventLoop.assumeIsolated().execute { [self] in
      isFlushScheduled = false
      connection?.flush()
    }
  }
}

extension SourceLink: RPCConnectionOwner {
  package func inputAvailable(_ connection: RPCConnection) {
    guard isConnected, !isResumeScheduled else { return resumeLater(connection) }
    process(connection)
  }

  /// A source that talks without end shares the loop with the clients.
  private func resumeLater(_ connection: RPCConnection) {
    guard !isResumeScheduled else { return }
    isResumeScheduled = true
    eventLoop.assumeIsolated().execute { [self] in
      isResumeScheduled = false
      if connection === self.connection { inputAvailable(connection) }
    }
  }

  private func process(_ connection: RPCConnection) {
    let attempt = generation
    var count = 0
    do throws(RPCError) {
      while attempt == generation, count < Self.messagesPerTurnMax, !held.isFull, let message = try connection.next() {
        if isHolding || !held.isEmpty { keep(message, of: connection) } else { handle(message) }
        count += 1
      }
    } catch {
      // The connection has logged it, and its end comes through `closed`.
      return
    }
    guard attempt == generation else { return }
    connection.releaseInput()
    owner?.linkDrained(self)
    guard attempt == generation else { return }
    connection.flush()
    if count == Self.messagesPerTurnMax { resumeLater(connection) }
  }

  private func handle(_ message: RPCMessage) {
    switch message {
    case .reply(let id, let result):
      guard let call = answered(id) else { break }
      if !call.isLarge { settleMessage() }
      call.reply(.result(result))
    case .error(let id, let error):
      settleMessage()
      answered(id)?.reply(.error(error))
    case .notification(let method, let params): owner?.link(self, received: method, params)
    case .request(let method, _, _):
      // Nothing but echo, which the connection answers, is asked of a client.
      Log.reconnect.warning("\(name): unexpected request \(method.text())", metadata: ["rate-limit": "request"])
    }
  }

  // MARK: - What takes long

  /// The size of the message that is being handed over, in bytes.
  package var messageSize: Int { handedOver?.size ?? connection?.input.textSize ?? 0 }

  /// Makes a notification of many members what it should be, for an owner that does not take it: the names in an object differ. With a
  /// reply this was done, unless the call said otherwise.
  package func settleMessage() {
    if let handedOver { handedOver.texts.forEach { $0.settle() } } else { connection?.input.settle() }
  }

  /// Gives the owner the message that is being handed over, to be looked at on another thread.
  ///
  /// - Returns: what its values last with, to be settled there; empty without a connection.
  package func takeMessage() -> [JSONDocument] {
    if let handedOver { return handedOver.texts }
    return connection.map { [$0.input.detach()] } ?? []
  }

  /// Keeps further messages back until `release`. The connection lives on: echo requests are answered. It ends with the connection.
  package func hold() { isHolding = true }

  package func release() {
    guard isHolding else { return }
    isHolding = false
    handOverSoon()
  }

  private func keep(_ message: RPCMessage, of connection: RPCConnection) {
    switch message {
    case .reply(let id, _), .error(let id, _):
      // It was answered in time, whenever the answer is looked at.
      if let id = id.integer { pending[id]?.timer?.cancel() }
    case .notification, .request: break
    }
    held.append(HeldMessage(message, from: &connection.input))
  }

  private func handOverSoon() {
    let attempt = generation
    eventLoop.assumeIsolated().execute { [self] in
      if attempt == generation { handOverHeld() }
    }
  }

  /// Hands over what was held, and then what the connection has.
  private func handOverHeld() {
    let attempt = generation
    var count = 0
    while attempt == generation, !isHolding, count < Self.messagesPerTurnMax, let message = held.popFirst() {
      handedOver = message
      handle(message.message)
      handedOver = nil
      count += 1
    }
    guard attempt == generation else { return }
    owner?.linkDrained(self)
    guard attempt == generation, !isHolding else { return }
    if held.isEmpty, let connection { inputAvailable(connection) } else { handOverSoon() }
  }

  /// The call that a reply belongs to; none for an id that was not asked, which is passed over.
  private func answered(_ id: JSONValue) -> Call? {
    let call = id.integer.flatMap { pending.removeValue(forKey: $0) }
    call?.timer?.cancel()
    return call
  }

  package func becameWritable(_ connection: RPCConnection) {
    if connection === self.connection, isConnected { owner?.linkBecameWritable(self) }
  }

  package func closed(_ connection: RPCConnection, reason: RPCCloseReason) {
    guard connection === self.connection else { return }
    generation += 1
    lost()
  }
}
