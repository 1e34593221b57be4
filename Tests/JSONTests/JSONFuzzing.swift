// SPDX-License-Identifier: Apache-2.0
//
// Random texts, mutations of them, and what must hold for any bytes whatever. JSONFuzzTests runs a fixed budget of it.

import TestSupport

@testable import JSON

/// Makes texts that are JSON, in all the spellings there are.
struct JSONTextGenerator {
  var random: SeededRandom

  mutating func text() -> [UInt8] {
    var output: [UInt8] = []
    appendContainer(to: &output, depth: 0)
    appendSpace(to: &output)
    return output
  }

  private mutating func appendValue(to output: inout [UInt8], depth: Int) {
    appendSpace(to: &output)
    switch random.below(depth > 5 ? 5 : 8) {
    case 0: output += random.pick(["null", "true", "false"]).utf8
    case 1, 2: output += number().utf8
    case 3, 4: appendString(to: &output)
    default: appendContainer(to: &output, depth: depth + 1)
    }
    appendSpace(to: &output)
  }

  private mutating func appendContainer(to output: inout [UInt8], depth: Int) {
    let isObject = random.below(2) == 0
    let count = random.below(20) == 0 ? random.below(60) : random.below(5)
    output.append(UInt8(ascii: isObject ? "{" : "["))
    for index in 0..<count {
      if index > 0 { output.append(UInt8(ascii: ",")) }
      if isObject {
        appendSpace(to: &output)
        // Few names, so that some come twice.
        if random.below(3) == 0 { appendString(to: &output) } else { output += "\"k\(random.below(12))\"".utf8 }
        appendSpace(to: &output)
        output.append(UInt8(ascii: ":"))
      }
      appendValue(to: &output, depth: depth)
    }
    if count == 0 { appendSpace(to: &output) }
    output.append(UInt8(ascii: isObject ? "}" : "]"))
  }

  private mutating func appendSpace(to output: inout [UInt8]) {
    while random.below(6) == 0 { output.append(random.pick(Array(" \t\n\r".utf8))) }
  }

  mutating func number() -> String {
    func digits(_ count: Int) -> String { String((0..<count).map { _ in Character("\(random.below(10))") }) }
    var text = random.below(3) == 0 ? "-" : ""
    switch random.below(4) {
    case 0: text += "0"
    case 1: text += "\(random.below(9) + 1)" + digits(random.below(24))
    default: text += "\(random.below(1000))"
    }
    if random.below(3) == 0 { text += "." + digits(random.below(12) + 1) }
    if random.below(4) == 0 { text += random.pick(["e", "E"]) + random.pick(["", "+", "-"]) + digits(random.below(2) + 1) }
    return text
  }

