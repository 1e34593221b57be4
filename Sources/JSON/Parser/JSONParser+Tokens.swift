// SPDX-License-Identifier: Apache-2.0
//
// What a token means: strings with escapes, numbers that are not short integers, keywords. Each is handed a complete
// token, whose bytes JSONParser.swift found.

import Glibc

extension JSONParser {
  // MARK: Strings

  /// Decodes a string with escapes into the side buffer.
  ///
  /// - Parameter end: The closing quote; errors are placed there, as the peer does, which decodes at the quote too.
  mutating func decodeString(
    _ input: UnsafePointer<UInt8>, from start: Int, to end: Int
  ) throws(JSONSyntaxError) -> JSONTapeEntry {
    // Decoding never makes a string longer: the shortest escape, two bytes, gives one.
    guard side.capacity - side.count >= end - start || side.tryGrow(by: end - start) else { throw noMemory(input, count: end) }
    let output = side.base + side.count
    var written = 0
    var at = start
    while at < end {
      if input[at] != UInt8(ascii: "\\") {
        let stop = min(JSONScanner.stringStop(input, at), end)
        (output + written).update(from: input + at, count: stop - at)
        written += stop - at
        at = stop
        continue
      }
      if let plain = Self.shortEscape(input[at + 1]) {
        output[written] = plain
        written += 1
        at += 2
      } else if input[at + 1] == UInt8(ascii: "u") {
        let scalar = try unicodeEscape(input, &at, end: end)
        written += Self.encode(scalar, output + written)
      } else {
        throw badEscape(input, input[at + 1], at: end)
      }
    }
    var entry = JSONTapeEntry(.string, length: written, payload: UInt64(truncatingIfNeeded: side.count))
    entry.meta |= JSONTapeEntry.decodedFlag
    side.count += written
    return entry
  }

