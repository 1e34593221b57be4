// SPDX-License-Identifier: Apache-2.0
//
// Who we are: the program's name as used in messages and file names, the version line, and how a program gives up.

import CPosixShims
import Glibc
import Synchronization

package enum Program {
  private struct State {
    var name = "swift-ovsdb"
    var startMilliseconds: Int64 = Clock.monotonicMilliseconds()
  }

  private static let state = Mutex(State())

  /// The release of Open vSwitch whose behaviour is matched. Scripts read it out of the version line.
  package static let compatibleVersion = "3.1.0"
  /// Our own name and release, on a line that those scripts do not read.
  package static let ownVersion = "swift-ovsdb 0.1.0"

  /// To be called first: takes the name from `arguments[0]`, notes the start time, makes `VlogHandler` the backend of
  /// swift-log, ignores SIGPIPE (a peer that went away is an error of write(2), not the end of the program), and follows
  /// `OVS_SYSLOG_METHOD`; a method that does not exist ends the program.
  package static func begin(_ arguments: [String] = CommandLine.arguments) {
    let path = arguments.first ?? "swift-ovsdb"
    let name = path.split(separator: "/").last.map(String.init) ?? path
    state.withLock {
      $0.name = name
      $0.startMilliseconds = Clock.monotonicMilliseconds()
    }
    VlogHandler.bootstrap()
    posix_shim_default_signal(SIGPIPE, 1)
    reportCrashSignals()
    do throws(LogSpecificationError) {
      try LogSystem.shared.setSyslogMethodFromEnvironment()
    } catch {
      fail(error.text)
    }
  }

  /// Takes the crash signals back from Swift's runtime, which would print a backtrace for seconds before the process may
  /// die, and survives such a signal that somebody sent with kill(1). Here the process writes the addresses into its log and dies at
  /// once with a core file, and its watcher starts it again. With `SWIFT_BACKTRACE` set, Swift's backtrace stays.
  private static func reportCrashSignals() {
    guard Paths.environment("SWIFT_BACKTRACE") == nil else { return }
    if posix_shim_signal_is_ignored(SIGQUIT) == 0 { posix_shim_default_signal(SIGQUIT, 0) }
    posix_shim_crash_stack()
    for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP] where posix_shim_signal_is_ignored(signal) == 0 {
      posix_shim_report_crash(signal)
    }
  }

  /// The last part of the path by which the program was called.
  package static var name: String { state.withLock { $0.name } }

  /// Milliseconds since `begin`.
  package static var uptimeMilliseconds: Int64 {
    Clock.monotonicMilliseconds() - state.withLock { $0.startMilliseconds }
  }

  /// Shape: `ovsdb-server (Open vSwitch) 3.1.0`. What `version` answers and the first line of `--version`.
  package static var versionLine: String { "\(name) (Open vSwitch) \(compatibleVersion)" }

  /// What `--version` prints: the line that scripts parse, then ours.
  package static var versionText: String { "\(versionLine)\n\(ownVersion)\n" }

  /// Prints `NAME: MESSAGE` on standard error, cleans up and exits. A process that its watcher started again also logs
  /// it: nobody reads its standard error.
  package static func fail(_ message: String, status: Int32 = EXIT_FAILURE) -> Never {
    writeError("\(name): \(message)\n")
    if LogSystem.shared.isSubprogram { LogModule("daemon_unix").err(message) }
    exit(status)
  }

  /// Removes what `Cleanup` knows of and exits. The orderly end of every program.
  package static func exit(_ status: Int32) -> Never {
    Cleanup.run()
    Glibc.exit(status)
  }

  /// Ends a daemon that cannot start. Log file and system log get the reason, too: nobody may read its standard error, at boot.
  package static func failToStart(_ message: String, module: LogModule) -> Never {
    if !LogSystem.shared.isSubprogram { module.lastWords("cannot start: \(message)") }
    fail(message)
  }

  /// Writes text to standard output, all of it. What goes wrong there (a closed pipe) ends the program with status 1.
  package static func writeOutput(_ text: String) {
    if let error = FileDescriptorWriter.writeAll(text, to: STDOUT_FILENO) {
      fail("write to stdout failed (\(SystemError.text(error)))")
    }
  }

  /// Writes text to standard error. If that fails there is nowhere left to complain.
  package static func writeError(_ text: String) {
    ProgressMeter.aside { _ = FileDescriptorWriter.writeAll(text, to: STDERR_FILENO) }
  }
}

/// Time as the system counts it, in milliseconds.
package enum Clock {
  package static func monotonicMilliseconds() -> Int64 { read(CLOCK_MONOTONIC) }
  /// Since 1970, UTC.
  package static func wallMilliseconds() -> Int64 { read(CLOCK_REALTIME) }

  package static func monotonicMicroseconds() -> Int64 {
    let time = now(CLOCK_MONOTONIC)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }

  private static func read(_ clock: clockid_t) -> Int64 {
    let time = now(clock)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  private static func now(_ clock: clockid_t) -> timespec {
    var time = timespec()
    // Cannot fail for these two clocks; zero would only make a time stamp wrong.
    _ = clock_gettime(clock, &time)
    return time
  }
}

/// The words of the C library for an errno value.
package enum SystemError {
  package static func text(_ code: Int32) -> String {
    // glibc's strerror(3) uses storage of the calling thread.
    strerror(code).map { String(cString: $0) } ?? "error \(code)"
  }
}

/// write(2) until everything is written.
enum FileDescriptorWriter {
  /// - Returns: nil, or the errno value of the write that failed.
  ///
  /// - Parameter waits: for room in a pipe that is full; otherwise the rest is lost and the result is EAGAIN.
  static func writeAll(_ text: String, to descriptor: Int32, waits: Bool = true) -> Int32? {
    var text = text
    return text.withUTF8 { writeAll(UnsafeRawBufferPointer($0), to: descriptor, waits: waits) }
  }

  static func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, waits: Bool = true) -> Int32? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = UnsafeRawBufferPointer(rebasing: rest).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if count < 0, errno == EINTR {
        continue
      } else if count < 0, errno == EAGAIN, waits {
        // Somebody gave us a non-blocking terminal or pipe: wait for room as a blocking one would.
        var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = Glibc.poll(&poll, 1, -1)
      } else {
        return count < 0 ? errno : EIO
      }
    }
    return nil
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { body(self) }
}
