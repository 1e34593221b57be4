// SPDX-License-Identifier: Apache-2.0
//
// How many columns of a terminal a text takes: letters of Chinese, Japanese and Korean and most pictures take two, marks that
// stand on the letter before them none. Counted scalar by scalar, as terminals do; independent of the locale.

package enum DisplayWidth {
  /// The columns of one scalar: 0, 1 or 2. Control characters count as one: whoever shows them puts something visible in their
  /// place.
  package static func of(_ scalar: Unicode.Scalar) -> Int {
    if scalar.value < 0x300 { return scalar.value == 0xAD ? 0 : 1 }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    // The vowels and final consonants of Korean syllables that are put together stand on their first consonant.
    if (0x1160...0x11FF).contains(scalar.value) { return 0 }
    return isWide(scalar) ? 2 : 1
  }

  package static func of(_ text: some StringProtocol) -> Int {
    text.unicodeScalars.reduce(0) { $0 + of($1) }
  }

  /// The longest beginning of a text that fits, with its own width. A letter keeps the marks that stand on it.
  package static func prefix(_ text: String, columns: Int) -> (text: Substring, columns: Int) {
    var used = 0
    var end = text.unicodeScalars.startIndex
    for index in text.unicodeScalars.indices {
      let width = of(text.unicodeScalars[index])
      guard used + width <= columns else { break }
      used += width
      end = text.unicodeScalars.index(after: index)
    }
    return (text[..<end], used)
  }

  /// Blocks of wide letters (East_Asian_Width W and F of Unicode). Unassigned places inside of a block count with it. Pictures
  /// are told by their property.
  private static let wideRanges: [ClosedRange<UInt32>] = [
    0x1100...0x115F, 0x2329...0x232A, 0x2E80...0x303E, 0x3041...0x3247, 0x3250...0x4DBF, 0x4E00...0xA4CF,
    0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6B, 0xFF01...0xFF60,
    0xFFE0...0xFFE6, 0x16FE0...0x18DFF, 0x1AFF0...0x1B2FF, 0x1F200...0x1F265, 0x20000...0x3FFFD,
  ]

  private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.value >= 0x1100 else { return false }
    if wideRanges.contains(where: { $0.contains(scalar.value) }) { return true }
    // Flags are pairs of letters, one column each.
    return scalar.properties.isEmojiPresentation && !(0x1F1E6...0x1F1FF).contains(scalar.value)
  }
}
