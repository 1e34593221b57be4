// SPDX-License-Identifier: Apache-2.0
//
// The end of a connection: why, in which words, and in which order.

internal import Logging
internal import NIOCore
internal import Streams

/// Why a connection ended.
package enum RPCCloseReason: Hashable, Sendable, CustomStringConvertible {
  /// The peer closed it.
  case endOfFile
  /// The peer sent what it may not.
  case protocolError
  /// The peer uses another protocol, of this name.
  case otherProtocol(String)
  /// The peer was silent, also when asked.
  case probeTimeout
  case inputOutput(errnoCode: CInt)
  /// TLS reports an error, in these words.
  case tls(String)
  /// We closed it.
  case local

  /// What an error of the channel means; nil for one that is the end.
  init?(_ error: any Error) {
    switch error {
    case let error as IOError: self = .inputOutput(errnoCode: error.errnoCode)
    case let error as TLSReadError: self = .tls(error.description)
    default: return nil
    }
  }

  package var description: String {
    switch self {
    case .endOfFile: "End of file"
    case .protocolError: "Protocol error"
    case .otherProtocol(let name): "Protocol error: the other side uses \(name)"
    case .probeTimeout: "Connection timed out"
    case .inputOutput(let code): errnoText(code)
    case .tls(let words): words
    case .local: "Success"
    }
  }
}

extension RPCConnection {
  struct Closing {
    /// Where the connection lives; known once it is part of a channel.
    var eventLoop: (any EventLoop)?
  }

  /// Closes the connection: what was appended is sent first, as far as the peer takes it.
  package func close(_ reason: RPCCloseReason = .local) {
    finish(reason)
  }

  /// Closes the connection at once, whatever was not sent.
  package func abort() {
    discardsOutput = true
    finish(.local)
  }

  /// Ends the connection for us at once, and for the channel when what we have said is sent.
  func finish(_ reason: RPCCloseReason) {
    guard !isClosed else { return }
    owner?.closing(self)
    guard !isClosed else { return }
    if discardsOutput { output.removeAll() } else { flush() }
    // Sending may have found that the peer is gone.
    guard !isClosed else { return }
    isClosed = true
    cancelProbe()
    log(reason)
    closeChannel(afterSending: reason != .probeTimeout)
    // Later, and not from within a call that the owner is making.
    closing.eventLoop?.assumeIsolated().execute { [self] in
      owner?.closed(self, reason: reason)
      owner = nil
    }
  }

  private func closeChannel(afterSending: Bool) {
    guard let context, context.channel.isActive else { return }
    guard afterSending, !discardsOutput, unsentCount > 0 else {
      context.close(promise: nil)
      return
    }
    // An empty write is fulfilled when all before it left.
    let promise = context.eventLoop.makePromise(of: Void.self)
    let channel = context.channel
    promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
  }

  private func log(_ reason: RPCCloseReason) {
    guard logsClosing else { return }
    switch reason {
    case .endOfFile:
      Log.reconnect.log(level: announcesClosing ? .info : .debug, "\(name): connection closed by peer")
    case .protocolError, .otherProtocol, .inputOutput, .tls:
      Log.reconnect.warning("\(name): connection dropped (\(reason))", metadata: Log.limited("dropped"))
    case .probeTimeout:
      let seconds = probe.interval.nanoseconds / 1_000_000_000
      Log.reconnect.error("\(name): no response to inactivity probe after \(seconds) seconds, disconnecting")
    case .local:
      break
    }
  }
}
