// SPDX-License-Identifier: Apache-2.0
//
// Why a text is not JSON, and where. Thrown by every reader of this target.

/// A place in a text and what is wrong there.
package struct JSONSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Line of the offence, the first being 0.
  package var line: Int
  /// Bytes between the start of the line and the offence.
  package var column: Int
  /// Bytes between the start of the text and the offence.
  package var byte: Int
  /// What is wrong, in the words that users of Open vSwitch know.
  package var text: String

  package init(line: Int, column: Int, byte: Int, text: String) {
    self.line = line
    self.column = column
    self.byte = byte
    self.text = text
  }

  /// The description for people, whose editors count lines from 1.
  package var wordsFromLineOne: String { "line \(line.saturatingPlus(1)), column \(column), byte \(byte): \(text)" }

  package var description: String { "line \(line), column \(column), byte \(byte): \(text)" }
}
