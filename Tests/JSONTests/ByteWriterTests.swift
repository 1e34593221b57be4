// SPDX-License-Identifier: Apache-2.0
//
// Writing bytes and JSON tokens.

import Foundation
import TestSupport
import Testing

@testable import JSON

/// What a writer holds after `body`.
private func written(_ body: (inout ByteWriter) -> Void) -> String {
  var writer = ByteWriter()
  body(&writer)
  return writer.string
}

@Suite struct ByteWriterTests {
  @Test(arguments: [0, 1, -1, 9, 10, 99, 100, .max, .min, 1_000_000_007] as [Int64])
  func integersAreWrittenInDecimal(_ value: Int64) {
    #expect(written { $0.appendInteger(value) } == String(value))
  }

  /// Words and their rest are looked at in different ways.
  @Test(arguments: 0..<40) func eachByteOfAStringOfAnyLengthIsWrittenOrEscaped(_ count: Int) {
    let plain = (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) }
    func expected(_ bytes: [UInt8]) -> [UInt8] {
      bytes.flatMap { byte -> [UInt8] in
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): [UInt8(ascii: "\\"), byte]
        case 0x08: Array("\\b".utf8)
        case 0x09: Array("\\t".utf8)
        case 0x0a: Array("\\n".utf8)
        case 0x0c: Array("\\f".utf8)
        case 0x0d: Array("\\r".utf8)
        case ..<0x20: Array((byte < 16 ? "\\u000" : "\\u00").utf8) + Array(String(byte, radix: 16).utf8)
        default: [byte]
        }
      }
    }
    func check(_ bytes: [UInt8]) {
      var writer = ByteWriter()
      bytes.withUnsafeBufferPointer { writer.appendQuoted(utf8: $0) }
      let quote = UInt8(ascii: "\"")
      #expect(writer.bytes == [quote] + expected(bytes) + [quote])
    }
    check(plain)
    for place in 0..<count {
      for byte in UInt8.min...UInt8.max {
        var bytes = plain
        bytes[place] = byte
        check(bytes)
      }
    }
  }

  @Test func realsAreWrittenAsTheCLibraryDoes() {
    var random = SeededRandom(seed: 99)
    var values: [Double] = [
      0, -0.0, 1, -1, 0.5, 1e15, 1e14, 999_999_999_999_999, 1e16, 1e-4, 1e-5, 0.00012, 1.1, 0.1, 100_000.0001, 123.4567,
      0.30000000000000004, 1e300, -1e-300, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .pi, 12345678901234567168, 9999999999.9999,
      9_999_999_999.5, 10_000_000_000.5, 0.99999, 2.00005, 4503599627370496.5,
    ]
    for _ in 0..<50_000 {
      values.append(Double(bitPattern: random.next()))
      values.append(Double(random.below(2_000_000_000) - 1_000_000_000) / random.pick([1, 10, 100, 1000, 10_000, 100_000, 3]))
      values.append(Double(random.next() >> 11) / random.pick([1, 10, 1e4, 1e8, 1e12, 1e20]))
    }
    for value in values where value.isFinite {
      let expected = value == 0 ? "0" : String(format: "%.15g", value)
      let text = written { $0.appendReal(value) }
      if text != expected { Issue.record("\(value) is written \(text), not \(expected)") }
    }
  }

  @Test func stringsEscapeOnlyWhatMustBe() {
    let text = String(decoding: (0..<128).map { UInt8($0) }, as: UTF8.self)
    let expected =
      #""\u0000\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011\u0012\u0013\u0014"#
      + ##"\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHI"##
      + #"JKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"# + "\u{7f}\""
    #expect(written { $0.appendQuoted(text) } == expected)
    #expect(written { $0.appendQuoted("") } == "\"\"")
    #expect(written { $0.appendQuoted("é€😀/") } == "\"é€😀/\"")
  }

  @Test func everyEscapeAtEveryPlaceIsFound() throws {
    for length in 0..<20 {
      for place in 0..<max(length, 1) where length > 0 {
        var bytes = [UInt8](repeating: 0xff, count: length)
        bytes[place] = 0x0a
        var writer = ByteWriter()
        bytes.withUnsafeBufferPointer { writer.appendQuoted(utf8: $0) }
        let expected = Array("\"".utf8) + bytes[..<place] + Array("\\n".utf8) + bytes[(place + 1)...] + Array("\"".utf8)
        #expect(writer.bytes == expected)
      }
    }
  }

  @Test func whatIsAppendedStaysInOrder() {
    var writer = ByteWriter(capacity: 3)
    var other = ByteWriter()
    other.append(utf8: "other")
    for _ in 0..<100 {
      writer.append(UInt8(ascii: "<"))
      writer.append("literal")
      writer.append([1, 2])
      writer.append(other)
      writer.append(utf8: "text")
    }
    let unit = Array("<literal".utf8) + [1, 2] + Array("othertext".utf8)
    #expect(writer.count == unit.count * 100)
    #expect(writer.bytes == Array(repeatElement(unit, count: 100).joined()))
    writer.truncate(to: 8)
    #expect(writer.string == "<literal")
    #expect(writer.withBytes { $0.count } == 8)
    writer.removeAll()
    #expect(writer.bytes.isEmpty)
    writer.append("again")
    writer.removeAll(keepingCapacity: false)
    writer.append(utf8: "at last")
    #expect(writer.string == "at last")
  }

  @Test func aRealThatIsNotFiniteBecomesNull() {
    #expect(written { $0.appendReal(.infinity) } == "null")
    #expect(written { $0.appendReal(.nan) } == "null")
  }
}
