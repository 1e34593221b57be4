// SPDX-License-Identifier: Apache-2.0
//
// JSON tokens as bytes: numbers and quoted strings.

internal import CJansson

extension ByteWriter {
  /// Appends an integer in decimal.
  package mutating func appendInteger(_ value: Int64) {
    reserve(20)
    if value < 0 {
      base[used] = UInt8(ascii: "-")
      used &+= 1
    }
    appendDigits(value.magnitude)
  }

  /// Appends a real with 15 significant digits, as C's `%.15g` does; minus zero as `0`.
  ///
  /// A value that is not finite has no JSON; the model never holds one, and `null` is written should it appear.
  ///
  /// Source: Documentation/protocol/wire.md#json: ovsdb-server 3.1 prints so on the wire and in the log.
  package mutating func appendReal(_ value: Double) {
    guard value.isFinite else { return append("null") }
    let magnitude = value.magnitude
    // Whole numbers, and those with up to four decimals, need no C. With at most 15 digits the nearest double of
    // m / 10^k prints as m / 10^k: the error of the multiplication is far below the 15th digit.
    guard magnitude < 1e10, magnitude >= 1e-4 || magnitude == 0 else { return appendPrinted(value) }
    let scaled = magnitude * 10_000
    guard scaled == scaled.rounded(.towardZero) else { return appendPrinted(value) }
    reserve(24)
    let fixed = UInt64(scaled)
    if value < 0 { append(UInt8(ascii: "-")) }
    appendDigits(fixed / 10_000)
    var decimals = fixed % 10_000
    guard decimals > 0 else { return }
    append(UInt8(ascii: "."))
    var unit: UInt64 = 1_000
    while decimals > 0 {
      append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: decimals / unit))
      decimals %= unit
      unit /= 10
    }
  }

  /// Appends a real as the C library prints it.
  private mutating func appendPrinted(_ value: Double) {
    reserve(32)
    let isExact = writesExactReals
    // At most 24 characters: sign, point, 17 digits, exponent of five.
    used &+= base.advanced(by: used).withMemoryRebound(to: CChar.self, capacity: 32) {
      Int(isExact ? json_print_real_exactly($0, 32, value) : json_print_real($0, 32, value))
    }
  }

  /// Appends digits; the caller has made room for 20.
  @inline(__always)
  private mutating func appendDigits(_ value: UInt64) {
    var size = 1
    var rest = value / 10
    while rest > 0 {
      size &+= 1
      rest /= 10
    }
    rest = value
    var at = used &+ size
    used = at
    repeat {
      at &-= 1
      base[at] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while rest > 0
  }

  /// Appends a text as a JSON string.
  package mutating func appendQuoted(_ text: String) {
    var text = text
    text.withUTF8 { appendQuoted(utf8: $0) }
  }

  /// Appends bytes as a JSON string.
  ///
  /// Only `"`, `\` and bytes below 0x20 are escaped; all others are written as they are, also when not valid UTF-8.
  package mutating func appendQuoted(utf8: UnsafeBufferPointer<UInt8>) {
    reserve(utf8.count + 2)
    base[used] = UInt8(ascii: "\"")
    used &+= 1
    if let source = utf8.baseAddress, !appendUnescaped(source, utf8.count) { appendEscaping(source, utf8.count) }
    append(UInt8(ascii: "\""))
  }

  /// Appends bytes while looking at them; the caller has made room.
  ///
  /// - Returns: false, with nothing appended, when one of them must be escaped.
  @inline(__always)
  private mutating func appendUnescaped(_ source: UnsafePointer<UInt8>, _ count: Int) -> Bool {
    let input = UnsafeRawPointer(source)
    let output = UnsafeMutableRawPointer(base + used)
    func copy(_ at: Int) -> Bool {
      let word = input.loadUnaligned(fromByteOffset: at, as: UInt64.self)
      output.storeBytes(of: word, toByteOffset: at, as: UInt64.self)
      return !JSONScanner.hasStop(word)
    }
    if count >= 8 {
      var at = 0
      while at &+ 8 <= count {
        guard copy(at) else { return false }
        at &+= 8
      }
      // The last word overlaps the one before it.
      if at < count { guard copy(count &- 8) else { return false } }
    } else {
      // Letters stand in the word's other bytes: they are no stops.
      var word: UInt64 = 0x6161_6161_6161_6161
      for at in 0..<count {
        output.storeBytes(of: source[at], toByteOffset: at, as: UInt8.self)
        word = word &<< 8 | UInt64(source[at])
      }
      guard !JSONScanner.hasStop(word) else { return false }
    }
    used &+= count
    return true
  }

  @inline(never)
  private mutating func appendEscaping(_ source: UnsafePointer<UInt8>, _ count: Int) {
    var at = 0
    while true {
      let stop = Self.escapeStop(source, at, count)
      append(UnsafeRawBufferPointer(start: source + at, count: stop &- at))
      if stop == count { break }
      appendEscape(source[stop])
      at = stop &+ 1
    }
  }

  /// The first byte from `from` on that must be escaped, or `count`.
  @inline(__always)
  private static func escapeStop(_ input: UnsafePointer<UInt8>, _ from: Int, _ count: Int) -> Int {
    var at = from
    while at &+ 8 <= count {
      let stop = JSONScanner.wordStop(input, at)
      if stop < 8 { return at &+ stop }
      at &+= 8
    }
    while at < count {
      let byte = input[at]
      if byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return at }
      at &+= 1
    }
    return count
  }

  @inline(never)
  private mutating func appendEscape(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): append("\\\"")
    case UInt8(ascii: "\\"): append("\\\\")
    case 0x08: append("\\b")
    case 0x09: append("\\t")
    case 0x0a: append("\\n")
    case 0x0c: append("\\f")
    case 0x0d: append("\\r")
    default:
      append("\\u00")
      let digits: StaticString = "0123456789abcdef"
      append(digits.utf8Start[Int(byte >> 4)])
      append(digits.utf8Start[Int(byte & 15)])
    }
  }
}
