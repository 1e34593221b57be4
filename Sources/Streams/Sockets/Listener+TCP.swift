// SPDX-License-Identifier: Apache-2.0
//
// Listening on TCP: binding, and the options of sockets.

import Glibc
internal import Logging

extension Listener {
  static func openTCP(
    _ method: ConnectionMethod, _ address: InternetAddress, dscp: UInt8, looksUpHost: Bool, _ limit: Logger.Metadata?, _ report: Report
  ) throws(StreamError) -> Listener {
    // Log lines name the part after the scheme.
    let name = method.name.utf8.firstIndex(of: UInt8(ascii: ":")).map {
      String(method.name[method.name.utf8.index(after: $0)...])
    } ?? method.name
    guard let target = address.resolvedForBinding(onlyNumeric: !looksUpHost) else {
      report(Log.socketUtil, "\(name): bad IP address \"\(address.host)\"")
      throw StreamError(errnoCode: EAFNOSUPPORT)
    }
    let descriptor = try makeSocket(target.family, name: name, report)
    do {
      try bindTCP(descriptor, target, name: name, dscp: dscp, report)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    var bound = SocketAddressStorage()
    let boundPort = bound.withMutablePointer { getsockname(descriptor, $0, $1) } == 0 ? bound.hostAndPort?.port : nil
    if address.port == 0, let boundPort {
      Log.socketUtil.info("\(name): listening on port \(boundPort)", metadata: limit)
    }
    return Listener(method: method, descriptor: descriptor, boundPort: boundPort)
  }

  private static func bindTCP(
    _ descriptor: CInt, _ target: SocketAddressStorage, name: String, dscp: UInt8, _ report: Report
  ) throws(StreamError) {
    func attempt(_ call: String, _ result: CInt) throws(StreamError) {
      guard result == 0 else {
        let error = StreamError(errnoCode: errno)
        report(Log.socketUtil, "\(name): \(call): \(error)")
        throw error
      }
    }
    try attempt("setsockopt(SO_REUSEADDR)", setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1))
    if target.family == AF_INET6 {
      // `[::]` serves IPv4, too, whatever the system's default is.
      try attempt("setsockopt(IPV6_V6ONLY)", setOption(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY, 0))
    }
    // What is accepted inherits both.
    try attempt("setsockopt(TCP_NODELAY)", setOption(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, 1))
    setDSCP(descriptor, family: target.family, dscp)
    try attempt("bind", target.withPointer { bind(descriptor, $0, $1) })
    try attempt("listen", listen(descriptor, backlog))
  }

  /// Marks a TCP socket's traffic. A network that ignores it is no reason to refuse service, so failure is only logged.
  static func setDSCP(_ descriptor: CInt, family: CInt, _ dscp: UInt8) {
    let trafficClass = CInt(dscp & 0x3f) << 2
    let result =
      family == AF_INET6
      ? setOption(descriptor, CInt(IPPROTO_IPV6), IPV6_TCLASS, trafficClass)
      : setOption(descriptor, CInt(IPPROTO_IP), IP_TOS, trafficClass)
    if result != 0 { Log.socketUtil.warning("failed to set DSCP \(dscp): \(errnoText(errno))") }
  }

  static func setOption(_ descriptor: CInt, _ level: CInt, _ option: CInt, _ value: CInt) -> CInt {
    var value = value
    return setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
  }
}
