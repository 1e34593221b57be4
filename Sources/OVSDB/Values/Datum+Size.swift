// SPDX-License-Identifier: Apache-2.0
//
// What values take in memory: the unit in which everything is bounded that holds rows. A count of rows or atoms bounds nothing, as one
// string may have any length.

/// Sizes of allocations.
package enum Allocation {
  /// What malloc(3) of glibc takes for `size` bytes: 8 of its own, in steps of 16, at least 32.
  @inlinable package static func bytes(_ size: Int) -> Int { Swift.max(32, (size &+ 23) & ~15) }

  /// The header of an object of the Swift runtime.
  package static let objectHeader = 16
  /// An array's header, with its count and capacity; that of a string is as long.
  @usableFromInline static let arrayHeader = 32
  /// Strings up to this length in UTF-8 need no allocation.
  @usableFromInline static let inlineStringMax = 15
}

extension Text {
  /// Bytes of the string's allocation; 0 when it is short.
  package var heapBytes: Int {
    let count = string.utf8.count
    return count <= Allocation.inlineStringMax ? 0 : Allocation.bytes(Allocation.arrayHeader &+ count &+ 1)
  }
}

extension AtomArray {
  /// Bytes of the array's allocation, and of those of its strings.
  package var heapBytes: Int {
    func array<E>(_ elements: [E]) -> Int {
      elements.isEmpty ? 0 : Allocation.bytes(Allocation.arrayHeader + elements.count * MemoryLayout<E>.stride)
    }
    switch self {
    case .integers(let elements): return array(elements)
    case .reals(let elements): return array(elements)
    case .booleans(let elements): return array(elements)
    case .uuids(let elements): return array(elements)
    case .strings(let elements): return elements.reduce(array(elements)) { $0 + $1.heapBytes }
    }
  }
}

extension Datum {
  /// Bytes of the allocations that the value refers to, beside the datum itself. Equal values have equal sizes: capacity that an array
  /// does not use is not counted.
  package var heapBytes: Int {
    switch self {
    case .empty, .integer, .real, .boolean, .uuid: 0
    case .string(let text): text.heapBytes
    case .set(let atoms): atoms.heapBytes
    case .map(let pairs): pairs.keys.heapBytes + pairs.values.heapBytes
    }
  }
}
