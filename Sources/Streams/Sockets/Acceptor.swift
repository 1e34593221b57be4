// SPDX-License-Identifier: Apache-2.0
//
// The thread that accepts connections for all listeners and hands them to event loops.
//
// Why not a server channel of SwiftNIO: it calls listen(2) again on a descriptor it is given, accepts without close-on-exec,
// and closes for good on errors of accept(2) that only mean one connection. Accepting is rare beside the traffic of the
// sessions, so one thread for it costs nothing that matters.

internal import CPosixShims
import Glibc
internal import Logging
internal import NIOCore
internal import NIOPosix
import Synchronization

/// Accepts on all listening sockets of the process.
///
/// A descriptor is accepted on, and removed, only while `state`'s lock is held, so it cannot be closed (and its number
/// reused) between the look-up and accept(2).
final class Acceptor: Sendable {
  typealias Accept = @Sendable (Accepted) throws -> Void

  private struct Entry {
    let name: String
    let group: any EventLoopGroup
    /// Nil: connections are plain.
    let tls: TLSContext?
    let accept: Accept
    var lastComplaint: NIODeadline?
  }

  private struct State {
    var entries: [CInt: Entry] = [:]
    /// Those not polled for a while, and until when: accepting failed for want of descriptors or memory.
    var resting: [CInt: NIODeadline] = [:]
    var failureCount = 0
  }

  private let state = Mutex(State())
  /// epoll and not poll, because poll(2) would hold on to a listening socket that another thread closes.
  private let epoll: CInt

  /// How many connections one listener may bring before the others have their turn.
  private static let acceptedPerTurnMax = 64
  /// The pause after accept(2) failed for want of resources: the socket stays readable, and polling on would spin.
  private static let rest = TimeAmount.milliseconds(100)
  private static let restMilliseconds: CInt = 100
  private static let complaintInterval = TimeAmount.seconds(10)

  private static let running = Mutex<Acceptor?>(nil)

  /// The acceptor of this process, started when first needed: after a daemon has detached, never before.
  static func shared() throws(StreamError) -> Acceptor {
    let result: Result<Acceptor, StreamError> = running.withLock { running in
      if let running { return .success(running) }
      do throws(StreamError) {
        let acceptor = try Acceptor()
        running = acceptor
        return .success(acceptor)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  static var sharedIfRunning: Acceptor? { running.withLock { $0 } }

  private init() throws(StreamError) {
    epoll = posix_shim_epoll_create()
    guard epoll >= 0 else { throw StreamError(errnoCode: errno) }
    let code = startThread()
    guard code == 0 else {
      Glibc.close(epoll)
      throw StreamError(errnoCode: code)
    }
  }

  /// Starts the thread with all signals blocked: they belong to the main thread.
  private func startThread() -> CInt {
    var all = sigset_t()
    var previous = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    var thread = pthread_t()
    // The thread's own reference; it never ends.
    let reference = Unmanaged.passRetained(self)
    let code = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Acceptor>.fromOpaque(argument).takeUnretainedValue().run() }
        return nil
      }, reference.toOpaque())
    if code == 0 {
      pthread_detach(thread)
    } else {
      reference.release()
    }
    return code
  }

  // MARK: - Listeners

  func add(_ descriptor: CInt, name: String, group: any EventLoopGroup, tls: TLSContext?, accept: @escaping Accept)
    throws(StreamError)
  {
    let code: CInt = state.withLock { state in
      // Only an inherited descriptor can be named twice.
      guard state.entries[descriptor] == nil else { return EADDRINUSE }
      guard posix_shim_epoll_add(epoll, descriptor) == 0 else { return errno }
      state.entries[descriptor] = Entry(name: name, group: group, tls: tls, accept: accept)
      return 0
    }
    guard code == 0 else { throw StreamError(errnoCode: code) }
  }

  /// Forgets a listener: when this returns nothing of it is in use here, and the caller may close it.
  func remove(_ descriptor: CInt) {
    state.withLock { state in
      state.entries[descriptor] = nil
      if state.resting.removeValue(forKey: descriptor) == nil { _ = posix_shim_epoll_remove(epoll, descriptor) }
    }
  }

  /// How often a listener was laid to rest.
  var failureCount: Int { state.withLock { $0.failureCount } }

  // MARK: - The thread

  private func run() {
    var ready = [CInt](repeating: -1, count: 64)
    while true {
      let count = posix_shim_epoll_wait(epoll, &ready, CInt(ready.count), wakeRested())
      guard count > 0 else { continue }
      for descriptor in ready.prefix(Int(count)) { acceptBurst(descriptor) }
    }
  }

