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
  ///   - isLeaving: The program is the process that is started, and goes on when its tracer ends (`Tracer`); else strace is.
  package static func command(_ rules: [String], calls: [String] = Strace.calls, output: String, isLeaving: Bool = false) -> [String] {
    [Programs.peer("strace")] + (isLeaving ? ["-D", "-I", "2"] : [])
      + ["-f", "-qq", "-o", output, "-e", "trace=\(calls.joined(separator: ","))"]
      + rules.flatMap { ["-e", "inject=\($0)"] }
  }

  /// The calls by which the journal changes what is on the disk.
  package static let calls = ["pwrite64", "fdatasync", "fsync", "rename", "ftruncate", "unlink"]
}

/// The strace of a program that goes on without it.
package struct Tracer {
  private let pid: pid_t

  /// Finds the tracer of a child, once it is there.
  ///
  /// - Returns: nil when the child ended before.
  package init?(of child: ChildProcess) throws {
    var found: pid_t = 0
    try waitUntil("the tracer of \(child.name)", seconds: 30) {
      found = Self.value("TracerPid", of: child.pid).flatMap { pid_t($0) } ?? 0
      return found != 0 || !child.isRunning
    }
    guard found != 0 else { return nil }
    pid = found
  }

  /// Nothing is injected from here on.
  package func leave() throws {
    kill(pid, SIGTERM)
    try waitForEnd()
  }

  /// Waits until all that was seen is in its file: after the program's end, or its own.
  package func waitForEnd() throws {
    // Whoever has to collect it may take a while.
    try waitUntil("the end of strace", seconds: 30) { Self.value("State", of: pid)?.hasPrefix("Z") ?? true }
  }

  private static func value(_ name: String, of pid: pid_t) -> String? {
    guard let lines = try? readText("/proc/\(pid)/status").split(separator: "\n") else { return nil }
    return lines.first { $0.hasPrefix(name + ":") }.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
  }
}
