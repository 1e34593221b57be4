// SPDX-License-Identifier: Apache-2.0
//
// A link between two programs that a test can cut, hold up or slow down: a Unix socket that passes on what comes to another one.

import Foundation
import Synchronization

/// A proxy between a client and a server.
package final class LinkProxy: Sendable {
  package enum Mode: Sendable, Equatable {
    case passing
    /// Bytes are taken and kept back.
    case holding
    /// Each piece waits so many milliseconds.
    case delaying(Int)
    /// Connections are closed as soon as they come.
    case refusing
  }

  private struct State {
    var mode = Mode.passing
    var descriptors: [Int32] = []
    var isClosed = false
    var connectionCount = 0
  }

  package let socket: String
  private let target: String
  private let listener: Int32
  private let state = Mutex(State())

  /// What each direction may hold, in bytes; nil: what the system gives a socket.
  private let window: Int?

  package init(_ socket: String, to target: String, window: Int? = nil) throws {
    self.socket = socket
    self.target = target
    self.window = window
    listener = try WireSession.listen(socket)
    Thread.detachNewThread { self.accept() }
  }

  /// Everything that passes through it, and what comes later, ends.
  package func close() {
    state.withLock { $0.isClosed = true }
    cut()
    shutdown(listener, Int32(SHUT_RDWR))
  }

  /// Ends the connections there are; new ones may come.
  package func cut() {
    state.withLock { state in
      for descriptor in state.descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
  }

  package var mode: Mode {
    get { state.withLock { $0.mode } }
    set {
      state.withLock { $0.mode = newValue }
      if newValue == .refusing { cut() }
    }
  }

  /// How many connections have come so far.
  package var connectionCount: Int { state.withLock { $0.connectionCount } }

  private func accept() {
    while true {
      let client = Glibc.accept(listener, nil, nil)
      let (isClosed, mode) = state.withLock { state in
        state.connectionCount += 1
        return (state.isClosed, state.mode)
      }
      guard client >= 0, !isClosed else {
        if client >= 0 { Glibc.close(client) }
        if isClosed { break }
        continue
      }
      guard mode != .refusing, let server = try? WireSession.makeSocket(target, { connect($0, $1, $2) }) else {
        Glibc.close(client)
        continue
      }
      for descriptor in [client, server] { narrow(descriptor) }
      state.withLock { $0.descriptors += [client, server] }
      let ends = Mutex(2)
      for (from, to) in [(client, server), (server, client)] {
        Thread.detachNewThread {
          self.pump(from, to)
          shutdown(from, Int32(SHUT_RDWR))
          shutdown(to, Int32(SHUT_RDWR))
          let isLast = ends.withLock { count in
            count -= 1
            return count == 0
          }
          if isLast { self.end(client, server) }
        }
      }
    }
    Glibc.close(listener)
    unlink(socket)
  }

  /// Both directions are done: the descriptors may be used for something else.
  private func end(_ client: Int32, _ server: Int32) {
    state.withLock { $0.descriptors.removeAll { $0 == client || $0 == server } }
    Glibc.close(client)
    Glibc.close(server)
  }

  private func narrow(_ descriptor: Int32) {
    guard var size = window.map(Int32.init) else { return }
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
  }

  private func pump(_ from: Int32, _ to: Int32) {
    var buffer = [UInt8](repeating: 0, count: window ?? 16384)
    while true {
      let count = recv(from, &buffer, buffer.count, 0)
      if count < 0, errno == EINTR { continue }
      guard count > 0, waitForLeave() else { return }
      var sent = 0
      while sent < count {
        let written = buffer[sent..<count].withUnsafeBytes { send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard written > 0 else { return }
        sent += written
      }
    }
  }

  /// Waits as the mode says; false when the bytes are to be dropped with the connection.
  private func waitForLeave() -> Bool {
    if case .delaying(let milliseconds) = mode { usleep(UInt32(milliseconds) * 1000) }
    while mode == .holding, !state.withLock({ $0.isClosed }) { usleep(1000) }
    return mode != .refusing
  }
}
