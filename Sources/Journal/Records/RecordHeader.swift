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
// Source: Documentation/protocol/files.md#records; RecordReaderTests has a case for each rule.

import Glibc

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

  /// Where the length stands in a header that this program writes.
  fileprivate static func lengthStart(of kind: FileKind) -> Int {
    prefix.utf8CodeUnitCount + kind.magic.utf8CodeUnitCount + 1
  }

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
  /// Source: Documentation/protocol/files.md#records: ovsdb-tool 3.1.0 prints `"OVSDB FOO"` for `OVSDB FOO 3 …`.
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
    var hash = SHA1Function()
    hash.update(data)
    hash.updateWithNewline()
    append(SHA1Digest(hash), length: data.count + 1, kind: kind, to: &bytes)
    bytes.append(contentsOf: data)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Appends the header of a record.
  fileprivate static func append(_ digest: SHA1Digest, length: Int, kind: FileKind, to bytes: inout [UInt8]) {
    withUnsafeTemporaryAllocation(byteCount: byteCountMax, alignment: 1) { line in
      var writer = LineWriter(line)
      writer.append(prefix)
      writer.append(kind.magic)
      writer.append(" ")
      writer.append(decimal: length)
      writer.append(" ")
      writer.append(digest)
      writer.append("\n")
      bytes.append(contentsOf: writer.written)
    }
  }
}

/// Puts a header together in memory that is long enough for the longest.
private struct LineWriter {
  private let line: UnsafeMutableRawBufferPointer
  private var count = 0

  init(_ line: UnsafeMutableRawBufferPointer) { self.line = line }

  var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: line[..<count]) }

  mutating func append(_ text: StaticString) {
    let source = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    UnsafeMutableRawBufferPointer(rebasing: line[count...]).copyMemory(from: source)
    count += source.count
  }

  /// Appends a number that is not negative.
  mutating func append(decimal number: Int) {
    var size = 1
    var rest = number / 10
    while rest > 0 {
      size += 1
      rest /= 10
    }
    rest = number
    for position in stride(from: count + size - 1, through: count, by: -1) {
      line[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    count += size
  }

  mutating func append(_ digest: SHA1Digest) {
    digest.write(to: UnsafeMutableRawBufferPointer(rebasing: line[count...]))
    count += SHA1Digest.textCount
  }
}

/// Makes the header of a record whose data pass in pieces, because they are too many to be held: it stands before them, but can
/// be written only when all of them are known.
package struct RecordHasher {
  private var hash = SHA1Function()
  /// Bytes of data so far.
  private(set) var count = 0

  /// Bytes of a header that was made longer, so that its place can be kept before its record's length is known.
  static let paddedHeaderByteCount = 80

  package init() {}

  package mutating func update(_ data: UnsafeRawBufferPointer) {
    hash.update(data)
    count += data.count
  }

  /// The header of a standalone database's record with the data so far and the final newline, which is for the caller to write.
  package func header() -> [UInt8] {
    var whole = hash
    whole.updateWithNewline()
    var bytes: [UInt8] = []
    RecordHeader.append(SHA1Digest(whole), length: count + 1, kind: .standalone, to: &bytes)
    return bytes
  }

  /// The same header with as many blanks before the length as it takes to fill its place. Readers skip them.
  ///
  /// Source: Documentation/protocol/files.md#records: ovsdb-server and ovsdb-tool 3.1.0 read such a header like any other.
  func paddedHeader() -> [UInt8] {
    var bytes = header()
    let lengthStart = RecordHeader.lengthStart(of: .standalone)
    bytes.insert(
      contentsOf: repeatElement(UInt8(ascii: " "), count: max(0, Self.paddedHeaderByteCount - bytes.count)), at: lengthStart)
    return bytes
  }
}
