// SPDX-License-Identifier: Apache-2.0
//
// The descriptors that a server has open, for tests that leave it too few.

import Foundation

package enum OpenDescriptors {
  /// Waits until a process has exactly so many sockets and no file that was removed or replaced, and returns all that it has open.
  ///
  /// A server gives the descriptors of connections that were closed and files that were replaced back some time later; who counts
  /// before that leaves it more than intended.
  ///
  /// - Parameter sockets: Those that listen, and connections.
  package static func settled(of process: pid_t, sockets: Int) throws -> Set<Int> {
    let folder = "/proc/\(process)/fd"
    var open: Set<Int> = []
    var targets: [String] = []
    do {
      try waitUntil("\(sockets) sockets and no other transient descriptors", seconds: 60) {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        open = Set(names.compactMap { Int($0) })
        targets = names.compactMap { try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)") }
        return targets.count == names.count && targets.count(where: { $0.hasPrefix("socket:") }) == sockets
          && !targets.contains { $0.hasSuffix(" (deleted)") || $0.hasSuffix(".tmp") }
      }
    } catch {
      throw ProcessError("\(error); it has \(targets.sorted())")
    }
    return open
  }

  /// The soft limit under which a process that has these open can open so many more.
  package static func limit(above open: Set<Int>, leaving freeCount: Int) -> Int {
    var (limit, left) = (0, freeCount)
    while left > 0 || open.contains(limit) {
      if !open.contains(limit) { left -= 1 }
      limit += 1
    }
    return limit
  }
}