  private static func shortEscape(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte
    case UInt8(ascii: "b"): 0x08
    case UInt8(ascii: "f"): 0x0c
    case UInt8(ascii: "n"): 0x0a
    case UInt8(ascii: "r"): 0x0d
    case UInt8(ascii: "t"): 0x09
    default: nil
    }
  }

  private mutating func badEscape(_ input: UnsafePointer<UInt8>, _ byte: UInt8, at end: Int) -> JSONSyntaxError {
    if byte == 0 { return fail(input, at: end, "quoted string may not end with backslash") }
    return fail(input, at: end, String(decoding: Array("bad escape \\".utf8) + [byte], as: UTF8.self))
  }

  /// Reads `\uXXXX`, or two of them that are a surrogate pair.
  ///
  /// A low surrogate alone is let through, as the peer does; a high one needs its half.
  private mutating func unicodeEscape(
    _ input: UnsafePointer<UInt8>, _ at: inout Int, end: Int
  ) throws(JSONSyntaxError) -> UInt32 {
    let first = try hexEscape(input, at + 2, end: end)
    at += 6
    guard first >= 0xd800, first < 0xdc00 else { return first }
    guard at < end, input[at] == UInt8(ascii: "\\"), input[at + 1] == UInt8(ascii: "u") else {
      throw fail(input, at: end, "malformed escaped surrogate pair")
    }
    let second = try hexEscape(input, at + 2, end: end)
    guard second >= 0xdc00, second < 0xe000 else {
      throw fail(input, at: end, "second half of escaped surrogate pair is not trailing surrogate")
    }
    at += 6
    return 0x1_0000 + (first - 0xd800) << 10 + (second - 0xdc00)
  }

  private mutating func hexEscape(
    _ input: UnsafePointer<UInt8>, _ at: Int, end: Int
  ) throws(JSONSyntaxError) -> UInt32 {
    guard end - at >= 4 else { throw fail(input, at: end, "quoted string ends within \\u escape") }
    var scalar: UInt32 = 0
    for offset in at..<(at + 4) {
      guard let digit = Self.hexDigit(input[offset]) else { throw fail(input, at: end, "malformed \\u escape") }
      scalar = scalar << 4 | digit
    }
    guard scalar != 0 else { throw fail(input, at: end, "null bytes not supported in quoted strings") }
    return scalar
  }

  private static func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
    default: nil
    }
  }

  /// Writes a code point as UTF-8, a lone surrogate in the same three-byte form.
  private static func encode(_ scalar: UInt32, _ output: UnsafeMutablePointer<UInt8>) -> Int {
    func tail(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: scalar >> shift) & 0x3f }
    switch scalar {
    case 0..<0x80:
      output[0] = UInt8(truncatingIfNeeded: scalar)
      return 1
    case 0x80..<0x800:
      output[0] = 0xc0 | UInt8(truncatingIfNeeded: scalar >> 6)
      output[1] = tail(0)
      return 2
    case 0x800..<0x1_0000:
      output[0] = 0xe0 | UInt8(truncatingIfNeeded: scalar >> 12)
      output[1] = tail(6)
      output[2] = tail(0)
      return 3
    default:
      output[0] = 0xf0 | UInt8(truncatingIfNeeded: scalar >> 18)
      output[1] = tail(12)
      output[2] = tail(6)
      output[3] = tail(0)
      return 4
    }
  }

  // MARK: Keywords

  mutating func keyword(
    _ input: UnsafePointer<UInt8>, from start: Int, to end: Int
  ) throws(JSONSyntaxError) -> JSONTapeEntry {
    let word = UnsafeBufferPointer(start: input + start, count: end - start)
    if word.elementsEqual("true".utf8) { return JSONTapeEntry(.true) }
    if word.elementsEqual("false".utf8) { return JSONTapeEntry(.false) }
    if word.elementsEqual("null".utf8) { return JSONTapeEntry(.null) }
    // A message need not repeat a megabyte of letters.
    let quoted = String(decoding: word.prefix(64), as: UTF8.self) + (word.count > 64 ? "..." : "")
    throw fail(input, at: end, "invalid keyword '\(quoted)'")
  }

  // MARK: Numbers

  /// Reads any number.
  ///
  /// The digits are gathered without their leading and trailing zeros, so that value = digits * 10^power exactly; it is
  /// an integer when power is not negative. Only other numbers go through floating point.
  ///
  /// - Throws: At the byte behind the number.
  mutating func number(
    _ input: UnsafePointer<UInt8>, from start: Int, to end: Int
  ) throws(JSONSyntaxError) -> JSONTapeEntry {
    let isNegative = input[start] == UInt8(ascii: "-")
    var at = isNegative ? start + 1 : start
    var digits = JSONDigits()

    // The byte at `end` is no part of a number, so that no scan runs over it.
    guard Self.isDigit(input[at]) else { throw fail(input, at: end, "'-' must be followed by digit") }
    if input[at] == UInt8(ascii: "0"), Self.isDigit(input[at + 1]) {
      throw fail(input, at: end, "leading zeros not allowed")
    }
    at = digits.gather(input, from: at, isFraction: false)
    if input[at] == UInt8(ascii: ".") {
      at += 1
      guard Self.isDigit(input[at]) else { throw fail(input, at: end, "decimal point must be followed by digit") }
      at = digits.gather(input, from: at, isFraction: true)
    }
    if input[at] == UInt8(ascii: "e") || input[at] == UInt8(ascii: "E") {
      at += 1
      let isDown = input[at] == UInt8(ascii: "-")
      if isDown || input[at] == UInt8(ascii: "+") { at += 1 }
      guard Self.isDigit(input[at]) else { throw fail(input, at: end, "exponent must contain at least one digit") }
      var exponent = 0
      while Self.isDigit(input[at]) {
        exponent = exponent * 10 + Int(input[at] - UInt8(ascii: "0"))
        guard exponent <= JSONLimits.exponentMax else { throw fail(input, at: end, "exponent outside valid range") }
        at += 1
      }
      digits.power += isDown ? -exponent : exponent
    }
    guard at == end else { throw fail(input, at: end, "syntax error in number") }

    if let integer = digits.integer(isNegative: isNegative) {
      return JSONTapeEntry(.integer, payload: UInt64(bitPattern: integer))
    }
    // Stops at `end` by itself; the bytes were checked, so that neither hexadecimal nor `nan` can begin there.
    let real = strtod(UnsafeRawPointer(input + start).assumingMemoryBound(to: CChar.self), nil)
    guard real.isFinite else { throw fail(input, at: end, "number outside valid range") }
    if real == 0 { return JSONTapeEntry(.integer, payload: 0) }
    return JSONTapeEntry(.real, payload: real.bitPattern)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") <= 9 }
}

/// The significant digits of a number and the power of ten they stand at.
struct JSONDigits {
  /// Invariant: the number so far is `value * 10^(pendingZeros + power)`, unless it `isLong`.
  var value: UInt64 = 0
  var power = 0
  private var pendingZeros = 0
  private var significantCount = 0
  /// More significant digits than any 64-bit integer has; `value` is of no use then.
  private var isLong: Bool { significantCount > 19 }

  init() {}

  /// Takes in a run of digits.
  ///
  /// - Returns: The end of the run.
  mutating func gather(_ input: UnsafePointer<UInt8>, from start: Int, isFraction: Bool) -> Int {
    var at = start
    while true {
      let digit = input[at] &- UInt8(ascii: "0")
      guard digit <= 9 else { break }
      if digit == 0 {
        // Zeros count only once another digit follows them; leading ones never.
        if significantCount > 0 { pendingZeros += 1 }
      } else {
        significantCount += pendingZeros + 1
        if !isLong {
          for _ in 0..<pendingZeros { value *= 10 }
          value = value * 10 + UInt64(digit)
        }
        pendingZeros = 0
      }
      at += 1
    }
    if isFraction { power -= at - start }
    return at
  }

  /// The number as a 64-bit integer, nil when it is none.
  func integer(isNegative: Bool) -> Int64? {
    if significantCount == 0 { return 0 }
    let power = power + pendingZeros
    guard power >= 0, significantCount + power <= 19 else { return nil }
    // At most 19 digits: below 2^64.
    var magnitude = value
    for _ in 0..<power { magnitude *= 10 }
    if isNegative { return magnitude <= UInt64(Int64.max) + 1 ? Int64(bitPattern: 0 &- magnitude) : nil }
    return Int64(exactly: magnitude)
  }
}
