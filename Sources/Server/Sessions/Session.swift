// SPDX-License-Identifier: Apache-2.0
//
// One client's connection to the server: what it has asked for and what it is owed. Its requests are dispatched in
// Session+Dispatch.swift; Turn.swift says when.

import DequeModule
import Engine
import JSON
import JSONRPC
import Monitoring
import NIOCore
import OVSDB
import Serving

/// A session.
final class Session {
  let connection: RPCConnection
  /// How many sessions of the server came until this one, with it.
  let number: UInt64
  /// What the server knows it by.
  var handle = SessionHandle.none
  unowned let server: Server
  /// Where the client came in.
  let remote: Remote
  /// Whether writes are refused.
  var isReadOnly: Bool
  /// What it may change, and as whom; nil: everything.
  let role: AccessRole?
  /// Whether the client understands that databases come and go.
  var isChangeAware = false

  /// Blocked transactions by the text of their id.
  var pending: [String: Trigger] = [:]
  /// Conversions under way, by the text of their request's id.
  var conversions: Set<String> = []
  /// Requests that a relay has passed on to its source, by the text of their id.
  var forwarded: [String: ForwardedRequest] = [:]
  /// A request that is not answered yet; those behind it wait.
  var longTransaction: LongTransaction?
  /// Replies that leave as soon as the client takes them.
  var owedReplies: Deque<LongTransaction> = []
  /// Bytes of those that wait because there is no source.
  var waitingBytes = 0
  /// Monitors by the text of their id, over all databases.
  var monitors: [String: (database: ServedDatabase, subscription: Subscription)] = [:]

  /// What of `pending`, `monitors` and locks counts against the client's limits.
  var quota = Quota()
  /// Memory for input when it was last looked at.
  private(set) var inputBytes = 0
  /// What waits for a client that does not take it, when it was last looked at.
  private(set) var outputBytes = 0

  /// In the server's queue.
  var isQueued = false
  /// The last segment that knows of this session.
  var segmentNumber: UInt64 = 0
  /// A large message on its way (Session+Streams.swift); nothing is executed until it is sent.
  var stream: OutputStream?
  /// In the server's queue of streams.
  var isPumpQueued = false
  /// Input was left because the session was clogged; whoever unclogs it puts it back into the queue.
  var isStalled = false
  /// Blocked transactions of this session that are due and wait until the client reads.
  var hasPostponed = false
  /// A message may be waiting in the input.
  private(set) var hasMoreInput = false
  /// A protocol error ended the session.
  private(set) var isClosed = false
  /// Syncs that replies of the open segment must wait for.
  var syncsAwaited: [AwaitedSync] = []
  /// Output that waits for syncs, and what came after it.
  var held: [HeldOutput] = []
  /// Bytes of that.
  var heldBytes = 0
  /// Monitors that are owed something, in the order in which they began to be; also some that are not any more.
  var owed: Deque<Subscription> = []
  /// Close when everything is sent.
  var closesAfterSending = false
  /// Locks that were stolen from the session.
  var locksLost: Set<String> = []
  private(set) lazy var ownsLock: (String) -> Bool = { [unowned self] name in server.locks.isOwner(self, of: name) }

  /// Output above which a session's requests and updates wait.
  static let outputBytesMax = 1 << 20

  init(connection: RPCConnection, server: Server, remote: Remote, isReadOnly: Bool, role: AccessRole? = nil) {
    self.connection = connection
    number = server.makeSessionNumber()
    self.server = server
    self.remote = remote
    self.isReadOnly = isReadOnly
    self.role = role
  }

  /// Whether another request may be executed.
  var isClogged: Bool {
    stream != nil || longTransaction != nil || isClosed || !connection.isWritable || connection.output.count > Self.outputBytesMax
      || held.count > Self.heldPiecesMax || heldBytes > Self.outputBytesMax
      || waitingBytes > Self.outputBytesMax || forwarded.count > Self.forwardedMax
  }

  private static let heldPiecesMax = 64
  /// Requests that may be at a relay's source at a time.
  private static let forwardedMax = 1000

