// SPDX-License-Identifier: Apache-2.0
//
// Files of targets that need real ones, in memory where there is such a file system. A fuzzing process uses the same few names over and
// over; what is left of one that was killed is a directory with some kilobytes.

import Engine
import Glibc
import Journal
import OVSDB
import Synchronization

enum ScratchFile {
  private static let made = Mutex<String?>(nil)

  /// The directory of this process.
  static func directory() throws -> String {
    try made.withLock { made in
      if let made { return made }
      var path = (access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/ovsdb-fuzz-XXXXXX"
      let directory = path.withUTF8 { bytes in
        var template = bytes.map { CChar(bitPattern: $0) } + [0]
        return mkdtemp(&template) == nil ? nil : String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      }
      guard let directory else { throw FuzzFault("no directory for files: errno \(errno)") }
      made = directory
      atexit { ScratchFile.removeAll() }
      return directory
    }
  }

  private static func removeAll() {
    guard let directory = made.withLock({ $0 }) else { return }
    if let stream = opendir(directory) {
      while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != ".", name != ".." { unlink("\(directory)/\(name)") }
      }
      closedir(stream)
    }
    rmdir(directory)
  }

  /// A name of a file that is not there, for the calling thread: tests run side by side.
  static func fresh(_ name: String) throws -> String {
    let path = "\(try directory())/\(UInt(pthread_self()))-\(name)"
    unlink(path)
    return path
  }

  static func makeDatabase(_ path: String, schema: DatabaseSchema) throws { _ = try DatabaseFile.create(path, schema: schema) }

  static func write(_ bytes: [UInt8], to path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw FuzzFault("\(path): errno \(errno)") }
    defer { close(descriptor) }
    guard bytes.withUnsafeBytes({ Glibc.write(descriptor, $0.baseAddress, $0.count) }) == bytes.count else {
      throw FuzzFault("\(path): errno \(errno)")
    }
  }
}
