// SPDX-License-Identifier: Apache-2.0
//
// Comparing values, and keeping them beyond the life of the text that they came in.

extension JSONValue {
  /// Whether both are the same JSON: the order of members is of no account, `1` and `1.0` are the same number.
  ///
  /// - Complexity: O(n) while both have their members in the same order, else O(n m) for objects of m members, but
  ///   O(n log m) for objects of more than 16.
  package func isEqual(to other: JSONValue) -> Bool {
    let mine = entry
    let theirs = other.entry
    guard mine.kindByte == theirs.kindByte else { return false }
    switch kind {
    case .null, .false, .true: return true
    case .integer: return mine.payload == theirs.payload
    case .real: return Double(bitPattern: mine.payload) == Double(bitPattern: theirs.payload)
    case .string: return isName(mine, other.tape.pointee.bytes(of: theirs))
    case .array:
      guard mine.payload == theirs.payload else { return false }
      return zip(elements, other.elements).allSatisfy { $0.isEqual(to: $1) }
    case .object:
      guard mine.payload == theirs.payload else { return false }
      return hasSameMembers(as: other)
    }
  }

  private func hasSameMembers(as other: JSONValue) -> Bool {
    if count > 16 {
      return zip(sortedMembers(), other.sortedMembers()).allSatisfy {
        $0.name.isEqual(to: $1.name) && $0.value.isEqual(to: $1.value)
      }
    }
    var theirs = other.members
    for (name, value) in members {
      // Most often both were written by the same program and come in the same order.
      if let (theirName, theirValue) = theirs.next(), name.isEqual(to: theirName) {
        guard value.isEqual(to: theirValue) else { return false }
        continue
      }
      guard let theirValue = other.member(tape.pointee.bytes(of: name.entry)), value.isEqual(to: theirValue) else {
        return false
      }
    }
    return true
  }

  /// Values in it, names of members and itself included.
  package var valueCount: Int { entry.span }

  /// The memory of a deep copy, in bytes.
  package var detachedSize: Int {
    let source = tape.pointee.entries + index
    let span = entry.span
    return (0..<span).reduce(span * MemoryLayout<JSONTapeEntry>.stride) { size, at in
      size + (source[at].kindByte == Kind.string.rawValue ? source[at].length : 0)
    }
  }

  /// A deep copy that owns its memory, no larger than it needs.
  package func detached() -> JSONDocument {
    let span = entry.span
    let source = tape.pointee.entries + index
    var size = 0
    for at in 0..<span where source[at].kindByte == Kind.string.rawValue { size += source[at].length }
    var builder = JSONTapeBuilder(entries: span, bytes: size)
    for at in 0..<span {
      if source[at].kindByte == Kind.string.rawValue {
        builder.appendString(tape.pointee.bytes(of: source[at]), flags: source[at].meta & JSONTapeEntry.droppedFlag)
      } else {
        builder.append(source[at])
      }
    }
    return JSONDocument(builder)
  }
}
