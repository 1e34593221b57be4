// SPDX-License-Identifier: Apache-2.0
//
// One client of the server under test: a Unix socket, the bytes that wait to be sent, and the scanner of what comes.
// `Loop` tells it when the socket is ready.

import CBenchmarkingShims
import Glibc

package final class Connection {
  package typealias Handler = (Connection, MessageSummary, UInt64) throws(BenchmarkFailure) -> Void

  package let descriptor: Int32
  /// The position in the loop's list of connections.
  package let index: Int
  /// Called for every message but echo requests, which are answered here; the number is the time the bytes came.
  package var handler: Handler?
  /// Messages seen, echo requests not counted.
  package private(set) var messageCount = 0
  /// Rows seen in updates.
  package private(set) var changedRows = 0
  /// Bytes that came.
  package private(set) var receivedBytes = 0
  /// When true, `latest` holds the text of the latest message.
  package var keepsText = false
  package private(set) var latest: [UInt8] = []
  /// When the requests that are not answered yet were written, oldest first; `Load` keeps it.
  package var sendTimes = TimeQueue()
  /// True while the loop waits for room in the socket.
  package var isWaitingForRoom = false

  private var scanner = MessageScanner()
  private var outgoing: UnsafeMutableRawPointer
  private var outgoingCapacity = 4096
  private var outgoingStart = 0
  private var outgoingEnd = 0
  /// The first bytes of a message that is not complete yet.
  private var partial: [UInt8] = []
  private static let partialSizeMax = 1 << 16
  private static let echo = MessageScanner.word("echo")

  init(path: String, index: Int) throws(BenchmarkFailure) {
    self.index = index
    descriptor = try Connection.connect(path)
    outgoing = .allocate(byteCount: outgoingCapacity, alignment: 8)
  }

  /// A client that comes from 127.0.0.N by TCP.
  init(port: UInt16, address: UInt8, index: Int) throws(BenchmarkFailure) {
    self.index = index
    descriptor = try Connection.connect(port: port, address: address)
    outgoing = .allocate(byteCount: outgoingCapacity, alignment: 8)
  }

  deinit {
    close(descriptor)
    outgoing.deallocate()
  }

  /// The process that listens at the other end, when the kernel knows it.
  package var serverProcess: pid_t? {
    let process = bench_shim_peer_process(descriptor)
    return process > 0 ? process : nil
  }

  private static func loopback(_ address: UInt8, port: UInt16) -> sockaddr_in {
    var result = sockaddr_in()
    result.sin_family = sa_family_t(AF_INET)
    result.sin_port = port.bigEndian
    result.sin_addr.s_addr = (UInt32(127) << 24 | UInt32(address)).bigEndian
    return result
  }

  private static func connect(port: UInt16, address: UInt8) throws(BenchmarkFailure) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .current("socket") }
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    for (isLocal, end) in [(true, loopback(address, port: 0)), (false, loopback(address, port: port))] {
      let result = withUnsafePointer(to: end) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { end in
          let size = socklen_t(MemoryLayout<sockaddr_in>.size)
          return isLocal ? bind(descriptor, end, size) : Glibc.connect(descriptor, end, size)
        }
      }
      guard result == 0 else {
        let failure = BenchmarkFailure.current("127.0.0.\(address):\(port)")
        close(descriptor)
        throw failure
      }
    }
    return descriptor
  }

  /// A TCP port that nobody listens on at the moment.
  static func freePort() throws(BenchmarkFailure) -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw .current("socket") }
    defer { close(descriptor) }
    var address = loopback(1, port: 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, size) == 0 ? getsockname(descriptor, address, &size) : -1
      }
    }
    guard result == 0 else { throw .current("bind") }
    return UInt16(bigEndian: address.sin_port)
  }

  static func connect(_ path: String) throws(BenchmarkFailure) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let isCopied = withUnsafeMutableBytes(of: &address.sun_path) { room in
      guard path.utf8.count < room.count else { return false }
      room.copyBytes(from: path.utf8)
      return true
    }
    guard isCopied else { throw .usage("\(path): too long for the path of a socket") }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .current("socket") }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    if result != 0 {
      let failure = BenchmarkFailure.current(path)
      close(descriptor)
      throw failure
    }
    return descriptor
  }

  // MARK: Sending

  /// Adds bytes to what `flush` sends.
  package func send(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    if outgoingEnd + bytes.count > outgoingCapacity { makeRoom(for: bytes.count) }
    (outgoing + outgoingEnd).copyMemory(from: source, byteCount: bytes.count)
    outgoingEnd += bytes.count
  }

  package func send(_ template: RequestTemplate) { send(UnsafeRawBufferPointer(template.bytes)) }

  package func send(_ text: String) {
    var text = text
    text.withUTF8 { send(UnsafeRawBufferPointer($0)) }
  }

  package var hasOutgoing: Bool { outgoingStart < outgoingEnd }

  /// Writes what the socket takes now.
  package func flush() throws(BenchmarkFailure) {
    while outgoingStart < outgoingEnd {
      let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
      let sent = Glibc.send(descriptor, outgoing + outgoingStart, outgoingEnd - outgoingStart, flags)
      if sent >= 0 {
        outgoingStart += sent
      } else if errno == EAGAIN {
        return
      } else if errno != EINTR {
        throw .gone("the server closed a connection: \(String(cString: strerror(errno)))")
      }
    }
    outgoingStart = 0
    outgoingEnd = 0
  }

  private func makeRoom(for count: Int) {
    let waiting = outgoingEnd - outgoingStart
    if waiting + count > outgoingCapacity {
      outgoingCapacity = 2 * (waiting + count)
      let larger = UnsafeMutableRawPointer.allocate(byteCount: outgoingCapacity, alignment: 8)
      larger.copyMemory(from: outgoing + outgoingStart, byteCount: waiting)
      outgoing.deallocate()
      outgoing = larger
    } else {
      memmove(outgoing, outgoing + outgoingStart, waiting)
    }
    outgoingStart = 0
    outgoingEnd = waiting
  }

  // MARK: Receiving

  /// Reads once and handles the messages that are complete with it.
  ///
  /// - Parameters:
  ///   - buffer: Room for the bytes; nothing of it is used afterwards.
  ///   - waits: Blocks until bytes come, or for the socket's time limit.
  /// - Returns: False when there was nothing to read.
  @discardableResult
  func receive(into buffer: UnsafeMutableRawBufferPointer, waits: Bool = false) throws(BenchmarkFailure) -> Bool {
    let count = recv(descriptor, buffer.baseAddress, buffer.count, waits ? 0 : Int32(MSG_DONTWAIT))
    if count == 0 { throw .gone("the server closed a connection") }
    if count < 0 {
      if errno == EAGAIN || errno == EINTR { return false }
      throw .gone("the server closed a connection: \(String(cString: strerror(errno)))")
    }
    let now = Clock.now()
    receivedBytes += count
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
    var position = 0
    var start = 0
    while let summary = try scanner.next(in: bytes, from: &position) {
      try handle(summary, text: bytes[start..<position], now: now)
      start = position
    }
    if !scanner.isBetweenMessages, keepsText || partial.count < Connection.partialSizeMax {
      partial += bytes[start...]
    }
    if outgoingStart < outgoingEnd { try flush() }
    return true
  }

  private func handle(
    _ summary: MessageSummary, text: Slice<UnsafeRawBufferPointer>, now: UInt64
  ) throws(BenchmarkFailure) {
    if summary.isError { throw .server(String(decoding: (partial + text).prefix(1000), as: UTF8.self)) }
    if summary.method == Connection.echo {
      answerEcho(partial + text)
      partial.removeAll(keepingCapacity: true)
      return
    }
    if keepsText { latest = partial + text }
    if !partial.isEmpty { partial.removeAll(keepingCapacity: true) }
    messageCount += 1
    if summary.method != 0 { changedRows += summary.changedRows }
    try handler?(self, summary, now)
  }

  /// Servers ask idle clients whether they live. Their question names an id of fixed text, "echo", in every server
  /// known; the id is copied from the request all the same.
  private func answerEcho(_ request: [UInt8]) {
    let mark = Array("\"id\":".utf8)
    var id = "\"echo\""
    if let start = request.indices.first(where: { request[$0...].starts(with: mark) }) {
      let value = request[(start + mark.count)...].prefix { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "}") }
      id = String(decoding: value, as: UTF8.self)
    }
    send("{\"error\":null,\"id\":\(id),\"result\":[]}")
  }
}

/// A queue of times in a ring.
package struct TimeQueue {
  private var times = [UInt64](repeating: 0, count: 16)
  private var head = 0
  private var tail = 0

  package var count: Int { tail - head }

  package mutating func append(_ time: UInt64) {
    if count == times.count {
      let old = (head..<tail).map { times[$0 & (times.count - 1)] }
      times = old + [UInt64](repeating: 0, count: times.count)
      head = 0
      tail = old.count
    }
    times[tail & (times.count - 1)] = time
    tail += 1
  }

  package mutating func removeFirst() -> UInt64 {
    precondition(count > 0, "no request is waiting for a reply")
    defer { head += 1 }
    return times[head & (times.count - 1)]
  }
}
