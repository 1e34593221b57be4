// SPDX-License-Identifier: Apache-2.0
//
// The seam between this target and the kernel. Everything above calls these functions and no others, so that a test
// can make the n-th call fail, write short, or lose what was not synced.

import CPosixShims
import Glibc

/// What a system call answered when it failed.
package struct SystemError: Error, Hashable, Sendable {
  package let code: Int32

  package init(code: Int32) { self.code = code }

  /// The C library's words for the code. `strerror` of glibc returns constant text for every known code.
  package var text: String { String(cString: strerror(code)) }
}

/// Identity and attributes of an open file, as far as anybody here needs them.
package struct FileStatus: Hashable, Sendable {
  /// Which file this is, whatever its names are.
  package struct Identity: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64

    package init(device: UInt64, inode: UInt64) {
      self.device = device
      self.inode = inode
    }
  }

  package var identity: Identity
  package var size: Int
  /// Permission bits only.
  package var mode: UInt32
  package var owner: UInt32
  package var group: UInt32

  package init(_ raw: stat) {
    identity = Identity(device: UInt64(raw.st_dev), inode: UInt64(raw.st_ino))
    size = Int(raw.st_size)
    mode = raw.st_mode & 0o7777
    owner = raw.st_uid
    group = raw.st_gid
  }
}

/// The system calls of the journal. Interrupted calls are repeated inside; short reads and writes are the caller's.
package struct FileSystem: Sendable {
  /// Opens a file with close-on-exec, and without waiting for the other end of a FIFO. Returns a descriptor.
  package var open: @Sendable (_ path: String, _ flags: Int32, _ mode: UInt32) throws(SystemError) -> Int32
  package var close: @Sendable (_ descriptor: Int32) -> Void
  /// Reads at an offset; 0 means the end of the file.
  package var read:
    @Sendable (_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer, _ offset: Int) throws(SystemError) -> Int
  package var write:
    @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer, _ offset: Int) throws(SystemError) -> Int
  package var truncate: @Sendable (_ descriptor: Int32, _ size: Int) throws(SystemError) -> Void
  /// Puts the data, and what is needed to find them, on stable storage.
  package var syncData: @Sendable (_ descriptor: Int32) throws(SystemError) -> Void
  /// Has the kernel begin to write a range of the file, and does not wait. A hint that promises nothing: `sync` still has to wait, and
  /// still reports what failed.
  package var beginWriting: @Sendable (_ descriptor: Int32, _ offset: Int, _ count: Int) -> Void
  /// Puts data and attributes on stable storage; of a directory: its entries.
  package var sync: @Sendable (_ descriptor: Int32) throws(SystemError) -> Void
  /// Puts all that the file system of a file holds on stable storage, names as well.
  package var syncAll: @Sendable (_ descriptor: Int32) throws(SystemError) -> Void
  package var status: @Sendable (_ descriptor: Int32) throws(SystemError) -> FileStatus
  /// The same of the file that a name leads to.
  package var statusOfName: @Sendable (_ path: String) throws(SystemError) -> FileStatus
  /// Bytes that the file system of a file has left for processes without privileges.
  package var freeBytes: @Sendable (_ descriptor: Int32) throws(SystemError) -> Int
  package var setMode: @Sendable (_ descriptor: Int32, _ mode: UInt32) throws(SystemError) -> Void
  package var setOwner: @Sendable (_ descriptor: Int32, _ owner: UInt32, _ group: UInt32) throws(SystemError) -> Void
  package var rename: @Sendable (_ from: String, _ to: String) throws(SystemError) -> Void
  package var remove: @Sendable (_ path: String) throws(SystemError) -> Void
  /// The target of a symbolic link, or nil when the path is none (or nothing).
  package var linkTarget: @Sendable (_ path: String) -> String?
}

