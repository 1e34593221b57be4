// SPDX-License-Identifier: Apache-2.0
//
// Dialling: active connection methods at work.

import Glibc
internal import Logging
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
///   - initialize: called on the event loop before the channel reads anything; adds the handlers with
///     `channel.pipeline.syncOperations`.
/// - Returns: the connected channel; or a failure, always a `StreamError`. EAFNOSUPPORT for a scheme that does not exist
///   and for a host that cannot be found, as users of these programs know it.
package func dial(
  _ method: ConnectionMethod, on eventLoop: any EventLoop, rundir: String, dscp: UInt8 = Listener.defaultDSCP,
  initialize: @escaping @Sendable (any Channel) throws -> Void
) -> EventLoopFuture<any Channel> {
  let initializer: @Sendable (any Channel) -> EventLoopFuture<Void> = { channel in
    channel.eventLoop.makeCompletedFuture { try initialize(channel) }
  }
  switch method.kind {
  case .unix(let path):
    return dialUnix(SocketPath(path, rundir: rundir), initializer, on: eventLoop, until: .now() + connectTimeout)
  case .tcp(let address):
    let bootstrap = sessionBootstrap(eventLoop).channelInitializer(initializer)
    return dialTCP(method, address, bootstrap, on: eventLoop, dscp: dscp)
  case .ssl:
    Log.streamSSL.error("\(method.name): this program was built without TLS support")
    return eventLoop.makeFailedFuture(StreamError.tlsMissing)
  case .malformed(_, let module, let message, let errnoCode):
    module.logger.error("\(message)")
    if ConnectionMethod.hasScheme(method.name, "tcp") {
      Log.streamTCP.error("\(method.name): connect: \(errnoText(errnoCode))")
    }
    return eventLoop.makeFailedFuture(StreamError(errnoCode: errnoCode))
  case .punix, .ptcp, .pssl, .pfd, .unknown:
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
    guard NIODeadline.now() < deadline else { return eventLoop.makeFailedFuture(StreamError(errnoCode: ETIMEDOUT)) }
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
  dscp: UInt8
) -> EventLoopFuture<any Channel> {
  if !address.hasExplicitPort, !hasWarnedAboutDefaultPort.exchange(true, ordering: .relaxed) {
    Log.stream.warning("The default OVSDB port number has changed from 6632 to 6640")
  }
  guard !address.host.isEmpty else {
    Log.streamTCP.error("\(method.name): connect: \(errnoText(EAFNOSUPPORT))")
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
        Log.resolve.warning("\(address.host): failed to resolve")
        Log.streamTCP.error("\(method.name): connect: \(converted)")
      }
      throw converted
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
