// SPDX-License-Identifier: Apache-2.0
//
// One open database file: load it, then append to it. The owner of a database has one and is its only caller; what
// other threads may do goes through the values handed out here (`SyncTarget`, LogReplacement.swift).
//
//     create ──────────────────────────────▶ writable ──▶ append… flush… (truncates what a failed write left)
//     open ──▶ load(each record) ──▶ clean ────▶ │ ▲
//                   │                torn ───────┘ └── swap(to: replacement)
//                   ├──▶ damaged (where the caller asked for it): nothing is ever written
//                   └──▶ damage inside, unreadable: thrown; the file is not opened

import Glibc
import JSON
import Synchronization

/// A database file open for writing, with its lock.
package final class LogFile {
  /// How a load ended.
  package enum Recovery: Hashable, Sendable {
    /// Every byte of the file belongs to a record that was applied.
    case clean
    /// Record number `record` at `offset` is no good and nothing good stands behind it: what a crash or a full disk
    /// leaves. Everything before was applied; the next write cuts off the last `excess` bytes first.
    case torn(LogError, record: Int, offset: Int, excess: Int)
    /// The same of a record that is whole, and says what does not fit: somebody wrote it so. The next write takes its place, once
    /// the last `excess` bytes are kept in a file beside this one (RejectedEnd.swift).
    case rejected(LogError, record: Int, offset: Int, excess: Int)
    /// Good records stand behind a bad one. Everything before it was applied; the file takes no writes, whoever asks.
    case damaged(LogError)

    /// Why the end of the file was not taken, when the next write would take its place.
    package var endError: LogError? {
      switch self {
      case .torn(let error, _, _, _), .rejected(let error, _, _, _): error
      case .clean, .damaged: nil
      }
    }
  }

  /// The file's name as the user gave it.
  package let path: String
  /// The name that stands for the file itself: absolute, symbolic links followed.
  package let resolvedPath: String
  package let kind: FileKind
  let fileSystem: FileSystem
  private var lock: FileLock

  private(set) var descriptor: Descriptor
  /// Shared with those who sync and those who replace.
  private(set) var shared: SharedState

  /// Bytes of whole records. Invariant: everything before is good; everything behind is cut off before the next write.
  package private(set) var size = 0
  /// Records in the file, the schema included.
  package private(set) var recordCount = 0
  /// What `size` was after the first two records: schema and snapshot. Nil while there are fewer.
  package private(set) var baseSize: Int?
  /// True when something may stand behind `size`.
  var hasExcess = false
  /// True when a whole record stands there, which must be kept.
  var hasRejectedEnd = false
  /// Why this file must stay as it is; nil for one that may be written.
  package private(set) var damage: LogError?
  /// How many bytes the last write wanted that failed; nil after one that succeeded.
  var refusedByteCount: Int?

  /// Where records are put together before they are framed.
  var scratch = ByteWriter()
  /// Framed records that wait for `flush`.
  var pending: [UInt8] = []
  /// Where each of them ends.
  var pendingEnds: [Int] = []
  /// They are written behind `size`, and neither counted nor cut off yet (LogFile+Append.swift).
  var isPendingWritten = false
  /// Another thread writes behind `size` (LogAppendix.swift).
  package internal(set) var hasAppendix = false

  /// Capacity that `pending` keeps between flushes; a single larger record gives its memory back.
  static let pendingKeptByteCount = 1 << 20

  private init(path: String, kind: FileKind, lock: FileLock, descriptor: Descriptor, fileSystem: FileSystem) {
    self.path = path
    self.resolvedPath = fileSystem.absolute(path)
    self.kind = kind
    self.lock = lock
    self.descriptor = descriptor
    self.fileSystem = fileSystem
    self.shared = SharedState()
  }

  // MARK: - Create, open, load

  /// Makes a new file, which must not exist, with mode 0660 as far as the umask allows. It is empty until the first
  /// `flush`; `persistCreation` completes it.
  ///
  /// - Throws: `failed to lock lockfile`, `create failed`.
  package static func create(
    path: String, kind: FileKind = .standalone, fileSystem: FileSystem = .system
  ) throws(LogError) -> LogFile {
    let lock = try FileLock(database: path, fileSystem: fileSystem)
    do {
      let number = try fileSystem.open(fileSystem.resolved(path), O_RDWR | O_CREAT | O_EXCL, 0o660)
      return LogFile(
        path: path, kind: kind, lock: lock, descriptor: Descriptor(number, fileSystem), fileSystem: fileSystem)
    } catch {
      throw LogError.failed(path, "create failed", error)
    }
  }

  /// Writes what is pending to a file just created and puts file and name on stable storage. On failure the file is
  /// removed again, so that no husk stands in the way of the next attempt.
  package func persistCreation() throws(LogError) {
    do throws(LogError) {
      try flush()
      do throws(SystemError) {
        try fileSystem.sync(descriptor.number)
        try NameTarget(directory: fileSystem.openDirectory(of: resolvedPath), file: descriptor).sync()
      } catch {
        throw LogError.failed(path, "sync failed", error)
      }
    } catch {
      do throws(SystemError) {
        try fileSystem.remove(resolvedPath)
      } catch let removal {
        throw LogError(
          error.tag, "\(error.message); and removing the incomplete file failed", ioError: removal.text,
          code: error.code)
      }
      throw error
    }
  }

  /// Opens and locks an existing file. It must be loaded before anything is appended.
  ///
  /// - Throws: As `FileLock` and `RecordReader` do.
  package static func open(
    path: String, accepting kinds: Set<FileKind> = [.standalone], fileSystem: FileSystem = .system
  ) throws(LogError) -> Loader {
    let lock = try FileLock(database: path, fileSystem: fileSystem)
    let descriptor: Descriptor
    do {
      descriptor = Descriptor(try fileSystem.open(path, O_RDWR, 0), fileSystem)
    } catch {
      throw LogError.failed(path, "open failed", error)
    }
    let reader = try RecordReader(descriptor, path: path, accepting: kinds)
    let log = LogFile(path: path, kind: reader.kind, lock: lock, descriptor: descriptor, fileSystem: fileSystem)
    return Loader(log: log, reader: reader)
  }

  /// An open file whose records are still to be read. Consumed by loading, so that nobody can write before.
  package struct Loader: ~Copyable {
    private let log: LogFile
    private var reader: RecordReader

    fileprivate init(log: LogFile, reader: consuming RecordReader) {
      self.log = log
      self.reader = reader
    }

    package var kind: FileKind { log.kind }

    /// Gives every record to `body` in order; an error that `body` throws counts as damage of that record.
    ///
    /// A record that is whole but that `body` refuses is never torn: somebody wrote it so, and what takes its place keeps it aside.
    ///
    /// - Parameters:
    ///   - keepsDamaged: Give back a file with damage inside, which will take no writes, instead of throwing.
    ///   - parsesAhead: Read and parse the records of a large file on another thread; their `data` are empty then.
    /// - Returns: The file, ready to be written, and how its end was found.
    /// - Throws: The error of record 0; a system's error; any error at all when good records stand behind the bad one,
    ///   with their number: a write would discard them.
    package consuming func load(
      keepsDamaged: Bool = false, parsesAhead: Bool = false, _ body: (Record) throws(LogError) -> Void
    ) throws(LogError) -> (log: LogFile, recovery: Recovery) {
      let log = log
      defer { log.shared.examinedSize.store(log.size, ordering: .releasing) }
      var reader: RecordReader? = reader
      var ahead: ReadAhead?
      defer { ahead?.stop() }
      var start = 0
      var index = 0
      while true {
        var end: Int?
        do {
          let next: Record?
          if let ahead { next = try ahead.next() } else { next = try reader?.next() }
          guard let record = next else { return (log, .clean) }
          end = record.end
          try body(record)
          log.noteRecord(end: record.end)
          start = record.end
          index += 1
          // The first two are the schema and, in a compacted file, all rows there were: nothing could be applied beside those.
          if index == 2, parsesAhead, try log.isMuch(behind: start) { ahead = ReadAhead.start(&reader) }
        } catch {
          if index == 0 || error.code != nil { throw error }
          guard let damage = try log.damage(error, index: index, start: start, intactEnd: end) else {
            let excess = try log.noteExcess()
            guard end != nil else { return (log, .torn(error, record: index, offset: start, excess: excess)) }
            log.hasRejectedEnd = true
            return (log, .rejected(error, record: index, offset: start, excess: excess))
          }
          guard keepsDamaged else { throw damage.refusal }
          log.damage = damage.report
          return (log, .damaged(damage.report))
        }
      }
    }

  }

  /// What a write would lose at and behind a bad record; nil when nothing.
  ///
  /// - Parameter intactEnd: Where the record ends when it is whole and only does not fit.
  private func damage(_ cause: LogError, index: Int, start: Int, intactEnd: Int?) throws(LogError) -> LogError.Damage? {
    var scan = try RecordScan(descriptor, path: path, kind: kind)
    let count = try scan.count(from: intactEnd ?? start + 1)
    if count == 0, !scan.isIncomplete { return nil }
    return LogError.Damage(
      path: path, record: index, offset: start, cause: cause, isIntact: intactEnd != nil, goodRecordsBehind: count,
      isCountComplete: !scan.isIncomplete)
  }

  /// Whether to read the rest of the file takes long enough for another thread to help.
  private func isMuch(behind position: Int) throws(LogError) -> Bool {
    do {
      return try fileSystem.status(descriptor.number).size - position >= Self.largeByteCount
    } catch {
      throw LogError.failed(path, "read error", error)
    }
  }

  private static let largeByteCount = 1 << 20

  /// Gives every good record to `body` once more, as when what a load made has to be made again.
  package func forEachRecord(_ body: (Record) throws(LogError) -> Void) throws(LogError) {
    var reader = try RecordReader(descriptor, path: path, accepting: [kind])
    while reader.position < size, let record = try reader.next() { try body(record) }
  }

  /// A record that ends at `end` is in the file and good.
  func noteRecord(end: Int) {
    size = end
    recordCount += 1
    if recordCount == 2 { baseSize = end }
    shared.readableSize.store(end, ordering: .releasing)
  }

  /// Something stands behind the last good record; returns how many bytes.
  private func noteExcess() throws(LogError) -> Int {
    hasExcess = true
    do {
      return try fileSystem.status(descriptor.number).size - size
    } catch {
      throw LogError.failed(path, "read error", error)
    }
  }

  // MARK: - Sync

  /// Sees to it that the lock file at the name is ours, as when somebody removed it: only then may a file get the name of this one.
  ///
  /// - Throws: `failed to lock lockfile`: another process has the one that is there now.
  func renewLock() throws(LogError) {
    guard lock.file.state(in: fileSystem) != .same else { return }
    lock = try FileLock(database: resolvedPath, fileSystem: fileSystem)
  }

  /// What another thread needs to put everything on stable storage that was flushed when this was asked for.
  package var syncTarget: SyncTarget {
    SyncTarget(path: path, resolvedPath: resolvedPath, descriptor: descriptor, shared: shared, lockFile: lock.file)
  }

  /// The error of a sync that failed, as long as the file has not been replaced.
  package var syncFailure: LogError? { shared.failure }

  /// Takes the place of the old file: `replacement` holds all that it held. Its name is not on stable storage yet.
  func adopt(_ new: Descriptor, in directory: Descriptor?, size: Int, recordCount: Int, baseSize: Int?) {
    descriptor = new
    shared = SharedState()
    shared.unsyncedName = NameTarget(directory: directory, file: new)
    self.size = size
    self.recordCount = recordCount
    self.baseSize = baseSize
    hasExcess = false
    refusedByteCount = nil
    shared.readableSize.store(size, ordering: .releasing)
    shared.examinedSize.store(size, ordering: .releasing)
  }
}