  /// Polls again those that rested long enough.
  ///
  /// - Returns: for how long to wait at most, in milliseconds; -1 for ever. Nobody but this thread lays a listener to rest,
  ///   so none can begin to while it waits.
  private func wakeRested() -> CInt {
    state.withLock { state in
      let now = NIODeadline.now()
      for (descriptor, until) in state.resting where until <= now {
        state.resting[descriptor] = posix_shim_epoll_add(epoll, descriptor) == 0 ? nil : now + Self.rest
      }
      return state.resting.isEmpty ? -1 : Self.restMilliseconds
    }
  }

  private enum Outcome {
    case accepted(CInt, SocketAddressStorage, Entry)
    /// One connection was lost before we got it, or a signal came.
    case again
    case nothing
  }

  private func acceptBurst(_ descriptor: CInt) {
    for _ in 0..<Self.acceptedPerTurnMax {
      switch acceptOne(descriptor) {
      case .accepted(let connection, let peer, let entry): hand(connection, peer, to: entry)
      case .again: continue
      case .nothing: return
      }
    }
  }

  private func acceptOne(_ descriptor: CInt) -> Outcome {
    state.withLock { state in
      guard let entry = state.entries[descriptor], state.resting[descriptor] == nil else { return .nothing }
      var peer = SocketAddressStorage()
      let connection = peer.withMutablePointer { posix_shim_accept(descriptor, $0, $1) }
      if connection >= 0 { return .accepted(connection, peer, entry) }
      switch errno {
      case EAGAIN: return .nothing
      // accept(2): errors of the connection, to be treated like EAGAIN by retrying.
      case EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH, EPERM:
        return .again
      default:
        lay(descriptor, toRestBecause: errno, &state)
        return .nothing
      }
    }
  }

  /// Takes a listener out of the polled set for a while, and says so now and then.
  private func lay(_ descriptor: CInt, toRestBecause code: CInt, _ state: inout State) {
    let now = NIODeadline.now()
    _ = posix_shim_epoll_remove(epoll, descriptor)
    state.resting[descriptor] = now + Self.rest
    state.failureCount += 1
    guard let entry = state.entries[descriptor] else { return }
    if entry.lastComplaint.map({ now - $0 > Self.complaintInterval }) ?? true {
      state.entries[descriptor]?.lastComplaint = now
      Log.stream.error("\(entry.name): accept: \(errnoText(code))")
    }
  }

  /// Makes the connection a channel of one of the group's loops.
  private func hand(_ connection: CInt, _ peer: SocketAddressStorage, to entry: Entry) {
    let name: String
    let user: UInt32?
    if let (host, port) = peer.hostAndPort, !ConnectionMethod.hasScheme(entry.name, "pfd") {
      name = "\(entry.tls == nil ? "tcp" : "ssl"):\(host):\(port)"
      user = nil
    } else {
      name = UnixNames.next()
      user = Self.user(connection)
    }
    let accept = entry.accept
    let listener = entry.name
    let tls: TLSContext.Prepared?
    do throws(StreamError) {
      tls = try entry.tls?.prepared()
    } catch {
      // What is missing has been logged.
      Log.reconnect.warning("\(name): connection dropped (\(errnoText(error.errnoCode)))", metadata: Log.limited("handshake"))
      Glibc.close(connection)
      return
    }
    sessionBootstrap(entry.group.next())
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let accepted = Accepted(channel: channel, name: name, user: user)
          guard let tls else { return try accept(accepted) }
          try tls.accept(on: channel, name: name) { try accept(accepted) }
        }
      }
      .withConnectedSocket(connection)
      .whenFailure { Log.stream.warning("\(listener): connection of \(name) not taken: \($0)") }
  }
}

extension Acceptor {
  /// The user that connected (SO_PEERCRED, unix(7)); nil for sockets that have none.
  private static func user(_ connection: CInt) -> UInt32? {
    var user = uid_t()
    return posix_shim_peer_user(connection, &user) == 0 ? user : nil
  }
}

/// Names for peers that have no address: `unix#0`, `unix#1`, ...
enum UnixNames {
  private static let count = Atomic<UInt64>(0)

  static func next() -> String {
    "unix#\(count.wrappingAdd(1, ordering: .relaxed).oldValue)"
  }
}

/// The channel options of every session.
///
/// Half-closing is allowed, so that a client which sends its requests, shuts down its side and reads on gets its answers.
/// The marks bound what a peer that does not read can make us hold.
func sessionBootstrap(_ eventLoop: any EventLoop) -> ClientBootstrap {
  ClientBootstrap(group: eventLoop)
    .channelOption(.allowRemoteHalfClosure, value: true)
    .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 1 << 20))
    .channelOption(.recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 1024, maximum: 65536))
}
