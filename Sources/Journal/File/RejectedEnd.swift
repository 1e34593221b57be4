// SPDX-License-Identifier: Apache-2.0
//
// The last record of a file may be whole and still not fit what came before: somebody wrote it so, with another schema, say. The next
// write takes its place; what stood there is kept in a file beside this one, so that nothing is lost either way.

import Glibc

extension LogFile {
  /// Where the bytes at and behind the rejected record go.
  private var rejectedPath: String { "\(resolvedPath).rejected-\(size)" }

  /// Copies everything behind the last good record into a file of its own, on stable storage, if a whole record is among it.
  ///
  /// - Throws: What failed; then nothing may be cut off.
  func keepRejectedEnd() throws(LogError) {
    guard hasRejectedEnd else { return }
    do throws(SystemError) {
      let directory = try fileSystem.openDirectory(of: resolvedPath)
      let (name, copy) = try createRejectedFile()
      do throws(SystemError) {
        try copyEnd(to: copy)
        try fileSystem.sync(copy.number)
        try NameTarget(directory: directory, file: copy).sync()
      } catch {
        // What is left would be taken for all there was. A removal that fails leaves a name that the next attempt passes over.
        try? fileSystem.remove(name)
        throw error
      }
      hasRejectedEnd = false
    } catch {
      throw LogError.failed(path, "keeping the rejected record in \(FilePath.name(of: rejectedPath)) failed", error)
    }
  }

  /// Makes the file; one that is there already holds what was rejected at another time, and stays.
  private func createRejectedFile() throws(SystemError) -> (String, Descriptor) {
    var name = rejectedPath
    for number in 1...Self.rejectedNamesMax {
      do throws(SystemError) {
        return (name, Descriptor(try fileSystem.open(name, O_RDWR | O_CREAT | O_EXCL, 0o600), fileSystem))
      } catch where error.code == EEXIST {
        name = "\(rejectedPath).\(number)"
      }
    }
    throw SystemError(code: EEXIST)
  }

  private static let rejectedNamesMax = 1000

  private func copyEnd(to copy: Descriptor) throws(SystemError) {
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    defer { chunk.deallocate() }
    var done = 0
    while true {
      let count = try descriptor.readFully(chunk, at: size + done)
      if count == 0 { return }
      try copy.writeAll(UnsafeRawBufferPointer(rebasing: chunk[..<count]), at: done)
      done += count
    }
  }
}
