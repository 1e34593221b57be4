// SPDX-License-Identifier: Apache-2.0
//
// The shell commands of a page of documentation, in order. A code block is indented by four spaces or fenced.
//
// - A block whose lines begin with `$ ` shows commands and what they print; in any other block each line is a command.
// - A command that ends in a comment with `exit status N` must have that status, any other must have 0.
// - `<!-- first: COMMANDS -->` holds commands that prepare the next ones and that a reader does not see.
// - `<!-- not run: REASON -->` before a block exempts it. So does a fence with a language that is not of a shell.

import Foundation

package struct DocumentPage: Sendable {
  package struct Block: Sendable {
    package var line: Int
    package var text: [String]
    /// Commands out of a comment: what they print is nobody's business.
    package var isHidden = false
  }

  /// What stands between two headings of the second level; a page of manual has one section, that of its examples.
  package struct Section: Sendable {
    package var title: String
    package var blocks: [Block]

    package init(title: String, blocks: [Block] = []) {
      self.title = title
      self.blocks = blocks
    }
  }

  package var sections: [Section] = [Section(title: "")]
  /// Exemptions that give no reason, or that no block follows, by their lines.
  package var emptyExemptions: [Int] = []

  private var exemption: Int?

  package init(_ text: String, heading: String = "## ") {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var next = 0
    while next < lines.count {
      let begin = next
      let line = lines[begin]
      if line.hasPrefix("<!--") {
        next = (lines[begin...].firstIndex { $0.hasSuffix("-->") } ?? lines.count - 1) + 1
        readComment(Array(lines[begin..<next]), line: begin + 1)
      } else if line.hasPrefix("```") {
        next = lines[(begin + 1)...].firstIndex { $0.hasPrefix("```") } ?? lines.count
        let isShell = ["", "sh", "console"].contains(line.dropFirst(3))
        add(Array(lines[(begin + 1)..<next]), line: begin + 2, isShell: isShell)
        next += 1
      } else if line.hasPrefix("    "), begin == 0 || lines[begin - 1].isEmpty {
        while next < lines.count, lines[next].hasPrefix("    ") || lines[next].isEmpty { next += 1 }
        add(lines[begin..<next].map { String($0.dropFirst(4)) }, line: begin + 1, isShell: true)
      } else {
        if line.hasPrefix(heading) { sections.append(Section(title: String(line.dropFirst(heading.count)))) }
        next += 1
      }
    }
    if let exemption { emptyExemptions.append(exemption) }
  }

  private mutating func add(_ text: [String], line: Int, isShell: Bool) {
    defer { exemption = nil }
    guard isShell, exemption == nil else { return }
    sections[sections.count - 1].blocks.append(Block(line: line, text: text))
  }

  private mutating func readComment(_ lines: [String], line: Int) {
    let text = lines.joined(separator: "\n").dropFirst(4).dropLast(3).trimmingCharacters(in: .whitespacesAndNewlines)
    if text.hasPrefix("not run:") {
      exemption = line
      if text.dropFirst(8).allSatisfy(\.isWhitespace) { emptyExemptions.append(line) }
    } else if text.hasPrefix("first:") {
      let commands = text.dropFirst(6).trimmingCharacters(in: .whitespacesAndNewlines)
      let block = Block(line: line, text: commands.split(separator: "\n").map(String.init), isHidden: true)
      sections[sections.count - 1].blocks.append(block)
    }
  }
}
