// SPDX-License-Identifier: Apache-2.0
//
// Ways to the system log: syslog(3), a datagram socket of the local daemon, UDP to an address, or nowhere. `LogSystem`
// owns one for `--syslog-method` and perhaps one for `--syslog-target`, and calls them under its lock.
//
// Shape of a datagram: `<PRIORITY>` and the line. To a `--syslog-target`: RFC 5424,
// `<PRIORITY>1 TIME HOST PROGRAM PID MODULE - BOM TEXT`.
// Source: RFC 3164, RFC 5424; details observed: ovsdb-server 3.1.

import CPosixShims
import Glibc

enum SyslogMethod: Equatable, Sendable {
  case libc
  case null
  case unix(String)
  /// `HOST[:PORT]`, the host as a number; IPv6 in brackets.
  case udp(String)

  init?(_ text: String) {
    if text == "libc" {
      self = .libc
    } else if text == "null" {
      self = .null
    } else if text.hasPrefix("unix:") {
      self = .unix(String(text.dropFirst(5)))
    } else if text.hasPrefix("udp:") {
      self = .udp(String(text.dropFirst(4)))
    } else {
      return nil
    }
  }
}

/// A datagram socket connected to where messages go; -1 when that did not work.
struct SyslogSocket: Sendable {
  var descriptor: Int32 = -1
  /// What was wrong with the address, to be logged.
  var problems: [String] = []

  static func open(_ method: SyslogMethod) -> SyslogSocket {
    switch method {
    case .libc, .null: SyslogSocket()
    case .unix(let path): SyslogSocket(descriptor: connectUnix(path))
    case .udp(let target): connectUDP(target, defaultPort: 514)
    }
  }

  private static func connectUnix(_ path: String) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return -1 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(family: AF_UNIX, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  /// - Parameter defaultPort: nil: the target has to name one.
  static func connectUDP(_ target: String, defaultPort: UInt16?) -> SyslogSocket {
    var host = target[...]
    var port = ""[...]
    if target.hasPrefix("["), let end = target.firstIndex(of: "]") {
      host = target[target.index(after: target.startIndex)..<end]
      port = target[target.index(after: end)...].drop { $0 == ":" }
    } else if let colon = target.firstIndex(of: ":") {
      host = target[..<colon]
      port = target[target.index(after: colon)...]
    }
    guard let number = port.isEmpty ? defaultPort : UInt16(port) else {
      if port.isEmpty { return SyslogSocket(problems: ["\(target): port must be specified"]) }
      return SyslogSocket(problems: ["\(target): bad port number \"\(port)\""])
    }
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(String(host), String(number), &hints, &found) == 0, let first = found else {
      return SyslogSocket(problems: ["\(target): bad IP address \"\(host)\""])
    }
    defer { freeaddrinfo(found) }
    guard let address = first.pointee.ai_addr else { return SyslogSocket() }
    return SyslogSocket(descriptor: connect(family: first.pointee.ai_family, address, first.pointee.ai_addrlen))
  }

  private static func connect(family: Int32, _ address: UnsafePointer<sockaddr>, _ length: socklen_t) -> Int32 {
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else { return -1 }
    guard Glibc.connect(descriptor, address, length) == 0 else {
      close(descriptor)
      return -1
    }
    return descriptor
  }
}

final class Syslog: Sendable {
  private let method: SyslogMethod
  private let descriptor: Int32

  init(method: SyslogMethod, socket: SyslogSocket, facility: Int32?) {
    self.method = method
    descriptor = socket.descriptor
    if method == .libc { posix_shim_openlog(Program.name, facility ?? SyslogFacility.daemon) }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  func facilityChanged(_ facility: Int32) {
    if method == .libc { posix_shim_openlog(Program.name, facility) }
  }

  /// What stands before each line, as a pattern: for `libc` the C library writes it.
  var prefix: String {
    switch method {
    case .libc: "<%B> %D{%h %e %T} %E %A: "
    case .unix, .udp: "<%B>"
    case .null: ""
    }
  }

  /// Sends each line of a rendered message by itself. Never waits: a full socket loses messages.
  func send(_ text: String, _ record: LogRecord) {
    guard method != .null else { return }
    let priority = record.facility + record.level.syslogPriority
    for line in text.split(separator: "\n", omittingEmptySubsequences: true) {
      if method == .libc {
        posix_shim_syslog(priority, String(line))
      } else {
        sendDatagram("<\(priority)>\(line)")
      }
    }
  }

  /// The form of RFC 5424, in one datagram.
  func sendStructured(_ record: LogRecord) {
    let time = TimeText.text(record.wallMilliseconds, format: "%Y-%m-%dT%H:%M:%S.###Z", utc: true)
    sendDatagram(
      "<\(record.facility + record.level.syslogPriority)>1 \(time) \(record.hostName) \(Program.name) \(getpid()) "
        + "\(record.module) - \u{FEFF}\(record.text)")
  }

  private func sendDatagram(_ text: String) {
    guard descriptor >= 0 else { return }
    var text = text
    text.withUTF8 { _ = Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }
}
