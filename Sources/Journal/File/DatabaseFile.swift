// SPDX-License-Identifier: Apache-2.0
//
// A standalone database file as a whole: its records made into a database. The server opens files for writing; tools read
// files, also those that a server is using.

import CPosixShims
import Engine
import Glibc
import JSON
import OVSDB

package enum DatabaseFile {
  /// A file open for writing and what is in it.
  package struct Opened {
    package let database: Database
    package let log: LogFile
    /// How the end of the file was found. What to do about a torn end is the caller's: a server logs it and serves what
    /// came before, a tool gives up.
    package let recovery: LogFile.Recovery
  }

  /// Opens a file for writing, with its lock.
  ///
  /// A record that is intact but does not fit the schema or the rows counts as damage of the file, like one with a wrong
  /// hash. Reading on behind it, as the peer does, would build on a state that never was.
  ///
  /// - Parameters:
  ///   - keepsDamaged: Open a file with damage inside as well, for reading what stands before it.
  ///   - progress: Called behind every record with the place in the file.
  /// - Throws: as `LogFile.open` and `LogFile.Loader.load` do; `cannot apply this operation to clustered database file`; that
  ///   the rows contradict each other.
  package static func open(
    _ path: String, keepsDamaged: Bool = false, random: RandomSource = RandomSource(), fileSystem: FileSystem = .system,
    progress: (Int) -> Void = { _ in }
  ) throws(LogError) -> Opened {
    let loader = try LogFile.open(path: path, accepting: [.standalone, .clustered], fileSystem: fileSystem)
    if loader.kind == .clustered { throw LogError.clustered(path) }
    var assembly = Assembly(path: path, random: random)
    let (log, recovery) = try loader.load(keepsDamaged: keepsDamaged, parsesAhead: true) { (record) throws(LogError) in
      try assembly.apply(record)
      progress(record.end)
    }
    if recovery != .clean {
      // The bad record may have been applied in part.
      assembly = Assembly(path: path, random: random)
      try log.forEachRecord { (record) throws(LogError) in try assembly.apply(record) }
    }
    let database = try assembly.finish()
    // What reading took beside the rows is as much as they take, when they stand in one record.
    if log.size >= trimmedByteCount { posix_shim_trim_memory() }
    return Opened(database: database, log: log, recovery: recovery)
  }

  private static let trimmedByteCount = 4 << 20

  /// Reads a file without lock, for tools.
  ///
  /// - Parameter progress: Called behind every record with the place in the file.
  /// - Throws: the first error of any kind, also that of a torn end.
  package static func read(
    _ path: String, random: RandomSource = RandomSource(), fileSystem: FileSystem = .system,
    progress: (Int) -> Void = { _ in }
  ) throws(LogError) -> Database {
    var reader = try RecordReader(path: path, accepting: [.standalone, .clustered], fileSystem: fileSystem)
    if reader.kind == .clustered { throw LogError.clustered(path) }
    var assembly = Assembly(path: path, random: random)
    while let record = try reader.next() {
      try assembly.apply(record)
      progress(record.end)
    }
    return try assembly.finish()
  }

  /// Reads the schema of a file without lock; what follows the first record is not looked at.
  package static func readSchema(_ path: String, fileSystem: FileSystem = .system) throws(LogError) -> DatabaseSchema {
    var reader = try RecordReader(path: path, accepting: [.standalone, .clustered], fileSystem: fileSystem)
    if reader.kind == .clustered { throw LogError.clustered(path) }
    guard let record = try reader.next() else { throw LogError.unidentified(path) }
    return try schema(of: record, path: path)
  }

  /// The kind of a file, by its first line alone.
  package static func kind(of path: String, fileSystem: FileSystem = .system) throws(LogError) -> FileKind {
    try RecordReader(path: path, accepting: [.standalone, .clustered], fileSystem: fileSystem).kind
  }

  /// Makes a new file that holds a schema and no rows, on stable storage.
  package static func create(
    _ path: String, schema: DatabaseSchema, fileSystem: FileSystem = .system
  ) throws(LogError) -> LogFile {
    let log = try LogFile.create(path: path, fileSystem: fileSystem)
    log.append(schema)
    try log.persistCreation()
    return log
  }

  /// Makes a file that holds a database, in the place of whatever had the name.
  package static func write(
    _ snapshot: Snapshot, to path: String, comment: String, dateMilliseconds: Int64,
    fileSystem: FileSystem = .system
  ) throws(LogError) {
    let lock = try FileLock(database: path, fileSystem: fileSystem)
    let target = fileSystem.resolved(path)
    let temporary = "\(target).tmp"
    do {
      try fileSystem.remove(temporary)
    } catch where error.code == ENOENT {
      // The usual case: nothing was left behind.
    } catch {
      throw LogError.failed(temporary, "remove failed", error)
    }
    let log = try LogFile.create(path: temporary, fileSystem: fileSystem)
    log.append(snapshot.schema)
    var writer = ByteWriter(capacity: 1 << 16)
    TransactionRecord.write(
      snapshot, comment: comment, dateMilliseconds: dateMilliseconds, isDifference: false, into: &writer)
    writer.withBytes { log.append($0) }
    try log.persistCreation()
    do {
      let directory = try fileSystem.openDirectory(of: target)
      try fileSystem.rename(temporary, target)
      try NameTarget(directory: directory, file: log.descriptor).sync()
    } catch {
      throw LogError.failed(path, "rename failed", error)
    }
    withExtendedLifetime(lock) {}
  }

  /// Makes a database of records that are in memory: the schema first.
  package static func assemble(_ records: [[UInt8]], path: String) throws(LogError) -> Database {
    var assembly = Assembly(path: path, random: RandomSource())
    for (index, data) in records.enumerated() {
      try data.withUnsafeBufferPointer { (bytes) throws(LogError) in
        try assembly.apply(Record(data: UnsafeRawBufferPointer(bytes), index: index, start: 0, offset: 0))
      }
    }
    return try assembly.finish()
  }

  package static func schema(of record: Record, path: String) throws(LogError) -> DatabaseSchema {
    let document = try record.document(of: path)
    defer { withExtendedLifetime(document) {} }
    do {
      return try DatabaseSchema(json: document.root)
    } catch {
      throw LogError(error)
    }
  }
}

