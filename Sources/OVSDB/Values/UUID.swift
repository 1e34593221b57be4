// SPDX-License-Identifier: Apache-2.0
//
// The 128-bit identifier of a row. `Atom` and `Datum` hold it by value; `Engine` keys its tables with it.

import JSON

/// A universally unique identifier: the name of a row.
///
/// Source: RFC 7047 §3.1 (`<uuid>`).
@frozen package struct UUID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The first eight bytes as written, most significant first.
  package var high: UInt64
  /// The last eight bytes as written.
  package var low: UInt64

  @inlinable package init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// The default value of a uuid column.
  package static let zero = UUID(high: 0, low: 0)

  @inlinable package static func == (a: UUID, b: UUID) -> Bool { a.high == b.high && a.low == b.low }

  @inlinable package static func < (a: UUID, b: UUID) -> Bool {
    a.high != b.high ? a.high < b.high : a.low < b.low
  }

  @inlinable package func hash(into hasher: inout Hasher) {
    hasher.combine(high)
    hasher.combine(low)
  }

  /// A random identifier with the version and variant bits of RFC 4122 version 4.
  @inlinable package static func random(using generator: inout some RandomNumberGenerator) -> UUID {
    UUID(
      high: generator.next() & 0xffff_ffff_ffff_0fff | 0x4000,
      low: generator.next() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000)
  }

  /// Bytes of the text form.
  private static var textCount: Int { 36 }

  /// Reads the 36-character form, hexadecimal digits in either case; nil for anything else.
  package init?(utf8 text: UnsafeBufferPointer<UInt8>) {
    guard text.count == Self.textCount, text[8] == Self.dash, text[13] == Self.dash, text[18] == Self.dash, text[23] == Self.dash
    else { return nil }
    let raw = UnsafeRawBufferPointer(text)
    func half(_ offset: Int) -> UInt64 { UInt64(raw.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    func eight(_ offset: Int) -> UInt64 { raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
    guard let a = HexDigits.number(of: eight(0)), let b = HexDigits.number(of: half(9) | half(14) << 32),
      let c = HexDigits.number(of: half(19) | half(24) << 32), let d = HexDigits.number(of: eight(28))
    else { return nil }
    self.init(high: UInt64(a) << 32 | UInt64(b), low: UInt64(c) << 32 | UInt64(d))
  }

  package init?(_ text: String) {
    var text = text
    guard let uuid = text.withUTF8({ UUID(utf8: $0) }) else { return nil }
    self = uuid
  }

  /// Appends the 36 characters, lower case, without quotes.
  package func write(to writer: inout ByteWriter) {
    writer.append(count: Self.textCount) { fill($0) }
  }

  package var description: String {
    String(unsafeUninitializedCapacity: Self.textCount) { text in
      guard let base = text.baseAddress else { return 0 }
      fill(UnsafeMutableRawPointer(base))
      return Self.textCount
    }
  }

  /// Writes the 36 characters.
  @inline(__always)
  private func fill(_ text: UnsafeMutableRawPointer) {
    let b = HexDigits.text(of: UInt32(truncatingIfNeeded: high))
    let c = HexDigits.text(of: UInt32(truncatingIfNeeded: low >> 32))
    text.storeBytes(of: HexDigits.text(of: UInt32(truncatingIfNeeded: high >> 32)), as: UInt64.self)
    text.storeBytes(of: Self.dash, toByteOffset: 8, as: UInt8.self)
    text.storeBytes(of: UInt32(truncatingIfNeeded: b), toByteOffset: 9, as: UInt32.self)
    text.storeBytes(of: Self.dash, toByteOffset: 13, as: UInt8.self)
    text.storeBytes(of: UInt32(truncatingIfNeeded: b >> 32), toByteOffset: 14, as: UInt32.self)
    text.storeBytes(of: Self.dash, toByteOffset: 18, as: UInt8.self)
    text.storeBytes(of: UInt32(truncatingIfNeeded: c), toByteOffset: 19, as: UInt32.self)
    text.storeBytes(of: Self.dash, toByteOffset: 23, as: UInt8.self)
    text.storeBytes(of: UInt32(truncatingIfNeeded: c >> 32), toByteOffset: 24, as: UInt32.self)
    text.storeBytes(of: HexDigits.text(of: UInt32(truncatingIfNeeded: low)), toByteOffset: 28, as: UInt64.self)
  }

  private static var dash: UInt8 { UInt8(ascii: "-") }
}
