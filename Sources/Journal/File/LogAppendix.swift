// SPDX-License-Identifier: Apache-2.0
//
// A record so large that another thread writes it. It stands behind the end of the file, where readers see a torn tail, until the owner
// of the file counts it as a part. Meanwhile the file can be read and synced, and nothing else is written to it:
//
//   1. owner:   log.beginAppendix()
//   2. anyone:  appendix.write(record)
//   3. owner:   log.endAppendix(keeping: where the record ends), or nil when it is to be removed

import JSON

/// The place behind a file's last record.
package struct LogAppendix: Sendable {
  let path: String
  let descriptor: Descriptor
  let start: Int

  /// Bytes for one call of the system.
  private static let pieceByteCount = 1 << 20

  /// Writes a record of a standalone database.
  ///
  /// - Parameter data: One JSON object without a final newline.
  /// - Returns: where the record ends.
  /// - Throws: `write failed`.
  package func write(_ data: borrowing ByteWriter) throws(LogError) -> Int {
    var hasher = RecordHasher()
    data.withBytes { hasher.update($0) }
    var end = start
    do throws(SystemError) {
      try write(hasher.header(), at: &end)
      try data.withBytes { (bytes) throws(SystemError) in
        for from in stride(from: 0, to: bytes.count, by: Self.pieceByteCount) {
          let piece = UnsafeRawBufferPointer(rebasing: bytes[from..<min(bytes.count, from + Self.pieceByteCount)])
          try descriptor.writeAll(piece, at: end)
          end += piece.count
        }
      }
      try write([UInt8(ascii: "\n")], at: &end)
      return end
    } catch {
      throw LogError.failed(path, "write failed", error)
    }
  }

  private func write(_ bytes: [UInt8], at end: inout Int) throws(SystemError) {
    let position = end
    try bytes.withUnsafeBufferPointer { (bytes) throws(SystemError) in
      try descriptor.writeAll(UnsafeRawBufferPointer(bytes), at: position)
    }
    end += bytes.count
  }
}

extension LogFile {
  /// Keeps the place behind the last record for one that another thread writes. Nothing may be pending.
  ///
  /// - Throws: what keeps the file from being written.
  package func beginAppendix() throws(LogError) -> LogAppendix {
    precondition(!hasPending && !hasAppendix && kind == .standalone, "\(path): two records for one place")
    if let failure = damage ?? shared.failure { throw failure }
    try cutExcess()
    hasAppendix = true
    return LogAppendix(path: path, descriptor: descriptor, start: size)
  }

  /// Makes the record a part of the file, or removes what there is of it.
  ///
  /// - Parameter end: where the record ends; nil when it is not to be kept.
  /// - Throws: the error of a sync that failed meanwhile: the file takes no more records, and the record is not kept.
  package func endAppendix(keeping end: Int?) throws(LogError) {
    precondition(hasAppendix, "\(path): no record was begun")
    hasAppendix = false
    let failure = shared.failure
    if let end, failure == nil { return noteRecord(end: end) }
    hasExcess = true
    do throws(LogError) { try cutExcess() } catch where failure == nil {
      // It is made up for before the next write; until then readers find a torn tail, which they know.
      refusedByteCount = 1
    }
    if end != nil, let failure { throw failure }
  }
}
