// SPDX-License-Identifier: Apache-2.0
//
// The commands of Documentation/service-models.md do what the page says. Each section is run in an empty directory.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct ServiceModelDocumentTests {
  /// A command and what it prints.
  private struct Step {
    var command: String
    var output: [String] = []
  }

  private static let document: String = {
    (try? readText(Repository.path("Documentation/service-models.md"))) ?? ""
  }()

  /// The steps of each section: indented lines, commands behind `$ `, with the lines of a here-document.
  private static let sections: [(title: String, steps: [Step])] = {
    var sections: [(title: String, steps: [Step])] = [("", [])]
    var isInHereDocument = false
    for line in document.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("## ") { sections.append((String(line.dropFirst(3)), [])) }
      guard line.hasPrefix("    ") else { continue }
      let text = String(line.dropFirst(4))
      let last = sections[sections.count - 1].steps.count - 1
      if isInHereDocument {
        sections[sections.count - 1].steps[last].command += "\n" + text
        isInHereDocument = text != "END"
      } else if text.hasPrefix("$ ") {
        sections[sections.count - 1].steps.append(Step(command: String(text.dropFirst(2))))
        isInHereDocument = text.contains("<<'END'")
      } else if last >= 0 {
        sections[sections.count - 1].steps[last].output.append(text)
      }
    }
    return sections
  }()

  @Test(arguments: ["Standalone", "Active-backup", "Relay", "In the configuration file"])
  func theCommandsDoWhatThePageSays(title: String) throws {
    let preparation = try #require(Self.sections.first?.steps)
    let steps = try #require(Self.sections.first { $0.title == title }?.steps)
    #expect(!steps.isEmpty)
    let directory = try RunDirectory()
    // Whatever happens no server outlives the test.
    defer {
      for name in ["a", "b", "source", "relay", "backup"] where access(directory.path("\(name).ctl"), F_OK) == 0 {
        _ = try? run(Side.ours.tool("ovs-appctl"), ["-t", directory.path("\(name).ctl"), "exit"], in: directory)
      }
    }
    let tools = (Side.ours.server as NSString).deletingLastPathComponent
    let path = "\(tools):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")"
    for step in preparation + steps {
      let result = try run("/bin/sh", ["-c", step.command], environment: ["PATH": path], in: directory, seconds: 120)
      #expect(result.status == 0, "\(step.command): \(result)")
      #expect(result.standardOutput.split(separator: "\n").map(String.init) == step.output, "\(step.command): \(result)")
    }
  }
}
