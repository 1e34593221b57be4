// SPDX-License-Identifier: Apache-2.0
//
// The decoder of the wire: one pass over the bytes of a text, onto a tape. No recursion: open containers are linked
// through their own entries on the tape. It can stop at any byte and go on when more bytes are there.
// Strings, numbers and keywords are in JSONParser+Tokens.swift, the end of objects in JSONParser+Members.swift, errors
// in JSONParser+Errors.swift. Owned by JSONStream for its life, by JSONDocument while it parses.
//
// Invariants:
// (1) The byte at `count` and the `paddingSize` bytes from it on are readable and zero. No token contains a zero byte,
//     so scanners stop there without comparing positions; whoever sees a stop compares once.
// (2) While a container is open its entry holds, for the innermost, its parent's index as payload; for the others
//     also the count of their values so far, as length. Closing it writes span and count.

/// State of the parser of one text, kept between the pieces of that text.
struct JSONParser: ~Copyable {
  /// What the grammar allows next: any value up to `memberValue`, containers up to `begin`.
  enum Expected: UInt8 {
    case elementOrEnd, element, memberValue, begin
    case nameOrEnd, name, colon, commaInArray, commaInObject, end
  }

  /// The token that the bytes ended in, so that scanning goes on from where it stopped.
  enum Pending: UInt8 {
    case none, string, number, keyword
  }

  /// Zero bytes needed behind the text.
  static let paddingSize = 16

  var tape = JSONBuffer<JSONTapeEntry>()
  var side = JSONBuffer<UInt8>()
  /// Bytes of the text that were consumed, not counting a token that is not complete.
  private(set) var position = 0
  private(set) var expected = Expected.begin
  private var pending = Pending.none
  /// Where to go on inside the pending token, which begins at `position`.
  private var scanned = 0
  /// Whether the pending string has an escape before `scanned`.
  private var hasEscape = false
  /// Where the outermost container begins.
  private(set) var first = 0
  /// The innermost open container, -1 when there is none.
  private var container = -1
  private var depth = 0
  /// Values in the innermost container so far.
  private var valueCount = 0
  /// Why this text failed; nothing but `reset()` helps then.
  var failure: JSONSyntaxError?
  /// Position of the text's first byte, when white space before it was dropped; counts from the end of the last text.
  var origin = (line: 0, column: 0, byte: 0)
  /// Whether the names in very large objects are left to be compared by `settle`, and the objects that were.
  var defersLargeObjects = false
  var deferred: [Int] = []
  private let isDocument: Bool
  private let anyValue: Bool

  /// - Parameters:
  ///   - isDocument: The text is the whole input, so that only white space may follow; else parsing stops at its end.
  ///   - anyValue: The text may be a string, number or keyword.
  init(isDocument: Bool, anyValue: Bool) {
    self.isDocument = isDocument
    self.anyValue = anyValue
  }

  deinit {
    tape.deallocate()
    side.deallocate()
  }

  /// Bytes of the text that were looked at, from the first that is no white space.
  var scannedSize: Int {
    if expected == .begin, pending == .none { return 0 }
    return max(position, pending == .none ? 0 : scanned) - first
  }

  /// Makes ready for another text; the tape's memory is used again.
  mutating func reset() {
    position = 0
    first = 0
    expected = .begin
    pending = .none
    container = -1
    depth = 0
    failure = nil
    origin = (0, 0, 0)
  }

  /// Lets go of buffers that grew large. What was parsed is gone.
  mutating func giveBackMemory() {
    if tape.capacity * MemoryLayout<JSONTapeEntry>.stride > JSONLimits.retainedBytesMax {
      tape.deallocate()
      tape = JSONBuffer()
    }
    if side.capacity > JSONLimits.retainedBytesMax {
      side.deallocate()
      side = JSONBuffer()
    }
  }

  /// Hands the tape and the side buffer to a new owner.
  mutating func takeBuffers() -> (entries: UnsafeMutablePointer<JSONTapeEntry>, side: UnsafeMutablePointer<UInt8>) {
    let taken = (tape.base, side.base)
    tape = JSONBuffer()
    side = JSONBuffer()
    return taken
  }

  /// Whether the tape can take whatever the text up to `end` holds: each byte makes one entry at most. A tape that is not large grows
  /// as it must.
  ///
  /// - Returns: false when there is no memory for it.
  @inline(__always)
  mutating func hasRoom(upTo end: Int) -> Bool {
    if tape.capacity < Self.largeTapeMin || tape.capacity - tape.count > end - position { return true }
    return tape.tryGrow(by: end - position + 1)
  }

