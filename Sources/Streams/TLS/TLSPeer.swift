// SPDX-License-Identifier: Apache-2.0
//
// Whether the peer of a connection is good enough, at its beginning and for as long as it lasts: the library finds the chain of
// certificates from the peer to a CA that we trust and checks the signatures; here it is asked whether they are strong, and when the
// first of them runs out.

import Glibc
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import NIOTLS

/// Stands between the TLS handler and the gate.
final class TLSPeer: ChannelInboundHandler {
  typealias InboundIn = NIOAny

  private let name: String
  private let policy: TLSPolicy
  /// The end of the first certificate to end, and whose it is.
  private var end: (time: time_t, subject: String)?
  private var isAtTrustedEnd = true
  private var timer: Scheduled<Void>?
  /// Why the peer was refused, with the certificate: set when it was.
  private(set) var objection: String?

  init(name: String, policy: TLSPolicy) {
    self.name = name
    self.policy = policy
  }

  /// Judges one certificate of the chain; the library calls it for each, beginning with the CA, and for what it finds wrong.
  func verify(_ verdict: NIOSSLVerificationResult, _ certificate: NIOSSLCertificate) -> NIOSSLVerificationResult {
    guard let der = try? certificate.toDERBytes(), let subject = CertificateName(der: der)?.subject,
      let validity = CertificateValidity(der: der), let strength = CertificateStrength(der: der)
    else {
      objection = "certificate of the peer cannot be read"
      return .failed
    }
    defer { isAtTrustedEnd = false }
    let reason =
      verdict == .failed
      ? validity.objection(at: policy.clock()) : policy.level.objection(to: strength, isTrusted: isAtTrustedEnd)
    if let reason { objection = "certificate \(subject): \(reason)" }
    guard verdict == .certificateVerified, reason == nil else { return .failed }
    if validity.end < end?.time ?? .max { end = (validity.end, subject) }
    return .certificateVerified
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .handshakeCompleted? = event as? TLSUserEvent { watch(context) }
    context.fireUserInboundEventTriggered(event)
  }

  func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

  /// The longest sleep: the clock of the certificates may be set, or the machine sleep, which timers do not notice.
  private static let longestSleep: Int64 = 600

  /// Ends the connection when the grace after the end of a certificate is over.
  private func watch(_ context: ChannelHandlerContext) {
    guard let end, let grace = policy.expiryGrace else { return }
    let remaining = Int64(end.time) + grace - Int64(policy.clock())
    guard remaining < 0 else {
      let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
      timer = context.eventLoop.scheduleTask(in: .seconds(min(remaining + 1, Self.longestSleep))) {
        let (peer, context) = bound.value
        peer.watch(context)
      }
      return
    }
    Log.streamSSL.warning("\(name): connection dropped (certificate \(end.subject): it has expired)", metadata: Log.limited("expiry"))
    context.close(promise: nil)
  }
}

/// What is asked of the certificates of peers.
struct TLSPolicy: Sendable {
  let level: TLSSecurityLevel
  /// Seconds for which a connection may go on after a certificate of its peer has run out; nil: it does not end for that.
  let expiryGrace: Int64?
  /// The time of day, in seconds since 1970.
  let clock: @Sendable () -> time_t
}

extension CertificateValidity {
  /// Why a certificate does not hold at a time.
  func objection(at now: time_t) -> String? {
    now > end ? "it has expired" : now < begin ? "it is not valid yet" : nil
  }
}

/// Handlers that show us each certificate of the chain that the library has built. That their initializers are deprecated is for the
/// callback being easy to misuse; the one that is recommended replaces the library's verification, and would have us write it.
private protocol ChainVerification {
  static func serverHandler(_ context: NIOSSLContext, _ callback: @escaping NIOSSLVerificationCallback) throws -> NIOSSLServerHandler
  static func clientHandler(
    _ context: NIOSSLContext, _ name: String?, _ callback: @escaping NIOSSLVerificationCallback
  ) throws -> NIOSSLClientHandler
}

private enum DeprecatedInitializers: ChainVerification {
  @available(*, deprecated)
  static func serverHandler(_ context: NIOSSLContext, _ callback: @escaping NIOSSLVerificationCallback) throws -> NIOSSLServerHandler {
    try NIOSSLServerHandler(context: context, verificationCallback: callback)
  }

  @available(*, deprecated)
  static func clientHandler(
    _ context: NIOSSLContext, _ name: String?, _ callback: @escaping NIOSSLVerificationCallback
  ) throws -> NIOSSLClientHandler {
    try NIOSSLClientHandler(context: context, serverHostname: name, verificationCallback: callback)
  }
}

extension TLSPeer {
  private static var initializers: any ChainVerification.Type { DeprecatedInitializers.self }

  /// A TLS handler of a server that asks us about the client, unless clients are not checked.
  func serverHandler(_ context: NIOSSLContext) throws -> NIOSSLServerHandler {
    guard context.configuration.certificateVerification != .none else { return NIOSSLServerHandler(context: context) }
    return try Self.initializers.serverHandler(context) { [self] in verify($0, $1) }
  }

  /// A TLS handler of a client that asks us about the server, unless servers are not checked.
  func clientHandler(_ context: NIOSSLContext, name: String?) throws -> NIOSSLClientHandler {
    guard context.configuration.certificateVerification != .none else {
      return try NIOSSLClientHandler(context: context, serverHostname: name)
    }
    return try Self.initializers.clientHandler(context, name) { [self] in verify($0, $1) }
  }
}
