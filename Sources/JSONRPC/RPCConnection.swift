// SPDX-License-Identifier: Apache-2.0
//
// One JSON-RPC connection on its event loop: bytes in, messages out on demand, output collected and written at once.
// `RPCConnection+Probe.swift` watches that the peer lives, `RPCConnection+Close.swift` ends it, `RPCConnection+Trace.swift`
// logs messages when somebody debugs.

package import JSON
internal import Logging
package import NIOCore

/// What a connection tells the one who uses it. Called on the connection's event loop.
package protocol RPCConnectionOwner: AnyObject {
  /// Bytes arrived, perhaps no whole message. Called once for each turn of reading, not while reading is paused. The owner
  /// takes what it wants with `next()`; until `next()` has returned nil nothing more is read.
  func inputAvailable(_ connection: RPCConnection)
  /// What could not be sent before was sent down to the low mark.
  func becameWritable(_ connection: RPCConnection)
  /// The connection is about to end, perhaps from within `next()`; what `output` holds after this call is sent as its last words.
  func closing(_ connection: RPCConnection)
  /// The last call; never made from inside a call of the owner.
  func closed(_ connection: RPCConnection, reason: RPCCloseReason)
}

extension RPCConnectionOwner {
  package func closing(_ connection: RPCConnection) {}
}

