// SPDX-License-Identifier: Apache-2.0
//
// Finds a table or column by the bytes of its name, as they stand in a request, without making a `String` of them: this is done for
// every member of every row on the wire.

/// A fixed set of names, each with its position.
struct NameTable: Sendable {
  private let names: [[UInt8]]
  /// Open addressing: the position of a name plus one, or 0. Its size is a power of two, at least twice the number of names.
  private let slots: [UInt32]

  init(_ strings: [String]) {
    names = strings.map { Array($0.utf8) }
    var size = 4
    while size < 2 * names.count { size *= 2 }
    var slots = [UInt32](repeating: 0, count: size)
    for (position, name) in names.enumerated() {
      var slot = name.withUnsafeBufferPointer { Self.hash($0) } & (size - 1)
      while slots[slot] != 0 { slot = (slot + 1) & (size - 1) }
      slots[slot] = UInt32(position + 1)
    }
    self.slots = slots
  }

  func position(of name: UnsafeBufferPointer<UInt8>) -> Int? {
    var slot = Self.hash(name) & (slots.count - 1)
    while slots[slot] != 0 {
      let position = Int(slots[slot]) - 1
      if names[position].count == name.count, names[position].elementsEqual(name) { return position }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// Names come from schemas, whose authors have no reason to make them collide.
  private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt32 = 2_166_136_261
    for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
    return Int(hash ^ hash >> 15)
  }
}
