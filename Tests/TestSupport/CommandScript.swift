// SPDX-License-Identifier: Apache-2.0
//
// Runs the same commands against both sides and compares what people and scripts would see: standard output, standard
// error and exit status.

import Foundation

/// The text of a command's result without what differs between any two runs: UUIDs, the private directory, the time.
package func presentable(_ text: String, directory: RunDirectory, sortingLines: Bool = false) -> String {
  var text = UUIDText.replace(in: text) { _ in "<uuid>" }
  text = text.replacing(directory.path, with: "<dir>")
  text = text.replacing(#/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?/#, with: "<time>")
  guard sortingLines else { return text }
  return text.split(separator: "\n", omittingEmptySubsequences: false).sorted().joined(separator: "\n")
}

/// A text of our programs with positions in JSON as those of 3.1.0 have them, whose lines begin with 0. Positions in records, which
/// programs write, begin with 0 in ours as well.
package func countingLinesFromZero(_ text: String) -> String {
  text.replacing(#/line (\d+), column/#) { "line \(max(0, (Int($0.output.1) ?? 0) - 1)), column" }
}

/// A result in which `presentable` was applied to both texts.
package func presentable(
  _ result: CommandResult, directory: RunDirectory, sortingLines: Bool = false
) -> CommandResult {
  CommandResult(
    status: result.status,
    standardOutput: presentable(result.standardOutput, directory: directory, sortingLines: sortingLines),
    standardError: presentable(result.standardError, directory: directory))
}
