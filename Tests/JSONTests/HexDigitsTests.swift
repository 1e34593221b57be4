// SPDX-License-Identifier: Apache-2.0
//
// Hexadecimal digits eight at a time against digits one by one.

import TestSupport
import Testing

@testable import JSON

@Suite struct HexDigitsTests {
  private func word(_ text: String) -> UInt64 {
    text.utf8.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  @Test func numbersAreWrittenAndReadInEitherCase() {
    var random = SeededRandom(seed: 4)
    let edges: [UInt32] = [0, 1, 9, 10, 15, 16, 0x0123_4567, 0x89ab_cdef, 0x7fff_ffff, 0x8000_0000, .max]
    for number in edges + (0..<20_000).map({ _ in UInt32(truncatingIfNeeded: random.next()) }) {
      let digits = String(number, radix: 16)
      let text = String(repeating: "0", count: 8 - digits.utf8.count) + digits
      #expect(HexDigits.text(of: number) == word(text))
      #expect(HexDigits.number(of: word(text)) == number)
      #expect(HexDigits.number(of: word(text.uppercased())) == number)
    }
  }

  @Test(arguments: 0..<8) func noByteButADigitIsTaken(_ place: Int) {
    let digits = Set("0123456789abcdefABCDEF".utf8)
    for byte in UInt8.min...UInt8.max {
      for background in ["00000000", "ffffffff", "9aF05b3C"] {
        var bytes = Array(background.utf8)
        bytes[place] = byte
        let number = HexDigits.number(of: bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
        let expected = digits.contains(byte) ? UInt32(String(decoding: bytes, as: UTF8.self), radix: 16) : nil
        #expect(number == expected, "\(bytes)")
      }
    }
  }
}
