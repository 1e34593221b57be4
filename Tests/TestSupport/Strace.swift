// SPDX-License-Identifier: Apache-2.0
//
// Faults in the system calls of a real server: strace(1) makes chosen calls fail, or kills the process at one of them.

import Foundation

package enum Strace {
  /// Whether strace is there and may trace.
  package static let isUsable: Bool = {
    guard Programs.has("strace"), let directory = try? RunDirectory() else { return false }
    let result = try? run(Programs.peer("strace"), ["-f", "-o", directory.path("trace"), "true"], in: directory)
    return result?.status == 0
  }()

  /// A command line to put before a program's.
  ///
  /// - Parameters:
  ///   - rules: `CALLS:error=EIO:when=2`, `CALLS:signal=KILL:when=7` and the like (strace(1), `inject`).
  ///   - output: a file for the calls that were seen.
  ///   - calls: what is traced; those of the rules are.
  package static func command(_ rules: [String], calls: [String] = Strace.calls, output: String) -> [String] {
    [Programs.peer("strace"), "-f", "-qq", "-o", output, "-e", "trace=\(calls.joined(separator: ","))"]
      + rules.flatMap { ["-e", "inject=\($0)"] }
  }

  /// The calls by which the journal changes what is on the disk.
  package static let calls = ["pwrite64", "fdatasync", "fsync", "rename", "ftruncate", "unlink"]
}
