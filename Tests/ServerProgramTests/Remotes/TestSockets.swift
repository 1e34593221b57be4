// SPDX-License-Identifier: Apache-2.0
//
// Sockets that a test makes and a server inherits, and the socket of a service manager.

import Foundation
import TestSupport

/// A socket of the test, out of the way of the numbers that a server knows it by.
final class TestSocket {
  let descriptor: Int32

  private init(_ descriptor: Int32) throws {
    guard descriptor >= 0 else { throw ProcessError("socket: \(String(cString: strerror(errno)))") }
    self.descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 200)
    close(descriptor)
    guard self.descriptor >= 200 else { throw ProcessError("fcntl: \(String(cString: strerror(errno)))") }
  }

  deinit { close(descriptor) }

  /// A Unix socket that listens.
  init(listeningAt path: String, backlog: Int32 = 64) throws {
    let made = try TestSocket(socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
    descriptor = fcntl(made.descriptor, F_DUPFD_CLOEXEC, 200)
    try bindUnix(descriptor, path)
    guard listen(descriptor, backlog) == 0 else { throw ProcessError("listen: \(String(cString: strerror(errno)))") }
  }

  /// A TCP socket on a port of the system's choice.
  static func tcp(isListening: Bool = true) throws -> TestSocket {
    let made = try TestSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(made.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard code == 0, !isListening || listen(made.descriptor, 64) == 0 else {
      throw ProcessError("bind: \(String(cString: strerror(errno)))")
    }
    return made
  }

  static func datagram() throws -> TestSocket {
    try TestSocket(socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0))
  }

  static func file(_ path: String) throws -> TestSocket { try TestSocket(open(path, O_RDONLY | O_CLOEXEC)) }

  /// Waits for a connection.
  func accept() throws -> WireSession {
    var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&poller, 1, 60_000) > 0 else { throw ProcessError("nobody connected") }
    let accepted = Glibc.accept(descriptor, nil, nil)
    guard accepted >= 0 else { throw ProcessError("accept: \(String(cString: strerror(errno)))") }
    _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
    return WireSession(descriptor: accepted, secondsMax: 60)
  }

  var port: UInt16 {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return UInt16(bigEndian: address.sin_port)
  }
}

private func bindUnix(_ descriptor: Int32, _ path: String) throws {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  var bytes = Array(path.utf8)
  let isAbstract = bytes.first == UInt8(ascii: "@")
  if isAbstract { bytes[0] = 0 }
  withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
  let length = MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1)
  let code = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(length)) }
  }
  guard code == 0 else { throw ProcessError("bind \(path): \(String(cString: strerror(errno)))") }
}

/// A connection to a port of this host.
func connectTCP(_ port: UInt16) throws -> WireSession {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  let code = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard code == 0 else {
    let text = String(cString: strerror(errno))
    close(descriptor)
    throw ProcessError("port \(port): \(text)")
  }
  return WireSession(descriptor: descriptor, secondsMax: 60)
}

/// The socket on which a service manager hears of its service.
final class NoticeSocket {
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    try bindUnix(descriptor, path)
  }

  deinit { close(descriptor) }

  /// The next notice.
  func receive(seconds: Double = 60) throws -> String {
    var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&poller, 1, Int32(seconds * 1000)) > 0 else { throw ProcessError("no notice in \(seconds) s") }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  /// Takes notices until one begins so.
  func receive(beginning text: String) throws -> String {
    while true {
      let notice = try receive()
      if notice.hasPrefix(text) { return notice }
    }
  }
}