  /// Entries from which on a tape is not grown without asking: a megabyte.
  private static let largeTapeMin = 1 << 16

  /// Drops the white space before the text when nothing of the text itself is there yet.
  ///
  /// - Returns: The bytes dropped; the text is to be given without them from now on.
  mutating func skipLeadingSpace(_ input: UnsafePointer<UInt8>) -> Int {
    guard expected == .begin, pending == .none, position > 0 else { return 0 }
    let skipped = position
    origin = place(input, at: skipped)
    position = 0
    return skipped
  }

  /// Parses one whole text.
  ///
  /// - Parameter input: `count` bytes, one more that may be overwritten, and the padding.
  mutating func parseDocument(_ input: UnsafeMutablePointer<UInt8>, count: Int) throws(JSONSyntaxError) {
    var count = count
    if try advance(input, count: count) { return }
    if pending == .number || pending == .keyword {
      // Only the byte after them ends such tokens.
      input[count] = UInt8(ascii: " ")
      count += 1
      if try advance(input, count: count) { return }
    }
    if pending == .string { throw fail(input, at: count, "unexpected end of input in quoted string") }
    throw fail(input, at: count, expected == .begin ? "empty input stream" : "unexpected end of input")
  }

  /// Parses on.
  ///
  /// - Parameters:
  ///   - input: The text from its first byte on, also the bytes given before; it may have moved since.
  ///   - count: Bytes there are.
  /// - Returns: Whether the text is complete, its end being `position`. When not, all `count` bytes were looked at.
  /// - Throws: At the byte that cannot be, in the peer's words and with its idea of the place.
  mutating func advance(_ input: UnsafePointer<UInt8>, count: Int) throws(JSONSyntaxError) -> Bool {
    if let failure { throw failure }
    // Locals, so that the loop runs in registers: the compiler must assume that tape writes may alias our fields.
    // Nothing called from here may take them by address, or they go to memory after all.
    var tape = self.tape
    var at = position
    var expected = self.expected
    var container = self.container
    var valueCount = self.valueCount
    if expected == .begin {
      tape.count = 0
      side.count = 0
    }
    defer {
      self.tape = tape
      self.position = at
      self.expected = expected
      self.container = container
      self.valueCount = valueCount
    }

    while true {
      var entry = JSONTapeEntry(.null)
      let byte = input[at]
      if pending == .none {
        switch byte {
        case UInt8(ascii: "\""):
          let stop = JSONScanner.stringStop(input, at &+ 1)
          if input[stop] == UInt8(ascii: "\"") {
            entry = JSONTapeEntry(.string, length: stop &- at &- 1, payload: UInt64(truncatingIfNeeded: at &+ 1))
            at = stop &+ 1
          } else {
            // An escape, the end of the bytes, or an error.
            pending = .string
            scanned = stop
            hasEscape = false
          }

        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
          let (integer, end) = JSONScanner.shortInteger(input, at)
          if end > 0, end < count {
            entry = JSONTapeEntry(.integer, payload: UInt64(bitPattern: integer))
            at = end
          } else {
            pending = .number
            scanned = at
          }

        case UInt8(ascii: "a")...UInt8(ascii: "z"):
          let (kind, end) = JSONScanner.shortKeyword(input, at)
          if end > 0, end < count {
            entry = JSONTapeEntry(kind)
            at = end
          } else {
            pending = .keyword
            scanned = at
          }

        case UInt8(ascii: "{"), UInt8(ascii: "["):
          guard expected.rawValue <= Expected.begin.rawValue else { throw unexpected(input, at: at, expected) }
          guard depth < JSONLimits.depthMax else { throw tooDeep(input, at: at) }
          depth &+= 1
          if container >= 0 { tape.base[container].setLength(valueCount) } else { first = at }
          let isObject = byte == UInt8(ascii: "{")
          let opened = JSONTapeEntry(isObject ? .object : .array, payload: UInt64(bitPattern: Int64(container)))
          container = tape.count
          valueCount = 0
          tape.append(opened)
          expected = isObject ? .nameOrEnd : .elementOrEnd
          at &+= 1
          continue

        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          if byte == UInt8(ascii: "}") {
            guard expected == .commaInObject || expected == .nameOrEnd else { throw unexpected(input, at: at, expected) }
            if valueCount > 1 { valueCount = dropDuplicates(tape.base, object: container, count: valueCount, input) }
          } else {
            guard expected == .commaInArray || expected == .elementOrEnd else {
              throw unexpected(input, at: at, expected)
            }
          }
          let parent = Int(truncatingIfNeeded: tape.base[container].payload)
          tape.base[container].setLength(tape.count &- container)
          tape.base[container].payload = UInt64(truncatingIfNeeded: valueCount)
          container = parent
          depth &-= 1
          at &+= 1
          if parent < 0 {
            expected = .end
            if isDocument { continue }
            return true
          }
          valueCount = tape.base[parent].length &+ 1
          expected = tape.base[parent].kindByte == JSONValue.Kind.object.rawValue ? .commaInObject : .commaInArray
          takeComma(input, count, &at, &expected)
          continue

        case UInt8(ascii: ","):
          switch expected {
          case .commaInArray: expected = .element
          case .commaInObject: expected = .name
          default: throw unexpected(input, at: at, expected)
          }
          at &+= 1
          continue

        case UInt8(ascii: ":"):
          guard expected == .colon else { throw unexpected(input, at: at, expected) }
          expected = .memberValue
          at &+= 1
          continue

        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
          at &+= 1
          continue

        default:
          guard byte == 0, at == count else { throw invalidCharacter(input, at: at) }
          return isDocument && expected == .end
        }
      }

      // A string, number or keyword.
      if pending != .none {
        guard let slow = try slowToken(input, from: at, count: count) else { return false }
        entry = slow
        at = scanned
      }
      let isString = entry.kindByte == JSONValue.Kind.string.rawValue
      if expected.rawValue <= Expected.memberValue.rawValue {
        tape.append(entry)
        valueCount &+= 1
        expected = expected == .memberValue ? .commaInObject : .commaInArray
        takeComma(input, count, &at, &expected)
      } else if isString, expected == .name || expected == .nameOrEnd {
        tape.append(entry)
        expected = .colon
        if input[at] == UInt8(ascii: ":"), at < count {
          at &+= 1
          expected = .memberValue
        }
      } else if expected == .begin, anyValue {
        tape.append(entry)
        expected = .end
      } else {
        // A string is judged at its closing quote, other tokens at the byte behind them.
        throw unexpected(input, at: isString ? at - 1 : at, expected)
      }
    }
  }