/// Records made into a database, one after the other.
private struct Assembly: ~Copyable {
  let path: String
  private let random: RandomSource
  private var decoder: RecordDecoder
  /// Nil before record 0.
  private var builder: DatabaseBuilder?

  init(path: String, random: RandomSource) {
    self.path = path
    self.random = random
    decoder = RecordDecoder(path: path)
  }

  mutating func apply(_ record: Record) throws(LogError) {
    if record.index == 0 {
      builder = DatabaseBuilder(schema: try DatabaseFile.schema(of: record, path: path), random: random)
      return
    }
    guard var current = builder.take() else { throw LogError.unidentified(path) }
    let result = Result { () throws(LogError) in try decoder.apply(record, to: &current) }
    builder = consume current
    try result.get()
  }

  /// A row as it was before a record.
  struct SavedRow {
    let table: TableSchema
    let uuid: UUID
    let fields: [Datum]?
  }

  /// The rows that a record names. What is wrong with the record is found by `apply`; the rows before that are named here.
  mutating func savedRows(of record: Record) -> [SavedRow] {
    guard let document = try? record.document(of: path) else { return [] }
    defer { withExtendedLifetime(document) {} }
    guard document.root.kind == .object, let current = builder.take() else { return [] }
    var saved: [SavedRow] = []
    for (name, changes) in document.root.members where changes.kind == .object {
      guard let table = current.schema.table(name) else { continue }
      for (uuidText, _) in changes.members {
        guard let uuid = uuidText.utf8.flatMap({ UUID(utf8: $0) }) else { continue }
        saved.append(SavedRow(table: table, uuid: uuid, fields: current.fields(of: uuid, in: table)))
      }
    }
    builder = consume current
    return saved
  }

