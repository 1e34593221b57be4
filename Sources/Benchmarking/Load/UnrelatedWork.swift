// SPDX-License-Identifier: Apache-2.0
//
// What writing a file alone costs others, whoever does it: a processor is busy, and the disk is. On a machine with few of both that
// delays everybody, so what a server's rewriting of its file costs its clients is compared with it.

import Daemon
import Glibc
import Synchronization

/// A thread that writes a file as large as a database at an even pace, busy all the time, puts it on stable storage and removes it.
final class UnrelatedWork: Sendable {
  private static let pieceByteCount = 1 << 20

  private let path: String
  private let byteCount: Int
  private let nanoseconds: UInt64
  private let done = Atomic(false)
  private let errorNumber = Atomic<Int32>(0)

  /// - Parameters:
  ///   - directory: where the file is for a while.
  ///   - nanoseconds: how long writing it takes, before it is synced.
  private init(directory: String, byteCount: Int, nanoseconds: UInt64) {
    path = "\(directory)/unrelated"
    self.byteCount = byteCount
    self.nanoseconds = nanoseconds
  }

  static func start(in directory: String, byteCount: Int, nanoseconds: UInt64) throws(BenchmarkFailure) -> UnrelatedWork {
    let work = UnrelatedWork(directory: directory, byteCount: byteCount, nanoseconds: nanoseconds)
    if let error = PosixThread.start(name: "unrelated", work.run) {
      throw .system(operation: "pthread_create", errno: error)
    }
    return work
  }

  /// Whether the file has been written, synced and removed.
  ///
  /// - Throws: why it could not be.
  func isDone() throws(BenchmarkFailure) -> Bool {
    guard done.load(ordering: .acquiring) else { return false }
    let error = errorNumber.load(ordering: .relaxed)
    guard error == 0 else { throw .system(operation: path, errno: error) }
    return true
  }

  @Sendable private func run() {
    if !write() { errorNumber.store(errno, ordering: .relaxed) }
    done.store(true, ordering: .releasing)
  }

  private func write() -> Bool {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    guard unlink(path) == 0 else { return false }
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: Self.pieceByteCount)
    let start = Clock.now()
    var written = 0
    while written < byteCount {
      let count = Glibc.write(descriptor, piece, min(piece.count, byteCount - written))
      guard count >= 0 else { return false }
      written += count
      while Clock.now() - start < UInt64(Double(nanoseconds) * Double(written) / Double(byteCount)) {}
    }
    return fsync(descriptor) == 0
  }
}
