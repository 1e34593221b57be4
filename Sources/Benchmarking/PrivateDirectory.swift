// SPDX-License-Identifier: Apache-2.0
//
// A directory for the files of one run, removed with it.

import Glibc

package final class PrivateDirectory {
  package let path: String

  /// Makes a directory `ovsdb-bench.XXXXXX` inside `parent`.
  package init(in parent: String) throws(BenchmarkFailure) {
    var template = Array((parent + "/ovsdb-bench.XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw .current(parent) }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { PrivateDirectory.remove(path) }

  /// Removes the files of the directory and then itself. A server leaves no directories behind; should one be there, it
  /// and this one stay.
  private static func remove(_ path: String) {
    if let stream = opendir(path) {
      while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
          pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { unlink(path + "/" + name) }
      }
      closedir(stream)
    }
    rmdir(path)
  }
}
