// SPDX-License-Identifier: Apache-2.0
//
// A cursor over a parsed text: what the rest of the program reads JSON through. Iteration is in
// JSONValue+Sequences.swift, printing in JSONValue+Writing.swift, equality and copies in JSONValue+Copies.swift.

/// A view of one value in a parsed text.
///
/// Two words, trivially copied. Valid only while the document or stream that it came from lives and is not fed, advanced
/// or released; keep what must live longer with `detached()`.
@frozen
@usableFromInline package struct JSONValue {
  /// The kinds of value. `integer` is every number whose exact value is an integer of 64 bits with sign, however spelt:
  /// `1.0` and `1e3` are integers.
  @frozen
  @usableFromInline package enum Kind: UInt8, Sendable {
    case null, `false`, `true`, integer, real, string, array, object
  }

  @usableFromInline let tape: UnsafePointer<JSONTape>
  @usableFromInline let index: Int

  @inlinable @inline(__always)
  init(tape: UnsafePointer<JSONTape>, index: Int) {
    self.tape = tape
    self.index = index
  }

  @inlinable @inline(__always)
  var entry: JSONTapeEntry { tape.pointee.entries[index] }

  @inlinable @inline(__always)
  package var kind: Kind {
    // Only kinds are ever stored in a tape's kind byte.
    Kind(rawValue: entry.kindByte) ?? .null
  }

  @inlinable @inline(__always)
  package var isNull: Bool { entry.kindByte == Kind.null.rawValue }

  @inlinable
  package var boolean: Bool? {
    switch entry.kindByte {
    case Kind.true.rawValue: true
    case Kind.false.rawValue: false
    default: nil
    }
  }

  /// The value of an integer, else nil.
  @inlinable
  package var integer: Int64? {
    let entry = entry
    return entry.kindByte == Kind.integer.rawValue ? Int64(bitPattern: entry.payload) : nil
  }

  /// The value of an integer or real, else nil.
  @inlinable
  package var number: Double? {
    let entry = entry
    switch entry.kindByte {
    case Kind.integer.rawValue: return Double(Int64(bitPattern: entry.payload))
    case Kind.real.rawValue: return Double(bitPattern: entry.payload)
    default: return nil
    }
  }

  /// A string's bytes with its escapes decoded, else nil. They need not be valid UTF-8; none is zero.
  @inlinable
  package var utf8: UnsafeBufferPointer<UInt8>? {
    let entry = entry
    guard entry.kindByte == Kind.string.rawValue else { return nil }
    return tape.pointee.bytes(of: entry)
  }

  /// A string's text, nil when this is no string or not valid UTF-8.
  package var string: String? {
    guard let utf8 else { return nil }
    return String(utf8: utf8)
  }

  /// Whether this is the string `text`, compared byte by byte.
  @inlinable
  package func isString(_ text: StaticString) -> Bool {
    let entry = entry
    return entry.kindByte == Kind.string.rawValue
      && isName(entry, UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// The elements of an array, the members of an object (each name once), 0 for other kinds.
  @inlinable
  package var count: Int {
    let entry = entry
    return entry.kindByte >= Kind.array.rawValue ? Int(truncatingIfNeeded: entry.payload) : 0
  }

  /// An array's element.
  ///
  /// - Returns: nil when this is no array or has no such element.
  /// - Complexity: O(index).
  @inlinable
  package subscript(index: Int) -> JSONValue? {
    guard entry.kindByte == Kind.array.rawValue, index >= 0, index < count else { return nil }
    var at = self.index &+ 1
    for _ in 0..<index { at &+= tape.pointee.entries[at].span }
    return JSONValue(tape: tape, index: at)
  }

  /// The value of an object's member, nil when this is no object or has no such member.
  ///
  /// - Complexity: O(members).
  @inlinable
  package func member(_ name: StaticString) -> JSONValue? {
    member(UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }

  /// The value of an object's member named by bytes, nil when this is no object or has no such member.
  ///
  /// - Complexity: O(members).
  @inlinable
  package func member(_ name: UnsafeBufferPointer<UInt8>) -> JSONValue? {
    let object = entry
    guard object.kindByte == Kind.object.rawValue else { return nil }
    let entries = tape.pointee.entries
    var at = index &+ 1
    let end = index &+ object.length
    while at < end {
      if isName(entries[at], name), !entries[at].isDropped { return JSONValue(tape: tape, index: at &+ 1) }
      at &+= 1 &+ entries[at &+ 1].span
    }
    return nil
  }

  /// Whether a string's entry has these bytes.
  @inlinable @inline(__always)
  func isName(_ entry: JSONTapeEntry, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    guard entry.length == name.count else { return false }
    return sameBytes(tape.pointee.bytes(of: entry), name)
  }
}

/// Whether two runs of bytes of the same count are equal.
@inlinable @inline(__always)
func sameBytes(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
  guard let leftBase = left.baseAddress, let rightBase = right.baseAddress else { return true }
  var at = 0
  let count = left.count
  while at &+ 8 <= count {
    let leftWord = UnsafeRawPointer(leftBase + at).loadUnaligned(as: UInt64.self)
    let rightWord = UnsafeRawPointer(rightBase + at).loadUnaligned(as: UInt64.self)
    if leftWord != rightWord { return false }
    at &+= 8
  }
  while at < count {
    if leftBase[at] != rightBase[at] { return false }
    at &+= 1
  }
  return true
}
