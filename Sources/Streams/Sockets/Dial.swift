// SPDX-License-Identifier: Apache-2.0
//
// Dialling: active connection methods at work.

import Glibc
package import Logging
package import NIOCore
internal import NIOPosix
import Synchronization

/// How long an attempt to connect may take before it counts as failed.
private let connectTimeout = TimeAmount.seconds(30)

/// Connects.
///
/// - Parameters:
///   - method: an active method.
///   - eventLoop: gets the channel.
///   - rundir: where relative socket paths lie.
///   - dscp: for TCP, 0...63.
///   - tls: for `ssl:`.
///   - limit: how many lines the log gets (`Log.limited`), for remotes that others configure; nil: all.
///   - initialize: called on the event loop before the channel reads anything; adds the handlers with
///     `channel.pipeline.syncOperations`.
/// - Returns: the connected channel, with `ssl:` after the handshake; or a failure, always a `StreamError`. EAFNOSUPPORT for a scheme that
///   does not exist and for a host that cannot be found, as users of these programs know it.
package func dial(
  _ method: ConnectionMethod, on eventLoop: any EventLoop, rundir: String, dscp: UInt8 = Listener.defaultDSCP,
  tls: TLSContext = .shared, limit: Logger.Metadata? = nil, initialize: @escaping @Sendable (any Channel) throws -> Void
) -> EventLoopFuture<any Channel> {
  let initializer: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
    channel.eventLoop.makeCompletedFuture { try initialize(channel) }
  }
  switch method.kind {
  case .unix(let path):
    return dialUnix(SocketPath(path, rundir: rundir), initializer, on: eventLoop, until: eventLoop.now + connectTimeout)
  case .tcp(let address):
    let bootstrap = sessionBootstrap(eventLoop).channelInitializer(initializer)
    return dialTCP(method, address, bootstrap, on: eventLoop, dscp: dscp, limit)
  case .ssl(let address):
    return dialTLS(method, address, on: eventLoop, dscp: dscp, tls: tls, limit, initialize: initialize)
  case .malformed(_, let module, let message, let errnoCode):
    module.logger.error("\(message)")
    for (scheme, log) in [("tcp", Log.streamTCP), ("ssl", Log.streamSSL)]
    where ConnectionMethod.hasScheme(method.name, scheme) {
      log.error("\(method.name): connect: \(errnoText(errnoCode))")
    }
    return eventLoop.makeFailedFuture(StreamError(errnoCode: errnoCode))
  case .punix, .ptcp, .pssl, .pfd, .pfdNamed, .unknown:
    return eventLoop.makeFailedFuture(StreamError(errnoCode: EAFNOSUPPORT))
  }
}

// MARK: - Unix

/// Connects to a Unix socket by connect(2), which answers at once. A full backlog says EAGAIN; then it is tried again a
/// little later, because nothing will tell when there is room.
private func dialUnix(
  _ path: SocketPath, _ initializer: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>,
  on eventLoop: any EventLoop, until deadline: NIODeadline
) -> EventLoopFuture<any Channel> {
  let descriptor: CInt
  do throws(StreamError) {
    descriptor = try Listener.makeSocket(AF_UNIX, name: path.path)
  } catch {
    return eventLoop.makeFailedFuture(error)
  }
  do throws(StreamError) {
    try path.withAddress { address throws(StreamError) in
      guard address.withPointer({ connect(descriptor, $0, $1) }) == 0 else { throw StreamError(errnoCode: errno) }
    }
  } catch {
    Glibc.close(descriptor)
    guard error.errnoCode == EAGAIN else { return eventLoop.makeFailedFuture(error) }
    guard eventLoop.now < deadline else { return eventLoop.makeFailedFuture(StreamError(errnoCode: ETIMEDOUT)) }
    return eventLoop.flatScheduleTask(in: .milliseconds(10)) {
      dialUnix(path, initializer, on: eventLoop, until: deadline)
    }.futureResult
  }
  return sessionBootstrap(eventLoop).channelInitializer(initializer).withConnectedSocket(descriptor)
    .flatMapErrorThrowing { throw streamError(from: $0) }
}

