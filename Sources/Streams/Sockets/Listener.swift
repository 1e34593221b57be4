// SPDX-License-Identifier: Apache-2.0
//
// Listeners: passive connection methods at work. The descriptor is made (or, for `pfd:`, checked) here; `Acceptor` accepts
// on it.

internal import CPosixShims
import Glibc
package import Logging
package import NIOCore
import Synchronization

/// A connection that a listener accepted, on its event loop, before it reads anything.
package struct Accepted {
  package let channel: any Channel
  /// The session's name in logs: `unix#N`, `tcp:HOST:PORT`, `ssl:HOST:PORT`.
  package let name: String
  /// Who is at the other end of a Unix socket, as the kernel says.
  package let user: UInt32?
}

/// One open listening socket.
///
/// Lives from `open` to `close`; a listener that is let go without `close` keeps accepting.
package final class Listener: Sendable {
  package let method: ConnectionMethod
  /// The port a TCP listener is bound to, also when the system chose it.
  package let boundPort: UInt16?
  /// The socket's file, which `close` removes; for a handler of fatal signals that must do it, too.
  package let socketPath: String?

  private let descriptor: CInt
  /// The number that an inherited descriptor had when the process was started.
  private let inheritedNumber: CInt?
  /// Which file the socket is, so that the socket of another server that took over the path is left alone.
  private let identity: FileIdentity?
  private let isOpen = Mutex(true)

  /// Connections that may wait to be accepted; the system has a limit of its own below it (net.core.somaxconn). With a short queue
  /// thousands of clients that come at once after a restart are made to try again, over TCP after seconds.
  static let backlog: CInt = 4096

  /// The differentiated services code point of TCP traffic unless configured: CS6, network control.
  package static let defaultDSCP: UInt8 = 48

  /// How often, since the start of the process, a connection that waited could not be accepted for want of descriptors or memory. It is
  /// tried again ten times a second.
  package static var acceptFailureCount: Int { Acceptor.sharedIfRunning?.failureCount ?? 0 }

  /// Takes what is to be logged about a failure.
  package typealias Report = (_ logger: Logger, _ text: String) -> Void

  /// Starts to listen.
  ///
  /// - Parameters:
  ///   - method: a passive method.
  ///   - group: its loops get the connections, in turn.
  ///   - rundir: where relative socket paths lie.
  ///   - dscp: for TCP, 0...63.
  ///   - tls: for `pssl:`. A connection is accepted when its handshake is done; what is missing for that is no reason not to listen,
  ///     as it may be configured later.
  ///   - looksUpHost: the name of a host to listen on may be looked up, which may block. Otherwise it counts as unknown.
  ///   - limit: how many lines the log gets (`Log.limited`), for remotes that others configure; nil: all.
  ///   - report: gets the details of a failure, for who tries again and again and wants them once.
  ///   - accept: called on the connection's event loop while its channel is set up; it adds its handlers with
  ///     `channel.pipeline.syncOperations`. When it throws the connection is closed.
  /// - Throws: the error number to report as `NAME: listen failed: TEXT`; details are reported. EAFNOSUPPORT for a method
  ///   that is not passive.
  package static func open(
    _ method: ConnectionMethod, group: any EventLoopGroup, rundir: String, dscp: UInt8 = defaultDSCP,
    tls: TLSContext = .shared, looksUpHost: Bool = true, limit: Logger.Metadata? = nil,
    report: Report = { logger, text in logger.error("\(text)") },
    accept: @escaping @Sendable (Accepted) throws -> Void
  ) throws(StreamError) -> Listener {
    let listener: Listener
    switch method.kind {
    case .punix(let path):
      listener = try openUnix(method, SocketPath(path, rundir: rundir), report)
    case .ptcp(let address), .pssl(let address):
      listener = try openTCP(method, address, dscp: dscp, looksUpHost: looksUpHost, limit, report)
    case .pfd, .pfdNamed:
      listener = try openInherited(method, report)
    case .malformed(_, let module, let message, let errnoCode):
      report(module.logger, message)
      throw StreamError(errnoCode: errnoCode)
    case .unix, .tcp, .ssl, .unknown:
      throw StreamError(errnoCode: EAFNOSUPPORT)
    }
    do {
      try Acceptor.shared().add(
        listener.descriptor, name: method.name, group: group, tls: method.isTLS ? tls : nil, accept: accept)
    } catch {
      // An inherited descriptor stays open: another listener may be serving it.
      if listener.inheritedNumber != nil { throw error }
      listener.release()
      throw error
    }
    if method.isTLS { tls.announce(listener: method.name, limit) }
    return listener
  }

  /// Stops listening and removes the socket's file, if there is one and it still is this socket. Connections that were
  /// accepted live on. Closing twice is harmless.
  package func close() {
    let wasOpen = isOpen.withLock { isOpen in
      defer { isOpen = false }
      return isOpen
    }
    guard wasOpen else { return }
    Acceptor.sharedIfRunning?.remove(descriptor)
    release()
  }

  private func release() {
    if let socketPath, ownsSocketFile { unlink(socketPath) }
    if let inheritedNumber {
      InheritedDescriptors.shared.close(inheritedNumber)
    } else {
      Glibc.close(descriptor)
    }
  }

  /// Whether the file at `socketPath` still is this listener's socket.
  package var ownsSocketFile: Bool {
    guard let socketPath, let identity else { return false }
    return FileIdentity(path: socketPath) == identity
  }

  /// Marks the traffic of connections that are accepted from now on, where it goes through a network.
  package func setDSCP(_ dscp: UInt8) {
    switch method.kind {
    case .ptcp, .pssl: break
    default: return
    }
    var bound = SocketAddressStorage()
    guard bound.withMutablePointer({ getsockname(descriptor, $0, $1) }) == 0 else { return }
    Self.setDSCP(descriptor, family: bound.family, dscp)
  }

  init(
    method: ConnectionMethod, descriptor: CInt, inheritedNumber: CInt? = nil, boundPort: UInt16? = nil,
    socketPath: String? = nil, identity: FileIdentity? = nil
  ) {
    self.method = method
    self.descriptor = descriptor
    self.inheritedNumber = inheritedNumber
    self.boundPort = boundPort
    self.socketPath = socketPath
    self.identity = identity
  }
}

