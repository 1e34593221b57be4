// SPDX-License-Identifier: Apache-2.0
//
// The pager: a program that shows long output a screen at a time. The rules are git's: `PAGER`, else less(1); an empty `PAGER` or
// `cat` means none; less gets options that let short output through as if it were not there.

import CPosixShims
import Daemon
import Glibc
import Synchronization

enum Pager {
  private struct State {
    var child: pid_t?
    /// The pipe's write end.
    var descriptor: Int32 = -1
    /// A signal is about to end the program.
    var isEnding = false
  }

  private static let state = Mutex(State())

  /// The shell command, nil for none.
  static var command: String? {
    if let name = getenv("PAGER") {
      let name = String(cString: name)
      return name.isEmpty || name == "cat" ? nil : name
    }
    return isInPath("less") ? "less" : nil
  }

  private static func isInPath(_ program: String) -> Bool {
    (Paths.environment("PATH") ?? "/usr/bin:/bin").split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
  }

  /// Starts the pager.
  ///
  /// - Parameter chops: whether long lines are cut, to be seen by moving to the right, instead of wrapped: right for tables.
  /// - Returns: where to write; nil when there is no pager, and output goes where it always goes.
  static func start(chops: Bool) -> Int32? {
    guard let command else { return nil }
    var (readEnd, writeEnd): (Int32, Int32) = (-1, -1)
    guard posix_shim_pipe(&readEnd, &writeEnd) == 0 else { return nil }
    defer { close(readEnd) }
    var child: pid_t = 0
    let prepared = "export LESS=\"${LESS-\(chops ? "FRSX" : "FRX")}\" LV=\"${LV--c}\"; \(command)"
    guard posix_shim_spawn_shell_reading(prepared, readEnd, &child) == 0 else {
      close(writeEnd)
      return nil
    }
    state.withLock { $0 = State(child: child, descriptor: writeEnd) }
    // The terminal is the pager's now. An interrupt is the pager's to handle: we go when it goes.
    LogSystem.shared.setLevel(.off, destination: .console)
    TerminationSignals.setBeforeDeath {
      state.withLock { $0.isEnding = true }
      finish()
    }
    return writeEnd
  }

  /// Ends the output and waits until the user has seen enough of it.
  static func finish() {
    let (child, descriptor) = state.withLock { state in
      defer { (state.child, state.descriptor) = (nil, -1) }
      return (state.child, state.descriptor)
    }
    guard let child else { return }
    close(descriptor)
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
  }

  /// What follows when the pager takes no more: the user has seen enough. That is no failure.
  static func leave() -> Never {
    if state.withLock({ $0.isEnding }) {
      // The thread of the signal ends the program, and says of which signal.
      while true { pause() }
    }
    finish()
    Program.exit(EXIT_SUCCESS)
  }
}
