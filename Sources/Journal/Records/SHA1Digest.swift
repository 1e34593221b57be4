// SPDX-License-Identifier: Apache-2.0
//
// The hash that stands in the header of each record (RecordHeader.swift) over its data. `CSHA1` computes it.

import CSHA1
import JSON

/// SHA-1 over bytes that come in pieces.
struct SHA1Function {
  private var context = csha1_begin()

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    csha1_update(&context, bytes.baseAddress, bytes.count)
  }

  /// Adds the newline that ends every record.
  mutating func updateWithNewline() {
    withUnsafeBytes(of: UInt8(ascii: "\n")) { update($0) }
  }

  fileprivate consuming func finish() -> (UInt32, UInt32, UInt32, UInt32, UInt32) {
    var words: (UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0)
    withUnsafeMutablePointer(to: &words) { words in
      words.withMemoryRebound(to: UInt32.self, capacity: 5) { csha1_finish(&context, $0) }
    }
    return words
  }
}

/// The hash of a record's data.
package struct SHA1Digest: Hashable, Sendable, CustomStringConvertible {
  /// The five words of the hash.
  private var words: (UInt32, UInt32, UInt32, UInt32, UInt32)

  /// Bytes of the text form, two digits for each byte.
  static let textCount = 40

  /// Of everything fed into a hash function.
  init(_ hash: consuming SHA1Function) {
    words = hash.finish()
  }

  /// Of the bytes of a record's data, newline included.
  package init(of data: UnsafeRawBufferPointer) {
    var hash = SHA1Function()
    hash.update(data)
    self.init(hash)
  }

  /// From 40 hex digits in either case; nil when one of them is none.
  init?(hex: UnsafeRawBufferPointer) {
    guard hex.count == Self.textCount else { return nil }
    func word(_ position: Int) -> UInt32? {
      HexDigits.number(of: hex.loadUnaligned(fromByteOffset: 8 * position, as: UInt64.self))
    }
    guard let a = word(0), let b = word(1), let c = word(2), let d = word(3), let e = word(4) else { return nil }
    words = (a, b, c, d, e)
  }

  package static func == (a: SHA1Digest, b: SHA1Digest) -> Bool { a.words == b.words }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
  }

  /// Writes the 40 digits, in lower case.
  ///
  /// - Parameter text: Room for them.
  func write(to text: UnsafeMutableRawBufferPointer) {
    func put(_ word: UInt32, _ position: Int) {
      text.storeBytes(of: HexDigits.text(of: word), toByteOffset: 8 * position, as: UInt64.self)
    }
    put(words.0, 0)
    put(words.1, 1)
    put(words.2, 2)
    put(words.3, 3)
    put(words.4, 4)
  }

  package var description: String {
    withUnsafeTemporaryAllocation(byteCount: Self.textCount, alignment: 1) { text in
      write(to: text)
      return String(decoding: text, as: UTF8.self)
    }
  }
}
