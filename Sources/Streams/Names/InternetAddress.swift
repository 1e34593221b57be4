// SPDX-License-Identifier: Apache-2.0
//
// The `HOST:PORT` and `PORT:HOST` parts of TCP and TLS connection methods, and their way to socket addresses.

internal import CPosixShims
import Glibc

/// A host and a port as a user wrote them.
package struct InternetAddress: Hashable, Sendable {
  /// The port assigned to OVSDB, used where none is written.
  package static let defaultPort: UInt16 = 6640

  /// A numeric address or a name, without brackets, with its scope (`fe80::1%eth0`). Empty: the IPv4 wildcard, when passive.
  package var host: String
  /// 0 asks the system to choose, when passive.
  package var port: UInt16
  /// Whether the port was written, not defaulted.
  package var hasExplicitPort: Bool

  /// Why a text is no address; `message` ends the log line `TEXT: MESSAGE`.
  struct SyntaxError: Error {
    let message: String
  }

  /// Parses `HOST[:PORT]`.
  init(active text: Substring) throws(SyntaxError) {
    let (first, second) = try Self.split(text)
    host = Self.unbracketed(first)
    (port, hasExplicitPort) = try Self.parsePort(second)
  }

  /// Parses `[PORT][:HOST]`.
  init(passive text: Substring) throws(SyntaxError) {
    let (first, second) = try Self.split(text)
    (port, hasExplicitPort) = try Self.parsePort(first)
    host = Self.unbracketed(second ?? "")
  }

  /// Splits at the one colon outside brackets.
  private static func split(_ text: Substring) throws(SyntaxError) -> (Substring, Substring?) {
    var depth = 0
    var colon: Substring.Index?
    for index in text.indices {
      switch text[index] {
      case "[": depth += 1
      case "]": depth -= 1
      case ":" where depth == 0:
        // A second colon: an IPv6 address without brackets, where nobody can tell which colon begins the port.
        guard colon == nil else { throw SyntaxError(message: "port must be specified") }
        colon = index
      default: break
      }
    }
    guard depth == 0 else { throw SyntaxError(message: "port must be specified") }
    guard let colon else { return (text, nil) }
    return (text[..<colon], text[text.index(after: colon)...])
  }

  fileprivate static func unbracketed(_ text: Substring) -> String {
    text.hasPrefix("[") && text.hasSuffix("]") ? String(text.dropFirst().dropLast()) : String(text)
  }

  private static func parsePort(_ text: Substring?) throws(SyntaxError) -> (UInt16, Bool) {
    guard let text, !text.isEmpty else { return (defaultPort, false) }
    guard text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }), let port = UInt16(text) else {
      throw SyntaxError(message: "bad port number \"\(text)\"")
    }
    return (port, true)
  }
}

/// A socket address of any family, with its length.
struct SocketAddressStorage {
  var storage = sockaddr_storage()
  var length = socklen_t(MemoryLayout<sockaddr_storage>.size)

  /// Calls the body with what bind(2), connect(2) and the like want.
  func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }

  /// Calls the body with what accept(2) and getsockname(2) fill in.
  mutating func withMutablePointer<R>(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> R) -> R {
    length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &length) }
    }
  }

  var family: CInt { CInt(storage.ss_family) }

  /// `127.0.0.1:6640`, `[::1]:6640`; nil for other families.
  var hostAndPort: (host: String, port: UInt16)? {
    guard family == AF_INET || family == AF_INET6 else { return nil }
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var service = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    let result = withPointer { pointer, length in
      getnameinfo(
        pointer, length, &host, socklen_t(host.count), &service, socklen_t(service.count),
        NI_NUMERICHOST | NI_NUMERICSERV)
    }
    guard result == 0 else { return nil }
    let hostText = String(decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let portText = String(decoding: service.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    guard let port = UInt16(portText) else { return nil }
    return (family == AF_INET6 ? "[\(hostText)]" : hostText, port)
  }
}

extension InternetAddress {
  /// Whether the host is an address and not a name.
  var isNumeric: Bool { resolvedForBinding(onlyNumeric: true) != nil }

  /// With the address that the host's name stands for; unchanged when nobody knows it.
  func lookedUp() -> InternetAddress {
    guard let host = resolvedForBinding(onlyNumeric: false)?.hostAndPort?.host else { return self }
    var result = self
    result.host = Self.unbracketed(host[...])
    return result
  }

  /// The address to bind to.
  ///
  /// - Parameter onlyNumeric: a name is not looked up, which may block.
  /// - Returns: nil when the host is neither an address nor a known name.
  func resolvedForBinding(onlyNumeric: Bool = false) -> SocketAddressStorage? {
    var hints = addrinfo()
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV | (onlyNumeric ? AI_NUMERICHOST : 0)
    if host.isEmpty { hints.ai_family = AF_INET }
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host.isEmpty ? nil : host, String(port), &hints, &found) == 0, let first = found else { return nil }
    defer { freeaddrinfo(first) }
    guard let address = first.pointee.ai_addr, first.pointee.ai_addrlen <= MemoryLayout<sockaddr_storage>.size else {
      return nil
    }
    var result = SocketAddressStorage()
    withUnsafeMutableBytes(of: &result.storage) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(first.pointee.ai_addrlen)))
    }
    result.length = first.pointee.ai_addrlen
    return result
  }
}
