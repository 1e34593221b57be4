// SPDX-License-Identifier: Apache-2.0
//
// What can be fuzzed, as a table. A target takes any bytes whatever and must neither trap nor hang; beyond that it checks what has to
// hold, and says so when it does not. `Fuzz/Driver` runs one of them under libFuzzer, `Tests/FuzzTests` all of them over the corpora.

/// What does not hold although it must.
package struct FuzzFault: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}

/// One thing that reads what strangers write.
package struct FuzzTarget: Sendable {
  /// The name of its corpus below `Fuzz/Corpora`.
  package let name: String
  /// Words that are worth putting into an input.
  package let words: [String]
  package let run: @Sendable (UnsafeRawBufferPointer) throws -> Void

  /// Texts longer than this find nothing that shorter ones do not.
  package static let inputBytesMax = 1 << 16

  package static let all: [FuzzTarget] = [
    .json, .document, .framing, .schema, .transaction, .monitor, .log, .records, .control, .session, .source, .authorization, .reply,
    .cluster, .configuration, .names, .certificate, .text, .logging,
  ]
}

/// Throws a fault unless a condition holds.
func require(_ holds: Bool, _ text: @autoclosure () -> String) throws(FuzzFault) {
  guard holds else { throw FuzzFault(text()) }
}
