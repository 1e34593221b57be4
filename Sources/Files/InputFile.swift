// SPDX-License-Identifier: Apache-2.0
//
// Reads files that an operator names: schemas, configuration, keys, certificates. Such a name may lead to a regular file, to a pipe (a
// shell's process substitution, a FIFO), to a device without an end, or to a directory. Memory and time are bounded for all of them.

import Glibc

/// Why a file could not be read.
package enum InputFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// errno of open(2).
  case opening(Int32)
  /// errno of read(2).
  case reading(Int32)
  /// It has more bytes than the reader takes.
  case tooLarge(bytesMax: Int)
  /// A pipe that nobody writes to.
  case noWriter
  /// A pipe whose writer did not finish in time.
  case unfinished

  package var description: String {
    switch self {
    case .opening(let code), .reading(let code): String(cString: strerror(code))
    case .tooLarge(let bytesMax): "larger than \(bytesMax >> 20) MiB"
    case .noWriter: "nobody writes to this pipe"
    case .unfinished: "the writer of this pipe has not finished in time"
    }
  }
}

/// One reading of a file, with its bounds.
package struct InputFile {
  /// How long to wait for a pipe, in milliseconds.
  package struct Patience: Sendable {
    /// For somebody who opens the other end.
    let forWriter: Int64
    /// For the end of what is written, from the beginning of the reading.
    let forEnd: Int64

    /// Takes what is there: for event loops, which must not wait.
    package static let none = Patience(forWriter: 0, forEnd: 0)
    /// For programs and threads that have nothing else to do.
    package static let ample = Patience(forWriter: 5_000, forEnd: 60_000)
  }

  private let descriptor: Int32
  private let bytesMax: Int
  private let patience: Patience
  private let start = Self.now()
  private var bytes: [UInt8] = []
  /// A writer has come and gone without a byte.
  private var isHungUp = false

  /// Reads a file to its end.
  ///
  /// - Parameter goesOn: given the first bytes, whether the rest is worth reading; otherwise these bytes are the result.
  package static func read(
    _ path: String, bytesMax: Int, patience: Patience, goesOn: ([UInt8]) -> Bool = { _ in true }
  ) throws(InputFileError) -> [UInt8] {
    // Without O_NONBLOCK, opening a FIFO waits for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw .opening(errno) }
    defer { close(descriptor) }
    var file = InputFile(descriptor: descriptor, bytesMax: bytesMax, patience: patience)
    return try file.readAll(goesOn)
  }

  private init(descriptor: Int32, bytesMax: Int, patience: Patience) {
    self.descriptor = descriptor
    self.bytesMax = bytesMax
    self.patience = patience
  }

  private mutating func readAll(_ goesOn: ([UInt8]) -> Bool) throws(InputFileError) -> [UInt8] {
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = chunk.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count > 0 {
        let isFirst = bytes.isEmpty
        bytes += chunk[..<count]
        if isFirst, !goesOn(bytes) { return bytes }
        guard bytes.count <= bytesMax else { throw .tooLarge(bytesMax: bytesMax) }
      } else if count == 0 {
        guard bytes.isEmpty, !isHungUp, isPipe else { return bytes }
        try wait(patience.forWriter, else: .noWriter)
      } else if errno == EAGAIN {
        try wait(patience.forEnd, else: .unfinished)
      } else if errno != EINTR {
        throw .reading(errno)
      }
    }
  }

  private var isPipe: Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
  }

  /// Waits for bytes or the end, at most until `limit` milliseconds after the start.
  private mutating func wait(_ limit: Int64, else error: InputFileError) throws(InputFileError) {
    let remaining = limit - (Self.now() - start)
    guard remaining > 0 else { throw error }
    var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    if poll(&request, 1, Int32(remaining)) > 0, request.revents & Int16(POLLIN) == 0 { isHungUp = true }
  }

  private static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
