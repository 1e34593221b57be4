// SPDX-License-Identifier: Apache-2.0
//
// The flat form of a parsed text: one 16-byte entry for each value and each member name, in the order of the text.
// Written by JSONParser and JSONTapeBuilder, read through JSONValue.
//
// Invariants:
// (1) A container's entries follow it directly: an array's elements; an object's members as name, value, name, value.
// (2) `span` of a container counts its own entry and all entries inside; the next sibling is `span` entries on.
// (3) Names within an object differ, but for those marked as dropped, which iteration skips with their values. The last
//     member of an object is never dropped.
// (4) A string's range lies inside the input or, when it held escapes, inside the side buffer of decoded bytes.

import Glibc

/// One value on the tape.
///
/// Layout: `meta` has the kind in bits 0-7, flags in bits 8 and 9 and a length in bits 16-63: a string's size
/// in bytes, a container's span in entries. `payload` has an integer's value, a real's bits, a string's offset, or a
/// container's count of elements or members.
@frozen @usableFromInline
struct JSONTapeEntry {
  @usableFromInline var meta: UInt64
  @usableFromInline var payload: UInt64

  @inlinable @inline(__always)
  init(meta: UInt64, payload: UInt64) {
    self.meta = meta
    self.payload = payload
  }

  @inlinable @inline(__always)
  init(_ kind: JSONValue.Kind, length: Int = 0, payload: UInt64 = 0) {
    self.meta = UInt64(kind.rawValue) | UInt64(truncatingIfNeeded: length) &<< 16
    self.payload = payload
  }

  /// The flag of a string whose bytes stand in the side buffer.
  @inlinable @inline(__always)
  static var decodedFlag: UInt64 { 1 &<< 8 }

  /// The flag of a name that comes again later in its object.
  @inlinable @inline(__always)
  static var droppedFlag: UInt64 { 1 &<< 9 }

  @inlinable @inline(__always)
  var isDropped: Bool { meta & Self.droppedFlag != 0 }

  @inlinable @inline(__always)
  var kindByte: UInt8 { UInt8(truncatingIfNeeded: meta) }

  @inlinable @inline(__always)
  var isDecoded: Bool { meta & Self.decodedFlag != 0 }

  @inlinable @inline(__always)
  var length: Int { Int(truncatingIfNeeded: meta &>> 16) }

  @inline(__always)
  mutating func setLength(_ length: Int) { meta = meta & 0xffff | UInt64(truncatingIfNeeded: length) &<< 16 }

  /// Entries from this one to its next sibling.
  @inlinable @inline(__always)
  var span: Int { kindByte >= JSONValue.Kind.array.rawValue ? length : 1 }
}

/// Where the parts of one parsed text are in memory; `JSONValue` points to it.
@frozen @usableFromInline
struct JSONTape {
  /// The first byte of the text.
  @usableFromInline var input: UnsafePointer<UInt8>
  /// Strings that held escapes, decoded.
  @usableFromInline var side: UnsafePointer<UInt8>
  @usableFromInline var entries: UnsafePointer<JSONTapeEntry>

  @inlinable
  init(input: UnsafePointer<UInt8>, side: UnsafePointer<UInt8>, entries: UnsafePointer<JSONTapeEntry>) {
    self.input = input
    self.side = side
    self.entries = entries
  }

  /// The bytes of the string at an entry.
  @inlinable @inline(__always)
  func bytes(of entry: JSONTapeEntry) -> UnsafeBufferPointer<UInt8> {
    let base = entry.isDecoded ? side : input
    return UnsafeBufferPointer(start: base + Int(truncatingIfNeeded: entry.payload), count: entry.length)
  }
}

/// A growing run of plain values in memory of its own; the tape and the side buffer are two of them.
///
/// A value type on purpose: the parser works on a copy in registers and stores it back when it pauses, so it must be
/// freed by hand, by the one owner.
///
/// The memory is the C library's: its `realloc` moves what is large by changing page tables. To copy a message of some hundred
/// megabytes each time it outgrows its buffer would hold up whoever shares the thread. Where there is no memory for it, a text can be
/// refused (`tryGrow`).
struct JSONBuffer<Element: BitwiseCopyable> {
  var base: UnsafeMutablePointer<Element>
  var count: Int
  var capacity: Int

  init(capacity: Int = 0) {
    self.capacity = max(capacity, 1)
    guard let memory = malloc(self.capacity * MemoryLayout<Element>.stride) else { preconditionFailure("out of memory") }
    self.base = memory.bindMemory(to: Element.self, capacity: self.capacity)
    self.count = 0
  }

  /// Makes room for `extra` more elements.
  ///
  /// - Returns: whether there was memory for them; if not the buffer is as it was.
  mutating func tryGrow(by extra: Int) -> Bool {
    // What is large already grows by a quarter, so that less of it stays unused.
    let growth = capacity * MemoryLayout<Element>.stride > 64 << 20 ? capacity / 4 : capacity
    let needed = max(count + extra, capacity + growth, 64)
    guard let memory = realloc(base, needed * MemoryLayout<Element>.stride) else { return false }
    base = memory.bindMemory(to: Element.self, capacity: needed)
    capacity = needed
    return true
  }

  /// This buffer with room for `extra` more elements; its old memory is gone. For what is small, or was made sure of before.
  @inline(never)
  consuming func grown(by extra: Int) -> JSONBuffer {
    var larger = self
    precondition(larger.tryGrow(by: extra), "out of memory")
    return larger
  }

  /// Gives the memory back. The buffer, and whatever points into it, is not to be used again.
  func deallocate() { free(base) }

  @inline(__always)
  mutating func append(_ element: Element) {
    if count == capacity { self = grown(by: 1) }
    base[count] = element
    count &+= 1
  }
}
