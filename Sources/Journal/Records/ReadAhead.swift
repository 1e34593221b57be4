// SPDX-License-Identifier: Apache-2.0
//
// Reads the records of a large file on a thread of its own, checks their hashes and parses them, while whoever loads the file
// (LogFile.Loader) applies the ones before: both take about as long.

import Glibc
import JSON
import Synchronization

/// Parses records one after the other, with memory that is used again.
struct RecordParser: ~Copyable {
  private var stream = JSONStream(messageBytesMax: Int.max)

  /// The record's value, valid until the next call or `release`.
  mutating func parse(_ record: Record, of path: String) throws(LogError) -> JSONValue {
    stream.append(record.text)
    do throws(JSONSyntaxError) {
      if let root = try stream.next(), stream.bufferedCount == 0 {
        return root
      }
      // Incomplete, or followed by something: a parser that knows the text's end says what is wrong.
      _ = try JSONDocument.parse(record.data)
    } catch {
      throw LogError.notJSON(path, record, problem: error.description)
    }
    throw LogError(.syntaxError, "\(path): record \(record.index) cannot be read as JSON")
  }

  /// Forgets what was parsed.
  mutating func release() { stream.release() }
}

/// The records of a file from some place on, a few hundred ahead of whoever takes them.
///
/// `@unchecked Sendable`: there are two threads, the one that reads and the one that takes. A batch belongs to one of them at a time;
/// the semaphores hand it over and order the accesses. `reader` is the reading thread's, `taken` and `thread` are the other's.
final class ReadAhead: @unchecked Sendable {
  /// A record and what keeps its value.
  private final class Slot {
    private var parser = RecordParser()
    private(set) var record = Record(data: UnsafeRawBufferPointer(start: nil, count: 0), index: 0, start: 0, offset: 0)

    func fill(_ read: Record, of path: String) {
      parser.release()
      record = read
      do throws(LogError) {
        record.parsed = .success(try parser.parse(read, of: path))
      } catch {
        // A stream that failed does not go on.
        parser = RecordParser()
        record.parsed = .failure(error)
      }
      // The reader's memory, which has the next record by the time this one is taken.
      record.data = UnsafeRawBufferPointer(start: nil, count: 0)
    }
  }

  /// Some records in order, and how the file went on behind them.
  private final class Batch {
    var slots: [Slot] = []
    var count = 0
    /// Nothing follows: the end of the file, or the error of the record there.
    var end: Result<Void, LogError>?
  }

  private let batches: [Batch]
  private let free: UnsafeMutablePointer<sem_t>
  private let filled: UnsafeMutablePointer<sem_t>
  private let isCancelled = Atomic<Bool>(false)
  private var reader: RecordReader?
  private var thread: pthread_t?
  /// The batch that is being taken, and how many of its records were; nil when the next one is awaited.
  private var taken: (batch: Batch, count: Int)?
  private var takenBatchCount = 0

  private static let batchCount = 4
  private static let recordsPerBatch = 128
  private static let bytesPerBatch = 1 << 18

  private init(_ reader: consuming RecordReader) {
    self.reader = consume reader
    batches = (0..<Self.batchCount).map { _ in Batch() }
    free = .allocate(capacity: 1)
    filled = .allocate(capacity: 1)
    sem_init(free, 0, UInt32(Self.batchCount))
    sem_init(filled, 0, 0)
  }

  deinit {
    sem_destroy(free)
    sem_destroy(filled)
    free.deallocate()
    filled.deallocate()
  }

  /// Begins to read where a reader stands.
  ///
  /// - Parameter reader: taken, unless no thread can be had.
  static func start(_ reader: inout RecordReader?) -> ReadAhead? {
    guard let given = reader.take() else { return nil }
    let ahead = ReadAhead(given)
    let own = Unmanaged.passRetained(ahead)
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<ReadAhead>.fromOpaque(argument).takeRetainedValue().readAll() }
        return nil
      }, own.toOpaque())
    guard error == 0 else {
      own.release()
      reader = ahead.reader.take()
      return nil
    }
    ahead.thread = thread
    return ahead
  }

  /// The next record, with its data parsed and not there otherwise; nil at the end of the file.
  ///
  /// - Returns: a record that is valid until the next call.
  /// - Throws: as `RecordReader.next` does.
  func next() throws(LogError) -> Record? {
    while true {
      guard let (batch, count) = taken else {
        Self.wait(filled)
        taken = (batches[takenBatchCount % batches.count], 0)
        continue
      }
      if count < batch.count {
        taken = (batch, count + 1)
        return batch.slots[count].record
      }
      if let end = batch.end {
        try end.get()
        return nil
      }
      taken = nil
      takenBatchCount += 1
      sem_post(free)
    }
  }

  /// Ends the thread. Nothing more may be taken.
  func stop() {
    guard let thread = thread.take() else { return }
    isCancelled.store(true, ordering: .relaxed)
    sem_post(free)
    pthread_join(thread, nil)
  }

  private func readAll() {
    guard var reader = reader.take() else { return }
    var position = 0
    while true {
      Self.wait(free)
      if isCancelled.load(ordering: .relaxed) { return }
      let isLast = Self.fill(batches[position % batches.count], from: &reader)
      sem_post(filled)
      if isLast { return }
      position += 1
    }
  }

  /// - Returns: whether nothing follows.
  private static func fill(_ batch: Batch, from reader: inout RecordReader) -> Bool {
    batch.count = 0
    var byteCount = 0
    while batch.count < recordsPerBatch, byteCount < bytesPerBatch {
      do throws(LogError) {
        guard let record = try reader.next() else {
          batch.end = .success(())
          return true
        }
        if batch.count == batch.slots.count { batch.slots.append(Slot()) }
        batch.slots[batch.count].fill(record, of: reader.path)
        batch.count += 1
        byteCount += record.length
      } catch {
        batch.end = .failure(error)
        return true
      }
    }
    return false
  }

  private static func wait(_ semaphore: UnsafeMutablePointer<sem_t>) {
    while sem_wait(semaphore) != 0 {}
  }
}
