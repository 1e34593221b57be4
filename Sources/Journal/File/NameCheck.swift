// SPDX-License-Identifier: Apache-2.0
//
// Whether the names still lead to the files that the process has open. Somebody may remove, replace or truncate a database file that is
// in use, or its lock file: then what is written goes where nobody will read it, or another process writes the same file.
//
// A file that was truncated is too short until it is written again. Then there are zeros from where it was cut to where the write began,
// and no record has any. So what was written since the last look is read once more, with the byte before it.

import Glibc

/// A name, and the file that it should lead to.
struct NamedFile: Sendable {
  /// From the root on: a daemon changes its working directory.
  let path: String
  let identity: FileStatus.Identity

  enum State {
    case same, removed, replaced
  }

  /// What the name leads to; `same` where that cannot be found out.
  func state(in fileSystem: FileSystem) -> State {
    do throws(SystemError) {
      return try fileSystem.statusOfName(path).identity == identity ? .same : .replaced
    } catch {
      return error.code == ENOENT || error.code == ENOTDIR ? .removed : .same
    }
  }
}

extension SyncTarget {
  /// Finds out whether the file is still the one at its name, has all that was written, and is locked by the lock file at its name.
  ///
  /// - Throws: What is wrong. After that the file takes no more records, as after a failed sync, until it is replaced: all that it
  ///   held is in memory.
  package func checkName() throws(LogError) {
    if let failure = shared.failure { throw failure }
    guard let flaw = flaw(), !shared.isReplaced.load(ordering: .acquiring) else { return }
    let report = LogError(.ioError, "\(path): \(flaw)")
    shared.fail(report)
    throw report
  }

  /// What is wrong, in words.
  private func flaw() -> String? {
    let fileSystem = descriptor.fileSystem
    let wanted = shared.readableSize.load(ordering: .acquiring)
    guard let present = try? fileSystem.status(descriptor.number) else { return nil }
    if present.size < wanted { return "the file was truncated to \(present.size) of \(wanted) bytes" }
    if let gap = examine(upTo: wanted) { return "the file was truncated, and then written: it has zeros at byte \(gap)" }
    switch NamedFile(path: resolvedPath, identity: present.identity).state(in: fileSystem) {
    case .removed: return "the file was removed"
    case .replaced: return "another file was put in the place of the file"
    case .same: break
    }
    switch lockFile.state(in: fileSystem) {
    case .removed: return "the lock file was removed"
    case .replaced: return "another file was put in the place of the lock file"
    case .same: return nil
    }
  }
}

extension SyncTarget {
  private static let pieceByteCount = 1 << 18

  /// Looks at what was written since the last look.
  ///
  /// - Returns: where there are zeros; nil when there are none, or it cannot be found out.
  private func examine(upTo end: Int) -> Int? {
    let examined = shared.examinedSize.load(ordering: .acquiring)
    var position = max(0, examined - 1)
    guard examined < end else { return nil }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(Self.pieceByteCount, end - position), alignment: 16)
    defer { buffer.deallocate() }
    while position < end {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, end - position)])
      guard let count = try? descriptor.readFully(piece, at: position), count == piece.count else { return nil }
      if let gap = UnsafeRawBufferPointer(piece).firstZero { return position + gap }
      position += count
    }
    shared.examinedSize.store(end, ordering: .releasing)
    return nil
  }
}

extension Descriptor {
  /// Fills a buffer with what was written to the file while it was open.
  ///
  /// - Throws: the system's error; what shows that the file was truncated meanwhile.
  func readWritten(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int, of path: String) throws(LogError) {
    let count: Int
    do {
      count = try readFully(buffer, at: offset)
    } catch {
      throw LogError.failed(path, "error reading \(buffer.count) bytes starting at offset \(offset)", error)
    }
    if count < buffer.count { throw LogError.cutOff(path, length: buffer.count, offset: offset) }
    if let gap = UnsafeRawBufferPointer(buffer).firstZero {
      throw LogError(.ioError, "\(path): the file was truncated, and then written: it has zeros at byte \(offset + gap)")
    }
  }
}

extension UnsafeRawBufferPointer {
  fileprivate var firstZero: Int? {
    guard let start = baseAddress, let zero = memchr(start, 0, count) else { return nil }
    return start.distance(to: UnsafeRawPointer(zero))
  }
}
