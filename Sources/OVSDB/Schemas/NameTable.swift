// SPDX-License-Identifier: Apache-2.0
//
// Finds a table or column by the bytes of its name, as they stand in a request, without making a `String` of them: this is done for
// every member of every row on the wire.

import Glibc

/// A fixed set of names, each with its position.
struct NameTable: Sendable {
  /// All names, one behind the other, and where each ends.
  private let bytes: [UInt8]
  private let ends: [Int]
  /// Open addressing: the position of a name plus one, or 0. Its size is a power of two, at least twice the number of names.
  private let slots: [UInt32]

  init(_ strings: [String]) {
    var bytes: [UInt8] = []
    var ends: [Int] = []
    var size = 4
    while size < 2 * strings.count { size *= 2 }
    var slots = [UInt32](repeating: 0, count: size)
    for (position, string) in strings.enumerated() {
      let name = Array(string.utf8)
      bytes += name
      ends.append(bytes.count)
      var slot = name.withUnsafeBufferPointer { Self.hash($0) } & (size - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (size - 1) }
      slots[slot] = UInt32(position + 1)
    }
    self.bytes = bytes
    self.ends = ends
    self.slots = slots
  }

  func position(of name: UnsafeBufferPointer<UInt8>) -> Int? {
    var slot = Self.hash(name) & (slots.count - 1)
    while slots[slot] != 0 {
      let position = Int(slots[slot]) - 1
      if isName(name, at: position) { return position }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  @inline(__always)
  private func isName(_ name: UnsafeBufferPointer<UInt8>, at position: Int) -> Bool {
    let start = position == 0 ? 0 : ends[position - 1]
    guard ends[position] - start == name.count else { return false }
    return bytes.withUnsafeBufferPointer { known in
      guard let known = known.baseAddress, let name = name.baseAddress else { return true }
      return memcmp(known + start, name, ends[position] - start) == 0
    }
  }

  /// Names come from schemas, whose authors have no reason to make them collide.
  private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt32 = 2_166_136_261
    for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return Int(hash ^ hash >> 15)
  }
}
