// SPDX-License-Identifier: Apache-2.0
//
// TCP ports for programs that need a number before they listen. A program that can is given port 0 instead, and says what it got.

import Foundation
import Synchronization

package enum FreePort {
  /// Below the range from which Linux takes ports for connections and for port 0 (`ip_local_port_range`, 32768 on): nobody gets one of
  /// these who does not ask for it by number.
  private static let range = 20_000..<32_000
  private static let next = Mutex(Int.random(in: range))

  /// A port of the loopback address that nobody uses, and that no other test of this process is given.
  package static func take() throws -> UInt16 {
    for _ in range {
      let number = next.withLock { next in
        next = next + 1 < range.upperBound ? next + 1 : range.lowerBound
        return UInt16(next)
      }
      if try canBind(number) { return number }
    }
    throw ProcessError("no free port in \(range)")
  }

  private static func canBind(_ port: UInt16) throws -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw ProcessError("socket: \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0 }
    }
  }
}
