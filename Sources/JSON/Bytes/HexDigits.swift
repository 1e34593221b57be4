// SPDX-License-Identifier: Apache-2.0
//
// Hexadecimal digits, eight at a time: every row that is written or read has UUIDs, every record a hash.

/// Eight hexadecimal digits and the number they stand for.
@usableFromInline package enum HexDigits {
  /// The eight digits of a number in lower case; the first one, most significant, is the lowest byte.
  @inlinable @inline(__always)
  package static func text(of number: UInt32) -> UInt64 {
    // Each nibble gets a byte of its own, in order.
    var nibbles = UInt64(number)
    nibbles = (nibbles &<< 16 | nibbles) & 0x0000_ffff_0000_ffff
    nibbles = (nibbles &<< 8 | nibbles) & 0x00ff_00ff_00ff_00ff
    nibbles = (nibbles &<< 4 | nibbles) & 0x0f0f_0f0f_0f0f_0f0f
    let letters = (nibbles &+ ones &* 6) &>> 4 & ones
    return (nibbles &+ ones &* 0x30 &+ letters &* (0x61 - 0x30 - 10)).byteSwapped
  }

  /// The number that eight digits in either case stand for, nil when one of them is no digit.
  ///
  /// - Parameter text: The first digit is the lowest byte.
  @inlinable @inline(__always)
  package static func number(of text: UInt64) -> UInt32? {
    let digits = text.byteSwapped
    let letters = digits &>> 6 & ones
    var nibbles = (digits & (ones &* 15)) &+ letters &* 9
    nibbles = (nibbles | nibbles &>> 4) & 0x00ff_00ff_00ff_00ff
    nibbles = (nibbles | nibbles &>> 8) & 0x0000_ffff_0000_ffff
    let number = UInt32(truncatingIfNeeded: nibbles | nibbles &>> 16)
    // Whatever is no digit comes back as something else; capitals come back small.
    return self.text(of: number).byteSwapped == digits | letters &<< 5 ? number : nil
  }

  @inlinable
  static var ones: UInt64 { 0x0101_0101_0101_0101 }
}
