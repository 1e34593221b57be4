// SPDX-License-Identifier: Apache-2.0
//
// One command being carried out. It is answered exactly once; the session takes no further command before that.

import Daemon
import Synchronization

package final class ControlRequest: Sendable {
  /// How the connection wants its results: `set-options --format`.
  package enum Format: Sendable { case text, json }

  enum Answer: Sendable {
    case text(String)
    /// Bytes of one JSON value, for the format `json` only.
    case json([UInt8])
    case error(String)
  }

  package let name: String
  package let arguments: [String]
  package let format: Format
  private let answer: Mutex<(@Sendable (Answer) -> Void)?>

  init(name: String, arguments: [String], format: Format, answer: @escaping @Sendable (Answer) -> Void) {
    self.name = name
    self.arguments = arguments
    self.format = format
    self.answer = Mutex(answer)
  }

  deinit {
    // A handler that lost its request must not leave the operator waiting.
    finish(.error("\"\(name)\" command was dropped without an answer"))
  }

  /// Answers with a text, from any thread. Only the first answer counts.
  package func reply(_ text: String = "") { finish(.text(text)) }

  /// Answers with a value of the command's own; only when `format` is `.json`.
  package func reply(json: [UInt8]) {
    precondition(format == .json, "an answer in JSON to a connection that wants text")
    finish(.json(json))
  }

  /// Answers with an error.
  package func fail(_ text: String) { finish(.error(text)) }

  private func finish(_ result: Answer) {
    let answer = self.answer.withLock { answer in
      defer { answer = nil }
      return answer
    }
    answer?(result)
  }
}
