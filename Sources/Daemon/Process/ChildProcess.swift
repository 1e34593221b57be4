// SPDX-License-Identifier: Apache-2.0
//
// Children: how one ended, in words, and running a shell command (`--run`).

import CPosixShims
import Glibc

/// What waitpid(2) reported.
package struct ChildStatus: Equatable, Sendable {
  package var raw: Int32

  package init(raw: Int32) { self.raw = raw }

  /// nil: it did not exit by itself.
  package var exitStatus: Int32? { posix_shim_exited(raw) != 0 ? posix_shim_exit_status(raw) : nil }
  /// nil: no signal ended it.
  package var signal: Int32? { posix_shim_signaled(raw) != 0 ? posix_shim_term_signal(raw) : nil }

  /// Shape: `exit status 3`, `killed (Segmentation fault)`, `killed (Aborted), core dumped`.
  package var text: String {
    if let exitStatus { return "exit status \(exitStatus)" }
    guard let signal else { return "terminated abnormally (\(raw))" }
    let core = posix_shim_core_dumped(raw) != 0 ? ", core dumped" : ""
    return "killed (\(TerminationSignals.name(of: signal)))\(core)"
  }

  /// Waits for the child. - Returns: nil when there is no such child.
  static func wait(for process: pid_t) -> ChildStatus? {
    var status: Int32 = 0
    while true {
      let result = waitpid(process, &status, 0)
      if result == process { return ChildStatus(raw: status) }
      if result < 0, errno == EINTR { continue }
      return nil
    }
  }
}

/// A shell command that runs beside the program.
package struct ChildProcess: Sendable {
  package let command: String
  package let process: pid_t

  /// Starts `/bin/sh -c command` with our standard files and default signal actions. When the program ends before the
  /// command, the command is sent SIGTERM.
  ///
  /// - Parameter ended: Called on a thread of its own with `nil` when the command exited with status 0, else with the
  ///   message to fail with: `COMMAND: child exited, exit status 3`.
  package static func run(
    _ command: String, ended: @escaping @Sendable (_ failure: String?) -> Void
  ) throws(UsageError) -> ChildProcess {
    let process = try spawnShell(command)
    let child = ChildProcess(command: command, process: process)
    Cleanup.register { kill(process, SIGTERM) }
    let error = PosixThread.start(name: "child") {
      guard let status = ChildStatus.wait(for: process) else {
        ended("\(command): child is gone")
        return
      }
      ended(status.exitStatus == 0 ? nil : "\(command): child exited, \(status.text)")
    }
    if let error {
      kill(process, SIGTERM)
      throw UsageError("\(command): could not wait for child (\(SystemError.text(error)))")
    }
    return child
  }

  private static func spawnShell(_ command: String) throws(UsageError) -> pid_t {
    var process: pid_t = 0
    let error = posix_shim_spawn_shell(command, &process)
    guard error == 0 else { throw UsageError("\(command): process failed to start (\(SystemError.text(error)))") }
    return process
  }
}
