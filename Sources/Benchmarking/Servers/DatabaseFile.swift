// SPDX-License-Identifier: Apache-2.0
//
// Writes database files, so that starting a server with many rows does not depend on any server having stored them.

import Crypto
import Glibc

/// Writes a standalone OVSDB log.
///
/// Shape: records of two lines, `OVSDB JSON LENGTH SHA1` and LENGTH bytes of JSON whose last is a newline; the SHA-1,
/// as 40 lower-case hex digits, is of these bytes. The first record is the schema, the others are transactions.
///
/// Source: ovsdb(5), "File Formats".
package struct DatabaseFile {
  private let descriptor: Int32
  private let path: String
  private var buffer: [UInt8] = []

  private init(path: String) throws(BenchmarkFailure) {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .current(path) }
  }

  /// Creates a file with `rows` rows in table `Item`.
  ///
  /// - Parameter rowsPerRecord: How many rows share a transaction record. All in one is what a compaction leaves; one
  ///   in each is what clients leave that insert them one by one.
  package static func create(_ path: String, rows: Int = 0, rowsPerRecord: Int = 1) throws(BenchmarkFailure) {
    var file = try DatabaseFile(path: path)
    defer { close(file.descriptor) }
    try file.append(record: Array(BenchSchema.text.utf8))
    var row = 0
    while row < rows {
      let count = min(max(1, rowsPerRecord), rows - row)
      var record = Array(#"{"_date":1700000000000,"_is_diff":true,"_comment":"ovsdb-bench","Item":{"#.utf8)
      for number in row..<row + count {
        if number > row { record.append(UInt8(ascii: ",")) }
        let digits = BenchSchema.digits(number)
        record += #""\#(uuid(number))":"#.utf8
        record += BenchSchema.row(number: digits).utf8
      }
      record += "}}".utf8
      try file.append(record: record)
      row += count
    }
    try file.write()
  }

  /// The UUID of a row. Its leading bits are mixed from the number (splitmix64), as servers may rely on UUIDs being
  /// random: with consecutive ones the hash tables of some are lists.
  private static func uuid(_ number: Int) -> String {
    var bits = UInt64(truncatingIfNeeded: number &+ 1) &* 0x9e37_79b9_7f4a_7c15
    bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
    bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
    bits ^= bits >> 31
    let digits = String(bits, radix: 16)
    let padded = String(repeating: "0", count: 16 - digits.count) + digits
    return
      "\(padded.prefix(8))-\(padded.dropFirst(8).prefix(4))-4\(padded.suffix(3))-8000-0000\(BenchSchema.digits(number))"
  }

  /// Adds one record; `record` is JSON without a newline.
  private mutating func append(record: [UInt8]) throws(BenchmarkFailure) {
    let data = record + [UInt8(ascii: "\n")]
    let digits = Array("0123456789abcdef".utf8)
    let hash = Insecure.SHA1.hash(data: data).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    buffer += "OVSDB JSON \(data.count) ".utf8
    buffer += hash
    buffer.append(UInt8(ascii: "\n"))
    buffer += data
    if buffer.count > 1 << 20 { try write() }
  }

  private mutating func write() throws(BenchmarkFailure) {
    var position = 0
    while position < buffer.count {
      let count = buffer.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress?.advanced(by: position), $0.count - position)
      }
      guard count > 0 else { throw .current(path) }
      position += count
    }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Copies a file, for servers must not write to a file that the user gave.
  package static func copy(_ source: String, to target: String) throws(BenchmarkFailure) {
    let input = open(source, O_RDONLY | O_CLOEXEC)
    guard input >= 0 else { throw .current(source) }
    defer { close(input) }
    let output = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard output >= 0 else { throw .current(target) }
    defer { close(output) }
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = read(input, &buffer, buffer.count)
      guard count >= 0 else { throw .current(source) }
      if count == 0 { return }
      var position = 0
      while position < count {
        let written = buffer.withUnsafeBytes {
          Glibc.write(output, $0.baseAddress?.advanced(by: position), count - position)
        }
        guard written > 0 else { throw .current(target) }
        position += written
      }
    }
  }
}