  /// Takes the comma that nearly always follows a value at once; any other byte is left to the loop.
  @inline(__always)
  private func takeComma(
    _ input: UnsafePointer<UInt8>, _ count: Int, _ at: inout Int, _ expected: inout Expected
  ) {
    guard input[at] == UInt8(ascii: ","), at < count else { return }
    at &+= 1
    expected = expected == .commaInObject ? .name : .element
  }

  /// Scans on in the pending token.
  ///
  /// - Parameter start: The token's first byte.
  /// - Returns: The token's entry, `scanned` being its end; nil when the bytes end first.
  @inline(never)
  private mutating func slowToken(
    _ input: UnsafePointer<UInt8>, from start: Int, count: Int
  ) throws(JSONSyntaxError) -> JSONTapeEntry? {
    switch pending {
    case .none: return nil
    case .string:
      guard try scanString(input, count: count) else { return nil }
      pending = .none
      let entry = JSONTapeEntry(
        .string, length: scanned - start - 1, payload: UInt64(truncatingIfNeeded: start + 1))
      scanned += 1
      return hasEscape ? try decodeString(input, from: start + 1, to: scanned - 1) : entry
    case .number:
      scanned = JSONScanner.numberEnd(input, scanned)
      guard scanned < count else { return nil }
      pending = .none
      return try number(input, from: start, to: scanned)
    case .keyword:
      scanned = JSONScanner.keywordEnd(input, scanned)
      guard scanned < count else { return nil }
      pending = .none
      return try keyword(input, from: start, to: scanned)
    }
  }

  /// Scans on to the closing quote.
  ///
  /// - Returns: Whether it is there, at `scanned`.
  private mutating func scanString(_ input: UnsafePointer<UInt8>, count: Int) throws(JSONSyntaxError) -> Bool {
    while true {
      scanned = JSONScanner.stringStop(input, scanned)
      let byte = input[scanned]
      if byte == UInt8(ascii: "\"") { return true }
      if scanned >= count { return false }
      guard byte == UInt8(ascii: "\\") else {
        throw fail(input, at: scanned, "U+\(hex(byte, uppercase: true)) must be escaped in quoted string")
      }
      // Whatever follows the backslash belongs to the escape; it is judged when the string is decoded.
      if scanned + 1 >= count { return false }
      hasEscape = true
      scanned += 2
    }
  }
}