// MARK: - Unix

extension Listener {
  /// Binds a Unix socket.
  ///
  /// A socket in the way is replaced, as users of these programs expect: usually a killed server left it behind. One that still answers
  /// is replaced with a warning. Anything else in the way is somebody's file: it stays, and the remote fails.
  private static func openUnix(
    _ method: ConnectionMethod, _ socketPath: SocketPath, _ report: Report
  ) throws(StreamError) -> Listener {
    let path = socketPath.path
    if let file = FileIdentity(path: path) {
      guard file.isSocket else {
        let error = StreamError(errnoCode: EADDRINUSE)
        report(Log.streamUnix, "\(path): binding failed: \(error) by a file that is no socket, which is left alone")
        throw error
      }
      if isAnsweringForAnother(socketPath) {
        Log.streamUnix.info("\(path): another server still answers on this socket; taking its path over")
      }
      if unlink(path) != 0, errno != ENOENT {
        Log.socketUtilUnix.warning("unlinking \"\(path)\": \(errnoText(errno))")
      }
    }
    let descriptor = try makeSocket(AF_UNIX, name: path, report)
    do throws(StreamError) {
      // On the unbound socket: bind then creates the file with this mode less the umask, so it is never wider.
      guard fchmod(descriptor, 0o770) == 0 else { throw StreamError(errnoCode: errno) }
      try socketPath.withAddress { address throws(StreamError) in
        guard address.withPointer({ bind(descriptor, $0, $1) }) == 0 else {
          throw StreamError(errnoCode: errno)
        }
      }
    } catch {
      report(Log.streamUnix, "\(path): binding failed: \(error)")
      Glibc.close(descriptor)
      throw error
    }
    let identity = FileIdentity(path: path)
    guard listen(descriptor, backlog) == 0 else {
      let error = StreamError(errnoCode: errno)
      report(Log.streamUnix, "\(path): listen: \(error)")
      unlink(path)
      Glibc.close(descriptor)
      throw error
    }
    return Listener(method: method, descriptor: descriptor, socketPath: path, identity: identity)
  }

