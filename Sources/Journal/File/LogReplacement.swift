// SPDX-License-Identifier: Apache-2.0
//
// A new file that takes the place of a log while the log goes on. Compaction and conversion are made of it:
//
//   1. owner:   log.beginReplacement()             and, at the same moment, takes a snapshot of the database
//   2. anyone:  append… (schema, the snapshot's rows), then catchUp(): all on stable storage, commits copied so far
//   3. owner:   reports no commit as durable from now on (a sync of the old file proves nothing about the new one)
//   4. anyone:  catchUp(): all commits that were ever reported as durable are on stable storage in the new file
//   5. owner:   log.swap(to: replacement)          the few commits since then, rename, and the new file is the log
//   6. anyone:  log.syncTarget.sync()              the name as well; durable commits are reported again
//
// Who need not care for a pause calls `finish`, which is 4 to 6. Until the rename the old file is untouched and open;
// whatever fails before leaves everything as it was. The owner's steps wait for no disk.

import Glibc
import Synchronization

/// A file `NAME.tmp` that becomes `NAME`.
///
/// `@unchecked Sendable`: made by the log's owner, then filled by one thread, then handed back to the owner; the handing
/// over orders the accesses. What it reads while the owner writes is `SharedState`, which is safe, and bytes of the old
/// file before `readableSize`, which never change.
package final class LogReplacement: @unchecked Sendable {
  /// The new file's name for error messages.
  private let path: String
  private let resolvedPath: String
  private let kind: FileKind
  private let fileSystem: FileSystem

  fileprivate let descriptor: Descriptor
  /// Open from the start: after the rename nothing but a sync of it may fail.
  fileprivate let directory: Descriptor?
  private let old: Descriptor
  private let oldShared: SharedState

  /// Where in the old file the commits begin that the snapshot does not hold and that are not copied yet.
  private var copiedPosition: Int
  fileprivate private(set) var size = 0
  fileprivate private(set) var ownRecordCount = 0
  fileprivate private(set) var baseSize: Int?
  /// Records of the old file when the snapshot was taken.
  fileprivate let oldRecordCount: Int
  private var pending: [UInt8] = []
  /// A record that is being written in pieces, and where its header will stand.
  private var openRecord: (start: Int, hasher: RecordHasher)?
  /// Bytes before this the kernel has been told to write.
  private var begunSize = 0
  private var isInPlace = false
  /// What the new file has not of the old one's owner, group and mode, and why.
  package private(set) var unkeptAttribute: LogError?

  private static let chunkByteCount = 1 << 18
  /// What is written at one go by the sync at the end delays everybody on the machine: a large file goes to the disk in steps as it grows.
  private static let stepByteCount = 1 << 20

  fileprivate init(of log: LogFile) throws(LogError) {
    path = "\(log.path).tmp"
    resolvedPath = "\(log.resolvedPath).tmp"
    kind = log.kind
    fileSystem = log.fileSystem
    old = log.descriptor
    oldShared = log.shared
    copiedPosition = log.size
    oldRecordCount = log.recordCount
    do {
      directory = try fileSystem.openDirectory(of: resolvedPath)
      do {
        try fileSystem.remove(resolvedPath)
      } catch where error.code == ENOENT {
        // The usual case: nothing was left behind.
      }
      descriptor = Descriptor(try fileSystem.open(resolvedPath, O_RDWR | O_CREAT | O_EXCL, 0o660), fileSystem)
    } catch {
      throw LogError.failed(path, "create failed", error)
    }
    try copyAttributes()
  }

  deinit { discard() }

  /// Removes the file, unless it is in place or the name belongs to a later one by now. Failing is harmless: the next one does it.
  package func discard() {
    guard !isInPlace, let own = try? fileSystem.status(descriptor.number).identity,
      let number = try? fileSystem.open(resolvedPath, O_RDONLY | O_NOFOLLOW, 0)
    else { return }
    let present = Descriptor(number, fileSystem)
    if (try? fileSystem.status(present.number).identity) == own { try? fileSystem.remove(resolvedPath) }
  }

  /// Owner and mode of the old file, as far as the process may: a compaction by root must not lock out a server that
  /// runs as somebody else. Where the group cannot be kept the mode is not copied either, as its group bits would then
  /// speak of another group.
  private func copyAttributes() throws(LogError) {
    do {
      let wanted = try fileSystem.status(old.number)
      let present = try fileSystem.status(descriptor.number)
      if (wanted.owner, wanted.group) != (present.owner, present.group) {
        do {
          try fileSystem.setOwner(descriptor.number, wanted.owner, wanted.group)
        } catch where Self.meansRefused(error) {
          unkeptAttribute = .failed(path, "keeping the owner failed", error)
          guard try keepGroup(wanted.group, present.group) else { return }
        }
      }
      do {
        try fileSystem.setMode(descriptor.number, wanted.mode)
      } catch where Self.meansRefused(error) {
        unkeptAttribute = .failed(path, "keeping the mode failed", error)
      }
    } catch {
      throw LogError.failed(path, "create failed", error)
    }
  }

  /// Returns whether the new file has the old one's group.
  private func keepGroup(_ wanted: UInt32, _ present: UInt32) throws(SystemError) -> Bool {
    if wanted == present { return true }
    do {
      try fileSystem.setOwner(descriptor.number, .max, wanted)  // The owner stays (chown(2): -1).
      return true
    } catch where Self.meansRefused(error) {
      return false
    }
  }

  /// The process may not, or the file system has no such attribute: no reason to do without the new file.
  private static func meansRefused(_ error: SystemError) -> Bool { [EPERM, EOPNOTSUPP, ENOSYS].contains(error.code) }

  /// Adds a record: first the schema, then the snapshot. Written in pieces, so that memory stays small.
  package func append(_ data: UnsafeRawBufferPointer) throws(LogError) {
    RecordHeader.frame(data, kind: kind, into: &pending)
    ownRecordCount += 1
    if ownRecordCount == 2 { baseSize = size + pending.count }
    if pending.count >= Self.chunkByteCount { try writePending() }
  }

  package func append(_ data: [UInt8]) throws(LogError) {
    try data.withUnsafeBufferPointer { bytes throws(LogError) in
      try append(UnsafeRawBufferPointer(bytes))
    }
  }

  /// Adds a part of a record's data, which are too many to be held; `append(lastPiece:)` ends the record.
  func append(piece: UnsafeRawBufferPointer) throws(LogError) {
    var record: (start: Int, hasher: RecordHasher)
    if let present = openRecord {
      record = present
    } else {
      try writePending()
      record = (size, RecordHasher())
      // The header is known when all data are; until then the file is no database, and nobody takes it for one.
      try write(repeating: UInt8(ascii: " "), count: RecordHasher.paddedHeaderByteCount)
    }
    record.hasher.update(piece)
    openRecord = record
    try write(piece)
  }

  /// Adds the rest of a record's data. A record that is given as one piece is written like any other.
  func append(lastPiece piece: UnsafeRawBufferPointer) throws(LogError) {
    guard openRecord != nil else { return try append(piece) }
    try append(piece: piece)
    guard let (start, hasher) = openRecord.take() else { return }
    try write(repeating: UInt8(ascii: "\n"), count: 1)
    do {
      try hasher.paddedHeader().withUnsafeBufferPointer { bytes throws(SystemError) in
        try descriptor.writeAll(UnsafeRawBufferPointer(bytes), at: start)
      }
    } catch {
      throw LogError.failed(path, "write failed", error)
    }
    ownRecordCount += 1
    if ownRecordCount == 2 { baseSize = size }
  }

  private func write(repeating byte: UInt8, count: Int) throws(LogError) {
    try [UInt8](repeating: byte, count: count).withUnsafeBufferPointer { bytes throws(LogError) in
      try write(UnsafeRawBufferPointer(bytes))
    }
  }

  /// Copies the commits that the old file took meanwhile and puts everything on stable storage, until little is left
  /// for the owner to wait for.
  ///
  /// - Parameter copiesCommits: As for `swap`.
  package func catchUp(copiesCommits: Bool = true) throws(LogError) {
    try writePending()
    for _ in 0..<8 {
      let copied = copiesCommits ? try copyCommits() : 0
      do {
        try fileSystem.sync(descriptor.number)
      } catch {
        throw LogError.failed(path, "sync failed", error)
      }
      begunSize = size
      if copied < Self.chunkByteCount { break }
    }
  }

  /// Appends what the old file took since the last look; returns how many bytes.
  @discardableResult
  fileprivate func copyCommits() throws(LogError) -> Int {
    try writePending()
    let end = oldShared.readableSize.load(ordering: .acquiring)
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunkByteCount, alignment: 16)
    defer { chunk.deallocate() }
    let begin = copiedPosition
    while copiedPosition < end {
      let part = UnsafeMutableRawBufferPointer(rebasing: chunk[..<min(chunk.count, end - copiedPosition)])
      try old.readWritten(part, at: copiedPosition, of: path)
      try write(UnsafeRawBufferPointer(part))
      copiedPosition += part.count
    }
    return end - begin
  }

  fileprivate func writePending() throws(LogError) {
    guard !pending.isEmpty else { return }
    try pending.withUnsafeBufferPointer { bytes throws(LogError) in
      try write(UnsafeRawBufferPointer(bytes))
    }
    pending.removeAll(keepingCapacity: pending.capacity <= 4 * Self.chunkByteCount)
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws(LogError) {
    do {
      try descriptor.writeAll(bytes, at: size)
      size += bytes.count
    } catch {
      throw LogError.failed(path, "write failed", error)
    }
    guard size - begunSize >= Self.stepByteCount else { return }
    fileSystem.beginWriting(descriptor.number, begunSize, size - begunSize)
    begunSize = size
  }

  /// After this `NAME` is the new file.
  fileprivate func putInPlace(of log: LogFile) throws(LogError) {
    precondition(log.descriptor === old, "the log was replaced by another replacement meanwhile")
    do {
      try fileSystem.rename(resolvedPath, log.resolvedPath)
    } catch {
      throw LogError.failed(log.path, "rename failed", error)
    }
    isInPlace = true
  }
}