  /// Executes requests that have arrived.
  ///
  /// - Parameter end: no further one is begun when this is past.
  /// - Returns: how many.
  func process(limit: Int, until end: NIODeadline = .distantFuture) -> Int {
    var count = 0
    hasMoreInput = false
    while count < limit {
      if isClogged {
        isStalled = true
        return count
      }
      if hasPostponed {
        wakePostponed()
        continue
      }
      // A look at the clock for every request would be felt.
      if count & 3 == 3, server.eventLoop.now >= end { break }
      let message: RPCMessage?
      server.touch(self)
      do {
        message = try connection.next()
      } catch {
        isClosed = true
        return count
      }
      guard let message else { return count }
      count += 1
      dispatch(message)
    }
    hasMoreInput = !isClosed
    return count
  }

  /// Sends what the segment produced, unless it has to wait for a sync.
  ///
  /// - Parameter keepsInput: A request that is in the input is being answered.
  func send(keepsInput: Bool) {
    guard !isClosed else { return }
    if !keepsInput {
      connection.releaseInput()
      noteInput()
    }
    if let stream {
      holdOutput(behind: stream)
      if !stream.isStarted { start(stream) }
      return
    }
    if !syncsAwaited.isEmpty || !held.isEmpty {
      hold()
    } else {
      connection.flush()
      if closesAfterSending { close() }
    }
    if outputBytes > 0 || !connection.isWritable || !held.isEmpty { noteOutput() }
    drainOwed()
    if isStalled, !isClogged {
      isStalled = false
      server.enqueue(self)
    }
  }

  /// Forgets the open segment: its output, and that its input was taken.
  func takeBack() {
    if let stream, !stream.isStarted {
      self.stream = nil
      connection.holdsOutput = false
    }
    connection.output.removeAll()
    connection.input.rewind(to: 0)
    syncsAwaited.removeAll()
  }

  /// Ends the session when what it is owed is sent.
  func disconnect(because reason: String) {
    noteDisconnecting(reason)
    closesAfterSending = true
    server.touch(self)
  }

  func noteDisconnecting(_ reason: String) {
    guard !isClosed, !closesAfterSending else { return }
    server.log.info("\(connection.name): disconnecting (\(reason))")
  }

  func close() {
    guard !isClosed else { return }
    // Sends what may leave by now.
    connection.close()
    isClosed = true
  }

  /// Ends the session at once, without what it has not been sent.
  func abort() {
    connection.abort()
    isClosed = true
  }

  /// The session had to wait and need not any more.
  func resume() {
    guard !isClosed else { return }
    if isOwed, acceptsUpdates {
      // What is owed may be of the open segment.
      server.closeSegment()
      drainOwed()
    }
    server.enqueue(self)
  }

  /// Whether a monitor may be owed something.
  var isOwed: Bool { !owed.isEmpty }
}

extension Session: RPCConnectionOwner {
  func inputAvailable(_ connection: RPCConnection) {
    noteInput()
    server.enqueue(self)
  }

  /// Counts what the client's input takes, with its requests that wait for a relay's source.
  private func noteInput() {
    let bytes = connection.input.memoryBytes + waitingBytes + (longTransaction?.bytes ?? 0)
    guard bytes != inputBytes else { return }
    server.inputBytes += bytes - inputBytes
    inputBytes = bytes
    if server.inputBytes > server.limits.inputBytesMax { server.shedInput() }
  }

  /// Counts what the client does not take.
  func noteOutput() {
    let bytes = isClosed || connection.isWritable && held.isEmpty ? 0 : backlogBytes
    server.outputBytes += bytes - outputBytes
    outputBytes = bytes
    if server.outputBytes > server.limits.outputBytesMax { server.shedOutput() }
  }

  /// The client is gone.
  func forgetOutput() {
    server.outputBytes -= outputBytes
    outputBytes = 0
  }

  func becameWritable(_ connection: RPCConnection) {
    noteOutput()
    resume()
  }

  /// Nothing of an open segment leaves before the log took it, not even as last words.
  func closing(_ connection: RPCConnection) {
    server.closeSegment()
    // What waits for a sync would overtake nothing now, and must not leave without it.
    if !held.isEmpty { connection.output.removeAll() }
  }

  func closed(_ connection: RPCConnection, reason: RPCCloseReason) {
    isClosed = true
    server.remove(self)
  }
}
