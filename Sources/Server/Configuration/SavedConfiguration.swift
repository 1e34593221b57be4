// SPDX-License-Identifier: Apache-2.0
//
// What commands made of the server's configuration, for the process that the watcher of `--monitor` starts after a crash: it serves
// what the one before it served. The command line tells where things began; this file, which has no name, where they went.
//
// Shape: a JSON object on a line, `{"databases":[PATH...],"remotes":[NAME...],"source":[NAME]|[],"excluded":TEXT,"follows":BOOLEAN}`, for
// each change; the last whole line counts, so that a crash while one is written loses that change alone. Paths are absolute. Every
// process that comes out of the same start has the file open, and it is gone with the last of them: an orderly restart begins with the
// command line again, as users of these programs expect.

import CPosixShims
import Daemon
import Glibc
import JSON

/// Databases, remotes and replication as commands left them.
struct ServedSet: Equatable {
  var databases: [String] = []
  var remotes: [String] = []
  /// Of a backup, as in `--sync-from` and `--sync-exclude-tables`.
  var source: String?
  var excluded = ""
  /// Whether the source is followed: the server is a backup.
  var follows = false
}

/// The unnamed file. Used by one process at a time: the watcher only keeps it open.
final class SavedConfiguration: Sendable {
  private let descriptor: Int32
  private static let log = LogModule("ovsdb_server")
  /// Lines that no longer count are dropped when the file is larger than this.
  private static let sizeMax = 1 << 20

  /// Makes the file. To be called before `Daemonizer.start`.
  init() throws(UsageError) {
    descriptor = posix_shim_memory_file("ovsdb-server-configuration")
    guard descriptor >= 0 else {
      throw UsageError("failed to create temporary file (\(SystemError.text(errno)))")
    }
  }

  deinit { close(descriptor) }

  /// Notes what is served now.
  func save(_ set: ServedSet) {
    var line = ByteWriter()
    Self.write(set, to: &line)
    var status = stat()
    if fstat(descriptor, &status) == 0, status.st_size > Self.sizeMax { ftruncate(descriptor, 0) }
    lseek(descriptor, 0, SEEK_END)
    let written = line.withBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    if written != line.count {
      Self.log.warn("failed to save the configuration for a restart (\(SystemError.text(errno)))")
    }
  }

  private static func write(_ set: ServedSet, to line: inout ByteWriter) {
    line.append("{\"databases\":")
    write(set.databases, to: &line)
    line.append(",\"remotes\":")
    write(set.remotes, to: &line)
    line.append(",\"source\":")
    write(set.source.map { [$0] } ?? [], to: &line)
    line.append(",\"excluded\":")
    line.appendQuoted(set.excluded)
    line.append(set.follows ? ",\"follows\":true}\n" : ",\"follows\":false}\n")
  }

  private static func write(_ names: [String], to line: inout ByteWriter) {
    line.append("[")
    for (index, name) in names.enumerated() {
      if index > 0 { line.append(",") }
      line.appendQuoted(name)
    }
    line.append("]")
  }

  /// What the process before this one served; nil when no command has changed anything.
  func load() -> ServedSet? {
    let bytes = contents()
    guard let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return nil }
    let start = bytes[..<end].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    guard let document = try? JSONDocument.parse(String(decoding: bytes[start..<end], as: UTF8.self)) else {
      Self.log.warn("the configuration saved for a restart cannot be read; using that of the command line")
      return nil
    }
    return document.withRoot { root in
      ServedSet(
        databases: Self.names(root.member("databases")), remotes: Self.names(root.member("remotes")),
        source: Self.names(root.member("source")).first,
        excluded: root.member("excluded")?.utf8.map { String(decoding: $0, as: UTF8.self) } ?? "",
        follows: root.member("follows")?.boolean ?? false)
    }
  }

  private static func names(_ value: JSONValue?) -> [String] {
    value?.elements.compactMap { $0.utf8.map { String(decoding: $0, as: UTF8.self) } } ?? []
  }

  private func contents() -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = pread(descriptor, &buffer, buffer.count, bytes.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return bytes }
      bytes += buffer[..<count]
    }
  }
}
