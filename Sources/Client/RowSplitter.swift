// SPDX-License-Identifier: Apache-2.0
//
// Takes the rows out of the reply to a `transact` with `select` operations while it arrives, so that a reply with millions of rows
// is never in memory as a whole. What is left of the message, its skeleton, is a reply whose `rows` arrays are empty, and goes the
// way of every message. `RowExtractor` puts this between a socket and its connection.

/// Splits a stream of messages.
///
///     {"id":3,"result":[{"rows":[{"a":1},{"a":2}]},{"rows":[]}],"error":null}      the input
///                                {"a":1} {"a":2}                                   the rows, each with its place in `result`
///     {"id":3,"result":[{"rows":[               ]},{"rows":[]}],"error":null}      the skeleton
///
/// Looks only at brackets, strings and commas: whether a row is JSON is found out by whoever parses it, and whether the skeleton is,
/// by the connection. Where the rows themselves are not parted as they should be, the skeleton is spoiled, so that the connection
/// reports a syntax error and ends.
package struct RowSplitter {
  /// Where in a message the next byte is, not counting what is nested in `depth`.
  private enum Place {
    case outside, message, results, result, rows
    /// Something does not fit: everything is skeleton from here on.
    case broken
  }

  private let rowBytesMax: Int
  private var place = Place.outside
  /// Brackets open below `place`.
  private var depth = 0
  private var isInString = false
  private var isEscaped = false
  /// In an object: a name comes next, or is being read.
  private var expectsName = false
  private var name: [UInt8] = []
  private var isInName = false
  /// The place in `result` of the rows that are being read.
  private var resultIndex = -1
  private var row: [UInt8] = []
  private var isInRow = false
  private var needsComma = false
  private var followsComma = false

  /// - Parameter rowBytesMax: a longer row spoils the message.
  package init(rowBytesMax: Int) { self.rowBytesMax = rowBytesMax }

  private static let quote = UInt8(ascii: "\"")
  /// Longer than any name that matters.
  private static let nameBytesMax = 16

  /// Takes the next bytes of the stream.
  ///
  /// - Parameters:
  ///   - skeleton: gets what is no row. White space where the input was all rows: the connection sees that the peer lives.
  ///   - emit: called with each whole row and the place of its operation.
  package mutating func process(
    _ bytes: UnsafeRawBufferPointer, skeleton: inout [UInt8], emit: (Int, UnsafeRawBufferPointer) -> Void
  ) {
    /// Where the part begins that goes to the row or the skeleton, whichever is being read.
    var begin = 0
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      if isInString {
        takeStringByte(byte)
        index += 1
        if !isInString, isInRow, depth == 0 { endRow(bytes, &begin, index, &skeleton, emit) }
        continue
      }
      if place == .broken { break }
      if place == .rows, depth == 0 {
        takeBetweenRows(byte, bytes, &begin, index, &skeleton, emit)
        index += 1
        continue
      }
      take(byte)
      index += 1
      if isInRow {
        if depth == 0 { endRow(bytes, &begin, index, &skeleton, emit) }
      } else if place == .rows, depth == 0 {
        // Just entered: the bracket is the last byte of the skeleton for now.
        skeleton.append(contentsOf: bytes[begin..<index])
        begin = index
      }
    }
    keepRest(bytes, begin, &skeleton)
  }

  /// What is left of the input at its end.
  private mutating func keepRest(_ bytes: UnsafeRawBufferPointer, _ begin: Int, _ skeleton: inout [UInt8]) {
    if place == .rows {
      if isInRow {
        row.append(contentsOf: bytes[begin...])
        if row.count > rowBytesMax { spoil(&skeleton) }
      }
      skeleton.append(UInt8(ascii: " "))
    } else {
      skeleton.append(contentsOf: bytes[begin...])
    }
  }

  // MARK: - Inside of strings

  private mutating func takeStringByte(_ byte: UInt8) {
    if isEscaped {
      isEscaped = false
    } else if byte == UInt8(ascii: "\\") {
      isEscaped = true
    } else if byte == Self.quote {
      isInString = false
      isInName = false
      return
    }
    if isInName, name.count < Self.nameBytesMax { name.append(byte) }
  }

  // MARK: - Everywhere else

  private mutating func take(_ byte: UInt8) {
    switch byte {
    case Self.quote:
      isInString = true
      guard depth == 0, expectsName, place == .message || place == .result else { return }
      isInName = true
      name.removeAll(keepingCapacity: true)
    case UInt8(ascii: ":"):
      if depth == 0 { expectsName = false }
    case UInt8(ascii: ","):
      if depth == 0 { expectsName = true }
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      open(byte)
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      close(byte)
    default:
      break
    }
  }

  private mutating func open(_ byte: UInt8) {
    guard depth == 0, let inner = innerPlace(byte) else {
      depth += 1
      return
    }
    switch inner {
    case .results: resultIndex = -1
    case .result: resultIndex += 1
    case .rows: (needsComma, followsComma) = (false, false)
    default: break
    }
    place = inner
    expectsName = true
  }

  /// The place that a bracket leads to; nil when what it opens does not matter.
  private func innerPlace(_ byte: UInt8) -> Place? {
    switch (place, byte) {
    case (.outside, UInt8(ascii: "{")): .message
    case (.message, UInt8(ascii: "[")) where !expectsName && name.elementsEqual("result".utf8): .results
    case (.results, UInt8(ascii: "{")): .result
    case (.result, UInt8(ascii: "[")) where !expectsName && name.elementsEqual("rows".utf8): .rows
    default: nil
    }
  }

  private mutating func close(_ byte: UInt8) {
    guard depth == 0 else {
      depth -= 1
      return
    }
    switch (place, byte) {
    case (.message, UInt8(ascii: "}")): place = .outside
    case (.results, UInt8(ascii: "]")): place = .message
    case (.result, UInt8(ascii: "}")): place = .results
    case (.rows, UInt8(ascii: "]")): place = .result
    default: place = .broken
    }
    // Only a comma makes way for another name.
    expectsName = false
  }

  // MARK: - Rows

  /// A byte between two rows, or in a row that is a number or a word.
  private mutating func takeBetweenRows(
    _ byte: UInt8, _ bytes: UnsafeRawBufferPointer, _ begin: inout Int, _ index: Int, _ skeleton: inout [UInt8],
    _ emit: (Int, UnsafeRawBufferPointer) -> Void
  ) {
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
      if isInRow { endRow(bytes, &begin, index, &skeleton, emit) }
    case UInt8(ascii: ","):
      if isInRow { endRow(bytes, &begin, index, &skeleton, emit) }
      guard needsComma else { return spoil(&skeleton) }
      (needsComma, followsComma) = (false, true)
    case UInt8(ascii: "]"):
      if isInRow { endRow(bytes, &begin, index, &skeleton, emit) }
      guard !followsComma else { return spoil(&skeleton) }
      close(byte)
      begin = index
    default:
      if !isInRow {
        guard !needsComma else { return spoil(&skeleton) }
        isInRow = true
        begin = index
      }
      take(byte)
    }
  }

  private mutating func endRow(
    _ bytes: UnsafeRawBufferPointer, _ begin: inout Int, _ end: Int, _ skeleton: inout [UInt8],
    _ emit: (Int, UnsafeRawBufferPointer) -> Void
  ) {
    guard row.count + end - begin <= rowBytesMax else { return spoil(&skeleton) }
    let part = UnsafeRawBufferPointer(rebasing: bytes[begin..<end])
    if row.isEmpty {
      emit(resultIndex, part)
    } else {
      row.append(contentsOf: part)
      row.withUnsafeBytes { emit(resultIndex, $0) }
      row.removeAll(keepingCapacity: row.count < 1 << 16)
    }
    begin = end
    isInRow = false
    (needsComma, followsComma) = (true, false)
  }

  /// Makes the skeleton a syntax error.
  private mutating func spoil(_ skeleton: inout [UInt8]) {
    place = .broken
    isInRow = false
    row = []
    skeleton.append(contentsOf: ",,".utf8)
  }
}
