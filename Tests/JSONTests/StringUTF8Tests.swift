// SPDX-License-Identifier: Apache-2.0
//
// Strings made of bytes: the shortcut for ASCII must accept and refuse what the standard library's validation does.

import Testing

@testable import JSON

@Suite struct StringUTF8Tests {
  private func make(_ bytes: [UInt8]) -> String? { bytes.withUnsafeBufferPointer { String(utf8: $0) } }

  @Test func everyByteAtEveryPlaceIsTakenAsTheStandardLibraryTakesIt() {
    for count in 0...20 {
      let plain = (0..<count).map { UInt8(ascii: "a") + UInt8($0) }
      #expect(make(plain) == String(decoding: plain, as: UTF8.self))
      for position in 0..<count {
        for byte in UInt8.min...UInt8.max {
          var bytes = plain
          bytes[position] = byte
          let expected = String(validating: bytes, as: UTF8.self)
          #expect(make(bytes).map { Array($0.utf8) } == expected.map { Array($0.utf8) }, "\(byte) at \(position) of \(count)")
        }
      }
    }
  }

  @Test(arguments: ["é", "naïve café", "日本語のテキスト", "ab😀", "e\u{301}", "\u{7f}\u{80}"])
  func lettersBeyondASCIIAreKept(_ text: String) {
    #expect(make(Array(text.utf8)).map { Array($0.utf8) } == Array(text.utf8))
    #expect(make(Array(text.utf8.dropLast())) == nil)
  }
}