// MARK: - TCP

private let hasWarnedAboutDefaultPort = Atomic<Bool>(false)

/// Connects over TCP. Names are resolved off the event loop, and the addresses found are tried in turn (RFC 8305).
private func dialTCP(
  _ method: ConnectionMethod, _ address: InternetAddress, _ bootstrap: ClientBootstrap, on eventLoop: any EventLoop,
  dscp: UInt8, _ limit: Logger.Metadata?
) -> EventLoopFuture<any Channel> {
  let log = method.isTLS ? Log.streamSSL : Log.streamTCP
  if !address.hasExplicitPort, !hasWarnedAboutDefaultPort.exchange(true, ordering: .relaxed) {
    Log.stream.warning("The default OVSDB port number has changed from 6632 to 6640")
  }
  guard !address.host.isEmpty else {
    log.error("\(method.name): connect: \(errnoText(EAFNOSUPPORT))")
    return eventLoop.makeFailedFuture(StreamError(errnoCode: EAFNOSUPPORT))
  }
  return
    bootstrap
    .channelOption(.tcpOption(.tcp_nodelay), value: 1)
    .connectTimeout(connectTimeout)
    .connect(host: address.host, port: Int(address.port))
    .map { channel in
      setDSCP(channel, dscp)
      return channel
    }
    .flatMapErrorThrowing { error in
      let converted = streamError(from: error)
      if let failure = error as? NIOConnectionError, failure.dnsAError != nil, failure.dnsAAAAError != nil {
        Log.resolve.warning("\(address.host): failed to resolve", metadata: limit)
        log.error("\(method.name): connect: \(converted)", metadata: limit)
        throw StreamError(errnoCode: converted.errnoCode, isOfUnknownHost: true)
      }
      throw converted
    }
}

// MARK: - TLS

/// Connects over TCP, then shakes hands.
private func dialTLS(
  _ method: ConnectionMethod, _ address: InternetAddress, on eventLoop: any EventLoop, dscp: UInt8, tls: TLSContext,
  _ limit: Logger.Metadata?, initialize: @escaping @Sendable (any Channel) throws -> Void
) -> EventLoopFuture<any Channel> {
  let prepared: TLSContext.Prepared
  do throws(StreamError) {
    prepared = try tls.prepared()
  } catch {
    return eventLoop.makeFailedFuture(error)
  }
  return dialTCP(method, address, sessionBootstrap(eventLoop), on: eventLoop, dscp: dscp, limit).flatMap { channel in
    prepared.connect(channel, name: method.name, host: address.host).flatMapThrowing {
      try initialize(channel)
      return channel
    }
  }
}

private func setDSCP(_ channel: any Channel, _ dscp: UInt8) {
  let trafficClass = Int(dscp & 0x3f) << 2
  let isIPv6 = channel.remoteAddress?.protocol == .inet6
  let option =
    isIPv6
    ? ChannelOptions.Types.SocketOption(level: .ipv6, name: .init(rawValue: IPV6_TCLASS))
    : ChannelOptions.Types.SocketOption(level: .ip, name: .init(rawValue: IP_TOS))
  channel.setOption(option, value: trafficClass).whenFailure {
    Log.socketUtil.debug("failed to set DSCP \(dscp): \($0)")
  }
}

/// The error number behind an error of SwiftNIO.
private func streamError(from error: any Error) -> StreamError {
  switch error {
  case let error as StreamError: return error
  case let error as IOError: return StreamError(errnoCode: error.errnoCode)
  case let error as NIOConnectionError:
    guard let attempt = error.connectionErrors.last else { return StreamError(errnoCode: EAFNOSUPPORT) }
    return streamError(from: attempt.error)
  case ChannelError.connectTimeout: return StreamError(errnoCode: ETIMEDOUT)
  default: return StreamError(errnoCode: EIO)
  }
}
