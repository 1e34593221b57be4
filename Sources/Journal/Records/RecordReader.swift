// SPDX-License-Identifier: Apache-2.0
//
// Records out of a file, from the first to the last. Knows the format (RecordHeader.swift) and nothing of what the data
// mean. LogFile loads a database through it; the tools read files with it that a server is using.

import Glibc
import JSON

/// One record, as long as its reader is not asked for the next.
package struct Record {
  /// The data, as a rule with the final newline. Memory of the reader: valid until its next call.
  package var data: UnsafeRawBufferPointer
  /// What the data say, where they were parsed already; `data` is empty then.
  var parsed: Result<JSONValue, LogError>?
  /// Bytes of data.
  package let length: Int
  /// 0 for the schema.
  package let index: Int
  /// Where the header begins.
  package let start: Int
  /// Where the data begin.
  package let offset: Int

  package init(data: UnsafeRawBufferPointer, index: Int, start: Int, offset: Int) {
    self.data = data
    self.length = data.count
    self.index = index
    self.start = start
    self.offset = offset
  }

  /// Where the next record begins.
  var end: Int { offset + length }
}

/// Reads the records of one file in order, with one buffer that is used again for every record.
package struct RecordReader: ~Copyable {
  /// The name for error messages: as the user gave it.
  package let path: String
  /// Told by the first header.
  package let kind: FileKind
  /// Where the record begins that the next call reads. After an error: where the bad record begins.
  package private(set) var position = 0
  /// Index of the record that the next call reads.
  package private(set) var index = 0

  let descriptor: Descriptor
  /// What was read from the file and not used yet: `window` of `buffer`, standing at `position` of the file.
  private var buffer: UnsafeMutableRawBufferPointer
  private var window: Range<Int> = 0..<0

  /// Bytes asked from the kernel at once, and the size of the buffer to begin with.
  private static let chunkByteCount = 256 * 1024

  /// Opens a file without lock, for reading only.
  ///
  /// - Parameter kinds: What the caller can deal with.
  /// - Throws: `open failed`, `read error`, or `cannot identify file type` and `unexpected file format` when the first
  ///   line does not name one of `kinds`. What follows the first line is not looked at.
  package init(
    path: String, accepting kinds: Set<FileKind> = [.standalone], fileSystem: FileSystem = .system
  ) throws(LogError) {
    let descriptor: Descriptor
    do {
      descriptor = Descriptor(try fileSystem.open(path, O_RDONLY, 0), fileSystem)
    } catch {
      throw LogError.failed(path, "open failed", error)
    }
    try self.init(descriptor, path: path, accepting: kinds)
  }

  init(_ descriptor: Descriptor, path: String, accepting kinds: Set<FileKind>) throws(LogError) {
    self.descriptor = descriptor
    self.path = path
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunkByteCount, alignment: 16)
    let count: Int
    do {
      count = try descriptor.readFully(UnsafeMutableRawBufferPointer(rebasing: buffer[..<RecordHeader.byteCountMax]), at: 0)
    } catch {
      buffer.deallocate()
      throw LogError.failed(path, "read error", error)
    }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
    guard let lineEnd = bytes.firstIndex(of: UInt8(ascii: "\n")),
      let header = RecordHeader(line: UnsafeRawBufferPointer(rebasing: bytes[..<lineEnd]))
    else {
      buffer.deallocate()
      throw count == 0 ? LogError.unidentified(path) : LogError.foreign(path)
    }
    guard let kind = header.kind, kinds.contains(kind) else {
      buffer.deallocate()
      throw LogError.unidentified(path)
    }
    self.kind = kind
    self.buffer = buffer
    self.window = 0..<count
  }

  deinit { buffer.deallocate() }

  /// The next record, or nil at the end of the file.
  ///
  /// - Throws: The bad record's error; `position` stays at its beginning, so calling again gives the same error.
  package mutating func next() throws(LogError) -> Record? {
    let available = try fill(RecordHeader.byteCountMax)
    if available == 0 { return nil }
    let head = UnsafeRawBufferPointer(rebasing: buffer[window].prefix(RecordHeader.byteCountMax))
    let lineEnd = head.firstIndex(of: UInt8(ascii: "\n"))
    let line = UnsafeRawBufferPointer(rebasing: head[..<(lineEnd ?? head.count)])
    guard let lineEnd, let header = RecordHeader(line: line), header.kind == kind else {
      throw LogError.badHeader(path, offset: position, line: line)
    }
    let dataStart = lineEnd + 1
    guard header.length <= Int.max - dataStart - position, try fill(dataStart + header.length) == dataStart + header.length
    else { throw LogError.cutOff(path, length: header.length, offset: position + dataStart) }

    let data = UnsafeRawBufferPointer(rebasing: buffer[(window.lowerBound + dataStart)...].prefix(header.length))
    let digest = SHA1Digest(of: data)
    guard digest == header.digest else {
      throw LogError.badHash(
        path, length: header.length, offset: position + dataStart, actual: digest, expected: header.digest)
    }
    let record = Record(data: data, index: index, start: position, offset: position + dataStart)
    window = (window.lowerBound + dataStart + header.length)..<window.upperBound
    position = record.end
    index += 1
    return record
  }

  /// What stands at `position`, for those who go on behind damage.
  package enum Attempt {
    case record(Record)
    case end
    case bad(LogError)
  }

  /// As `next`, with the error as a value.
  package mutating func attempt() -> Attempt {
    do throws(LogError) {
      guard let record = try next() else { return .end }
      return .record(record)
    } catch {
      return .bad(error)
    }
  }

  /// Moves on to the first good record behind the present place, wherever it begins.
  ///
  /// - Returns: where it is; nil when there is none, and then `position` stays.
  package mutating func skipToGoodRecord() throws(LogError) -> Int? {
    var scan = try RecordScan(descriptor, path: path, kind: kind)
    guard let place = try scan.firstRecord(from: position + 1) else { return nil }
    position = place.start
    window = 0..<0
    return place.start
  }

  /// Makes `count` bytes from `position` on available, or as many as the file has; returns how many there are, at most
  /// `count`. The buffer grows with what the file really holds, never with what a header claims.
  private mutating func fill(_ count: Int) throws(LogError) -> Int {
    while window.count < count {
      if buffer.count - window.lowerBound < min(count, window.count + Self.chunkByteCount) { makeRoom(for: count) }
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer[window.upperBound...])
      let readCount: Int
      do {
        readCount = try descriptor.fileSystem.read(descriptor.number, room, position + window.count)
      } catch {
        throw LogError.failed(path, "error reading \(room.count) bytes starting at offset \(position + window.count)", error)
      }
      if readCount <= 0 { break }
      window = window.lowerBound..<(window.upperBound + readCount)
    }
    return min(window.count, count)
  }

  /// Moves the window to the front of the buffer, of one twice as large when it filled the old one.
  private mutating func makeRoom(for count: Int) {
    let held = UnsafeRawBufferPointer(rebasing: buffer[window])
    let wanted = min(count, max(2 * held.count, Self.chunkByteCount))
    if wanted > buffer.count {
      let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: wanted, alignment: 16)
      larger.copyMemory(from: held)
      buffer.deallocate()
      buffer = larger
    } else if let base = buffer.baseAddress, let source = held.baseAddress {
      base.copyMemory(from: source, byteCount: held.count)
    }
    window = 0..<held.count
  }
}
