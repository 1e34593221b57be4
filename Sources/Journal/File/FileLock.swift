// SPDX-License-Identifier: Apache-2.0
//
// Who may write a database file. The lock is one on a file of its own, `.NAME.~lock~` beside the database, so that the
// database itself can be renamed over. The lock file is empty, has mode 0600 and is never deleted: whoever deleted it
// would let two processes lock two different files of one name.
//
// The lock belongs to the open file description (F_OFD_SETLK), not to the process: it survives neither an unrelated
// close() of the same file in this process, nor does a child lose it after fork(2). Against programs that use the
// classic record locks of fcntl(2) (ovsdb-server and ovsdb-tool of Open vSwitch) it holds in both directions.

import CPosixShims
import Glibc
import Synchronization

/// An exclusive lock on a database file's name; released when nobody holds on to it any more.
package final class FileLock: Sendable {
  /// The lock file's path.
  package let path: String
  private let descriptor: Descriptor
  private let identity: FileStatus.Identity
  /// The lock file under its name, which must go on leading to it.
  let file: NamedFile

  /// Lock files that this process holds: the kernel would not tell us apart from another process.
  private static let held = Mutex<[FileStatus.Identity: Int32]>([:])

  /// Where the lock file of a database stands: beside the file that the name finally stands for.
  package static func path(for database: String, fileSystem: FileSystem = .system) -> String {
    let resolved = fileSystem.resolved(database)
    return "\(FilePath.directory(of: resolved)).\(FilePath.name(of: resolved)).~lock~"
  }

  /// Locks `database` without waiting.
  ///
  /// - Throws: `DATABASE: failed to lock lockfile`, with the lines that the log should have in `lockWarnings`.
  package init(database: String, fileSystem: FileSystem = .system) throws(LogError) {
    let path = Self.path(for: database, fileSystem: fileSystem)
    do throws(Refusal) {
      (descriptor, identity) = try Self.lock(path, fileSystem)
    } catch {
      var report = LogError.failed(database, "failed to lock lockfile", error.cause)
      report.lockWarnings = error.warnings.map { "\(path): \($0)" }
      throw report
    }
    self.path = path
    file = NamedFile(path: fileSystem.anchored(path), identity: identity)
  }

  deinit {
    // A child that was forked a moment ago shares the description until it executes its program; the lock must not live on in it.
    _ = posix_shim_unlock_description(descriptor.number)
    _ = Self.held.withLock { $0.removeValue(forKey: identity) }
  }

  /// Releases every lock of this process, for a program that will write nothing any more and is about to end.
  package static func releaseAll() {
    held.withLock { held in
      for descriptor in held.values { _ = posix_shim_unlock_description(descriptor) }
    }
  }

  /// Why a lock file could not be opened or locked.
  private struct Refusal: Error {
    var cause: SystemError
    var warnings: [String]
  }

  private static func lock(
    _ path: String, _ fileSystem: FileSystem
  ) throws(Refusal) -> (Descriptor, FileStatus.Identity) {
    let descriptor: Descriptor
    let identity: FileStatus.Identity
    do throws(SystemError) {
      descriptor = Descriptor(try fileSystem.open(path, O_RDWR | O_CREAT, 0o600), fileSystem)
      identity = try fileSystem.status(descriptor.number).identity
    } catch {
      throw Refusal(
        cause: error,
        warnings: ["failed to open lock file: \(error.text)", "failed to lock file: \(error.text)"])
    }
    guard held.withLock({ note(descriptor.number, identity, in: &$0) }) else {
      throw Refusal(
        cause: SystemError(code: EDEADLK),
        warnings: ["cannot lock file because this process has already locked it"])
    }
    while posix_shim_lock_description(descriptor.number) == -1 {
      let cause = SystemError(code: errno)
      if cause.code == EINTR { continue }
      _ = held.withLock { $0.removeValue(forKey: identity) }
      guard cause.code == EAGAIN || cause.code == EACCES else {
        throw Refusal(cause: cause, warnings: ["failed to lock file: \(cause.text)"])
      }
      let holder = holder(of: descriptor, identity).map { " by pid \($0)" } ?? ""
      throw Refusal(
        cause: SystemError(code: EAGAIN), warnings: ["cannot lock file because it is already locked\(holder)"])
    }
    return (descriptor, identity)
  }

  /// - Returns: whether the file was not locked by this process yet.
  private static func note(
    _ descriptor: Int32, _ identity: FileStatus.Identity, in held: inout [FileStatus.Identity: Int32]
  ) -> Bool {
    guard held[identity] == nil else { return false }
    held[identity] = descriptor
    return true
  }

  /// The process that has the lock, when it can be found out.
  ///
  /// The kernel names the owner of a classic lock. A lock of an open file description has no owner; then the process
  /// is looked for that shows this lock beside one of its descriptors (proc(5), /proc/PID/fdinfo).
  private static func holder(of descriptor: Descriptor, _ identity: FileStatus.Identity) -> Int32? {
    var request = flock()
    request.l_type = Int16(F_WRLCK)
    if fcntl(descriptor.number, F_GETLK, &request) == 0, request.l_type != Int16(F_UNLCK), request.l_pid > 0 {
      return request.l_pid
    }
    for process in names(in: "/proc") {
      guard let pid = Int32(process) else { continue }
      for number in names(in: "/proc/\(process)/fd") {
        var raw = stat()
        guard stat("/proc/\(process)/fd/\(number)", &raw) == 0, FileStatus(raw).identity == identity,
          text(of: "/proc/\(process)/fdinfo/\(number)").contains("lock:")
        else { continue }
        return pid
      }
    }
    return nil
  }

  /// The entries of a directory; none when it cannot be read (a process of somebody else).
  private static func names(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names
  }

  /// The first bytes of a small file of /proc; empty when it cannot be read.
  private static func text(of path: String) -> Substring {
    guard let number = try? FileSystem.system.open(path, O_RDONLY, 0) else { return "" }
    let file = Descriptor(number, .system)
    return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
      let count = (try? file.readFully(buffer, at: 0)) ?? 0
      return String(decoding: UnsafeRawBufferPointer(rebasing: buffer[..<count]), as: UTF8.self)[...]
    }
  }
}
