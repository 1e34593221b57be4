// SPDX-License-Identifier: Apache-2.0
//
// Ends what a test run leaves behind, even one that crashed or was killed: a shell that reads names of process groups
// and directories from a pipe and cleans up what is left when the pipe's other end is gone.

import Foundation
import Synchronization

/// The one reaper of this test process.
package final class Reaper: Sendable {
  package static let shared = Reaper()

  private let pipeEnd = Mutex<Int32>(-1)

  private static let script = """
    while read -r word name; do
      case $word in
        +) groups="$groups $name" ;;
        -) kept=; for g in $groups; do [ "$g" = "$name" ] || kept="$kept $g"; done; groups=$kept ;;
        d) directories="$directories $name" ;;
      esac
    done
    for g in $groups; do kill -KILL -- "-$g" 2>/dev/null; done
    for d in $directories; do rm -rf -- "$d"; done
    """

  private init() {
    var ends: [Int32] = [-1, -1]
    // No other child can slip in between and inherit the pipe: this runs with the first run directory, before any.
    guard pipe(&ends) == 0 else { return }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    let words: [String] = ["sh", "-c", Self.script]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var child: pid_t = 0
    let code = posix_spawn(&child, "/bin/sh", &actions, &attributes, &arguments, environ)
    close(ends[0])
    if code == 0 { pipeEnd.withLock { $0 = ends[1] } } else { close(ends[1]) }
  }

  package func adopt(processGroup: pid_t) { tell("+ \(processGroup)\n") }
  package func release(processGroup: pid_t) { tell("- \(processGroup)\n") }
  package func adopt(directory: String) { tell("d \(directory)\n") }

  private func tell(_ line: String) {
    pipeEnd.withLock { descriptor in
      guard descriptor >= 0 else { return }
      // Shorter than PIPE_BUF, so written whole; a reaper that is gone cannot clean up, which fails no test.
      _ = line.withCString { Glibc.write(descriptor, $0, strlen($0)) }
    }
  }
}