  private mutating func appendString(to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for _ in 0..<random.below(random.below(10) == 0 ? 200 : 12) {
      switch random.below(12) {
      case 0: output += random.pick([#"\""#, #"\\"#, #"\/"#, #"\b"#, #"\f"#, #"\n"#, #"\r"#, #"\t"#]).utf8
      case 1: output += random.pick([#"\u0041"#, #"\u00e9"#, #"\u20AC"#, #"\ud83d\ude00"#, #"\u001f"#]).utf8
      case 2: output += random.pick(["é", "€", "😀", "\u{7f}", "e\u{301}"]).utf8
      default: output.append(UInt8(random.below(26)) + UInt8(ascii: "a"))
      }
    }
    output.append(UInt8(ascii: "\""))
  }
}

/// Spoils a text in a few places.
func mutated(_ text: [UInt8], using random: inout SeededRandom) -> [UInt8] {
  let fragments = [
    "\"", "\\", "{", "}", "[", "]", ":", ",", "0", "-", ".", "e", "E+", "1e5", "true", "nul", "\\u", "\\ud800", "\\udc00",
    "\\u0000", "9223372036854775808", "1e999", "1e-999", " ", "\n", "\t", "\u{1}", "\0", "é", "\"a\":", "//", "01",
    "1.0", "-0.0", "99999999999999999999", "x", "\\x",
  ]
  var bytes = text
  for _ in 0...random.below(3) {
    let at = random.below(bytes.count + 1)
    switch random.below(6) {
    case 0: bytes.insert(contentsOf: random.pick(fragments).utf8, at: at)
    case 1: bytes.insert(UInt8(random.below(256)), at: at)
    case 2: if at < bytes.count { bytes[at] = UInt8(random.below(256)) }
    case 3: if at < bytes.count { bytes.remove(at: at) }
    case 4: bytes.removeSubrange(at..<min(bytes.count, at + random.below(8)))
    default:
      let from = random.below(bytes.count + 1)
      bytes.insert(contentsOf: Array(bytes[from..<min(bytes.count, from + random.below(30))]), at: at)
    }
  }
  return bytes
}

/// What a stream of texts comes to: each text written down, and the error at the end if there is one.
struct StreamOutcome: Equatable {
  var texts: [[UInt8]] = []
  var error: JSONSyntaxError?
}

/// Feeds bytes in pieces.
///
/// - Parameter pieceSize: Asked for the size of each piece.
func outcome(of bytes: [UInt8], releasing: Bool = false, pieceSize: () -> Int) -> StreamOutcome {
  var stream = JSONStream(messageBytesMax: .max)
  var outcome = StreamOutcome()
  var at = 0
  var writer = ByteWriter()
  while at < bytes.count, outcome.error == nil {
    let end = min(bytes.count, at + max(1, pieceSize()))
    bytes[at..<end].withUnsafeBytes { stream.append($0) }
    at = end
    do throws(JSONSyntaxError) {
      while let value = try stream.next() {
        writer.removeAll()
        value.write(to: &writer)
        outcome.texts.append(writer.bytes)
        if releasing { stream.release() }
      }
    } catch {
      outcome.error = error
    }
  }
  return outcome
}

/// Drives a stream by random appends, rewinds and releases against a plain list of the texts it was given.
///
/// - Returns: What went wrong, nil when the stream gave each text at its place.
func complaintOfOperations(_ generator: inout JSONTextGenerator, count: Int) -> String? {
  var stream = JSONStream(messageBytesMax: .max)
  var writer = ByteWriter()
  /// Bytes given to the generator but not yet to the stream.
  var waiting: [UInt8] = []
  /// All texts so far, as they should be written, and how many of them were delivered and released.
  var texts: [[UInt8]] = []
  var delivered = 0
  /// Where the stream stood before each text since the last release, beginning with the text `released`.
  var positions = [0]
  var released = 0
  for _ in 0..<count {
    switch generator.random.below(8) {
    case 0...2:
      if waiting.isEmpty {
        let text = generator.text()
        let written = outcome(of: text) { text.count }
        guard written.texts.count == 1 else { return "a text was not taken: \(text)" }
        texts += written.texts
        waiting = text
      }
      let size = 1 + generator.random.below(waiting.count)
      waiting[..<size].withUnsafeBytes { stream.append($0) }
      waiting.removeFirst(size)
    case 3...5:
      do throws(JSONSyntaxError) {
        guard let value = try stream.next() else { continue }
        writer.removeAll()
        value.write(to: &writer)
      } catch {
        return "refused: \(error)"
      }
      guard delivered < texts.count, writer.bytes == texts[delivered] else { return "text \(delivered) differs" }
      delivered += 1
      positions.append(stream.position)
    case 6:
      let back = generator.random.below(positions.count)
      stream.rewind(to: positions[back])
      guard stream.position == positions[back] else { return "rewound to \(stream.position)" }
      positions.removeSubrange((back + 1)...)
      delivered = released + back
    default:
      stream.release()
      guard stream.position == 0 else { return "released at \(stream.position)" }
      released = delivered
      positions = [0]
    }
  }
  return nil
}

/// Looks for a broken promise of the decoders.
///
/// - Returns: What is broken, nil when all holds.
func complaint(about bytes: [UInt8], using random: inout SeededRandom) -> String? {
  let whole = outcome(of: bytes) { bytes.count }
  var generator = random
  let pieces = outcome(of: bytes, releasing: generator.below(2) == 0) { generator.below(9) }
  random = generator
  guard whole == pieces else { return "pieces give \(pieces), the whole \(whole)" }

  let document: JSONDocument
  do throws(JSONSyntaxError) {
    document = try JSONDocument.parse(bytes)
  } catch {
    // jansson must refuse what we refuse, but for the differences that it is known to have.
    guard (try? JSONText.parse(bytes)) != nil, !error.text.hasPrefix("exponent outside") else { return nil }
    return "jansson accepts what we refuse: \(error)"
  }
  guard whole.error == nil, whole.texts.count == 1 else { return "the stream does not take the document: \(whole)" }
  return document.withRoot { complaint(about: $0, whole.texts[0], bytes) }
}

private func complaint(about value: JSONValue, _ written: [UInt8], _ bytes: [UInt8]) -> String? {
  var writer = ByteWriter()
  value.write(to: &writer)
  guard writer.bytes == written else { return "document and stream differ" }
  guard let again = try? JSONDocument.parse(written) else { return "what was written is refused" }
  if let complaint = again.withRoot({ again in sameComplaint(value, again, "written and read again") }) { return complaint }
  let copy = value.detached()
  if let complaint = copy.withRoot({ copy in sameComplaint(value, copy, "detached", isExact: true) }) { return complaint }

  do throws(JSONSyntaxError) {
    let judged = try JSONText.parse(bytes)
    return judged.withRoot { sameComplaint(value, $0, "read by jansson") }
  } catch {
    // jansson wants valid UTF-8, and no half of a surrogate pair.
    if String(validating: bytes, as: UTF8.self) == nil { return nil }
    if error.text.hasPrefix("invalid Unicode") { return nil }
    return "jansson refuses what we accept: \(error)"
  }
}

private func sameComplaint(_ left: JSONValue, _ right: JSONValue, _ how: String, isExact: Bool = false) -> String? {
  if isExact { return left.isEqual(to: right) ? nil : "\(how): not equal" }
  // Reals are written with 15 digits, so they are compared as they are written, numbers by their value.
  return sameWithin(left, right) ? nil : "\(how): \(left.text()) is not \(right.text())"
}

/// Equality but for what 15 digits cannot hold.
private func sameWithin(_ left: JSONValue, _ right: JSONValue) -> Bool {
  if let leftNumber = left.number, let rightNumber = right.number {
    return leftNumber == rightNumber || (leftNumber - rightNumber).magnitude <= leftNumber.magnitude * 1e-14
  }
  guard left.kind == right.kind, left.count == right.count else { return false }
  switch left.kind {
  case .array: return zip(left.elements, right.elements).allSatisfy { sameWithin($0, $1) }
  case .object:
    return left.members.allSatisfy { name, value in
      guard let utf8 = name.utf8, let other = right.member(utf8) else { return false }
      return sameWithin(value, other)
    }
  default: return left.isEqual(to: right)
  }
}
