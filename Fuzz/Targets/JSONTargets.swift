// SPDX-License-Identifier: Apache-2.0
//
// The two readers of JSON: the decoder of the wire, and libjansson behind `JSONText`.

import JSON

extension FuzzTarget {
  private static let words = ["\\u0000", "\\ud83d\\ude00", "null", "true", "1e400", "-0", "0.1", "[[", "{\"a\":"]

  /// A stream of texts gives the same however its bytes are cut into reads, and what it gave can be written and read again.
  static let json = FuzzTarget(name: "json", words: words) { bytes in
    let whole = decode(bytes, pieces: [bytes.count])
    let cut = Int(bytes.first ?? 0) % (bytes.count + 1)
    let split = decode(bytes, pieces: [cut, bytes.count - cut])
    try require(whole == split, "cut at \(cut): \(split), uncut: \(whole)")
    if bytes.count <= 256 {
      let single = decode(bytes, pieces: Array(repeating: 1, count: bytes.count))
      try require(whole == single, "byte by byte: \(single), at once: \(whole)")
    }
    for text in whole where !text.hasPrefix("error") {
      // A real of more than 15 digits may be written as what is an integer; that is written as itself.
      let again = try JSONDocument.parse(text).withRoot { $0.text(sorted: false) }
      let third = try JSONDocument.parse(again).withRoot { $0.text(sorted: false) }
      try require(third == again, "\(again) was read back as \(third)")
    }
  }

  /// The texts of a stream in normal form; an error ends them.
  private static func decode(_ bytes: UnsafeRawBufferPointer, pieces: [Int]) -> [String] {
    var stream = JSONStream(messageBytesMax: 1 << 20)
    var texts: [String] = []
    var position = 0
    for size in pieces {
      stream.append(UnsafeRawBufferPointer(rebasing: bytes[position..<(position + size)]))
      position += size
      do throws(JSONSyntaxError) {
        while let value = try stream.next() {
          texts.append(value.text(sorted: false))
          if texts.count % 3 == 0 { stream.release() }
        }
      } catch {
        texts.append("error \(error.description)")
        return texts
      }
    }
    return texts
  }

  /// libjansson's tree becomes a document that the wire's decoder reads back.
  static let document = FuzzTarget(name: "document", words: words) { bytes in
    guard let document = try? JSONText.parse(Array(bytes)) else { return }
    let text = document.withRoot { $0.text(sorted: true) }
    _ = document.withRoot { $0.prettyText() }
    let again = try JSONDocument.parse(text).withRoot { $0.text(sorted: true) }
    let third = try JSONDocument.parse(again).withRoot { $0.text(sorted: true) }
    try require(third == again, "\(again) was read back as \(third)")
  }
}
