// SPDX-License-Identifier: Apache-2.0
//
// The files in Scenarios/: commands, each followed by `----` and the lines it must answer, as the reference server (ovsdb-server
// 3.1.0) answered them. Where ours is meant to answer otherwise, a comment `# differs: REASON` stands before the command.

import Foundation
import JSON
import Testing

/// One command of a scenario and what is expected of it.
struct ScenarioStep: Sendable {
  let line: Int
  let command: String
  let argument: String
  let expected: [String]
}

/// A scenario file.
struct ScenarioFile: Sendable, CustomTestStringConvertible {
  let name: String
  let lines: [String]
  let steps: [ScenarioStep]
  /// The UUIDs that commands name; all others are random and told as `<uuid>`.
  let knownUUIDs: Set<String>

  var testDescription: String { name }

  static let directory = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Scenarios")

  static let all: [ScenarioFile] = {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return names.filter { $0.hasSuffix(".txt") }.sorted().compactMap { try? ScenarioFile(name: $0) }
  }()

  init(name: String) throws {
    self.name = name
    // Some replies repeat bytes that are not UTF-8; such are compared as U+FFFD.
    let text = String(decoding: try Data(contentsOf: Self.directory.appending(path: name)), as: UTF8.self)
    lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var steps: [ScenarioStep] = []
    var known: Set<String> = ["00000000-0000-0000-0000-000000000000"]
    var position = 0
    while position < lines.count {
      let line = lines[position]
      position += 1
      guard let space = line.firstIndex(of: " "), Self.commands.contains(String(line[..<space])) else { continue }
      known.formUnion(line.matches(of: Self.uuidPattern).map { $0.output.lowercased() })
      let begin = position
      var expected: [String] = []
      if position < lines.count, lines[position] == "----" {
        position += 1
        while position < lines.count, !lines[position].isEmpty {
          expected.append(lines[position])
          position += 1
        }
      }
      steps.append(
        ScenarioStep(
          line: begin, command: String(line[..<space]), argument: String(line[line.index(after: space)...]),
          expected: expected))
    }
    self.steps = steps
    knownUUIDs = known
  }

  private static let commands: Set<String> = [
    "schema", "transact", "monitor", "monitor_cond", "monitor_cond_since", "monitor_cond_change", "monitor_cancel",
  ]

  nonisolated(unsafe) private static let uuidPattern =
    /[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}/

  /// A text with its random UUIDs made alike.
  func normalized(_ text: String) -> String {
    text.replacing(Self.uuidPattern) { match in
      knownUUIDs.contains(match.output.lowercased()) ? String(match.output) : "<uuid>"
    }
  }

  /// Writes the file anew with other replies, for a developer who looks at differences.
  func write(_ replies: [Int: [String]], to directory: String) throws {
    var text: [String] = []
    var position = 0
    while position < lines.count {
      text.append(lines[position])
      position += 1
      guard let reply = replies[position] else { continue }
      text += ["----"] + reply
      if position < lines.count, lines[position] == "----" {
        while position < lines.count, !lines[position].isEmpty { position += 1 }
      }
    }
    try text.joined(separator: "\n").write(toFile: directory + "/" + name, atomically: true, encoding: .utf8)
  }
}

/// A JSON text in normal form: keys sorted, and where the order of rows is nobody's business, rows sorted too.
func normalForm(_ text: String, sortsRows: Bool) throws -> String {
  try JSONDocument.parse(text, anyValue: true).withRoot { root in
    guard sortsRows, root.kind == .array else { return root.text(sorted: true) }
    return "[" + root.elements.map(resultWithSortedRows).joined(separator: ",") + "]"
  }
}

private func resultWithSortedRows(_ result: JSONValue) -> String {
  guard let rows = result.member("rows"), rows.kind == .array else { return result.text(sorted: true) }
  let texts = rows.elements.map { $0.text(sorted: true) }.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
  return "{\"rows\":[\(texts.joined(separator: ","))]}"
}
