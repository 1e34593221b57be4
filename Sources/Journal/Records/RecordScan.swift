// SPDX-License-Identifier: Apache-2.0
//
// Records behind damage. After a bad record the reader does not know where the next one begins; the scan looks at every
// place where a header could begin and believes those whose hash matches. The data of a record cannot hide one: they are
// JSON on one line, and a header ends with a raw newline.

import Glibc
import JSON

/// Looks for valid records in a file from any offset on.
package struct RecordScan {
  let descriptor: Descriptor
  let path: String
  let kind: FileKind

  /// Bytes this scan may still hash. A file made of nothing but headers that each claim the whole rest would otherwise
  /// take time in the square of its size.
  private(set) var hashBudget: Int
  private let size: Int

  /// True when the budget ran out: then more records may stand behind than were found.
  package var isIncomplete: Bool { hashBudget <= 0 }

  private static let chunkByteCount = 256 * 1024

  init(_ descriptor: Descriptor, path: String, kind: FileKind) throws(LogError) {
    self.descriptor = descriptor
    self.path = path
    self.kind = kind
    do {
      size = try descriptor.fileSystem.status(descriptor.number).size
    } catch {
      throw LogError.failed(path, "read error", error)
    }
    hashBudget = size.saturatingTimes(4).saturatingPlus(1 << 26)
  }

  /// Where a valid record begins and ends.
  package struct Place: Hashable, Sendable {
    package var start: Int
    package var offset: Int
    package var length: Int
    package var end: Int { offset + length }
  }

  /// The first valid record that begins at or behind `position`; nil when there is none (or the budget ran out).
  package mutating func firstRecord(from position: Int) throws(LogError) -> Place? {
    let overlap = RecordHeader.byteCountMax
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.chunkByteCount, alignment: 16)
    defer { chunk.deallocate() }
    var chunkStart = position
    while true {
      let count = try read(chunk, at: chunkStart)
      var index = 0
      let bytes = UnsafeRawBufferPointer(rebasing: chunk[..<count])
      while let found = bytes[index...].firstIndex(of: UInt8(ascii: "O")) {
        // A header that the chunk cuts off is seen whole at the front of the next one.
        if found + overlap > count && count == chunk.count { break }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[found...])
        if let place = try validRecord(rest, at: chunkStart + found) { return place }
        if isIncomplete { return nil }
        index = found + 1
      }
      if count < chunk.count { return nil }
      chunkStart += count - overlap
    }
  }

  /// How many valid records stand at or behind `position`, wherever they begin.
  package mutating func count(from position: Int) throws(LogError) -> Int {
    var count = 0
    var position = position
    while let place = try firstRecord(from: position) {
      count += 1
      position = place.end
    }
    return count
  }

  /// The record whose header `bytes` begins with, if its data have the hash that the header says.
  private mutating func validRecord(_ bytes: UnsafeRawBufferPointer, at start: Int) throws(LogError) -> Place? {
    let head = UnsafeRawBufferPointer(rebasing: bytes.prefix(RecordHeader.byteCountMax))
    guard RecordHeader.beginsWithPrefix(head), let lineEnd = head.firstIndex(of: UInt8(ascii: "\n")),
      let header = RecordHeader(line: UnsafeRawBufferPointer(rebasing: head[..<lineEnd])), header.kind == kind,
      header.length <= size - start - (lineEnd + 1)
    else { return nil }
    let place = Place(start: start, offset: start + lineEnd + 1, length: header.length)
    return try digest(of: place) == header.digest ? place : nil
  }

  /// The hash of a record's data; nil when the file has become shorter or the budget ran out.
  private mutating func digest(of place: Place) throws(LogError) -> SHA1Digest? {
    let chunk = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(Self.chunkByteCount, place.length), alignment: 16)
    defer { chunk.deallocate() }
    var hash = SHA1Function()
    var done = 0
    while done < place.length {
      let part = UnsafeMutableRawBufferPointer(rebasing: chunk[..<min(chunk.count, place.length - done)])
      let count = try read(part, at: place.offset + done)
      hashBudget -= count
      if count < part.count || hashBudget <= 0 { return nil }
      hash.update(UnsafeRawBufferPointer(part))
      done += count
    }
    return SHA1Digest(hash)
  }

  private func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(LogError) -> Int {
    do {
      return try descriptor.readFully(buffer, at: offset)
    } catch {
      throw LogError.failed(path, "error reading \(buffer.count) bytes starting at offset \(offset)", error)
    }
  }
}