/// A connection, the last handler of its channel. Pull model: the owner takes messages when it wants them, so that back
/// pressure, fairness and batching are its own.
///
/// Invariants:
/// 1. Nothing is read while reading is paused, while the peer does not take our output (but see `readsWhileFull`), or while more than
///    a little input is left that the owner has not looked at. So a peer can make us hold one message of its own making and about a
///    megabyte of output.
/// 2. `output` and shared buffers leave in the order in which they were appended.
/// 3. `closed` is told once, and afterwards nothing else.
package final class RPCConnection: ChannelDuplexHandler {
  package typealias InboundIn = ByteBuffer
  package typealias InboundOut = Never
  package typealias OutboundIn = Never
  package typealias OutboundOut = ByteBuffer

  /// The name in logs.
  package let name: String
  package weak var owner: (any RPCConnectionOwner)?

  /// What was received. `next()` takes from it and never releases; whoever rewinds or has done with what was taken calls
  /// `releaseInput()`.
  package var input: JSONStream
  /// What is to be sent: whole messages. They leave when `flush()` is called.
  package var output = ByteWriter()

  /// Whether `next()` answers echo requests itself. An owner that keeps answers back and must not be overtaken by its own
  /// connection, or that rewinds, sets this to false, gets them as requests and calls `answerEcho`.
  package var answersEcho = true
  /// Whether the end of the connection by the peer is worth telling an operator, as with a connection that we opened.
  package var announcesClosing = false
  /// Whether the log tells the end of the connection at all. A program that ends with its only connection says so itself.
  package var logsClosing = true

  /// Whether reading goes on while the peer does not take our output. A client needs that: a server stops reading while its own output
  /// is full, and two ends that both stop wait for each other for ever. Such an owner stops asking when `isWritable` says so; answers
  /// to the peer's echo requests are then what grows, and reading stops at `echoBytesMax` of them.
  package var readsWhileFull = false

  /// Whether `output` stays where it is, because its owner is in the middle of a message of several pieces.
  package var holdsOutput = false

  /// Whether the peer takes what we send. While it does not, produce no more than must be.
  package private(set) var isWritable = true
  package internal(set) var isClosed = false

  private(set) var context: ChannelHandlerContext?
  private var isPaused = false
  /// Whether the owner has seen all of the input: `next()` returned nil since bytes came.
  private(set) var isDrained = true
  /// Whether the channel wanted to read when it might not.
  private var hasHeldRead = false
  private(set) var hasReachedEnd = false
  var discardsOutput = false
  private var hasUnflushed = false
  /// Answers to echo requests since the peer last took all output, in bytes.
  private var echoBytes = 0
  var isTracing = false

  /// Bytes given to the channel since the beginning.
  private(set) var handedCount: UInt64 = 0
  private var receivedCount: UInt64 = 0
  private var firstBytes: (UInt8, UInt8) = (0, 0)

  var probe = Probe()
  var closing = Closing()

  /// Capacity that the output buffer keeps between flushes.
  private static let retainedOutputBytesMax = 2048

  /// Answers to echo requests, in bytes, that a peer which does not read them can make us hold while `readsWhileFull`, and one more.
  package static let echoBytesMax = 1 << 20

  /// - Parameters:
  ///   - name: the name in logs.
  ///   - messageBytesMax: a longer message is an error of the peer's.
  package init(name: String, messageBytesMax: Int = .max) {
    self.name = name
    input = JSONStream(messageBytesMax: messageBytesMax)
  }

  // MARK: - Input

  /// The next message, nil when there is no whole one. Echo requests are answered here (the answer waits for `flush()`), and
  /// replies to our probes are swallowed.
  ///
  /// - Throws: when the peer broke the protocol. It has been logged and the connection is being closed.
  package func next() throws(RPCError) -> RPCMessage? {
    while !isClosed {
      let value: JSONValue?
      do {
        value = try input.next()
      } catch {
        throw fail(parsing: error)
      }
      guard let value else {
        drained()
        return nil
      }
      let message: RPCMessage
      do {
        message = try RPCEnvelope.message(value)
      } catch {
        throw fail("received bad JSON-RPC message: \(error.description)")
      }
      if isTracing { trace(received: message) }
      switch message {
      case .request(let method, let params, let id) where answersEcho && method.isString("echo"):
        answerEcho(id: id, params: params)
      case .reply(let id, _) where id.isString("echo"):
        continue
      default:
        return message
      }
    }
    return nil
  }

  /// Appends the answer to an echo request.
  package func answerEcho(id: JSONValue, params: JSONValue) {
    let before = output.count
    output.append("{\"id\":")
    id.write(to: &output)
    output.append(",\"result\":")
    params.write(to: &output)
    output.append(",\"error\":null}")
    if !isWritable { echoBytes += output.count - before }
  }

  /// Forgets the input that `next()` took.
  package func releaseInput() {
    input.release()
  }

  /// Stops reading, and with it calls of `inputAvailable`. Bytes that are on their way may still arrive.
  package func pauseReading() {
    isPaused = true
  }

  /// Reads again. Input that is there already is not announced: an owner that resumes calls `next()`.
  package func resumeReading() {
    isPaused = false
    resumeHeldRead()
  }

  private func drained() {
    isDrained = true
    if hasReachedEnd { finish(.endOfFile) } else { resumeHeldRead() }
  }

  private var mayRead: Bool { !isPaused && isOutputBounded && (isDrained || input.bufferedCount < Self.unseenBytesMax) }

  private var isOutputBounded: Bool { isWritable || readsWhileFull && echoBytes < Self.echoBytesMax }

  /// Input that may wait for the owner before reading stops. An owner usually takes what came before the sockets are looked at again;
  /// to stop and start reading around that would cost two system calls for each read.
  private static let unseenBytesMax = 64 << 10

  private func resumeHeldRead() {
    guard hasHeldRead, mayRead, let context else { return }
    hasHeldRead = false
    context.read()
  }

  /// Whether input waits for us, so that silence says nothing about the peer.
  var holdsUnprocessedInput: Bool { isPaused || !isDrained }

  // MARK: - Output

  /// Sends what was appended, in one write.
  package func flush() {
    guard let context, !isClosed else {
      output.removeAll()
      return
    }
    if output.count > 0, !holdsOutput { hand(to: context) }
    if hasUnflushed {
      hasUnflushed = false
      context.flush()
    }
  }

  /// Sends a piece of a message while `holdsOutput`.
  ///
  /// - Parameter sent: called when the kernel has taken it, perhaps before this returns; never when the connection ends first.
  package func write(piece: ByteBuffer, sent: @escaping () -> Void) {
    guard let context, !isClosed else { return }
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenSuccess(sent)
    if isTracing { trace(sent: piece) }
    handedCount &+= UInt64(piece.readableBytes)
    hasUnflushed = false
    context.writeAndFlush(wrapOutboundOut(piece), promise: promise)
  }

  /// Appends bytes of whole messages that were encoded before, perhaps for many connections; they are not copied.
  package func write(shared buffer: ByteBuffer) {
    guard let context, !isClosed else { return }
    if output.count > 0, !holdsOutput { hand(to: context) }
    write(buffer, to: context)
  }

  private func hand(to context: ChannelHandlerContext) {
    var buffer = context.channel.allocator.buffer(capacity: output.count)
    output.withBytes { _ = buffer.writeBytes($0) }
    output.removeAll(keepingCapacity: output.count <= Self.retainedOutputBytesMax)
    write(buffer, to: context)
  }

  private func write(_ buffer: ByteBuffer, to context: ChannelHandlerContext) {
    if isTracing { trace(sent: buffer) }
    handedCount &+= UInt64(buffer.readableBytes)
    hasUnflushed = true
    context.write(wrapOutboundOut(buffer), promise: nil)
  }

  /// Bytes that the kernel has not taken yet, as far as the channel can tell.
  package var unsentCount: UInt64 {
    guard let count = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes) else { return 0 }
    return UInt64(clamping: count)
  }

  // MARK: - Channel

  package func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    isWritable = context.channel.isWritable || !context.channel.isActive
    closing.eventLoop = context.eventLoop
    isTracing = Log.jsonrpc.logLevel <= .debug
    beginProbing(now: context.eventLoop.now)
  }

  package func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    cancelProbe()
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    guard !isClosed else { return }
    buffer.withUnsafeReadableBytes { bytes in
      if receivedCount < 2 { noteFirstBytes(bytes) }
      receivedCount &+= UInt64(bytes.count)
      input.append(bytes)
    }
    isDrained = false
    noteLife()
  }

  package func channelReadComplete(context: ChannelHandlerContext) {
    isTracing = Log.jsonrpc.logLevel <= .debug
    if !isDrained, !isPaused, !isClosed { owner?.inputAvailable(self) }
  }

  package func read(context: ChannelHandlerContext) {
    if mayRead {
      context.read()
    } else {
      hasHeldRead = true
    }
  }

  package func channelWritabilityChanged(context: ChannelHandlerContext) {
    isWritable = context.channel.isWritable
    guard isWritable, !isClosed else { return }
    echoBytes = 0
    owner?.becameWritable(self)
    resumeHeldRead()
  }

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .inputClosed? = event as? ChannelEvent else { return }
    hasReachedEnd = true
    if isDrained { finish(.endOfFile) }
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let reason = RPCCloseReason(error) else { return finish(.endOfFile) }
    if !isClosed { Log.jsonrpc.warning("\(name): receive error: \(reason)", metadata: Log.limited("message")) }
    finish(reason)
  }

  package func channelInactive(context: ChannelHandlerContext) {
    finish(.endOfFile)
  }

  // MARK: - Protocol errors

  private func noteFirstBytes(_ bytes: UnsafeRawBufferPointer) {
    if receivedCount == 0, let first = bytes.first { firstBytes.0 = first }
    let second = 1 - Int(receivedCount)
    if bytes.indices.contains(second) { firstBytes.1 = bytes[second] }
  }

  private func fail(parsing error: JSONSyntaxError) -> RPCError {
    let text = "error parsing stream: \(error.description)"
    Log.jsonrpc.warning("\(name): \(text)", metadata: Log.limited("message"))
    // A peer that speaks something else entirely is a mistake in someone's configuration, and easily named.
    if error.line == 0, error.byte == 0 {
      let other: String? =
        switch firstBytes {
        case (0x15...0x16, 0x03): "SSL/TLS"
        case (0x01...0x06, 0x00): "OpenFlow"
        default: nil
        }
      if let other {
        Log.jsonrpc.warning("\(name): received \(other) data on JSON-RPC channel", metadata: Log.limited("channel"))
        finish(.otherProtocol(other))
      }
    }
    finish(.protocolError)
    return RPCError(description: text)
  }

  private func fail(_ text: String) -> RPCError {
    Log.jsonrpc.warning("\(name): \(text)", metadata: Log.limited("message"))
    finish(.protocolError)
    return RPCError(description: text)
  }
}