extension LogFile {
  /// Starts a replacement that takes over all records flushed so far; those that follow are copied by it.
  ///
  /// Nothing may be pending: the snapshot that the caller takes at this moment must hold what the file holds.
  ///
  /// - Throws: `create failed`; what is damaged in a file that must stay as it is.
  package func beginReplacement() throws(LogError) -> LogReplacement {
    precondition(!hasPending, "a replacement begins between commits")
    if let damage { throw damage }
    try renewLock()
    try keepRejectedEnd()
    return try LogReplacement(of: self)
  }

  /// Puts the replacement in the place of this file and goes on in it, without waiting for the disk: between the last
  /// `catchUp` and this no commit may have been reported as durable, and after this none may be before a sync.
  ///
  /// - Parameter copiesCommits: Whether the records of this file that came after `beginReplacement` belong into the new
  ///   one as they are. A conversion writes its own.
  /// - Returns: What holds the old file; letting go of it frees the file's space, which may take long.
  /// - Throws: What failed; then the old file stays and stays open.
  @discardableResult
  package func swap(to replacement: LogReplacement, copiesCommits: Bool = true) throws(LogError) -> Descriptor {
    precondition(!hasPending, "a replacement ends between commits")
    if let failure = damage ?? shared.failure, copiesCommits, recordCount > replacement.oldRecordCount { throw failure }
    if copiesCommits { try replacement.copyCommits() } else { try replacement.writePending() }
    let replaced = shared
    replaced.isReplaced.store(true, ordering: .releasing)
    do throws(LogError) {
      try renewLock()
      try replacement.putInPlace(of: self)
    } catch {
      replaced.isReplaced.store(false, ordering: .releasing)
      throw error
    }
    let commitCount = copiesCommits ? recordCount - replacement.oldRecordCount : 0
    let old = descriptor
    adopt(
      replacement.descriptor, in: replacement.directory, size: replacement.size, recordCount: replacement.ownRecordCount + commitCount,
      baseSize: replacement.baseSize)
    return old
  }

  /// Puts the replacement in the place of this file with everything on stable storage.
  ///
  /// - Throws: What failed; then the old file stays and stays open. A sync that fails after the rename is the one
  ///   exception: the new file is in place and in use, but takes no records until it is replaced again, because a crash
  ///   could bring the old one back.
  package func finish(_ replacement: LogReplacement) throws(LogError) {
    try replacement.catchUp()
    try swap(to: replacement)
    try syncTarget.sync()
  }
}
