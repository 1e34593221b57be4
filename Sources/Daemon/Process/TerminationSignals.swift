// SPDX-License-Identifier: Apache-2.0
//
// SIGTERM, SIGINT, SIGHUP and SIGALRM end the program: a WARN in the log, sockets and pid file removed, then death by the
// same signal, so that the parent sees the true reason.
//
// How: the handler writes the signal's number into a pipe (all that a handler may do); a thread reads the pipe and does
// the work with ordinary code. The event loops know nothing of it and need not be running. Why not block the signals and
// sigwait(3): the mask would be inherited by every program started from here. A signal that was ignored when the program
// started (nohup) stays ignored.

import CPosixShims
import Glibc
import Synchronization

package enum TerminationSignals {
  package static let all: [Int32] = [SIGTERM, SIGINT, SIGHUP, SIGALRM]

  private static let log = LogModule("fatal_signal")
  private static let beforeDeath = Mutex<(@Sendable () -> Void)?>(nil)

  /// Starts watching. After the last fork(2), since it starts a thread; `Daemonizer.start` calls it.
  package static func watch() throws(UsageError) {
    var (readEnd, writeEnd): (Int32, Int32) = (-1, -1)
    let pipeError = posix_shim_pipe(&readEnd, &writeEnd)
    guard pipeError == 0 else { throw UsageError("could not create pipe (\(SystemError.text(pipeError)))") }
    let readable = readEnd
    // The handler must never wait.
    var error = posix_shim_set_nonblocking(writeEnd)
    if error == 0 { error = PosixThread.start(name: "signals") { waitForSignal(readable) } ?? 0 }
    guard error == 0 else { throw UsageError("could not watch signals (\(SystemError.text(error)))") }
    posix_shim_signal_pipe(writeEnd)
    for signal in all where posix_shim_signal_is_ignored(signal) == 0 {
      let error = posix_shim_catch_signal(signal)
      guard error == 0 else { throw UsageError("could not catch signal \(signal) (\(SystemError.text(error)))") }
    }
  }

  /// Sets what runs after the WARN and before the clean-up, on the thread of the signals: the place to let a write to
  /// the journal finish. It has to come to an end by itself.
  package static func setBeforeDeath(_ action: (@Sendable () -> Void)?) {
    beforeDeath.withLock { $0 = action }
  }

  /// Shape: `15 (Terminated)`, or as a reason `killed (Terminated)` in `ChildStatus`.
  package static func name(of signal: Int32) -> String {
    guard let text = strsignal(signal) else { return "signal \(signal)" }
    return String(cString: text)
  }

  private static func waitForSignal(_ descriptor: Int32) {
    var number: UInt8 = 0
    while true {
      let count = read(descriptor, &number, 1)
      if count == 1 { break }
      if count < 0, errno == EINTR { continue }
      return
    }
    let signal = Int32(number)
    log.warn("terminating with signal \(signal) (\(name(of: signal)))")
    beforeDeath.withLock { $0 }?()
    Cleanup.run()
    posix_shim_die_of_signal(signal)
    // Not reached: each of the caught signals kills.
    _exit(128 + signal)
  }
}
