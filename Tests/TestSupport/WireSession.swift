// SPDX-License-Identifier: Apache-2.0
//
// A blocking JSON-RPC client over a Unix socket that also lets a test send any bytes it likes and see the bytes that
// come back. It shares no code with the JSONRPC target.

import Foundation

/// One message of a server, with its bytes.
package struct WireMessage: Sendable {
  package let json: WireJSON
  package let bytes: [UInt8]

  package var method: String? { json["method"]?.stringValue }

  /// Whether this is a reply or error reply to the request with that id.
  package func isReply(to id: WireJSON) -> Bool { method == nil && json["id"] == id }
}

package final class WireSession {
  private var descriptor: Int32
  private var buffer: [UInt8] = []
  private var scanner = TextScanner()
  private var nextID = 0
  private let secondsMax: Double

  /// Connects to a Unix socket.
  package init(socket path: String, secondsMax: Double = 30) throws {
    self.secondsMax = secondsMax
    descriptor = try Self.makeSocket(path) { connect($0, $1, $2) }
  }

  /// Talks through a socket that is connected already, and closes it in the end.
  package init(descriptor: Int32, secondsMax: Double = 30) {
    self.secondsMax = secondsMax
    self.descriptor = descriptor
  }

  /// A listening Unix socket.
  package static func listen(_ path: String) throws -> Int32 {
    unlink(path)
    let descriptor = try makeSocket(path) { bind($0, $1, $2) }
    guard Glibc.listen(descriptor, 16) == 0 else { throw ProcessError("listen: \(String(cString: strerror(errno)))") }
    return descriptor
  }

  /// A Unix socket that was bound or connected.
  package static func makeSocket(
    _ path: String, _ use: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws -> Int32 {
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw ProcessError("socket: \(String(cString: strerror(errno)))") }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard path.utf8.count < capacity else { throw ProcessError("\(path): too long for a socket") }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { use(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard code == 0 else {
      let text = String(cString: strerror(errno))
      Glibc.close(descriptor)
      throw ProcessError("\(path): \(text)")
    }
    return descriptor
  }

  deinit { disconnect() }

  package func disconnect() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  // MARK: Sending

  /// Sends bytes as they are.
  package func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw ProcessError("send: \(String(cString: strerror(errno)))") }
      rest = rest.dropFirst(count)
    }
  }

  package func request(_ method: String, _ params: WireJSON, id: WireJSON) throws {
    try send(WireJSON.object([.init("method", .string(method)), .init("params", params), .init("id", id)]).bytes)
  }

  package func notify(_ method: String, _ params: WireJSON) throws {
    try send(WireJSON.object([.init("method", .string(method)), .init("params", params), .init("id", nil)]).bytes)
  }

  /// A number that no request of this session has used yet.
  package func freshID() -> WireJSON {
    nextID += 1
    return .integer(nextID)
  }

  // MARK: Receiving

  /// The next message; nil when the server has closed the connection.
  ///
  /// - Throws: `ProcessError` when nothing comes within `seconds`, or what comes is no JSON.
  package func receive(seconds: Double? = nil) throws -> WireMessage? {
    let deadline = Deadline(seconds: seconds ?? secondsMax)
    while true {
      if let end = scanner.end(in: buffer) {
        let bytes = Array(buffer[..<end])
        buffer.removeFirst(end)
        scanner = TextScanner()
        return WireMessage(json: try WireJSON(parsing: bytes), bytes: bytes)
      }
      guard try fill(until: deadline) else { return nil }
    }
  }

  /// Reads bytes into the buffer; false at the end of the stream.
  private func fill(until deadline: Deadline) throws -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65536)
    var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&poller, 1, deadline.remainingMilliseconds) > 0 else {
      guard deadline.hasPassed else { return true }
      throw ProcessError("no message in time; buffered: \(String(decoding: buffer.prefix(500), as: UTF8.self))")
    }
    let count = recv(descriptor, &chunk, chunk.count, 0)
    if count < 0 && errno == EINTR { return true }
    guard count > 0 else { return false }
    buffer += chunk[..<count]
    return true
  }

  /// The messages up to and including the reply to `id`.
  package func receive(untilReplyTo id: WireJSON, seconds: Double? = nil) throws -> [WireMessage] {
    var messages: [WireMessage] = []
    while true {
      guard let message = try receive(seconds: seconds) else {
        throw ProcessError("connection closed before the reply to \(id); so far: \(messages.map(\.json))")
      }
      messages.append(message)
      if message.isReply(to: id) { return messages }
    }
  }

  /// Reads about so many bytes of what comes next, and keeps them for `receive`.
  ///
  /// - Returns: how many, none at the end of the stream.
  package func receiveSome(_ count: Int, seconds: Double? = nil) throws -> Int {
    let deadline = Deadline(seconds: seconds ?? secondsMax)
    let before = buffer.count
    while buffer.count - before < count, try fill(until: deadline) {}
    return buffer.count - before
  }

  /// Reads a message that ends with some text without looking into it, and gives its size: what is large takes long to parse.
  package func receiveSize(until end: String, seconds: Double) throws -> Int {
    let deadline = Deadline(seconds: seconds)
    var count = 0
    while true {
      if buffer.suffix(end.utf8.count).elementsEqual(end.utf8) { break }
      if buffer.count > 1 << 16 {
        count += buffer.count - end.utf8.count
        buffer.removeFirst(buffer.count - end.utf8.count)
      }
      guard try fill(until: deadline) else { throw ProcessError("connection closed after \(count + buffer.count) bytes") }
    }
    defer { buffer = [] }
    return count + buffer.count
  }

  // MARK: Calls

  /// Sends a request and gives its reply; messages before it are returned too.
  package func exchange(
    _ method: String, _ params: WireJSON
  ) throws -> (reply: WireJSON, before: [WireMessage]) {
    let id = freshID()
    try request(method, params, id: id)
    var messages = try receive(untilReplyTo: id)
    let last = messages.removeLast()
    return (last.json, messages)
  }

  /// The `result` of a request that must succeed.
  @discardableResult
  package func call(_ method: String, _ params: WireJSON) throws -> WireJSON {
    let reply = try exchange(method, params).reply
    guard reply["error"]?.isNull ?? true, let result = reply["result"] else {
      throw ProcessError("\(method) \(params) failed: \(reply)")
    }
    return result
  }

  /// The messages until the server closes the connection.
  package func receiveUntilClosed(seconds: Double? = nil) throws -> [WireMessage] {
    var messages: [WireMessage] = []
    while let message = try receive(seconds: seconds) { messages.append(message) }
    return messages
  }
}

/// Finds the end of the first object or array in a growing buffer without looking at a byte twice.
private struct TextScanner {
  private var position = 0
  private var depth = 0
  private var isInString = false
  private var isEscaped = false

  mutating func end(in buffer: [UInt8]) -> Int? {
    while position < buffer.count {
      let byte = buffer[position]
      position += 1
      if isInString {
        if isEscaped { isEscaped = false } else if byte == UInt8(ascii: "\\") { isEscaped = true } else if byte == UInt8(ascii: "\"") { isInString = false }
        continue
      }
      switch byte {
      case UInt8(ascii: "\""): isInString = true
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        if depth == 0 { return position }
      default: break
      }
    }
    return nil
  }
}
