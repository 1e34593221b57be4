// SPDX-License-Identifier: Apache-2.0
//
// How far a command has come, for people who wait: a line on the terminal, by bytes of the file that is read.

import Daemon
import Glibc

enum ToolProgress {
  /// A meter whose amounts are places in a file.
  static func meter(_ activity: String, path: String) -> ProgressMeter {
    ProgressMeter(activity, of: byteCount(of: path))
  }

  /// Nil when the file cannot be looked at, which whoever reads it will tell.
  static func byteCount(of path: String) -> Int64? {
    var status = stat()
    return stat(path, &status) == 0 ? Int64(status.st_size) : nil
  }
}
