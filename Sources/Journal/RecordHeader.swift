// SPDX-License-Identifier: Apache-2.0
//
// The format of a log file. A file is a sequence of records with nothing before, between, or behind them:
//
//     OVSDB MAGIC LENGTH SHA1\n       the header: one line of at most 127 bytes with its newline
//     DATA                            LENGTH bytes; one JSON object and, as its last byte, a newline
//
//   MAGIC   one word: JSON (standalone database) or CLUSTER (a member's file of a cluster)
//   LENGTH  decimal, not zero; readers skip blanks before it
//   SHA1    40 hex digits over the LENGTH bytes, written in lower case, read in both
//
// A record is valid if and only if its header has this form, its magic is that of the first record, LENGTH bytes follow
// and their hash is SHA1. Record 0 holds the schema, every later one a transaction; an empty file is not a database.
// A torn tail (a record cut off anywhere by a crash) is a bad record behind which no valid one stands.
//
// Source: observed on files of ovsdb-server 3.1.0; RecordReaderTests pins each rule.

import Crypto
import Glibc

/// The hash of a record's data.
package struct SHA1Digest: Hashable, Sendable, CustomStringConvertible {
  /// Bytes 0 to 7, 8 to 15 and 16 to 19, each most significant first.
  private var high: UInt64
  private var middle: UInt64
  private var low: UInt32

  static let byteCount = 20

  /// Of everything fed into a hash function.
  init(_ hash: consuming Insecure.SHA1) {
    (high, middle, low) = hash.finalize().withUnsafeBytes { bytes in
      (
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
        UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
      )
    }
  }

  /// Of the bytes of a record's data, newline included.
  package init(of data: UnsafeRawBufferPointer) {
    var hash = Insecure.SHA1()
    hash.update(bufferPointer: data)
    self.init(hash)
  }

  /// From 40 hex digits; nil when one of them is none.
  init?(hex: UnsafeRawBufferPointer) {
    guard hex.count == 2 * Self.byteCount else { return nil }
    var words: (UInt64, UInt64, UInt64) = (0, 0, 0)
    for index in 0..<40 {
      guard let digit = Self.value(ofDigit: hex[index]) else { return nil }
      switch index {
      case 0..<16: words.0 = words.0 << 4 | digit
      case 16..<32: words.1 = words.1 << 4 | digit
      default: words.2 = words.2 << 4 | digit
      }
    }
    (high, middle, low) = (words.0, words.1, UInt32(truncatingIfNeeded: words.2))
  }

  private static func value(ofDigit byte: UInt8) -> UInt64? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  /// Appends the 40 digits.
  func write(to bytes: inout [UInt8]) {
    func append(_ word: UInt64, digits: Int) {
      for position in stride(from: digits - 1, through: 0, by: -1) {
        let digit = UInt8(truncatingIfNeeded: word >> (4 * UInt64(position)) & 15)
        bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
      }
    }
    append(high, digits: 16)
    append(middle, digits: 16)
    append(UInt64(low), digits: 8)
  }

  package var description: String {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What kind of database a file holds, told by the magic of its records.
package enum FileKind: Hashable, Sendable, CaseIterable {
  case standalone
  case clustered

  package var magic: StaticString {
    switch self {
    case .standalone: "JSON"
    case .clustered: "CLUSTER"
    }
  }

  init?(magic: UnsafeRawBufferPointer) {
    guard let kind = Self.allCases.first(where: { kind in kind.magic.withUTF8Buffer { $0.elementsEqual(magic) } })
    else { return nil }
    self = kind
  }
}

/// The first line of a record.
struct RecordHeader {
  /// Nil when the magic is none that we know.
  var kind: FileKind?
  /// Bytes of data, final newline included.
  var length: Int
  var digest: SHA1Digest

  /// Longest header, its newline included.
  static let byteCountMax = 127

  private static let prefix: StaticString = "OVSDB "

  /// Parses a line without its newline; nil when it is no header.
  init?(line: UnsafeRawBufferPointer) {
    guard line.count < Self.byteCountMax, Self.beginsWithPrefix(line) else { return nil }
    var rest = line[Self.prefix.utf8CodeUnitCount...]
    guard let magicEnd = rest.firstIndex(of: UInt8(ascii: " ")), magicEnd > rest.startIndex else { return nil }
    let magic = UnsafeRawBufferPointer(rebasing: rest[..<magicEnd])
    rest = rest[(magicEnd + 1)...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    if rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    var length = 0
    while let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      let (scaled, overflow) = length.multipliedReportingOverflow(by: 10)
      let (sum, carry) = scaled.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
      guard !overflow, !carry else { return nil }
      length = sum
      rest = rest.dropFirst()
    }
    guard length > 0, rest.first == UInt8(ascii: " "),
      let digest = SHA1Digest(hex: UnsafeRawBufferPointer(rebasing: rest.dropFirst()))
    else { return nil }
    self.kind = FileKind(magic: magic)
    self.length = length
    self.digest = digest
  }

  static func beginsWithPrefix(_ bytes: UnsafeRawBufferPointer) -> Bool {
    prefix.withUTF8Buffer { bytes.starts(with: $0) }
  }

  /// The part of a bad line that an error message shows: up to a NUL, and of a line that begins like a header only
  /// what stands through the magic.
  ///
  /// Source: observed: ovsdb-tool 3.1.0 prints `"OVSDB FOO"` for `OVSDB FOO 3 …`.
  static func shownPart(of line: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    var end = line.firstIndex(of: 0) ?? line.count
    if beginsWithPrefix(line) {
      let magicEnd = line[prefix.utf8CodeUnitCount...].firstIndex(of: UInt8(ascii: " ")) ?? line.count
      end = min(end, magicEnd)
    }
    return UnsafeRawBufferPointer(rebasing: line[..<end])
  }

  /// Appends a whole record to `bytes`: header, data, newline.
  ///
  /// - Parameter data: One JSON object without the final newline.
  static func frame(_ data: UnsafeRawBufferPointer, kind: FileKind, into bytes: inout [UInt8]) {
    var hash = Insecure.SHA1()
    hash.update(bufferPointer: data)
    withUnsafeBytes(of: UInt8(ascii: "\n")) { hash.update(bufferPointer: $0) }
    append(SHA1Digest(hash), length: data.count + 1, kind: kind, to: &bytes)
    bytes.append(contentsOf: data)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Appends the header of a record.
  fileprivate static func append(_ digest: SHA1Digest, length: Int, kind: FileKind, to bytes: inout [UInt8]) {
    prefix.withUTF8Buffer { bytes.append(contentsOf: $0) }
    kind.magic.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: " "))
    appendDecimal(length, to: &bytes)
    bytes.append(UInt8(ascii: " "))
    digest.write(to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  private static func appendDecimal(_ number: Int, to bytes: inout [UInt8]) {
    let start = bytes.count
    var rest = number
    repeat {
      bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
      rest /= 10
    } while rest > 0
    bytes[start...].reverse()
  }
}

/// Makes the header of a record whose data pass in pieces, because they are too many to be held: it stands before them, but can
/// be written only when all of them are known.
package struct RecordHasher {
  private var hash = Insecure.SHA1()
  private var count = 0

  package init() {}

  package mutating func update(_ data: UnsafeRawBufferPointer) {
    hash.update(bufferPointer: data)
    count += data.count
  }

  /// The header of a standalone database's record with the data so far and the final newline, which is for the caller to write.
  package func header() -> [UInt8] {
    var whole = hash
    withUnsafeBytes(of: UInt8(ascii: "\n")) { whole.update(bufferPointer: $0) }
    var bytes: [UInt8] = []
    RecordHeader.append(SHA1Digest(whole), length: count + 1, kind: .standalone, to: &bytes)
    return bytes
  }
}
