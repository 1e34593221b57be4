// SPDX-License-Identifier: Apache-2.0
//
// Finds the messages in what a server sends and judges them without parsing: the load generator must be faster than
// what it measures. `Connection` feeds it.

/// What the scanner saw in one complete message. Each count means what it says only for the message it names; in others
/// it counts whatever lies at the same depth.
package struct MessageSummary: Equatable {
  /// The `error` of a reply is not null, or the result of an operation in a reply to `transact` has a member `error`.
  package var isError = false
  /// The first eight bytes of the method's name, as `MessageScanner.word` packs them; 0 for a reply.
  package var method: UInt64 = 0
  /// Rows in the reply to `monitor` or `monitor_cond`.
  package var initialRows = 0
  /// Rows in an `update`, `update2` or `update3`.
  package var changedRows = 0
  /// Rows in the reply to a `transact` with select operations.
  package var selectedRows = 0
}

/// Splits a stream of JSON objects at their ends and counts what lies at known depths.
///
/// The depth of a position is the number of objects and arrays that are open there. The forms that matter:
///
///     {"id":1,"error":null,"result":[{"rows":[{ROW},...]}]}            a row of a select opens depth 5
///     {"id":1,"error":null,"result":[{"uuid":...},{"error":...}]}      an operation's error is a key at depth 3
///     {"id":1,"error":null,"result":{"T":{"UUID":{...}}}}              an initial row is a key at depth 3
///     {"id":null,"method":"update2","params":[ID,{"T":{"UUID":{}}}]}   a changed row is a key at depth 4
///
/// Only keys are followed by a colon, so counting colons counts keys. The order of members and white space do not
/// matter. Input may be split anywhere.
package struct MessageScanner {
  private enum Place { case outside, keyword, string, escape }

  private var place = Place.outside
  private var depth = 0
  /// The bytes of the latest string at depth 1 or 3, packed like `word`; 0 when it has more than eight bytes or
  /// escapes.
  private var text: UInt64 = 0
  private var textCount = 0
  private var isMethodNext = false
  private var isErrorNext = false
  private var summary = MessageSummary()

  package init() {}

  /// True when the stream is between two messages.
  package var isBetweenMessages: Bool { depth == 0 }

  /// The bytes of a name of up to eight bytes as one number.
  package static func word(_ name: StaticString) -> UInt64 {
    name.withUTF8Buffer { $0.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
  }

  private static let method = word("method")
  private static let error = word("error")

  /// Goes on to the end of the next message.
  ///
  /// - Parameter position: Where to start in `bytes`; moved behind the last byte that was looked at.
  /// - Returns: The message that ended before `position`, or nil when `bytes` are used up.
  /// - Throws: `.server` when the input cannot be a stream of JSON objects.
  package mutating func next(
    in bytes: UnsafeRawBufferPointer, from position: inout Int
  ) throws(BenchmarkFailure) -> MessageSummary? {
    guard let base = bytes.baseAddress else { return nil }
    while position < bytes.count {
      switch place {
      case .string:
        position = MessageScanner.endOfPlainText(base, from: position, to: bytes.count)
        guard position < bytes.count else { return nil }
        place = bytes[position] == UInt8(ascii: "\"") ? .outside : .escape
        position += 1
      case .escape:
        place = .string
        position += 1
      case .keyword:
        scanKeyword(bytes[position])
        position += 1
      case .outside:
        let byte = bytes[position]
        position += 1
        if try scanOutside(byte) {
          defer { summary = MessageSummary() }
          return summary
        }
      }
    }
    return nil
  }

  /// Takes a byte of a string that may be a key of interest.
  private mutating func scanKeyword(_ byte: UInt8) {
    if byte == UInt8(ascii: "\"") {
      place = .outside
      if isMethodNext, depth == 1 {
        summary.method = text
        isMethodNext = false
      }
    } else if byte == UInt8(ascii: "\\") {
      text = 0
      place = .escape
    } else if textCount == 8 {
      // Too long for a key; a method's name keeps its first eight bytes.
      if isMethodNext, depth == 1 {
        summary.method = text
        isMethodNext = false
      }
      text = 0
      place = .string
    } else {
      text = text << 8 | UInt64(byte)
      textCount += 1
    }
  }

  /// Takes a byte between strings. Returns true when it ends a message.
  @inline(__always)
  private mutating func scanOutside(_ byte: UInt8) throws(BenchmarkFailure) -> Bool {
    switch byte {
    case UInt8(ascii: "\""):
      guard depth > 0 else { throw .server("a string where a message should start") }
      if isErrorNext { noteError() }
      if depth == 1 || depth == 3 {
        place = .keyword
        text = 0
        textCount = 0
      } else {
        place = .string
      }
    case UInt8(ascii: ":"):
      scanColon()
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      if isErrorNext { noteError() }
      depth += 1
      if depth == 5, byte == UInt8(ascii: "{") { summary.selectedRows += 1 }
      if depth == 1, byte != UInt8(ascii: "{") { throw .server("an array where a message should start") }
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      guard depth > 0 else { throw .server("a closing bracket where a message should start") }
      depth -= 1
      return depth == 0
    default:
      if isErrorNext, byte > 0x20 {
        if byte != UInt8(ascii: "n") { summary.isError = true }
        isErrorNext = false
      }
      if depth == 0, byte > 0x20 { throw .server("byte \(byte) where a message should start") }
    }
    return false
  }

  @inline(__always)
  private mutating func scanColon() {
    switch depth {
    case 1:
      isMethodNext = text == MessageScanner.method
      isErrorNext = text == MessageScanner.error
    case 3:
      summary.initialRows += 1
      if text == MessageScanner.error { summary.isError = true }
    case 4:
      summary.changedRows += 1
    default:
      break
    }
  }

  private mutating func noteError() {
    summary.isError = true
    isErrorNext = false
  }

  /// The position of the first quote or backslash, eight bytes at a time.
  ///
  /// A byte is zero in `word ^ pattern` where it equals the pattern's; subtracting one from each byte then borrows into
  /// its top bit. Bits above the first hit may be wrong, the first is not.
  private static func endOfPlainText(_ base: UnsafeRawPointer, from start: Int, to end: Int) -> Int {
    var position = start
    while position &+ 8 <= end {
      let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt64.self))
      let quotes = word ^ 0x2222_2222_2222_2222
      let escapes = word ^ 0x5c5c_5c5c_5c5c_5c5c
      let hits =
        ((quotes &- 0x0101_0101_0101_0101) & ~quotes | (escapes &- 0x0101_0101_0101_0101) & ~escapes)
        & 0x8080_8080_8080_8080
      if hits != 0 { return position &+ hits.trailingZeroBitCount / 8 }
      position &+= 8
    }
    while position < end {
      let byte = base.load(fromByteOffset: position, as: UInt8.self)
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { return position }
      position &+= 1
    }
    return end
  }
}
