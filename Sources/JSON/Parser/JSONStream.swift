// SPDX-License-Identifier: Apache-2.0
//
// What arrives on a connection: bytes in, one text after the other out. The parser keeps its state when the bytes end
// inside a text, so no byte is looked at twice, however the texts are cut into reads.

/// An incremental decoder of concatenated texts, each an object or an array.
package struct JSONStream: ~Copyable {
  /// The bytes held. Invariant: `released <= begin <= begin + parser.position <= count`, and padding follows `count`.
  private var bytes: JSONBuffer<UInt8>
  /// Where the bytes begin that `rewind` can still reach.
  private var released = 0
  /// Where the text begins that is to be parsed next.
  private var begin = 0
  private var parser: JSONParser
  private var tape: UnsafeMutablePointer<JSONTape>
  private let messageBytesMax: Int
  /// Objects of the last text that may have names twice.
  private var deferred: [Int] = []

  /// Whether the names in objects of more than 10,000 members are not compared by `next()`, which then takes long, but by `settle()`, or
  /// by that of the document that was detached, perhaps on another thread. Until then a name may come twice.
  package var defersLargeObjects: Bool {
    get { parser.defersLargeObjects }
    set { parser.defersLargeObjects = newValue }
  }

  /// There was no memory for what came: it is gone, and the stream cannot go on.
  private var isExhausted = false

  /// - Parameter messageBytesMax: The largest text taken, in bytes without white space before it; a larger one is a
  ///   syntax error, as soon as that many bytes were seen.
  package init(messageBytesMax: Int) {
    self.messageBytesMax = messageBytesMax
    self.bytes = JSONBuffer(capacity: JSONParser.paddingSize)
    self.parser = JSONParser(isDocument: false, anyValue: false)
    self.tape = .allocate(capacity: 1)
    beginTape()
    bytes.base.update(repeating: 0, count: JSONParser.paddingSize)
  }

  deinit {
    bytes.deallocate()
    tape.deallocate()
  }

  /// Bytes consumed since the last `release()`: where the next text begins.
  package var position: Int { begin - released }

  /// Bytes held that are not consumed yet.
  package var bufferedCount: Int { bytes.count - begin }

  /// Memory that is taken by what is held and by what was parsed last, in bytes.
  package var memoryBytes: Int {
    bytes.capacity + parser.tape.capacity * MemoryLayout<JSONTapeEntry>.stride + parser.side.capacity
  }

  /// Adds bytes that were read. When there is no memory for them, `next()` says so.
  ///
  /// - Complexity: O(bytes), amortised.
  package mutating func append(_ input: UnsafeRawBufferPointer) {
    guard let base = input.baseAddress, input.count > 0 else { return }
    guard !isExhausted, makeRoom(for: input.count) else {
      isExhausted = true
      return
    }
    UnsafeMutableRawPointer(bytes.base + bytes.count).copyMemory(from: base, byteCount: input.count)
    bytes.count += input.count
    (bytes.base + bytes.count).update(repeating: 0, count: JSONParser.paddingSize)
  }

  /// The next whole text, nil when more bytes are needed.
  ///
  /// - Returns: A value that is valid until the next `next()`, `append(_:)`, `rewind(to:)` or `release()`.
  /// - Throws: As soon as the offending byte is there. The stream cannot go on then: the same error is thrown again.
  package mutating func next() throws(JSONSyntaxError) -> JSONValue? {
    guard bytes.count > begin || isExhausted else { return nil }
    let text = bytes.base + begin
    guard !isExhausted, parser.hasRoom(upTo: bytes.count - begin) else { throw parser.noMemory(text, count: bytes.count - begin) }
    let isComplete = try parser.advance(text, count: bytes.count - begin)
    guard parser.scannedSize <= messageBytesMax else { throw parser.tooLarge(text, sizeMax: messageBytesMax) }
    guard isComplete else {
      // White space between texts is dropped as it comes, so that a stream of it does not pile up.
      begin += parser.skipLeadingSpace(text)
      return nil
    }
    tape.pointee.input = UnsafePointer(text)
    tape.pointee.side = UnsafePointer(parser.side.base)
    tape.pointee.entries = UnsafePointer(parser.tape.base)
    begin += parser.position
    if parser.defersLargeObjects {
      deferred = parser.deferred
      parser.deferred = []
    }
    parser.reset()
    return JSONValue(tape: tape, index: 0)
  }

  private func beginTape() {
    tape.initialize(to: JSONTape(input: bytes.base, side: parser.side.base, entries: parser.tape.base))
  }

  /// The size of the text that `next()` returned last, in bytes.
  package var textSize: Int { bytes.base + begin - UnsafeMutablePointer(mutating: tape.pointee.input) }

  /// Does what was deferred of the text that `next()` returned last.
  package mutating func settle() {
    guard !deferred.isEmpty else { return }
    JSONParser.settle(deferred, tape.pointee, parser.tape.base)
    deferred = []
  }

  /// Hands over the text that `next()` returned last, and what came before it, with the memory that they are in: nothing is copied but
  /// the bytes behind it. What was consumed cannot be reached by `rewind` any more.
  ///
  /// - Returns: The owner of the values that `next()` returned, which last as long as it does.
  package mutating func detach() -> JSONDocument {
    let (entries, side) = parser.takeBuffers()
    let taken = JSONDocument(input: bytes.base, side: side, entries: entries, tape: tape, deferred: deferred)
    deferred = []
    let rest = bytes.count - begin
    var remaining = JSONBuffer<UInt8>(capacity: rest + JSONParser.paddingSize)
    remaining.base.update(from: bytes.base + begin, count: rest)
    (remaining.base + rest).update(repeating: 0, count: JSONParser.paddingSize)
    remaining.count = rest
    bytes = remaining
    (released, begin) = (0, 0)
    tape = .allocate(capacity: 1)
    beginTape()
    return taken
  }

  /// Goes back so that the texts from `position` on are parsed again.
  ///
  /// - Parameter position: A value that `position` had since the last `release()`; anything else is a programmer's error.
  package mutating func rewind(to position: Int) {
    precondition(position >= 0 && released + position <= begin, "rewind to a position that was released or not reached")
    begin = released + position
    parser.deferred = []
    parser.reset()
  }

  /// Forgets what was consumed: `position` becomes 0.
  ///
  /// Memory that grew huge for one message is given back.
  package mutating func release() {
    released = begin
    if begin == bytes.count {
      released = 0
      begin = 0
      bytes.count = 0
      if bytes.capacity > JSONLimits.retainedBytesMax {
        bytes.deallocate()
        bytes = JSONBuffer(capacity: JSONParser.paddingSize)
      }
      bytes.base.update(repeating: 0, count: JSONParser.paddingSize)
      parser.giveBackMemory()
    }
  }

  /// Makes sure that `extra` bytes and the padding fit behind the bytes held.
  ///
  /// - Returns: whether there is memory for them.
  private mutating func makeRoom(for extra: Int) -> Bool {
    let needed = extra + JSONParser.paddingSize
    guard bytes.capacity - bytes.count < needed else { return true }
    // Moving the tail to the front pays when at least as much was released as must be moved.
    if released > 0, released >= bytes.count - released {
      bytes.count -= released
      begin -= released
      bytes.base.update(from: bytes.base + released, count: bytes.count)
      released = 0
    }
    return bytes.capacity - bytes.count >= needed || bytes.tryGrow(by: needed)
  }
}
