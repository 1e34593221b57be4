// SPDX-License-Identifier: Apache-2.0
//
// Spoils texts: bytes changed, runs moved, doubled and dropped, two texts crossed, words of the target put in.

import FuzzTargets
import TestSupport

struct Mutator {
  private var random: SeededRandom
  private let texts: [[UInt8]]
  private let words: [String]

  init(seed: UInt64, texts: [[UInt8]], words: [String]) {
    random = SeededRandom(seed: seed)
    self.texts = texts
    self.words = words
  }

  mutating func text() -> [UInt8] {
    guard !texts.isEmpty else { return [] }
    var text = texts[random.below(texts.count)]
    for _ in 0...random.below(4) { spoil(&text) }
    return Array(text.prefix(FuzzTarget.inputBytesMax))
  }

  private mutating func run(of text: [UInt8]) -> Range<Int> {
    let start = random.below(text.count)
    return start..<min(text.count, start + 1 + random.below(random.below(8) == 0 ? 200 : 12))
  }

  private mutating func spoil(_ text: inout [UInt8]) {
    guard !text.isEmpty else { return }
    switch random.below(8) {
    case 0: text[random.below(text.count)] = UInt8(random.below(256))
    case 1: text[random.below(text.count)] ^= 1 << UInt8(random.below(8))
    case 2: text.removeSubrange(run(of: text))
    case 3: text.insert(contentsOf: text[run(of: text)], at: random.below(text.count))
    case 4, 5: if !words.isEmpty { text.insert(contentsOf: Array(words[random.below(words.count)].utf8), at: random.below(text.count)) }
    case 6:
      let other = texts[random.below(texts.count)]
      if !other.isEmpty { text = Array(text[..<random.below(text.count)] + other[random.below(other.count)...]) }
    default: text.replaceSubrange(run(of: text), with: "\(random.below(3) - 1)\(random.below(1 << 40))".utf8)
    }
  }
}
