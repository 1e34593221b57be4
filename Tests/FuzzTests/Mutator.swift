// SPDX-License-Identifier: Apache-2.0
//
// Spoils texts: bytes changed, runs moved, doubled and dropped, two texts crossed, words of the target put in.

import FuzzTargets

struct Mutator {
  private var state: UInt64
  private let texts: [[UInt8]]
  private let words: [String]

  init(seed: UInt64, texts: [[UInt8]], words: [String]) {
    state = seed &* 0x9e37_79b9_7f4a_7c15
    self.texts = texts
    self.words = words
  }

  /// The generator splitmix64, below a bound.
  private mutating func number(_ bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return Int((z ^ z >> 31) % UInt64(max(1, bound)))
  }

  mutating func text() -> [UInt8] {
    guard !texts.isEmpty else { return [] }
    var text = texts[number(texts.count)]
    for _ in 0...number(4) { spoil(&text) }
    return Array(text.prefix(FuzzTarget.inputBytesMax))
  }

  private mutating func run(of text: [UInt8]) -> Range<Int> {
    let start = number(text.count)
    return start..<min(text.count, start + 1 + number(number(8) == 0 ? 200 : 12))
  }

  private mutating func spoil(_ text: inout [UInt8]) {
    guard !text.isEmpty else { return }
    switch number(8) {
    case 0: text[number(text.count)] = UInt8(number(256))
    case 1: text[number(text.count)] ^= 1 << UInt8(number(8))
    case 2: text.removeSubrange(run(of: text))
    case 3: text.insert(contentsOf: text[run(of: text)], at: number(text.count))
    case 4, 5: if !words.isEmpty { text.insert(contentsOf: Array(words[number(words.count)].utf8), at: number(text.count)) }
    case 6:
      let other = texts[number(texts.count)]
      if !other.isEmpty { text = Array(text[..<number(text.count)] + other[number(other.count)...]) }
    default: text.replaceSubrange(run(of: text), with: "\(number(3) - 1)\(number(1 << 40))".utf8)
    }
  }
}
