// SPDX-License-Identifier: Apache-2.0
//
// Files: whole ones with headers and hashes, and the records in them.

import Engine
import Glibc
import Journal
import JSON
import OVSDB

extension FuzzTarget {
  /// A file of any bytes. Reading it gives a database or an error; scanning goes on behind damage and comes to an end.
  static let log = FuzzTarget(name: "log", words: ["OVSDB JSON ", "OVSDB CLUSTER ", "\n", "{\"_date\":1}"]) { bytes in
    let content = Array(bytes)
    let fileSystem = reading(content)
    if let database = try? DatabaseFile.read("fuzz", fileSystem: fileSystem) {
      let faults = database.checkInvariants()
      try require(faults.isEmpty, "\(faults)")
    }
    guard var reader = try? RecordReader(path: "fuzz", fileSystem: fileSystem) else { return }
    var end = 0
    while true {
      switch reader.attempt() {
      case .record(let record):
        try require(record.start >= end, "record \(record.index) begins before the one before it ends")
        end = record.offset + record.length
        try require(end <= content.count, "record \(record.index) ends behind the file")
      case .end: return
      case .bad:
        let place = reader.position
        guard let next = try reader.skipToGoodRecord() else { return }
        try require(next > place, "skipping went back from \(place) to \(next)")
      }
    }
  }

  /// The records themselves, one text after the other: a schema and transactions, behind headers that fit.
  static let records = FuzzTarget(
    name: "records", words: Catalog.words + ["\"_date\":1", "\"_is_diff\":true", "\"_comment\":\"c\"", ":null", "\"A\":{", "\"n\":1"]
  ) { bytes in
    var stream = JSONStream(messageBytesMax: 1 << 20)
    stream.append(bytes)
    var records: [[UInt8]] = []
    while let record = try? stream.next() {
      var writer = ByteWriter()
      record.write(to: &writer)
      records.append(writer.bytes)
    }
    guard let database = try? DatabaseFile.assemble(records, path: "fuzz") else { return }
    let faults = database.checkInvariants()
    try require(faults.isEmpty, "\(faults)")
    // What was read is written in full and read again.
    var schema = ByteWriter()
    var rows = ByteWriter()
    database.schema.write(to: &schema)
    TransactionRecord.write(database.snapshot, comment: "", dateMilliseconds: 0, isDifference: false, into: &rows)
    let again = try DatabaseFile.assemble([schema.bytes, rows.bytes], path: "fuzz")
    let (first, second) = (database.lines(isPersistent: true), again.lines(isPersistent: true))
    try require(first == second, "read \(first), written and read \(second)")
  }

  /// A file system whose only file has the given content.
  private static func reading(_ content: [UInt8]) -> FileSystem {
    var fileSystem = FileSystem.system
    fileSystem.open = { _, _, _ throws(SystemError) in 1000 }
    fileSystem.close = { _ in }
    fileSystem.read = { _, buffer, offset throws(SystemError) in
      guard offset < content.count else { return 0 }
      let count = min(buffer.count, content.count - offset)
      content[offset..<(offset + count)].withUnsafeBytes { buffer.copyMemory(from: $0) }
      return count
    }
    fileSystem.status = { _ throws(SystemError) in
      var raw = stat()
      raw.st_size = off_t(content.count)
      return FileStatus(raw)
    }
    return fileSystem
  }
}
