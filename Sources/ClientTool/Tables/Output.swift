// SPDX-License-Identifier: Apache-2.0
//
// Standard output, in bytes: cells cut to a width may end within a letter. At a terminal the pager may stand before it.

import Daemon
import Glibc
import Synchronization

enum Output {
  private enum Destination {
    case standardOutput
    /// A pager is to be started when there is something to show.
    case unstartedPager(chops: Bool)
    case pager(Int32)
  }

  private static let destination = Mutex(Destination.standardOutput)

  /// Lets a pager show what is written from now on.
  static func page(chops: Bool) {
    destination.withLock { $0 = .unstartedPager(chops: chops) }
  }

  /// Writes all of the bytes, or ends the program: nobody is left to read.
  static func write(_ bytes: [UInt8]) {
    let pager = destination.withLock { destination -> Int32? in
      if case .unstartedPager(let chops) = destination {
        destination = Pager.start(chops: chops).map { .pager($0) } ?? .standardOutput
      }
      if case .pager(let descriptor) = destination { return descriptor }
      return nil
    }
    guard let error = writeAll(bytes, to: pager ?? STDOUT_FILENO) else { return }
    if pager != nil { Pager.leave() }
    Program.fail("write to stdout failed (\(SystemError.text(error)))")
  }

  static func write(_ text: String) { write(Array(text.utf8)) }

  /// - Returns: nil, or the errno value of the write that failed.
  private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
    var begin = 0
    while begin < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress.map { $0 + begin }, $0.count - begin) }
      if count > 0 {
        begin += count
      } else if count < 0, errno == EINTR {
        continue
      } else if count < 0, errno == EAGAIN {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&waiting, 1, -1)
      } else {
        return count < 0 ? errno : EIO
      }
    }
    return nil
  }
}
