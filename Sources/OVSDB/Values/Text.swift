// SPDX-License-Identifier: Apache-2.0
//
// The string of the data model. Swift's own `==` calls composed and decomposed letters equal and would merge two keys that
// the protocol holds apart, so this one compares, orders and hashes the UTF-8 bytes.

import Glibc

/// A string value: valid UTF-8 without NUL, compared byte by byte.
@frozen package struct Text: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let string: String

  @inlinable package init(_ string: String) { self.string = string }

  /// Source: schema-independent default of a string column, RFC 7047 §5.2.1.
  package static let empty = Text("")

  package var description: String { string }

  package static func == (a: Text, b: Text) -> Bool {
    let count = a.string.utf8.count
    guard count == b.string.utf8.count else { return false }
    return compareBytes(a, b, count) == 0
  }

  package static func < (a: Text, b: Text) -> Bool {
    let (countA, countB) = (a.string.utf8.count, b.string.utf8.count)
    let order = compareBytes(a, b, Swift.min(countA, countB))
    return order != 0 ? order < 0 : countA < countB
  }

  package func hash(into hasher: inout Hasher) {
    withBytes { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    hasher.combine(0xff as UInt8)
  }

  /// Lends the UTF-8 bytes.
  @inlinable package func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
    if let result = string.utf8.withContiguousStorageIfAvailable(body) { return result }
    var copy = string
    return copy.withUTF8(body)
  }

  private static func compareBytes(_ a: Text, _ b: Text, _ count: Int) -> Int32 {
    a.withBytes { bytesA in
      b.withBytes { bytesB in
        guard count > 0, let baseA = bytesA.baseAddress, let baseB = bytesB.baseAddress else { return 0 }
        return memcmp(baseA, baseB, count)
      }
    }
  }
}
