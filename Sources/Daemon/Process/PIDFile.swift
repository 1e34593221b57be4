// SPDX-License-Identifier: Apache-2.0
//
// The pid file says which process runs, and a lock on it says whether that is still true.
//
// Shape: the process id in decimal and a line feed. Written under another name, locked for writing with fcntl(2), then
// renamed: whoever finds the file finds it complete and locked. The kernel drops the lock with the process, so a file
// without a lock is stale and may be replaced.

import CPosixShims
import Glibc

package enum PIDFile {
  package enum Owner: Equatable, Sendable {
    case process(pid_t)
    /// No file, or nobody holds its lock.
    case none(errno: Int32)
    /// Somebody holds its lock whom the kernel does not name here, such as a process of another pid namespace.
    case hidden(written: String)
    /// The file cannot be read or makes no sense; the text is for the log.
    case unknown(errno: Int32, String)
  }

  /// Writes the file for this process and keeps it locked until the process ends; removed by `Cleanup`.
  ///
  /// - Parameter path: Absolute.
  package static func create(_ path: String) throws(UsageError) {
    let temporary = path + ".tmp"
    // Not O_TRUNC: the content of a file that somebody else has locked is not ours to destroy.
    let descriptor = posix_shim_open(temporary, O_CREAT | O_WRONLY | O_CLOEXEC | O_NONBLOCK, 0o644)
    guard descriptor >= 0 else { throw failure(temporary, "create failed", errno) }
    // On success the descriptor stays open on purpose: closing it would drop the lock.
    do throws(UsageError) {
      let error = posix_shim_lock_file(descriptor)
      guard error == 0 else { throw failure(temporary, "fcntl(F_SETLK) failed", error) }
      guard ftruncate(descriptor, 0) == 0 else { throw failure(temporary, "truncate failed", errno) }
      if let error = FileDescriptorWriter.writeAll("\(getpid())\n", to: descriptor) {
        throw failure(temporary, "write failed", error)
      }
      Cleanup.register(path)
      guard rename(temporary, path) == 0 else {
        let error = errno
        Cleanup.unregister(path)
        unlink(temporary)
        throw UsageError("failed to rename \"\(temporary)\" to \"\(path)\" (\(SystemError.text(error)))")
      }
    } catch {
      close(descriptor)
      throw error
    }
  }

  private static func failure(_ path: String, _ what: String, _ error: Int32) -> UsageError {
    UsageError("\(path): \(what) (\(SystemError.text(error)))")
  }

  /// - Throws: When a living process has the file.
  package static func checkFree(_ path: String) throws(UsageError) {
    switch owner(path) {
    case .process(let process): throw UsageError("\(path): already running as pid \(process), aborting")
    case .none(ESRCH): LogModule("daemon_unix").info("\(path): nobody holds the lock of this pidfile, which is stale; replacing it")
    case .none: return
    case .hidden(let written):
      throw UsageError(
        "\(path): locked by a process that cannot be named from here (the file says pid \(written)), already running, aborting")
    case .unknown(let error, let text):
      LogModule("daemon_unix").warn(text)
      throw UsageError("\(path): pidfile check failed (\(SystemError.text(error))), aborting")
    }
  }

  /// Who holds the file.
  package static func owner(_ path: String) -> Owner {
    let descriptor = posix_shim_open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK, 0)
    if descriptor < 0 {
      let error = errno
      guard error != ENOENT else { return .none(errno: ENOENT) }
      return .unknown(errno: error, "\(path): open: \(SystemError.text(error))")
    }
    defer { close(descriptor) }
    var error: Int32 = 0
    var isLocked: Int32 = 0
    let holder = posix_shim_lock_owner(descriptor, &isLocked, &error)
    if error != 0 { return .unknown(errno: error, "\(path): fcntl: \(SystemError.text(error))") }
    if isLocked == 0 { return .none(errno: ESRCH) }
    guard let written = firstLine(descriptor) else {
      return .unknown(errno: ESRCH, "\(path): read: unexpected end of file")
    }
    // The kernel gives 0 for a process of another pid namespace, and -1 for a lock that belongs to an open file.
    guard holder > 0 else { return .hidden(written: written.debugDescription) }
    // They differ while a new owner has just locked the file, and in another pid namespace.
    guard pid_t(written) == holder else {
      return .unknown(errno: ESRCH, "\(path): locked by pid \(holder), but the file says pid \(written.debugDescription)")
    }
    return .process(holder)
  }

  /// nil: the file is empty.
  private static func firstLine(_ descriptor: Int32) -> String? {
    let text = withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer -> String in
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    }
    return text.isEmpty ? nil : text.split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init)
  }
}
