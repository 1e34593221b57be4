// SPDX-License-Identifier: Apache-2.0
//
// The 128-bit identifier of a row. `Atom` and `Datum` hold it by value; `Engine` keys its tables with it.

import JSON

/// A universally unique identifier: the name of a row.
///
/// Source: RFC 7047 section 3.1 (`<uuid>`).
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

  /// Reads the 36-character form, hexadecimal digits in either case; nil for anything else.
  package init?(utf8 text: UnsafeBufferPointer<UInt8>) {
    guard text.count == 36 else { return nil }
    var words: (UInt64, UInt64) = (0, 0)
    var digits = 0
    var bad: UInt8 = 0
    for offset in 0..<36 {
      let byte = text[offset]
      if offset == 8 || offset == 13 || offset == 18 || offset == 23 {
        bad |= byte ^ UInt8(ascii: "-")
        continue
      }
      let digit = hexDigitValues[Int(byte)]
      bad |= digit & 0xf0
      if digits < 16 { words.0 = words.0 << 4 | UInt64(digit & 15) } else { words.1 = words.1 << 4 | UInt64(digit & 15) }
      digits += 1
    }
    guard bad == 0 else { return nil }
    self.init(high: words.0, low: words.1)
  }

  package init?(_ text: String) {
    var text = text
    guard let uuid = text.withUTF8({ UUID(utf8: $0) }) else { return nil }
    self = uuid
  }

  /// Appends the 36 characters, lower case, without quotes.
  package func write(to writer: inout ByteWriter) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 36) { text in
      fill(text)
      writer.append(UnsafeRawBufferPointer(text))
    }
  }

  package var description: String {
    String(unsafeUninitializedCapacity: 36) { text in
      fill(text)
      return 36
    }
  }

  private func fill(_ text: UnsafeMutableBufferPointer<UInt8>) {
    var offset = 0
    for nibble in 0..<32 {
      if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
        text[offset] = UInt8(ascii: "-")
        offset += 1
      }
      let word = nibble < 16 ? high : low
      text[offset] = hexDigits[Int(word >> UInt64(60 - 4 * (nibble & 15)) & 15)]
      offset += 1
    }
  }
}

private let hexDigits = [UInt8]("0123456789abcdef".utf8)

/// The value of each hexadecimal digit, 0xf0 for every other byte.
private let hexDigitValues: [UInt8] = (0..<256).map { byte in
  switch UInt8(byte) {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt8(byte) - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt8(byte) - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt8(byte) - UInt8(ascii: "A") + 10
  default: 0xf0
  }
}
