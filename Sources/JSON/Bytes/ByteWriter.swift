// SPDX-License-Identifier: Apache-2.0
//
// The buffer that all JSON is written into: replies, updates, log records. Numbers and quoted strings are in
// ByteWriter+JSON.swift.

/// A growable run of bytes with one owner.
@frozen
@usableFromInline package struct ByteWriter: ~Copyable {
  /// Invariant: the first `used` of `capacity` bytes are initialised.
  @usableFromInline var base: UnsafeMutablePointer<UInt8>
  @usableFromInline var capacity: Int
  @usableFromInline var used: Int

  /// Whether reals get the digits it takes to read the same value back, instead of 15: what is stored must not lose any,
  /// or two elements of a set may become one.
  package var writesExactReals = false

  /// Bytes written.
  @inlinable
  package var count: Int { used }

  @inlinable
  package init(capacity: Int = 0) {
    let size = Swift.max(capacity, 16)
    self.base = .allocate(capacity: size)
    self.capacity = size
    self.used = 0
  }

  @inlinable
  deinit { base.deallocate() }

  @inlinable @inline(__always)
  package mutating func append(_ byte: UInt8) {
    reserve(1)
    base[used] = byte
    used &+= 1
  }

  @inlinable @inline(__always)
  package mutating func append(_ literal: StaticString) {
    append(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  @inlinable @inline(__always)
  package mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    reserve(bytes.count)
    UnsafeMutableRawPointer(base + used).copyMemory(from: source, byteCount: bytes.count)
    used &+= bytes.count
  }

  /// Appends bytes that `fill` writes.
  ///
  /// - Parameter fill: gets memory for `count` bytes and initialises all of them.
  @inlinable @inline(__always)
  package mutating func append(count: Int, _ fill: (UnsafeMutableRawPointer) -> Void) {
    reserve(count)
    fill(UnsafeMutableRawPointer(base + used))
    used &+= count
  }

  @inlinable
  package mutating func append(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { append($0) }
  }

  @inlinable
  package mutating func append(_ other: borrowing ByteWriter) {
    append(UnsafeRawBufferPointer(start: other.base, count: other.used))
  }

  /// Appends a text's UTF-8 as it is, without quotes.
  @inlinable
  package mutating func append(utf8 text: String) {
    var text = text
    text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
  }

  /// Forgets what was written behind the first `count` bytes.
  @inlinable
  package mutating func truncate(to count: Int) {
    precondition(count >= 0 && count <= used, "truncated to more bytes than were written")
    used = count
  }

  /// Forgets all bytes.
  ///
  /// - Parameter keepingCapacity: Keep the memory for what is written next.
  @inlinable
  package mutating func removeAll(keepingCapacity: Bool = true) {
    used = 0
    guard !keepingCapacity, capacity > 16 else { return }
    base.deallocate()
    base = .allocate(capacity: 16)
    capacity = 16
  }

  /// Lends the bytes written, for the time of the call.
  @inlinable
  package func withBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(start: base, count: used))
  }

  /// A copy of the bytes.
  @inlinable
  package var bytes: [UInt8] { Array(UnsafeBufferPointer(start: base, count: used)) }

  /// The bytes as text; what is not UTF-8 is replaced by U+FFFD.
  @inlinable
  package var string: String { String(decoding: UnsafeBufferPointer(start: base, count: used), as: UTF8.self) }

  /// Makes room for `extra` more bytes.
  @inlinable @inline(__always)
  package mutating func reserve(_ extra: Int) {
    if capacity &- used < extra { grow(extra) }
  }

  @usableFromInline @inline(never)
  mutating func grow(_ extra: Int) {
    let size = Swift.max(capacity * 2, used + extra)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
    larger.update(from: base, count: used)
    base.deallocate()
    base = larger
    capacity = size
  }
}

/// A writer may move to another thread: it is the only owner of its memory, and has no part that is shared.
extension ByteWriter: @unchecked Sendable {}
