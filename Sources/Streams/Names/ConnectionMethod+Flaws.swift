// SPDX-License-Identifier: Apache-2.0
//
// What is wrong with a remote's name, found before anything is opened.

import Glibc

extension ConnectionMethod {
  /// The methods of remotes, for messages about one that is not.
  private static let knownSchemes = "punix, ptcp, pssl, pfd, unix, tcp and ssl, and db for columns"

  /// Why no connection can ever come of the name; nil when one may. Whether a host is known or a file is there is not looked at: that
  /// may change.
  var flaw: String? {
    switch kind {
    case .unknown: schemeFlaw(methods: Self.knownSchemes)
    case .malformed(_, _, let message, _): message.hasPrefix("\(name): ") ? String(message.dropFirst(name.count + 2)) : message
    case .punix(let path), .unix(let path): Self.flaw(path: path)
    case .ptcp(let address), .pssl(let address): address.hostFlaw
    case .tcp(let address), .ssl(let address): address.host.isEmpty ? "the host is missing" : address.hostFlaw
    case .pfd, .pfdNamed: nil
    }
  }

  /// What is wrong with the method of a name that has none of these.
  func schemeFlaw(methods: String) -> String {
    guard let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")) else {
      return "a connection method and a colon must come first; the methods are \(methods)"
    }
    return "unknown connection method \"\(name[..<colon])\"; the methods are \(methods)"
  }

  private static func flaw(path: String) -> String? {
    if path.isEmpty { return "the name of the socket file is missing" }
    return path.utf8.contains(0) ? "a file name cannot contain a null byte" : nil
  }
}

extension InternetAddress {
  /// The longest name that DNS can hold, and the longest part of one between dots, in bytes.
  ///
  /// Source: RFC 1035 section 2.3.4.
  private static let hostBytesMax = 253
  private static let labelBytesMax = 63

  /// Why the host can be neither an address nor a name; nil when it may be one.
  var hostFlaw: String? {
    if host.isEmpty { return nil }
    if host.utf8.count > Self.hostBytesMax { return "the host's name is longer than \(Self.hostBytesMax) bytes" }
    if host.utf8.contains(UInt8(ascii: ":")) { return isIPv6 ? nil : "bad IP address \"\(host)\"" }
    if host.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || Self.isDigit($0) }) {
      var address = in_addr()
      return inet_aton(host, &address) != 0 ? nil : "bad IP address \"\(host)\""
    }
    // A dot at the end says that the name is complete.
    let name = host.hasSuffix(".") ? host.dropLast() : host[...]
    let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return labels.allSatisfy(Self.isLabel) ? nil : "bad host name \"\(host)\""
  }

  /// Whether a name may have the part between dots. One that is not ASCII has another length once it is encoded.
  ///
  /// Source: RFC 1123 section 2.1. An underscore and a hyphen at the end, which it forbids, are in use.
  private static func isLabel(_ label: Substring.UTF8View) -> Bool {
    guard let first = label.first, first != UInt8(ascii: "-"), label.allSatisfy(mayBeInHostName) else { return false }
    return label.count <= labelBytesMax || label.contains { $0 >= 0x80 }
  }

  /// Whether the host, less its scope, is an IPv6 address.
  private var isIPv6: Bool {
    var address = in6_addr()
    let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 1 || !parts[1].isEmpty else { return false }
    return inet_pton(AF_INET6, String(parts[0]), &address) == 1
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  /// Letters, digits, `-`, `_`, and whatever is not ASCII, of which the resolver makes something.
  private static func mayBeInHostName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), 0x80...: true
    case UInt8(ascii: "-"), UInt8(ascii: "_"): true
    default: isDigit(byte)
    }
  }
}
