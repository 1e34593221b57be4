// SPDX-License-Identifier: Apache-2.0
//
// A random number generator that a number replays, and the ways in which generators ask it.

/// SplitMix64: small, fast, and the same on every machine.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var word = state
    word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
    return word ^ (word >> 31)
  }

  package mutating func below(_ count: Int) -> Int { count <= 0 ? 0 : Int(next() % UInt64(count)) }

  package mutating func within(_ range: ClosedRange<Int>) -> Int { range.lowerBound + below(range.count) }

  /// True in `percent` of 100 cases.
  package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  package mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

  package mutating func pick<Element>(maybe elements: [Element]) -> Element? {
    elements.isEmpty ? nil : elements[below(elements.count)]
  }

  /// One of the values, each as often as its weight says.
  package mutating func weighted<Element>(_ choices: [(weight: Int, value: Element)]) -> Element {
    var point = below(choices.reduce(0) { $0 + $1.weight })
    for choice in choices {
      point -= choice.weight
      if point < 0 { return choice.value }
    }
    return choices[choices.count - 1].value
  }

  /// Up to `count` different elements, in random order.
  package mutating func sample<Element>(_ elements: [Element], _ count: Int) -> [Element] {
    Array(elements.shuffled(using: &self).prefix(count))
  }

  /// A random (version 4) UUID in lower case.
  package mutating func uuid() -> String {
    let digits = Array("0123456789abcdef")
    var text = ""
    for position in 0..<36 {
      switch position {
      case 8, 13, 18, 23: text.append("-")
      case 14: text.append("4")
      case 19: text.append(digits[8 + below(4)])
      default: text.append(digits[below(16)])
      }
    }
    return text
  }
}