  /// Whether another process listens on a socket's path. A full backlog is an answer too.
  private static func isAnsweringForAnother(_ socketPath: SocketPath) -> Bool {
    guard !InheritedDescriptors.shared.isBound(to: socketPath.path),
      let descriptor = try? makeSocket(AF_UNIX, name: socketPath.path)
    else { return false }
    defer { Glibc.close(descriptor) }
    let answer = try? socketPath.withAddress { address throws(StreamError) in
      address.withPointer { connect(descriptor, $0, $1) == 0 || errno == EAGAIN }
    }
    return answer == true && peer(of: descriptor) != getpid()
  }

  /// The process that called listen(2) on the other end; nil when there is no connection.
  private static func peer(of descriptor: CInt) -> pid_t? {
    var process: pid_t = 0
    return posix_shim_peer_process(descriptor, &process) == 0 ? process : nil
  }

  static func makeSocket(
    _ family: CInt, name: String, _ report: Report = { logger, text in logger.error("\(text)") }
  ) throws(StreamError) -> CInt {
    let type = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else {
      let error = StreamError(errnoCode: errno)
      report(Log.socketUtil, "\(name): socket: \(error)")
      throw error
    }
    return descriptor
  }
}

// MARK: - Inherited descriptors

extension Listener {
  private static func openInherited(_ method: ConnectionMethod, _ report: Report) throws(StreamError) -> Listener {
    do throws(InheritedDescriptorError) {
      let inherited = InheritedDescriptors.shared
      let number: CInt
      switch method.kind {
      case .pfd(let descriptor): number = descriptor
      case .pfdNamed(let name): number = try inherited.number(named: name)
      default: throw InheritedDescriptorError(message: "bad file descriptor", errnoCode: EBADF)
      }
      let descriptor = try inherited.descriptor(number)
      try checkInherited(descriptor)
      return Listener(method: method, descriptor: descriptor, inheritedNumber: number)
    } catch {
      report(Log.streamFD, "\(method.name): \(error.message)")
      throw StreamError(errnoCode: error.errnoCode)
    }
  }

  /// Checks that a descriptor we were started with is a listening stream socket, then makes it fit for an event loop.
  ///
  /// Whoever started us opened, bound and listens; nothing of that is done again (a second listen(2) would replace the
  /// credentials that clients see) and no path is ever removed.
  private static func checkInherited(_ descriptor: CInt) throws(InheritedDescriptorError) {
    var value: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &value, &length) == 0 else { throw .notASocket(errno) }
    guard value == CInt(SOCK_STREAM.rawValue) else {
      throw InheritedDescriptorError(message: "not a stream socket (type \(value))", errnoCode: EINVAL)
    }
    length = socklen_t(MemoryLayout<CInt>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0, value != 0 else {
      throw InheritedDescriptorError(message: "not a listening socket", errnoCode: EINVAL)
    }
    guard posix_shim_set_nonblocking_cloexec(descriptor) == 0 else {
      throw InheritedDescriptorError(message: "cannot set flags (\(errnoText(errno)))", errnoCode: errno)
    }
  }
}

extension ConnectionMethod.Module {
  /// The name of the logging module.
  package var label: String { logger.label }

  var logger: Logger {
    switch self {
    case .socketUtil: Log.socketUtil
    case .streamFD: Log.streamFD
    }
  }
}
