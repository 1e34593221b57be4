// SPDX-License-Identifier: Apache-2.0
//
// Walking through the elements of an array and the members of an object, in the order of the text.

/// The elements of an array; empty for any other kind of value.
@frozen
@usableFromInline package struct JSONElements: Sequence, IteratorProtocol {
  @usableFromInline let tape: UnsafePointer<JSONTape>
  @usableFromInline var at: Int
  @usableFromInline let end: Int

  @inlinable @inline(__always)
  init(tape: UnsafePointer<JSONTape>, from at: Int, to end: Int) {
    self.tape = tape
    self.at = at
    self.end = end
  }

  @inlinable @inline(__always)
  package mutating func next() -> JSONValue? {
    guard at < end else { return nil }
    let value = JSONValue(tape: tape, index: at)
    at &+= tape.pointee.entries[at].span
    return value
  }
}

/// The members of an object, each name once; empty for any other kind of value.
@frozen
@usableFromInline package struct JSONMembers: Sequence, IteratorProtocol {
  @usableFromInline let tape: UnsafePointer<JSONTape>
  @usableFromInline var at: Int
  @usableFromInline let end: Int

  @inlinable @inline(__always)
  init(tape: UnsafePointer<JSONTape>, from at: Int, to end: Int) {
    self.tape = tape
    self.at = at
    self.end = end
  }

  @inlinable @inline(__always)
  package mutating func next() -> (name: JSONValue, value: JSONValue)? {
    guard at < end else { return nil }
    while tape.pointee.entries[at].isDropped { at &+= 1 &+ tape.pointee.entries[at &+ 1].span }
    let name = at
    at &+= 1 &+ tape.pointee.entries[at &+ 1].span
    return (JSONValue(tape: tape, index: name), JSONValue(tape: tape, index: name &+ 1))
  }
}

extension JSONValue {
  @inlinable @inline(__always)
  package var elements: JSONElements {
    let entry = entry
    let span = entry.kindByte == Kind.array.rawValue ? entry.length : 1
    return JSONElements(tape: tape, from: index &+ 1, to: index &+ span)
  }

  /// The members, names as string values.
  @inlinable @inline(__always)
  package var members: JSONMembers {
    let entry = entry
    let span = entry.kindByte == Kind.object.rawValue ? entry.length : 1
    return JSONMembers(tape: tape, from: index &+ 1, to: index &+ span)
  }
}
