// SPDX-License-Identifier: Apache-2.0
//
// The handshake of one TLS connection, and what becomes of the library's errors afterwards. Until it is done nobody else sees the
// connection: a session begins with a peer that has shown who it is.

import Glibc
internal import Logging
package import NIOCore
internal import NIOSSL
internal import NIOTLS

extension TLSContext.Prepared {
  /// Begins TLS as the server on a channel that is being set up.
  ///
  /// - Parameter established: called when the handshake is done, before anything is read; when it throws the connection is closed.
  func accept(on channel: any Channel, name: String, established: @escaping () throws -> Void) throws {
    let gate = TLSGate(name: name, role: .server, timeout: handshakeTimeout) { result in
      switch result {
      case .success: try established()
      case .failure(let error):
        Log.reconnect.warning("\(name): connection dropped (\(errnoText(error.errnoCode)))", metadata: Log.limited("handshake"))
      }
    }
    let peer = TLSPeer(name: name, policy: policy)
    gate.peer = peer
    let context = try freshContext()
    let handler =
      try learnedAuthority.map { NIOSSLServerHandler(context: context, customVerificationCallback: gate.learning($0)) }
      ?? peer.serverHandler(context)
    try channel.pipeline.syncOperations.addHandlers([TLSFirstBytes(gate), handler, peer, gate])
  }

  /// A context for one connection. The library knows the sessions and has the keys of the tickets of one context only and cannot be
  /// told to do without: with a context of its own no connection can resume another, and who comes is judged each time.
  private func freshContext() throws -> NIOSSLContext {
    var configuration = context.configuration
    if Log.streamSSL.logLevel <= .debug { configuration.sslContextCallback = Self.logServerName }
    return try NIOSSLContext(configuration: configuration)
  }

  /// Logs whom a client asks for (RFC 6066 §3). It changes nothing.
  private static let logServerName: NIOSSLContextCallback = { values, promise in
    if let name = values.serverHostname { Log.streamSSL.debug("connection indicated server name \(name)") }
    promise.succeed(.noChanges)
  }

  /// Begins TLS as the client on a connected channel.
  ///
  /// - Parameter host: whom to ask for, unless the settings say.
  /// - Returns: fulfilled when the handshake is done, before anything is read. Fails with a `StreamError`.
  func connect(_ channel: any Channel, name: String, host: String) -> EventLoopFuture<Void> {
    let promise = channel.eventLoop.makePromise(of: Void.self)
    let gate = TLSGate(name: name, role: .client, timeout: handshakeTimeout) { promise.completeWith($0.mapError { $0 }) }
    let peer = TLSPeer(name: name, policy: policy)
    gate.peer = peer
    do {
      let handler = try makeClientHandler(gate, peer, serverName: serverName ?? host)
      try channel.pipeline.syncOperations.addHandlers([handler, peer, gate])
    } catch {
      channel.close(promise: nil)
      promise.fail(StreamError(errnoCode: EPROTO, words: "TLS cannot begin: \(TLSErrorText.words(error))"))
    }
    return promise.futureResult
  }

  /// Addresses are never asked for (RFC 6066 §3), nor what is no host name.
  private func makeClientHandler(_ gate: TLSGate, _ peer: TLSPeer, serverName: String) throws -> NIOSSLClientHandler {
    func make(_ name: String?) throws -> NIOSSLClientHandler {
      if let learnedAuthority {
        return try NIOSSLClientHandler(
          context: context, serverHostname: name, customVerificationCallback: gate.learning(learnedAuthority))
      }
      return try peer.clientHandler(context, name: name)
    }
    do {
      return try make(serverName)
    } catch is NIOSSLExtraError {
      return try make(nil)
    }
  }
}

/// Whose certificate the peer of an established TLS connection showed.
///
/// - Returns: the common name of its subject; nil without a certificate, without a common name, and for channels without TLS.
package func peerCommonName(of channel: any Channel) -> String? {
  guard let certificate = try? channel.pipeline.syncOperations.nioSSL_peerCertificate() else { return nil }
  return CertificateName(certificate)?.commonName
}

/// Stands behind the TLS handler: waits for the end of the handshake, and afterwards turns the library's errors into errors of
/// reading, which those behind know.
final class TLSGate: ChannelInboundHandler {
  typealias InboundIn = NIOAny
  typealias Completion = (Result<Void, StreamError>) throws -> Void

  enum Role: String {
    case server = "SSL_accept"
    case client = "SSL_connect"
  }