extension FileSystem {
  /// The kernel's own.
  package static let system = FileSystem(
    open: { path, flags, mode throws(SystemError) in
      try retrying { Glibc.open(path, flags | O_CLOEXEC | O_NONBLOCK, mode_t(mode)) }
    },
    close: { descriptor in _ = Glibc.close(descriptor) },
    read: { descriptor, buffer, offset throws(SystemError) in
      try retrying { pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset)) }
    },
    write: { descriptor, bytes, offset throws(SystemError) in
      try retrying { pwrite(descriptor, bytes.baseAddress, bytes.count, off_t(offset)) }
    },
    truncate: { descriptor, size throws(SystemError) in _ = try retrying { ftruncate(descriptor, off_t(size)) } },
    syncData: { descriptor throws(SystemError) in _ = try retrying { fdatasync(descriptor) } },
    beginWriting: { descriptor, offset, count in
      posix_shim_begin_writing(descriptor, off_t(offset), off_t(count))
    },
    sync: { descriptor throws(SystemError) in _ = try retrying { fsync(descriptor) } },
    syncAll: { descriptor throws(SystemError) in _ = try retrying { posix_shim_sync_all(descriptor) } },
    status: { descriptor throws(SystemError) in
      var raw = stat()
      _ = try retrying { fstat(descriptor, &raw) }
      return FileStatus(raw)
    },
    statusOfName: { path throws(SystemError) in
      var raw = stat()
      _ = try retrying { stat(path, &raw) }
      return FileStatus(raw)
    },
    freeBytes: { descriptor throws(SystemError) in
      var raw = statvfs()
      _ = try retrying { fstatvfs(descriptor, &raw) }
      let (bytes, overflow) = UInt64(raw.f_bavail).multipliedReportingOverflow(by: UInt64(raw.f_frsize))
      return overflow ? .max : Int(clamping: bytes)
    },
    setMode: { descriptor, mode throws(SystemError) in _ = try retrying { fchmod(descriptor, mode_t(mode)) } },
    setOwner: { descriptor, owner, group throws(SystemError) in _ = try retrying { fchown(descriptor, owner, group) } },
    rename: { from, to throws(SystemError) in _ = try retrying { Glibc.rename(from, to) } },
    remove: { path throws(SystemError) in _ = try retrying { unlink(path) } },
    linkTarget: { path in
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
        guard let start = buffer.baseAddress else { return nil }
        let count = readlink(path, start, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[..<count])), as: UTF8.self)
      }
    })

  /// Calls until the answer is something else than "interrupted"; -1 becomes an error.
  private static func retrying<Answer: FixedWidthInteger & SignedInteger>(
    _ call: () -> Answer
  ) throws(SystemError) -> Answer {
    while true {
      let answer = call()
      if answer != -1 { return answer }
      let code = errno
      if code != EINTR { throw SystemError(code: code) }
    }
  }
}

extension FileSystem {
  /// The file that a path finally names: symbolic links of the last component followed, so that lock file, temporary
  /// file and rename stand beside the real file. A loop is returned as it is; opening it reports the error.
  package func resolved(_ path: String) -> String {
    var current = path
    for _ in 0..<40 {
      guard let target = linkTarget(current) else { return current }
      current = target.utf8.first == UInt8(ascii: "/") ? target : FilePath.directory(of: current) + target
    }
    return path
  }

  /// As `resolved`, and independent of the working directory, which a daemon changes once its files are open.
  func absolute(_ path: String) -> String { anchored(resolved(path)) }

  /// The same path from the root on.
  func anchored(_ file: String) -> String {
    guard file.utf8.first != UInt8(ascii: "/"), let directory = getcwd(nil, 0) else { return file }
    defer { free(directory) }
    return "\(String(cString: directory))/\(file)"
  }

  /// Opens the directory that holds `path`, so that its entries can be put on stable storage later, when no descriptor may be free.
  ///
  /// - Returns: nil for one in which the process may make files and which it may not read (`NameTarget` does without).
  func openDirectory(of path: String) throws(SystemError) -> Descriptor? {
    let directory = FilePath.directory(of: path)
    do throws(SystemError) {
      return Descriptor(try open(directory.isEmpty ? "." : directory, O_RDONLY | O_DIRECTORY, 0), self)
    } catch where error.code == EACCES {
      return nil
    }
  }
}

/// Names of files, taken apart without changing how the user spelt them.
package enum FilePath {
  /// Everything through the last slash; empty when there is none.
  package static func directory(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    return String(path[...slash])
  }

  /// What follows the last slash.
  package static func name(of path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
    return String(path[path.utf8.index(after: slash)...])
  }
}

/// Puts the name of a file on stable storage, from any thread.
struct NameTarget: Sendable {
  /// What holds the name; nil when it cannot be opened, and then the whole file system is synced.
  let directory: Descriptor?
  let file: Descriptor

  func sync() throws(SystemError) {
    do throws(SystemError) {
      if let directory { try directory.fileSystem.sync(directory.number) } else { try file.fileSystem.syncAll(file.number) }
    } catch where error.code == EINVAL || error.code == EROFS {
      // The file system has no such notion (fsync(2)); there is nothing that could be waited for.
    }
  }
}

/// A descriptor that closes itself when nobody needs it any more.
///
/// The thread that syncs holds on to the file that was current when a commit was written, even while the owner puts
/// another file in its place.
package final class Descriptor: Sendable {
  let number: Int32
  let fileSystem: FileSystem

  /// Takes over an open descriptor.
  init(_ number: Int32, _ fileSystem: FileSystem) {
    self.number = number
    self.fileSystem = fileSystem
  }

  deinit { fileSystem.close(number) }

  /// Writes all of `bytes` at `offset`, going on after short writes.
  func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      let count = try fileSystem.write(number, UnsafeRawBufferPointer(rebasing: bytes[done...]), offset + done)
      // A regular file that takes nothing and names no error is full for every purpose; going on would never end.
      if count <= 0 { throw SystemError(code: ENOSPC) }
      done += count
    }
  }

  /// Reads until the buffer is full or the file ends; returns how many bytes there were.
  func readFully(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
    var done = 0
    while done < buffer.count {
      let count = try fileSystem.read(number, UnsafeMutableRawBufferPointer(rebasing: buffer[done...]), offset + done)
      if count <= 0 { break }
      done += count
    }
    return done
  }
}
