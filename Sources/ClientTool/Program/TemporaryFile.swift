// SPDX-License-Identifier: Apache-2.0
//
// A file without a name for what may be larger than memory: the runs of a sort, a backup whose size and hash must stand before it,
// a pipe that has to be read twice.

import CPosixShims
import Daemon
import Glibc

/// Written at its end, read anywhere. Gone with the process.
final class TemporaryFile {
  let descriptor: Int32
  /// What has been appended.
  private(set) var count: Int64 = 0
  private var pending: [UInt8] = []

  private static let pendingBytesMax = 256 << 10

  /// Makes one in `TMPDIR`, or in /tmp.
  init() throws(ToolFailure) {
    let directory = Paths.environment("TMPDIR") ?? "/tmp"
    var template = Array("\(directory)/ovsdb-client.XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw Self.failure("create a file in \(directory)") }
    _ = unlink(template)
    _ = posix_shim_set_close_on_exec(descriptor)
  }

  deinit { close(descriptor) }

  private static func failure(_ attempt: String) -> ToolFailure {
    ToolFailure("could not \(attempt) for temporary data (\(SystemError.text(errno)))")
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws(ToolFailure) {
    pending.append(contentsOf: bytes)
    count += Int64(bytes.count)
    if pending.count >= Self.pendingBytesMax { try flush() }
  }

  func append(_ bytes: [UInt8]) throws(ToolFailure) {
    pending.append(contentsOf: bytes)
    count += Int64(bytes.count)
    if pending.count >= Self.pendingBytesMax { try flush() }
  }

  /// Must be called before reading.
  func flush() throws(ToolFailure) {
    var begin = 0
    while begin < pending.count {
      let written = pending.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + begin }, $0.count - begin) }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw Self.failure("write to a file") }
      begin += written
    }
    pending.removeAll(keepingCapacity: true)
  }

  /// Up to `count` bytes from a position on; fewer only at the end.
  func read(at position: Int64, count: Int) throws(ToolFailure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress.map { $0 + filled }, count - filled, off_t(position + Int64(filled)))
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw Self.failure("read a file") }
      if got == 0 { break }
      filled += got
    }
    bytes.removeLast(count - filled)
    return bytes
  }

  /// Goes through the whole file in pieces.
  func forEachPiece(_ body: ([UInt8]) throws(ToolFailure) -> Void) throws(ToolFailure) {
    try flush()
    var position: Int64 = 0
    while position < count {
      let piece = try read(at: position, count: Self.pendingBytesMax)
      guard !piece.isEmpty else { throw ToolFailure("temporary data was cut off") }
      try body(piece)
      position += Int64(piece.count)
    }
  }
}
