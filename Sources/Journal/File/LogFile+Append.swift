// SPDX-License-Identifier: Apache-2.0
//
// What is written behind the records of a file: framed, then handed to the kernel, then counted. A write that fails is cut off.

import Glibc

extension LogFile {
  /// Frames a record. It is in the file after the next `flush`.
  ///
  /// - Parameter data: One JSON object without a final newline.
  package func append(_ data: UnsafeRawBufferPointer) {
    RecordHeader.frame(data, kind: kind, into: &pending)
    pendingEnds.append(pending.count)
  }

  package func append(_ data: [UInt8]) { data.withUnsafeBytes { append($0) } }

  package var hasPending: Bool { !pendingEnds.isEmpty }

  /// Forgets what waits for `flush`.
  package func discardPending() {
    pendingEnds.removeAll(keepingCapacity: true)
    if pending.capacity > Self.pendingKeptByteCount {
      pending = []
    } else {
      pending.removeAll(keepingCapacity: true)
    }
  }

  /// Hands everything pending to the kernel, with one write where the kernel takes it whole.
  ///
  /// - Throws: As `writePending` does.
  package func flush() throws(LogError) {
    try writePending()
    keepWritten()
  }

  /// The first half of a flush: the records are behind the end of the file, where the next write would take their place, until
  /// `keepWritten` makes them part of it or `cutWritten` removes them. So what stands in several files stands in all of them or in none.
  ///
  /// - Throws: `write failed`, with the file cut back to what it was and the records still pending: flush again, or
  ///   `discardPending`. The error of an earlier failed sync, until a replacement took the file's place. What is damaged
  ///   in a file that was kept in spite of it.
  package func writePending() throws(LogError) {
    guard hasPending else { return }
    precondition(!isPendingWritten, "\(path): records are written twice")
    guard !hasAppendix else { throw LogError(.ioError, "\(path): a large record is being written") }
    if let failure = damage ?? shared.failure { throw failure }
    do throws(LogError) { try write() } catch {
      refusedByteCount = pending.count
      throw error
    }
    refusedByteCount = nil
    isPendingWritten = true
  }

  /// Makes what was written part of the file.
  package func keepWritten() {
    guard isPendingWritten else { return }
    isPendingWritten = false
    let start = size
    for end in pendingEnds { noteRecord(end: start + end) }
    discardPending()
  }

  /// Removes what was written. It is pending still.
  ///
  /// A cut that fails is made up for before the next write.
  package func cutWritten() {
    guard isPendingWritten else { return }
    isPendingWritten = false
    hasExcess = true
    do throws(LogError) { try cutExcess() } catch { refusedByteCount = pending.count }
  }

  private func write() throws(LogError) {
    try cutExcess()
    do throws(SystemError) {
      try pending.withUnsafeBufferPointer { bytes throws(SystemError) in
        try descriptor.writeAll(UnsafeRawBufferPointer(bytes), at: size)
      }
    } catch {
      hasExcess = true
      let report = LogError.failed(path, "write failed", error)
      // A cut that fails is made up for before the next write; until then readers find a torn tail, which they know.
      do throws(LogError) { try cutExcess() } catch let cut {
        throw LogError(
          .ioError, "\(path): write failed (\(error.text)), and cutting the file back to \(size) bytes", ioError: cut.ioError,
          code: error.code)
      }
      throw report
    }
  }

  /// Finds out whether a write like the one that failed would succeed by now, with bytes that are cut off again at once.
  /// Between the two the file has a torn tail, which every reader knows.
  ///
  /// - Throws: As the write would.
  package func probe() throws(LogError) {
    if let failure = damage ?? shared.failure { throw failure }
    guard let count = refusedByteCount, !hasAppendix else { return }
    try cutExcess()
    hasExcess = true
    do throws(SystemError) {
      let zeros = [UInt8](repeating: 0, count: min(count, Self.pendingKeptByteCount))
      var done = 0
      while done < count {
        let part = zeros.prefix(count - done)
        try part.withUnsafeBufferPointer { bytes throws(SystemError) in
          try descriptor.writeAll(UnsafeRawBufferPointer(bytes), at: size + done)
        }
        done += part.count
      }
    } catch {
      try cutExcess()
      throw LogError.failed(path, "write failed", error)
    }
    try cutExcess()
    refusedByteCount = nil
  }

  func cutExcess() throws(LogError) {
    guard hasExcess else { return }
    try keepRejectedEnd()
    do {
      try fileSystem.truncate(descriptor.number, size)
      hasExcess = false
    } catch {
      throw LogError.failed(path, "cannot truncate to length \(size)", error)
    }
  }
}
