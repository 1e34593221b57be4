// SPDX-License-Identifier: Apache-2.0
//
// Going to the background, and the watcher process.
//
//     shell ── starts ──▶ parent ──fork──▶ watcher (--monitor) ──fork──▶ the program
//                           │                  │                             │
//                           │◀── ready byte ───┤◀────────── ready byte ──────┤  Daemonizer.complete
//                         exit 0          waits, restarts                 serves
//
// Each arrow up is a pipe: one byte means ready; end of file means that the child died first, and then its exit status
// becomes the parent's. So whoever started us knows when we are ready, and gets the error message and status otherwise.
//
// `start` forks, so no thread may exist before; threads may be started as soon as it calls its closure. That runs on a thread that began
// with the process, because none that was there before is sound after fork(2) (process.h).
// Descriptors that were open before `start` (an inherited listening socket, an unnamed temporary file with the state of
// the configuration) are seen by every process the watcher starts.

import CPosixShims
import Glibc

/// Its calls come one after the other, as a program starts: `start` before there is another thread, `complete` then, on whichever
/// thread opens things. That makes it sound to hand over.
package final class Daemonizer: @unchecked Sendable {
  private let options: DaemonOptions
  /// Whether a detached program goes on writing to the standard output it was started with, as one does whose output is
  /// its purpose.
  package var keepsStandardOutput = false
  /// The write end of the pipe to the process that waits for us; -1: nobody does.
  private var readinessPipe: Int32 = -1
  private var isComplete = false
  private let log = LogModule("daemon_unix")

  /// Signals after which the watcher starts the program again: those of a defect, not those of an operator.
  package static let restartSignals: Set<Int32> = [
    SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGPIPE, SIGSEGV, SIGXCPU, SIGXFSZ,
  ]
  package static let restartIntervalSeconds: Int64 = 10

  package init(options: DaemonOptions) { self.options = options }

  /// Calls `serve` in the process that is to do the work; parents and watchers end here.
  ///
  /// In order: checks the pid file, becomes the other user, forks, writes the pid file, watches the signals. What fails on the way is
  /// said, and ends the program.
  package func start(_ serve: @escaping () -> Never) -> Never {
    orFail { () throws(UsageError) in
      if let path = options.pidFile, !options.overwritesPIDFile { try PIDFile.checkFree(path) }
      try options.user?.apply()
      guard options.detaches else { try monitor(serve) }
      let (child, pipe) = try fork { [self] in
        setsid()
        orFail { () throws(UsageError) in try monitor(serve) }
      }
      waitInForeground(child, pipe)
    }
  }

  private func orFail(_ body: () throws(UsageError) -> Never) -> Never {
    do throws(UsageError) {
      try body()
    } catch {
      if let message = error.message, !LogSystem.shared.isSubprogram { log.lastWords(message) }
      error.exit()
    }
  }

  /// The last step: nothing forks after it.
  private func work(_ serve: () -> Never) throws(UsageError) -> Never {
    // A watcher calls its thread otherwise, and children have their thread's name.
    posix_shim_name_thread(pthread_self(), Program.name)
    if let path = options.pidFile { try PIDFile.create(path) }
    try TerminationSignals.watch()
    serve()
  }

  /// To be called when everything is open: whoever waits may go on. Detached: standard files and directory are given
  /// up, the console gets no more lines.
  package func complete() {
    guard !isComplete else { return }
    isComplete = true
    // The terminal first: whoever waited for us may close it.
    if options.detaches {
      leaveTerminal()
      if options.changesDirectory { _ = chdir("/") }
    }
    notifyParent()
    // Who detaches is not whom the manager started; it is to follow the watcher, if there is one, and else us. Without detaching it
    // follows the right one already.
    ReadinessNotice.ready(mainProcess: options.detaches ? (options.isMonitored ? getppid() : getpid()) : nil)
  }

  // MARK: Forking

  /// What a child is to do, on its way through C.
  private final class ChildBody {
    let run: () -> Never
    init(_ run: @escaping () -> Never) { self.run = run }
  }

  /// Starts a child that runs `body`.
  ///
  /// - Returns: its process id, and the read end of the pipe in which it says that it is ready.
  private func fork(_ body: @escaping () -> Never) throws(UsageError) -> (child: pid_t, pipe: Int32) {
    var (readEnd, writeEnd): (Int32, Int32) = (-1, -1)
    let pipeError = posix_shim_pipe(&readEnd, &writeEnd)
    guard pipeError == 0 else { throw UsageError("could not create pipe (\(SystemError.text(pipeError)))") }
    let inChild = Unmanaged.passRetained(
      ChildBody { [self] in
        close(readEnd)
        // The pipe of the process above belongs to the one in between.
        if readinessPipe >= 0 { close(readinessPipe) }
        readinessPipe = writeEnd
        body()
      })
    defer { inChild.release() }
    var error: Int32 = 0
    let child = posix_shim_fork(
      { argument in
        if let argument { Unmanaged<ChildBody>.fromOpaque(argument).takeUnretainedValue().run() }
      }, inChild.toOpaque(), &error)
    close(writeEnd)
    guard child >= 0 else {
      close(readEnd)
      throw UsageError("fork failed (\(SystemError.text(error)))")
    }
    return (child, readEnd)
  }

  /// Waits for the child to be ready.
  ///
  /// - Returns: nil when it is; else how it ended.
  private func waitForReadiness(_ child: pid_t, _ pipe: Int32) -> ChildStatus? {
    defer { close(pipe) }
    var byte: UInt8 = 0
    while true {
      let count = read(pipe, &byte, 1)
      if count == 1 { return nil }
      if count < 0, errno == EINTR { continue }
      return ChildStatus.wait(for: child) ?? ChildStatus(raw: 0)
    }
  }

  private func waitInForeground(_ child: pid_t, _ pipe: Int32) -> Never {
    guard let status = waitForReadiness(child, pipe) else { exit(EXIT_SUCCESS) }
    failAsChild(status)
  }

  /// Ends like a child that died before it was ready: it has said why, unless a signal took it.
  private func failAsChild(_ status: ChildStatus) -> Never {
    if let exitStatus = status.exitStatus, exitStatus != 0 { exit(exitStatus) }
    log.err("fork child died before signaling startup (\(status.text))")
    Program.fail("fork child died before signaling startup (\(status.text))")
  }

  private func notifyParent() {
    guard readinessPipe >= 0 else { return }
    var byte: UInt8 = 0
    while write(readinessPipe, &byte, 1) < 0, errno == EINTR {}
    // A parent that was killed meanwhile is no reason to stop.
    close(readinessPipe)
    readinessPipe = -1
  }

  private func leaveTerminal() {
    let null = posix_shim_open("/dev/null", O_RDWR, 0)
    if null >= 0 {
      for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
      where descriptor != STDOUT_FILENO || !keepsStandardOutput {
        dup2(null, descriptor)
      }
      if null > STDERR_FILENO { close(null) }
    }
    LogSystem.shared.setLevel(.off, destination: .console)
  }

  // MARK: The watcher

  /// Works, in each process that the watcher starts if there is to be one.
  private func monitor(_ serve: @escaping () -> Never) throws(UsageError) -> Never {
    guard options.isMonitored else { try work(serve) }
    let (first, pipe) = try fork { [self] in
      orFail { () throws(UsageError) in try work(serve) }
    }
    LogSystem.shared.setSubprogram("monitor")
    posix_shim_name_thread(pthread_self(), "monitor")
    if let status = waitForReadiness(first, pipe) { failAsChild(status) }
    // The directory stays: relative paths on the command line have to mean the same to the next process.
    if options.detaches { leaveTerminal() }
    notifyParent()
    try watch(first, serve)
  }

  private func watch(_ first: pid_t, _ serve: @escaping () -> Never) throws(UsageError) -> Never {
    var child = first
    var crashes = 0
    var lastRestart: Int64?
    var state = "healthy"
    var early: ChildStatus?
    // The watcher holds no log file, so that rotation can take it away; it opens it to say something.
    while true {
      LogSystem.shared.closeFile(isAnnounced: true)
      posix_shim_set_title("\(Program.name): monitoring pid \(child) (\(state))")
      let status = early ?? ChildStatus.wait(for: child) ?? ChildStatus(raw: 0)
      // Without a log file, or when it cannot be opened, the other destinations have to do.
      _ = LogSystem.shared.reopenFile()
      guard let signal = status.signal, Self.restartSignals.contains(signal) else {
        log.info("pid \(child) died, \(status.text), exiting")
        Program.exit(status.signal == nil ? status.exitStatus ?? EXIT_FAILURE : EXIT_SUCCESS)
      }
      crashes += 1
      state = "\(crashes) crashes: pid \(child) died, \(status.text)"
      waitBeforeRestart(lastRestart, state)
      lastRestart = Clock.monotonicMilliseconds()
      log.err("\(state), restarting")

      let (next, pipe) = try fork { [self] in
        posix_shim_set_title(nil)
        LogSystem.shared.setSubprogram(Program.name)
        orFail { () throws(UsageError) in try work(serve) }
      }
      child = next
      // One that dies before it is ready has been waited for already; then it is dealt with like any other death.
      early = waitForReadiness(next, pipe)
    }
  }

  private func waitBeforeRestart(_ lastRestart: Int64?, _ state: String) {
    guard let lastRestart else { return }
    let due = lastRestart + Self.restartIntervalSeconds * 1000
    guard Clock.monotonicMilliseconds() < due else { return }
    log.warn("\(state), waiting until \(Self.restartIntervalSeconds) seconds since last restart")
    while true {
      let left = due - Clock.monotonicMilliseconds()
      guard left > 0 else { return }
      var time = timespec(tv_sec: Int(left / 1000), tv_nsec: Int(left % 1000) * 1_000_000)
      nanosleep(&time, nil)
    }
  }
}
