// SPDX-License-Identifier: Apache-2.0
//
// Keeps the names in an object apart (invariant (3) of JSONTape.swift): of members with the same name the last one
// stays, as with the peer. Runs at the end of each object, so it must cost next to nothing when there is no duplicate.

extension JSONParser {
  /// Objects of more members than this are checked with a hash table.
  private static var pairwiseMax: Int { 16 }

  /// Objects of more members than this may be checked later (`JSONStream.defersLargeObjects`): a million take a third of a second.
  static var deferredMin: Int { 10_000 }

  /// Marks members whose name comes again later as dropped.
  ///
  /// They stay on the tape as holes that iteration skips. Closing the gaps instead would move what follows, again at
  /// each level, which lets a thousand nested objects of two members each cost a thousand times their size.
  ///
  /// - Parameters:
  ///   - entries: The tape.
  ///   - count: The members there are.
  /// - Returns: The members left.
  /// - Complexity: O(members), for any choice of names: the table's hash has a random seed.
  @inline(never)
  mutating func dropDuplicates(
    _ entries: UnsafeMutablePointer<JSONTapeEntry>, object: Int, count: Int, _ input: UnsafePointer<UInt8>
  ) -> Int {
    let tape = JSONTape(input: input, side: side.base, entries: entries)
    if count <= Self.pairwiseMax, !Self.hasDuplicate(tape, object: object, count: count) { return count }
    if defersLargeObjects, count > Self.deferredMin {
      deferred.append(object)
      return count
    }
    return Self.dropDuplicates(tape, entries, object: object, count: count)
  }

  /// Does what was deferred: the objects on the tape have all their members until then.
  static func settle(_ deferred: [Int], _ tape: JSONTape, _ entries: UnsafeMutablePointer<JSONTapeEntry>) {
    for object in deferred {
      let left = dropDuplicates(tape, entries, object: object, count: Int(truncatingIfNeeded: entries[object].payload))
      entries[object].payload = UInt64(left)
    }
  }

  private static func dropDuplicates(
    _ tape: JSONTape, _ entries: UnsafeMutablePointer<JSONTapeEntry>, object: Int, count: Int
  ) -> Int {
    var table = JSONNameTable(tape: tape, count: count)
    var left = count
    var at = object + 1
    for _ in 0..<count {
      if let earlier = table.replace(at) {
        entries[earlier].meta |= JSONTapeEntry.droppedFlag
        left -= 1
      }
      at += 1 + entries[at + 1].span
    }
    return left
  }

  /// Compares each name with those before it, but only when a filter of 64 bits has seen its like.
  @inline(__always)
  private static func hasDuplicate(_ tape: JSONTape, object: Int, count: Int) -> Bool {
    var seen: UInt64 = 0
    var at = object &+ 1
    for _ in 0..<count {
      let name = tape.entries[at]
      let bit = filterBit(tape.bytes(of: name))
      if seen & bit != 0 {
        var earlier = object &+ 1
        while earlier < at {
          if tape.entries[earlier].length == name.length,
            sameBytes(tape.bytes(of: tape.entries[earlier]), tape.bytes(of: name))
          {
            return true
          }
          earlier &+= 1 &+ tape.entries[earlier &+ 1].span
        }
      }
      seen |= bit
      at &+= 1 &+ tape.entries[at &+ 1].span
    }
    return false
  }

  /// One of 64 bits, chosen by a name's length, first and last byte.
  @inline(__always)
  private static func filterBit(_ name: UnsafeBufferPointer<UInt8>) -> UInt64 {
    guard let base = name.baseAddress, name.count > 0 else { return 1 }
    let mix = UInt64(base[0]) &* 7 &+ UInt64(base[name.count &- 1]) &* 13 &+ UInt64(truncatingIfNeeded: name.count)
    return 1 &<< (mix & 63)
  }
}

/// A hash table of places of names on a tape.
private struct JSONNameTable {
  let tape: JSONTape
  /// Places of name entries, 0 for a free slot (place 0 is always the text's container). At least half are free.
  var slots: [Int]

  init(tape: JSONTape, count: Int) {
    self.tape = tape
    var size = 64
    while size < count * 2 { size *= 2 }
    slots = [Int](repeating: 0, count: size)
  }

  /// Puts the name at `place` in.
  ///
  /// - Returns: The place of the equal name that it replaced, nil when there was none.
  mutating func replace(_ place: Int) -> Int? {
    let name = tape.bytes(of: tape.entries[place])
    var hasher = Hasher()
    hasher.combine(bytes: UnsafeRawBufferPointer(name))
    let mask = slots.count - 1
    var slot = hasher.finalize() & mask
    while slots[slot] != 0 {
      let other = slots[slot]
      let bytes = tape.bytes(of: tape.entries[other])
      if bytes.count == name.count, sameBytes(bytes, name) {
        slots[slot] = place
        return other
      }
      slot = (slot + 1) & mask
    }
    slots[slot] = place
    return nil
  }
}