  /// Takes back what a record did before it was found not to fit.
  mutating func restore(_ saved: [SavedRow]) {
    // What was no JSON is still in its buffer.
    decoder = RecordDecoder(path: path)
    guard var current = builder.take() else { return }
    // Of a row that is named twice the first is what it was.
    for row in saved.reversed() { current.restore(row.fields, of: row.uuid, in: row.table) }
    builder = consume current
  }

  consuming func finish() throws(LogError) -> Database {
    guard let builder else { throw LogError.unidentified(path) }
    do {
      return try builder.finish()
    } catch {
      throw LogError(
        error.tag, "\(path): the records do not make a consistent database: \(error.details ?? error.tag.rawValue)")
    }
  }
}

extension DatabaseFile {
  /// Copies records that fit what came before them into a new file.
  package struct Salvage: ~Copyable {
    private let path: String
    private let destination: String
    private var assembly: Assembly
    /// The records taken so far.
    private var taken: [[UInt8]] = []

    /// - Parameter schema: Stands in for record 0 when that is damaged.
    package init(path: String, destination: String, schema: DatabaseSchema? = nil) throws(LogError) {
      self.path = path
      self.destination = destination
      assembly = Assembly(path: path, random: RandomSource())
      guard let schema else { return }
      var writer = ByteWriter(capacity: 4096)
      schema.write(to: &writer)
      taken.append(writer.bytes)
      try writer.bytes.withUnsafeBufferPointer { (bytes) throws(LogError) in
        try assembly.apply(Record(data: UnsafeRawBufferPointer(bytes), index: 0, start: 0, offset: 0))
      }
    }

    /// Takes a record when it fits.
    ///
    /// - Returns: why it does not fit, nil when it does.
    /// - Throws: when it is the schema that does not fit; without it there is nothing to salvage.
    package mutating func add(_ record: Record) throws(LogError) -> LogError? {
      if taken.isEmpty, record.start > 0 { throw .damagedSchema(path) }
      let data = Array(record.text)
      let saved = assembly.savedRows(of: record)
      do throws(LogError) {
        try assembly.apply(Record(data: record.data, index: taken.count, start: record.start, offset: record.offset))
        taken.append(data)
        return nil
      } catch {
        if taken.isEmpty { throw .damagedSchema(path, error) }
        // A part of it may have been applied.
        assembly.restore(saved)
        return error
      }
    }

    /// Writes what was taken.
    ///
    /// - Returns: how many records.
    /// - Throws: as `LogFile.create` does: the destination must not exist. Also when the records contradict each other; the
    ///   file is written nevertheless, for another look.
    package consuming func finish() throws(LogError) -> Int {
      if taken.isEmpty { throw .damagedSchema(path, "no good record to be copied") }
      let log = try LogFile.create(path: destination)
      let count = taken.count
      for data in taken { log.append(data) }
      try log.persistCreation()
      _ = try assembly.finish()
      return count
    }
  }
}

extension LogError {
  /// What to do about a damaged record 0, said by everything that examines or repairs files.
  package static let schemaAdvice = "the schema record is damaged; name a schema file as the third argument"

  /// Record 0 holds no schema, so that nothing can be salvaged without one from elsewhere.
  static func damagedSchema(_ path: String, _ cause: (any CustomStringConvertible)? = nil) -> LogError {
    LogError(.ovsdbError, "\(path): \(schemaAdvice)" + (cause.map { " (\($0))" } ?? ""))
  }

  package static func clustered(_ path: String) -> LogError {
    LogError(
      .ovsdbError,
      """
      \(path): cannot apply this operation to clustered database file (ovsdb-tool cluster-to-standalone NEW \(path) makes a \
      standalone one of it)
      """)
  }
}
