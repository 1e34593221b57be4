// SPDX-License-Identifier: Apache-2.0
//
// One parsed text that owns its memory. JSONStream is for texts that arrive piece by piece.

import Glibc

/// A document that owns its bytes and its tape.
///
/// Sendable because nothing writes to its memory after `init` or `settle`, and its memory lives as long as it does.
///
/// Values do not keep their document alive. Keep it in a property or a `let` of the scope that uses them, never in a
/// temporary as in `parse(text).root.count`; `withRoot` is for the rest.
package final class JSONDocument: @unchecked Sendable {
  private let input: UnsafeMutablePointer<UInt8>
  private let side: UnsafeMutablePointer<UInt8>
  private let entries: UnsafeMutablePointer<JSONTapeEntry>
  private let tape: UnsafeMutablePointer<JSONTape>
  /// Objects that may have names twice.
  private var deferred: [Int] = []

  /// Takes over the memory of three `JSONBuffer`s.
  init(
    input: UnsafeMutablePointer<UInt8>, side: UnsafeMutablePointer<UInt8>,
    entries: UnsafeMutablePointer<JSONTapeEntry>
  ) {
    self.input = input
    self.side = side
    self.entries = entries
    self.tape = .allocate(capacity: 1)
    self.tape.initialize(to: JSONTape(input: input, side: side, entries: entries))
  }

  /// Takes over the memory of a stream: `input` is where it begins, the tape knows where the text does.
  init(
    input: UnsafeMutablePointer<UInt8>, side: UnsafeMutablePointer<UInt8>,
    entries: UnsafeMutablePointer<JSONTapeEntry>, tape: UnsafeMutablePointer<JSONTape>, deferred: [Int]
  ) {
    self.deferred = deferred
    self.input = input
    self.side = side
    self.entries = entries
    self.tape = tape
  }

  /// Takes over the memory of a builder, which must hold one whole value and not be used again.
  convenience init(_ builder: JSONTapeBuilder) {
    self.init(input: builder.bytes.base, side: JSONBuffer().base, entries: builder.entries.base)
  }

  deinit {
    free(input)
    free(side)
    free(entries)
    tape.deallocate()
  }

  /// Does what a stream with `defersLargeObjects` has left. To be called before anybody else has the document.
  package func settle() {
    JSONParser.settle(deferred, tape.pointee, entries)
    deferred = []
  }

  /// The value of the whole text. It does not keep the document alive.
  package var root: JSONValue { JSONValue(tape: tape, index: 0) }

  /// Lends the value of the whole text, the document staying alive for the time of the call.
  package func withRoot<Result: ~Copyable, Failure: Error>(
    _ body: (JSONValue) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(root)
  }

  /// Parses one text with the decoder of the wire.
  ///
  /// - Parameter anyValue: Accept a text that is a string, a number or a keyword; else it must be an object or an array.
  /// - Throws: At the first offence, also when anything but white space follows the text.
  package static func parse(
    _ bytes: some Collection<UInt8>, anyValue: Bool = false
  ) throws(JSONSyntaxError) -> JSONDocument {
    var parser = JSONParser(isDocument: true, anyValue: anyValue)
    let count = bytes.count
    // One byte more for the blank that ends a number at the end of the text, then the padding that the scanner reads.
    let input = JSONBuffer<UInt8>(capacity: count + 1 + JSONParser.paddingSize).base
    let copied = UnsafeMutableBufferPointer(start: input, count: count).update(fromContentsOf: bytes)
    (input + copied).update(repeating: 0, count: count - copied + 1 + JSONParser.paddingSize)
    do {
      try parser.parseDocument(input, count: copied)
    } catch {
      free(input)
      throw error
    }
    let (entries, side) = parser.takeBuffers()
    return JSONDocument(input: input, side: side, entries: entries)
  }

  /// Parses one text with the decoder of the wire; see `parse(_:anyValue:)` for bytes.
  package static func parse(_ text: String, anyValue: Bool = false) throws(JSONSyntaxError) -> JSONDocument {
    try parse(text.utf8, anyValue: anyValue)
  }
}
