// SPDX-License-Identifier: Apache-2.0
//
// The client side of the control socket, blocking: for command-line programs that ask one thing and end.

import CPosixShims
import Daemon
import Glibc
internal import JSON

/// What ended a call.
package enum ControlClientError: Error, Equatable, Sendable, CustomStringConvertible {
  /// errno of the system call.
  case system(Int32)
  case endOfFile
  /// The answer is no JSON, or no answer.
  case protocolError

  package var description: String {
    switch self {
    case .system(let code): SystemError.text(code)
    case .endOfFile: "End of file"
    case .protocolError: "Protocol error"
    }
  }
}

/// What a daemon answered.
package enum ControlAnswer: Equatable, Sendable {
  case text(String)
  /// A value that is no string, as it came: compact JSON with sorted keys; and indented.
  case value(compact: String, pretty: String, isObject: Bool)
  case error(String)

  /// A text as servers wrap it whose output is JSON: `{"reply":TEXT,"reply-format":"plain"}`.
  package static func wrapping(_ text: String) -> ControlAnswer {
    var reply = ByteWriter()
    reply.appendQuoted(text)
    return .value(
      compact: "{\"reply\":\(reply.string),\"reply-format\":\"plain\"}",
      pretty: "{\n  \"reply\": \(reply.string),\n  \"reply-format\": \"plain\"}", isObject: true)
  }
}

package struct ControlClient: ~Copyable {
  private let descriptor: Int32
  private var stream = JSONStream(messageBytesMax: .max)
  private var nextID: Int64 = 0

  /// Connects to a socket by its path, of any length.
  package init(connectingTo path: String) throws(ControlClientError) {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw .system(errno) }
    let error = Self.connect(descriptor, to: path)
    guard error == 0 else {
      close(descriptor)
      throw .system(error)
    }
  }

  deinit { close(descriptor) }

  /// Sends a command and waits for its answer.
  package mutating func call(_ command: String, _ arguments: [String]) throws(ControlClientError) -> ControlAnswer {
    let id = nextID
    nextID += 1
    var request = ByteWriter()
    request.append("{\"id\":")
    request.appendInteger(id)
    request.append(",\"method\":")
    request.appendQuoted(command)
    request.append(",\"params\":[")
    for (index, argument) in arguments.enumerated() {
      if index > 0 { request.append(UInt8(ascii: ",")) }
      request.appendQuoted(argument)
    }
    request.append("]}")
    try send(request.bytes)
    return try receive(id)
  }

  private func send(_ bytes: [UInt8]) throws(ControlClientError) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .system(errno) }
      sent += count
    }
  }

  /// Reads until the answer to a request has come; what answers something else is no answer to us.
  private mutating func receive(_ id: Int64) throws(ControlClientError) -> ControlAnswer {
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      do {
        while let message = try stream.next() {
          if let answer = Self.answer(message, id) { return answer }
        }
      } catch {
        throw .protocolError
      }
      stream.release()
      let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count == 0 { throw .endOfFile }
      guard count > 0 else { throw .system(errno) }
      buffer.withUnsafeBytes { stream.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
  }

  private static func answer(_ message: JSONValue, _ id: Int64) -> ControlAnswer? {
    guard message.kind == .object, message.member("id")?.integer == id, message.member("method") == nil else { return nil }
    if let error = message.member("error"), !error.isNull { return .error(text(error) ?? error.text()) }
    guard let result = message.member("result"), !result.isNull else { return nil }
    if let text = text(result) { return .text(text) }
    return .value(compact: result.text(), pretty: result.prettyText(), isObject: result.kind == .object)
  }

  private static func text(_ value: JSONValue) -> String? { value.utf8.map { String(decoding: $0, as: UTF8.self) } }

  // MARK: Connecting

  /// - Returns: 0, or an errno value.
  private static func connect(_ descriptor: Int32, to path: String) -> Int32 {
    let bytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1
    guard path.utf8.count > bytesMax else { return connectShort(descriptor, path) }
    // Too long for an address: go through a descriptor of the directory.
    guard let slash = path.lastIndex(of: "/") else { return ENAMETOOLONG }
    let directory = posix_shim_open(slash == path.startIndex ? "/" : String(path[..<slash]), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard directory >= 0 else { return errno }
    defer { close(directory) }
    let short = "/proc/self/fd/\(directory)\(path[slash...])"
    return short.utf8.count > bytesMax ? ENAMETOOLONG : connectShort(descriptor, short)
  }

  private static func connectShort(_ descriptor: Int32, _ path: String) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result == 0 ? 0 : errno
  }
}
