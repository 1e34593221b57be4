// SPDX-License-Identifier: Apache-2.0
//
// Connection methods: the one place where a remote's name is taken apart.

import Glibc

/// A remote as it was named, parsed.
///
/// Shape: `punix:FILE`, `ptcp:[PORT][:HOST]`, `pssl:[PORT][:HOST]`, `pfd:FD`, `pfd:NAME` listen; `unix:FILE`, `tcp:HOST[:PORT]`,
/// `ssl:HOST[:PORT]` connect. A server takes only names that can work (`parse`). A client takes any name (`parseForClient`) and learns of
/// a mistake when it connects, as the reference's clients do.
///
/// Source: Documentation/protocol/server.md#remotes.
package struct ConnectionMethod: Hashable, Sendable, CustomStringConvertible {
  /// As it was written; the name of the remote in logs and in answers.
  package let name: String
  package let kind: Kind

  package enum Kind: Hashable, Sendable {
    case punix(path: String)
    case ptcp(InternetAddress)
    case pssl(InternetAddress)
    case pfd(descriptor: CInt)
    /// A descriptor that a service manager passed under this name.
    case pfdNamed(String)
    case unix(path: String)
    case tcp(InternetAddress)
    case ssl(InternetAddress)
    /// A scheme that does not exist.
    case unknown
    /// A known scheme whose argument makes no sense; `message` is logged at each attempt to open it.
    case malformed(isPassive: Bool, module: Module, message: String, errnoCode: CInt)
  }

  /// The logging module that reports a malformed argument.
  package enum Module: Hashable, Sendable { case socketUtil, streamFD }

  /// Who named the remote. Only the one who starts the process knows what its descriptors are.
  package enum Origin: Sendable {
    case commandLine, configurationFile, controlSocket, database
  }

  /// A remote that its origin may not name.
  package struct Refusal: Error, Equatable, CustomStringConvertible {
    package let description: String
  }

  /// Parses the name of a remote of the server, or of a server that it follows.
  ///
  /// - Throws: `Refusal` for a name that no connection can come of: an unknown method, an impossible host, port or number. Also for
  ///   `pfd:` from an origin other than the command line. Whoever may write into a database, a configuration file or the control
  ///   socket could otherwise make the server accept on any of its descriptors, and a file that is read again knows nothing of what
  ///   the process was started with.
  package static func parse(_ name: String, origin: Origin) throws(Refusal) -> ConnectionMethod {
    if hasScheme(name, "pfd") {
      switch origin {
      case .commandLine: break
      case .configurationFile, .controlSocket, .database:
        throw Refusal(description: "pfd: remotes can only be specified on the command line")
      }
    }
    let method = parseForClient(name)
    if let flaw = method.flaw { throw Refusal(description: "\(name): \(flaw)") }
    return method
  }

  /// Parses the name of a server that a server follows, as a backup or relay.
  ///
  /// - Throws: `Refusal` as `parse` does, and for a name that waits for connections.
  package static func parse(source name: String, origin: Origin) throws(Refusal) -> ConnectionMethod {
    let method = parseForClient(name)
    if case .unknown = method.kind { throw Refusal(description: "\(name): \(method.schemeFlaw(methods: "unix, tcp and ssl"))") }
    _ = try parse(name, origin: origin)
    if method.isPassive { throw Refusal(description: "\(name): a source must be a server to connect to, by unix:, tcp: or ssl:") }
    return method
  }

  /// Parses the name of a server that a program was told to connect to. A name that makes no sense fails when it is dialled.
  package static func parseForClient(_ name: String) -> ConnectionMethod {
    ConnectionMethod(name: name, kind: parseKind(name))
  }

  /// Whether the method waits for others to connect.
  package var isPassive: Bool {
    switch kind {
    case .punix, .ptcp, .pssl, .pfd, .pfdNamed: true
    case .unix, .tcp, .ssl, .unknown: false
    case .malformed(let isPassive, _, _, _): isPassive
    }
  }

  /// Whether the method says that TLS is spoken.
  package var isTLS: Bool {
    switch kind {
    case .pssl, .ssl: true
    default: false
    }
  }

  /// The inactivity probe of its sessions unless something else is configured: a process at the other end of a Unix socket
  /// cannot vanish unnoticed, a host across a network can.
  package var defaultProbeIntervalMilliseconds: Int64 {
    switch kind {
    case .ptcp, .pssl, .tcp, .ssl: 5000
    case .punix, .pfd, .pfdNamed, .unix, .unknown, .malformed: 0
    }
  }

  /// Whether the method serves an inherited descriptor.
  package var isInherited: Bool {
    switch kind {
    case .pfd, .pfdNamed: true
    default: false
    }
  }

  /// The number of the inherited descriptor that the method serves; nil for other methods, and for a name that was not passed.
  package var inheritedNumber: CInt? {
    switch kind {
    case .pfd(let number): number
    case .pfdNamed(let name): try? InheritedDescriptors.shared.number(named: name)
    default: nil
    }
  }

  /// Whether the system chooses the port to listen on.
  package var takesPortFromSystem: Bool {
    switch kind {
    case .ptcp(let address), .pssl(let address): address.port == 0
    default: false
    }
  }

  /// Whether the host to listen on is a name, which may take long to look up.
  package var listensOnHostName: Bool {
    switch kind {
    case .ptcp(let address), .pssl(let address): !address.host.isEmpty && !address.isNumeric
    default: false
    }
  }

  /// Looks up the host to listen on, which may block.
  ///
  /// - Returns: the method with an address in its place; unchanged when there is no name, or nobody knows it.
  package func withHostLookedUp() -> ConnectionMethod {
    switch kind {
    case .ptcp(let address): ConnectionMethod(name: name, kind: .ptcp(address.lookedUp()))
    case .pssl(let address): ConnectionMethod(name: name, kind: .pssl(address.lookedUp()))
    default: self
    }
  }

  package var description: String { name }

  /// Whether a name begins with `SCHEME:`, compared by bytes.
  package static func hasScheme(_ name: String, _ scheme: String) -> Bool {
    name.utf8.starts(with: scheme.utf8) && name.utf8.dropFirst(scheme.utf8.count).first == UInt8(ascii: ":")
  }

  private static func parseKind(_ name: String) -> Kind {
    guard let colon = name.utf8.firstIndex(of: UInt8(ascii: ":")) else { return .unknown }
    let argument = name[name.utf8.index(after: colon)...]
    switch name[..<colon] {
    case "punix": return .punix(path: String(argument))
    case "unix": return .unix(path: String(argument))
    case "ptcp": return internet(argument, isPassive: true) { .ptcp($0) }
    case "pssl": return internet(argument, isPassive: true) { .pssl($0) }
    case "tcp": return internet(argument, isPassive: false) { .tcp($0) }
    case "ssl": return internet(argument, isPassive: false) { .ssl($0) }
    case "pfd":
      let isNumber = argument.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
      if !isNumber { return .pfdNamed(String(argument)) }
      guard let descriptor = CInt(argument) else {
        return .malformed(
          isPassive: true, module: .streamFD, message: "\(name): bad file descriptor", errnoCode: EBADF)
      }
      return .pfd(descriptor: descriptor)
    default: return .unknown
    }
  }

  private static func internet(_ argument: Substring, isPassive: Bool, _ make: (InternetAddress) -> Kind) -> Kind {
    do {
      return make(isPassive ? try InternetAddress(passive: argument) : try InternetAddress(active: argument))
    } catch {
      return .malformed(
        isPassive: isPassive, module: .socketUtil, message: "\(argument): \(error.message)", errnoCode: EAFNOSUPPORT)
    }
  }
}
