// SPDX-License-Identifier: Apache-2.0
//
// One command of a page, and whether what happened is what the page shows.

import Foundation

package struct DocumentStep: Sendable {
  package var line: Int
  package var command: String
  /// The lines that the page shows below the command; nil where it shows commands only.
  package var output: [String]?

  /// The status that the page gives: `# exit status N` behind the command, else 0.
  package var status: Int32 {
    guard let found = command.firstMatch(of: /#.* exit status (\d+)/) else { return 0 }
    return Int32(found.1) ?? 0
  }

  /// The steps of a block. A command goes on over lines until it is a whole one for the shell.
  package static func steps(of block: DocumentPage.Block, isWhole: (String) throws -> Bool) rethrows -> [DocumentStep] {
    let showsOutput = block.text.contains { $0.hasPrefix("$ ") }
    var steps: [DocumentStep] = []
    var isOpen = false
    for (index, text) in block.text.enumerated() {
      if isOpen {
        steps[steps.count - 1].command += "\n" + text
      } else if showsOutput, !text.hasPrefix("$ ") {
        if !steps.isEmpty { steps[steps.count - 1].output?.append(text) }
        continue
      } else {
        let command = showsOutput ? String(text.dropFirst(2)) : text
        guard !command.isEmpty, !command.hasPrefix("#") else { continue }
        steps.append(DocumentStep(line: block.line + index, command: command, output: showsOutput ? [] : nil))
      }
      isOpen = try steps.last.map { try !$0.command.isComplete(isWhole) } ?? false
    }
    steps = steps.map { $0.withoutBlankEnd() }
    // A block that shows no output shows commands only.
    guard steps.contains(where: { $0.output?.isEmpty == false }) else { return steps.map(\.withoutOutput) }
    return steps
  }

  fileprivate var withoutOutput: DocumentStep { DocumentStep(line: line, command: command, output: nil) }

  private func withoutBlankEnd() -> DocumentStep {
    var step = self
    while step.output?.last?.isEmpty == true { step.output?.removeLast() }
    return step
  }

  /// Whether the command printed what the page shows: on standard output, or there and on standard error.
  package func shows(_ result: CommandResult) -> Bool {
    guard let output else { return true }
    let both = [result.standardOutput + result.standardError, result.standardError + result.standardOutput]
    return ([result.standardOutput] + both).contains { text in
      Self.matches(output[...], Self.lines(text)[...])
    }
  }

  private static func lines(_ text: String) -> [String] {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    while lines.last?.isEmpty == true { lines.removeLast() }
    return lines
  }

  /// A line `...` of the page stands for any lines, `...` in a line for any text.
  private static func matches(_ shown: ArraySlice<String>, _ printed: ArraySlice<String>) -> Bool {
    guard let first = shown.first else { return printed.isEmpty }
    if first == "..." {
      return (printed.startIndex...printed.endIndex).contains { matches(shown.dropFirst(), printed[$0...]) }
    }
    guard let line = printed.first, matches(first, line) else { return false }
    return matches(shown.dropFirst(), printed.dropFirst())
  }

  private static func matches(_ shown: String, _ printed: String) -> Bool {
    let parts = general(shown).components(separatedBy: "...").map(NSRegularExpression.escapedPattern(for:))
    return general(printed).range(of: "^" + parts.joined(separator: ".*") + "$", options: .regularExpression) != nil
  }

  /// A line without what differs from one run to the next: UUIDs, times, process ids, sizes, and the widths of columns.
  private static func general(_ line: String) -> String {
    let patterns = [
      ("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID"),
      ("\\b(?=[a-f]*[0-9])[0-9a-f]{8}\\b", "UUID"),
      ("\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z?", "TIME"),
      ("\\bpid \\d+", "pid PID"), ("\\.\\d+\\.ctl", ".PID.ctl"),
      ("\\d[\\d,.]* ?(bytes|kB|KiB|MiB|ms|s)\\b", "SIZE"), ("\\d{4,}", "NUMBER"),
    ]
    return patterns.reduce(line.trimmingCharacters(in: .whitespaces)) { text, pattern in
      text.replacingOccurrences(of: pattern.0, with: pattern.1, options: .regularExpression)
    }
  }
}

extension String {
  /// Whether the shell would run this: no line, here-document, quotation or compound command is open.
  fileprivate func isComplete(_ isWhole: (String) throws -> Bool) rethrows -> Bool {
    guard !hasSuffix("\\") else { return false }
    if let end = firstMatch(of: /<<-? *'?"?(\w+)/)?.1 {
      guard split(separator: "\n").dropFirst().contains(where: { $0 == end }) else { return false }
    }
    return try isWhole(self)
  }
}
