// SPDX-License-Identifier: Apache-2.0
//
// Texts in a stream: any cut into reads gives the same, going back and letting go do what they say, limits hold.

import Testing

@testable import JSON

/// A message as clients send it, with an escape, a duplicate, numbers of both kinds and nesting.
private let transact = #"""
  {"method":"transact","id":12345,"params":["OVN_Northbound",{"op":"insert","table":"Logical_Switch_Port","row":{"name":
  "lsp-\u0031\n","addresses":["set",["0a:00:00:00:01:23 10.0.1.35","unknown"]],"up":false,"tag":-42,"tag":1.5e1,"weight":
  0.25,"none":null,"enabled":true}}]}
  """#

extension JSONStream {
  mutating func append(_ text: String) {
    Array(text.utf8).withUnsafeBytes { append($0) }
  }

  /// The next text written down, nil when more bytes are needed.
  mutating func nextText() throws(JSONSyntaxError) -> String? {
    try next()?.text(sorted: false)
  }
}

@Suite struct JSONStreamTests {
  @Test func everyCutInTwoGivesTheSame() {
    let bytes = Array((transact + transact + " [1]\n" + transact).utf8)
    let whole = outcome(of: bytes) { bytes.count }
    #expect(whole.texts.count == 4)
    for cut in 1..<bytes.count {
      var pieces = [cut, bytes.count - cut].makeIterator()
      let cutInTwo = outcome(of: bytes) { pieces.next() ?? 1 }
      #expect(cutInTwo == whole, "cut at \(cut)")
    }
  }

  @Test(arguments: [1, 2, 3, 7, 8, 9, 64])
  func everyPieceSizeGivesTheSame(_ size: Int) {
    let bytes = Array((transact + "{}" + transact + "[]").utf8)
    let whole = outcome(of: bytes) { bytes.count }
    #expect(whole.texts.count == 4)
    #expect(outcome(of: bytes) { size } == whole)
    #expect(outcome(of: bytes, releasing: true) { size } == whole)
  }

  @Test func anErrorIsReportedAsSoonAsItsByteIsThereAndStays() throws {
    var stream = JSONStream(messageBytesMax: .max)
    stream.append(#"{"a":[1,"#)
    #expect(try stream.nextText() == nil)
    stream.append("]")
    for _ in 0..<2 {
      do {
        _ = try stream.next()
        Issue.record("no error")
      } catch {
        #expect(error.description == "line 0, column 8, byte 8: syntax error expecting value")
      }
      stream.append("}")
    }
  }

  @Test func textsBeforeAnErrorAreDelivered() throws {
    var stream = JSONStream(messageBytesMax: .max)
    stream.append("[1][2]x ")
    #expect(try stream.nextText() == "[1]")
    #expect(try stream.nextText() == "[2]")
    do {
      _ = try stream.next()
      Issue.record("no error")
    } catch {
      #expect(error.description == "line 0, column 1, byte 1: invalid keyword 'x'")
    }
  }

  @Test func positionCountsFromTheLastRelease() throws {
    var stream = JSONStream(messageBytesMax: .max)
    stream.append("[1] [22] [333")
    #expect(stream.position == 0)
    #expect(try stream.nextText() == "[1]")
    #expect(stream.position == 3)
    #expect(stream.bufferedCount == 10)
    #expect(try stream.nextText() == "[22]")
    #expect(stream.position == 8)
    stream.release()
    #expect(stream.position == 0)
    #expect(stream.bufferedCount == 5)
    #expect(try stream.nextText() == nil)
    stream.append("]")
    #expect(try stream.nextText() == "[333]")
    #expect(stream.position == 6)
    stream.release()
    #expect(stream.bufferedCount == 0)
  }

  @Test func rewindingParsesAgain() throws {
    var stream = JSONStream(messageBytesMax: .max)
    stream.append("[1] [2] [3] [4")
    #expect(try stream.nextText() == "[1]")
    stream.release()
    let start = stream.position
    #expect(try stream.nextText() == "[2]")
    let middle = stream.position
    #expect(try stream.nextText() == "[3]")
    #expect(try stream.nextText() == nil)
    stream.rewind(to: middle)
    #expect(try stream.nextText() == "[3]")
    stream.rewind(to: start)
    #expect(try stream.nextText() == "[2]")
    #expect(try stream.nextText() == "[3]")
    stream.append("]")
    #expect(try stream.nextText() == "[4]")
  }

  @Test func releasingInsideATextKeepsItsState() throws {
    var stream = JSONStream(messageBytesMax: .max)
    stream.append(#"[1]{"long":"abc\"#)
    #expect(try stream.nextText() == "[1]")
    #expect(try stream.nextText() == nil)
    stream.release()
    // Makes the buffer move its tail to the front.
    stream.append(#"n"# + String(repeating: "x", count: 100_000))
    stream.release()
    #expect(try stream.nextText() == nil)
    stream.append(#"","k":[true]}"#)
    let text = try stream.nextText()
    #expect(text == #"{"long":"abc\n"# + String(repeating: "x", count: 100_000) + #"","k":[true]}"#)
  }

  @Test(arguments: ["[1,2,3,456]", "[1,2,3,4567", "[\"0123456789", "[          ", "      [\"\\\"45678901"])
  func aTextLargerThanTheLimitIsRefusedBeforeItsEnd(_ text: String) throws {
    for size in [1, 3, 100] {
      var stream = JSONStream(messageBytesMax: 10)
      // White space before a text does not count.
      stream.append("            [1,2,3,45]")
      #expect(try stream.nextText() == "[1,2,3,45]")
      var failure: JSONSyntaxError?
      var rest = text[...]
      while failure == nil, !rest.isEmpty {
        stream.append(String(rest.prefix(size)))
        rest = rest.dropFirst(size)
        do throws(JSONSyntaxError) { _ = try stream.next() } catch { failure = error }
      }
      #expect(failure?.text == "input exceeds maximum size of 10 bytes")
      #expect(failure?.byte == (text.hasPrefix(" ") ? 16 : 10))
    }
  }

  @Test func whiteSpaceBetweenTextsDoesNotPileUp() throws {
    var stream = JSONStream(messageBytesMax: 1000)
    for _ in 0..<1000 {
      stream.append(String(repeating: " \n", count: 400))
      #expect(try stream.nextText() == nil)
      #expect(stream.bufferedCount == 0)
      stream.release()
    }
    stream.append("\n @")
    do {
      _ = try stream.next()
      Issue.record("no error")
    } catch {
      #expect(error.description == "line 400001, column 1, byte 800002: invalid character '@'")
    }
  }

  @Test func oneHugeStringInSmallPiecesTakesLinearTime() throws {
    // 16 MiB in 4 KiB pieces: rescanning from the start would look at 32 GiB.
    let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
    var stream = JSONStream(messageBytesMax: .max)
    stream.append("[\"")
    for _ in 0..<4096 {
      piece.withUnsafeBytes { stream.append($0) }
      #expect(try stream.next() == nil)
    }
    stream.append("\"]")
    let size = try stream.next()?[0]?.utf8?.count
    #expect(size == 4096 * 4096)
    stream.release()
    stream.append("[7]")
    #expect(try stream.nextText() == "[7]")
  }

  @Test func valuesOfTheLastTextDoNotLeakIntoTheNext() throws {
    var stream = JSONStream(messageBytesMax: .max)
    stream.append(#"["\u0041",{"a":1}]["\u0042"][]"#)
    #expect(try stream.nextText() == #"["A",{"a":1}]"#)
    #expect(try stream.nextText() == #"["B"]"#)
    #expect(try stream.next()?.count == 0)
  }

  @Test func aTextThatIsDetachedOutlivesTheStreamWhichGoesOn() throws {
    var kept: [(JSONDocument, JSONValue)] = []
    do {
      var stream = JSONStream(messageBytesMax: .max)
      let bytes = Array((transact + " [1]" + transact + "{}").utf8)
      var begin = 0
      // Whole texts and the beginning of the next, however the bytes are cut.
      for size in [700, 3, 40, bytes.count] {
        let end = min(bytes.count, begin + size)
        bytes[begin..<end].withUnsafeBytes { stream.append($0) }
        begin = end
        while let value = try stream.next() {
          #expect(stream.textSize > 0)
          kept.append((stream.detach(), value))
          #expect(stream.position == 0)
        }
      }
      #expect(stream.bufferedCount == 0)
    }
    #expect(kept.count == 4)
    let expected = try [transact, "[1]", transact, "{}"].map { try JSONDocument.parse($0).withRoot { $0.text(sorted: false) } }
    #expect(kept.map { document, value in withExtendedLifetime(document) { value.text(sorted: false) } } == expected)
  }

  @Test(arguments: [false, true]) func namesOfLargeObjectsAreComparedLaterWhenThatIsAskedFor(isDetached: Bool) throws {
    let count = 30_000
    let members = (0..<count).map { "\"\($0 % (count - 5))\":\($0)" }.joined(separator: ",")
    let text = "[{\(members)},{\"a\":1,\"a\":2},{\(members)}]"
    var stream = JSONStream(messageBytesMax: .max)
    stream.defersLargeObjects = true
    for _ in 0..<2 {
      stream.append(text)
      let value = try #require(try stream.next())
      #expect(value[0]?.count == count && value[1]?.count == 1)
      let document = isDetached ? stream.detach() : nil
      if let document { document.settle() } else { stream.settle() }
      let expected = try JSONDocument.parse(text)
      #expect(value[0]?.count == count - 5)
      expected.withRoot { #expect(value.isEqual(to: $0)) }
      withExtendedLifetime(document) {}
    }
  }
}
