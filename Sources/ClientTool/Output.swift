// SPDX-License-Identifier: Apache-2.0
//
// Standard output, in bytes: cells cut to a width may end within a letter.

import Daemon
import Glibc

enum Output {
  /// Writes all of the bytes, or ends the program: nobody is left to read.
  static func write(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if count < 0, errno == EINTR {
        continue
      } else if count < 0, errno == EAGAIN {
        var waiting = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
        _ = poll(&waiting, 1, -1)
      } else {
        Program.fail("write to stdout failed (\(SystemError.text(errno)))")
      }
    }
  }

  static func write(_ text: String) { write(Array(text.utf8)) }
}
