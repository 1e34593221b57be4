// SPDX-License-Identifier: Apache-2.0
//
// The innermost loops of the parser: free of state, eight bytes at a time where it pays. All rely on the zero bytes
// behind the text (invariant (1) of JSONParser.swift).

enum JSONScanner {
  /// The first byte at or behind `from` that is a quote, a backslash or a control character.
  @inline(__always)
  static func stringStop(_ input: UnsafePointer<UInt8>, _ from: Int) -> Int {
    var at = from
    while true {
      let stop = wordStop(input, at)
      if stop < 8 { return at &+ stop }
      at &+= 8
    }
  }

  /// The first of the eight bytes at `at` that is a quote, a backslash or a control character, 8 when none is.
  @inline(__always)
  static func wordStop(_ input: UnsafePointer<UInt8>, _ at: Int) -> Int {
    stops(UInt64(littleEndian: UnsafeRawPointer(input + at).loadUnaligned(as: UInt64.self))).trailingZeroBitCount &>> 3
  }

  /// Whether one of the eight bytes of a word is a quote, a backslash or a control character.
  @inline(__always)
  static func hasStop(_ word: UInt64) -> Bool { stops(word) != 0 }

  /// The high bit of each byte that is a quote, a backslash or a control character. Above the lowest one rightly set, others may be
  /// set as well.
  @inline(__always)
  private static func stops(_ word: UInt64) -> UInt64 {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ (ones &* 0x22)
    let backslashes = word ^ (ones &* 0x5c)
    // Each term has the high bit of the bytes that are zero, or below 0x20. A borrow can set a bit wrongly, but only
    // above one set rightly, so the lowest is right.
    let stops = (word &- ones &* 0x20) & ~word | (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
    return stops & 0x8080_8080_8080_8080
  }

  /// An integer of at most 18 digits that no other character of a number follows.
  ///
  /// - Returns: The value and the end, which is 0 when the number is of another form.
  @inline(__always)
  static func shortInteger(_ input: UnsafePointer<UInt8>, _ start: Int) -> (integer: Int64, end: Int) {
    let isNegative = input[start] == UInt8(ascii: "-")
    let first = isNegative ? start &+ 1 : start
    var at = first
    var value: Int64 = 0
    while at &- first < 19 {
      let digit = input[at] &- UInt8(ascii: "0")
      if digit > 9 { break }
      value = value &* 10 &+ Int64(digit)
      at &+= 1
    }
    let count = at &- first
    guard count &- 1 < 18, count > 0, count == 1 || input[first] != UInt8(ascii: "0"), !isNumberByte(input[at]) else {
      return (0, 0)
    }
    return (isNegative ? 0 &- value : value, at)
  }

  /// One of the keywords.
  ///
  /// - Returns: What it means and its end, which is 0 when it is something else.
  @inline(__always)
  static func shortKeyword(_ input: UnsafePointer<UInt8>, _ start: Int) -> (kind: JSONValue.Kind, end: Int) {
    let kind: JSONValue.Kind
    var end = start &+ 4
    // The four letters as a number, the first lowest.
    switch UInt32(littleEndian: UnsafeRawPointer(input + start).loadUnaligned(as: UInt32.self)) {
    case 0x6575_7274: kind = .true
    case 0x6c6c_756e: kind = .null
    case 0x736c_6166 where input[end] == UInt8(ascii: "e"):
      kind = .false
      end &+= 1
    default: return (.null, 0)
    }
    return isLetter(input[end]) ? (.null, 0) : (kind, end)
  }

  @inline(__always)
  static func isLetter(_ byte: UInt8) -> Bool { (byte | 0x20) &- UInt8(ascii: "a") < 26 }

  /// Whether a byte can be part of a number's token.
  @inline(__always)
  static func isNumberByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"),
      UInt8(ascii: "e"), UInt8(ascii: "E"):
      true
    default: false
    }
  }

  static func numberEnd(_ input: UnsafePointer<UInt8>, _ from: Int) -> Int {
    var at = from
    while isNumberByte(input[at]) { at &+= 1 }
    return at
  }

  /// A keyword begins with a small letter, but its token goes on over letters of both cases.
  static func keywordEnd(_ input: UnsafePointer<UInt8>, _ from: Int) -> Int {
    var at = from
    while isLetter(input[at]) { at &+= 1 }
    return at
  }
}