  private let name: String
  private let role: Role
  private let timeout: TimeAmount
  /// Nil when the handshake is over.
  private var completion: Completion?
  private var timer: Scheduled<Void>?
  /// Who knows why the peer was refused.
  var peer: TLSPeer?
  /// The first bytes that came look like JSON.
  var hasSeenPlainText = false
  /// Why we let the handshake fail, which the log says already.
  private var ownReason: String?

  init(name: String, role: Role, timeout: TimeAmount, completion: @escaping Completion) {
    self.name = name
    self.role = role
    self.timeout = timeout
    self.completion = completion
  }

  /// A verification that only keeps the CA certificate.
  func learning(_ path: String) -> NIOSSLCustomVerificationCallback {
    { [self] chain, verdict in
      if let bootstrap = TLSBootstrap(chain: chain) {
        let isStored = bootstrap.store(in: path)
        ownReason = isStored ? "the CA certificate is stored now: connect again" : "the CA certificate could not be stored"
        if isStored {
          Log.streamSSL.info("killing successful connection to retry using CA cert")
        }
      } else {
        ownReason = "the peer sent no self-signed certificate to begin with"
        Log.streamSSL.error("\(name): could not bootstrap CA cert: no self-signed certificate sent by peer")
      }
      verdict.succeed(.failed)
    }
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: timeout) {
      let (gate, context) = bound.value
      gate.fail(StreamError(errnoCode: ETIMEDOUT), because: "handshake not finished in time", context)
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    timer?.cancel()
    fail(StreamError(errnoCode: EPROTO), because: "connection closed during the handshake", context)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .handshakeCompleted? = event as? TLSUserEvent else { return context.fireUserInboundEventTriggered(event) }
    timer?.cancel()
    guard let completion else { return }
    self.completion = nil
    do {
      try completion(.success(()))
    } catch {
      Log.stream.warning("\(name): connection not taken: \(error)")
      context.close(promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard completion == nil else {
      let text = TLSErrorText.words(error)
      return fail(StreamError(errnoCode: EPROTO), because: text + explanation(of: text, context), context)
    }
    switch error {
    // An end without farewell: those behind are about to be told that this is the end.
    case NIOSSLError.uncleanShutdown, is NIOSSLCloseTimedOutError: return
    case is BoringSSLError, is NIOSSLError:
      Log.streamSSL.warning("\(name): SSL_read: \(TLSErrorText.words(error))", metadata: Log.limited("read"))
      context.fireErrorCaught(TLSReadError(description: "TLS: \(TLSErrorText.words(error))"))
    default:
      context.fireErrorCaught(error)
    }
  }

  private func fail(_ error: StreamError, because reason: String, _ context: ChannelHandlerContext) {
    guard let completion else { return }
    self.completion = nil
    timer?.cancel()
    if ownReason == nil {
      Log.streamSSL.warning("\(name): \(role.rawValue): \(reason)", metadata: Log.limited("handshake"))
      if hasSeenPlainText {
        Log.streamSSL.warning("\(name): received JSON-RPC data on SSL channel", metadata: Log.limited("handshake"))
      }
    }
    do {
      try completion(.failure(StreamError(errnoCode: error.errnoCode, words: ownReason ?? "the TLS handshake failed: \(reason)")))
    } catch {
      Log.stream.debug("\(name): \(error)")
    }
    context.close(promise: nil)
  }

  // MARK: - Words

  /// What is wrong with a certificate that was not accepted, as far as it shows.
  private func explanation(of text: String, _ context: ChannelHandlerContext) -> String {
    // The alert of a client that has not come to encrypt yet, as OpenSSL's sends when it refuses our certificate.
    if text == "bad packet length" { return " (the peer sent a plain alert: it may have refused our certificate)" }
    if role == .client {
      // A server that does not use TLS takes our first message for nonsense, and closes the connection or answers in its own way.
      if text == "wrong version number" { return " (the server may not use TLS)" }
      if text == "unexpected eof while reading" { return " (the server may not use TLS, or lack its certificates)" }
    }
    guard text == "certificate verify failed" else { return "" }
    if let objection = peer?.objection { return " (\(objection))" }
    guard let certificate = try? context.pipeline.syncOperations.nioSSL_peerCertificate(),
      let name = CertificateName(certificate)
    else { return "" }
    let reason = name.isSelfIssued ? "it is self-signed" : "no CA certificate of ours vouches for it"
    return " (certificate \(name.subject): \(reason))"
  }
}

/// Stands before the TLS handler and looks at the first bytes of a client, to recognize one that speaks without TLS.
final class TLSFirstBytes: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  private let gate: TLSGate

  init(_ gate: TLSGate) { self.gate = gate }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let buffer = unwrapInboundIn(data)
    gate.hasSeenPlainText = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) == UInt8(ascii: "{")
    context.fireChannelRead(data)
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }
}
