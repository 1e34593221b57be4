// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Glibc
import JSON
import NIOCore
import NIOPosix
import Testing

@testable import JSONRPC

/// What a connection told its owner, as text.
enum Event: Equatable, Sendable {
  case message(String)
  case failure(String)
  case writable
  case closed(RPCCloseReason)
}

/// An owner that takes every message at once and reports what it saw.
final class Recorder: RPCConnectionOwner {
  let events: AsyncStream<Event>.Continuation
  /// Messages to take at each call; then the owner leaves the rest.
  var takesMax = Int.max

  init(_ events: AsyncStream<Event>.Continuation) { self.events = events }

  func inputAvailable(_ connection: RPCConnection) {
    do {
      var taken = 0
      while taken < takesMax, let message = try connection.next() {
        events.yield(.message(Self.text(message)))
        taken += 1
      }
    } catch {
      events.yield(.failure(error.description))
    }
    connection.releaseInput()
    connection.flush()
  }

  func becameWritable(_ connection: RPCConnection) { events.yield(.writable) }

  func closed(_ connection: RPCConnection, reason: RPCCloseReason) {
    events.yield(.closed(reason))
    events.finish()
  }

  static func text(_ message: RPCMessage) -> String {
    switch message {
    case .request(let method, let params, let id): "request \(method.text()) \(params.text()) \(id.text())"
    case .notification(let method, let params): "notification \(method.text()) \(params.text())"
    case .reply(let id, let result): "reply \(id.text()) \(result.text())"
    case .error(let id, let error): "error \(id.text()) \(error.text())"
    }
  }
}

/// One end of a socket pair is a connection on an event loop, the other end is a plain descriptor.
final class Pair: Sendable {
  let peer: CInt
  let loop: any EventLoop
  let connection: NIOLoopBound<RPCConnection>
  let recorder: NIOLoopBound<Recorder>
  let events: AsyncStream<Event>

  /// - Parameter loop: one of those that all tests share when not given.
  init(
    on loop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next(),
    _ configure: @escaping @Sendable (RPCConnection, Recorder) -> Void = { _, _ in }
  ) async throws {
    var ends: [CInt] = [-1, -1]
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    peer = ends[1]
    let stream = AsyncStream.makeStream(of: Event.self)
    events = stream.stream
    self.loop = loop
    let made = loop.makePromise(of: (NIOLoopBound<RPCConnection>, NIOLoopBound<Recorder>).self)
    _ = try await ClientBootstrap(group: loop)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 1 << 20))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let connection = RPCConnection(name: "test#0")
          let recorder = Recorder(stream.continuation)
          connection.owner = recorder
          configure(connection, recorder)
          try channel.pipeline.syncOperations.addHandler(connection)
          made.succeed((NIOLoopBound(connection, eventLoop: loop), NIOLoopBound(recorder, eventLoop: loop)))
        }
      }
      .withConnectedSocket(ends[0]).get()
    (connection, recorder) = try await made.futureResult.get()
  }

  deinit { Glibc.close(peer) }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(peer, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }

  func shutDownSending() { shutdown(peer, CInt(SHUT_WR)) }

  /// Reads that many bytes, or all until the end; nil when nothing comes for ten seconds. On a thread that may block.
  func receive(_ count: Int = .max) async -> String? {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async { continuation.resume(returning: self.receiveBlocking(count)) }
    }
  }

  private func receiveBlocking(_ count: Int) -> String? {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while bytes.count < count {
      var waiting = pollfd(fd: peer, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, 10_000) == 1 else { return nil }
      let read = Glibc.read(peer, &chunk, min(chunk.count, count - bytes.count))
      guard read > 0 else { break }
      bytes += chunk[..<read]
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Starts probing, reads that many bytes, answers, and reads as many again, all on a thread of its own: the tasks' threads may be
  /// busy with other tests for longer than a probe waits.
  ///
  /// - Parameter busyMicroseconds: how long the loop looks at nothing while the answer comes.
  func receiveAnsweringReceive(
    probing milliseconds: Int64, _ count: Int, _ answer: String, busyMicroseconds: UInt32 = 0
  ) async -> [String?] {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        self.loop.execute { self.connection.value.probeIntervalMilliseconds = milliseconds }
        let first = self.receiveBlocking(count)
        if busyMicroseconds > 0 { self.loop.execute { usleep(busyMicroseconds) } }
        self.send(answer)
        continuation.resume(returning: [first, self.receiveBlocking(count)])
      }
    }
  }

  /// Whether the connection stays silent for that long.
  func isSilent(milliseconds: CInt) async -> Bool {
    await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        var waiting = pollfd(fd: self.peer, events: Int16(POLLIN), revents: 0)
        continuation.resume(returning: poll(&waiting, 1, milliseconds) == 0)
      }
    }
  }

  /// Does something with the connection on its loop.
  func perform<R: Sendable>(_ body: @escaping @Sendable (RPCConnection, Recorder) -> R) async throws -> R {
    try await loop.submit { body(self.connection.value, self.recorder.value) }.get()
  }
}
