// SPDX-License-Identifier: Apache-2.0
//
// The hash of records against swift-crypto's, by the processor's instructions and without them.

import CSHA1
import Crypto
import TestSupport
import Testing

@testable import Journal

@Suite struct SHA1Tests {
  private func expected(_ bytes: [UInt8]) -> String {
    Insecure.SHA1.hash(data: bytes).map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }

  /// FIPS 180-4's examples.
  @Test(arguments: [
    ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"),
    ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
  ])
  func knownTextsHaveTheirHashes(_ text: String, _ hash: String) {
    #expect(Array(text.utf8).withUnsafeBytes { SHA1Digest(of: $0).description } == hash)
  }

  @Test func bytesOfEveryLengthInAnyPiecesHaveTheSameHash() {
    var random = SeededRandom(seed: 11)
    let source = (0..<700).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    for count in 0...source.count {
      let bytes = Array(source[..<count])
      var pieces = SHA1Function()
      var portable = csha1_begin()
      bytes.withUnsafeBytes { bytes in
        var at = 0
        while at < count {
          let next = min(count, at + random.below(140))
          pieces.update(UnsafeRawBufferPointer(rebasing: bytes[at..<next]))
          at = next
        }
        csha1_update_portably(&portable, bytes.baseAddress, count)
      }
      var words: [UInt32] = [0, 0, 0, 0, 0]
      csha1_finish(&portable, &words)
      #expect(SHA1Digest(pieces).description == expected(bytes))
      #expect(SHA1Digest(hex: Array(expected(bytes).utf8)) == SHA1Digest(words))
    }
  }

  @Test func largeDataHaveTheSameHash() {
    let bytes = (0..<3_000_001).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    #expect(bytes.withUnsafeBytes { SHA1Digest(of: $0).description } == expected(bytes))
  }

  /// A hash goes on after a copy of it was finished.
  @Test func copiesAreIndependent() {
    var hasher = RecordHasher()
    [1, 2, 3].withUnsafeBytes { hasher.update($0) }
    let first = hasher.header()
    #expect(hasher.header() == first)
    [4].withUnsafeBytes { hasher.update($0) }
    #expect(hasher.header() != first)
  }
}

extension SHA1Digest {
  fileprivate init?(hex: [UInt8]) {
    guard let digest = hex.withUnsafeBytes({ SHA1Digest(hex: $0) }) else { return nil }
    self = digest
  }

  fileprivate init?(_ words: [UInt32]) {
    let text = words.map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 8 - digits.count) + digits
    }.joined()
    self.init(hex: Array(text.utf8))
  }
}
