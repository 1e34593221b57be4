// SPDX-License-Identifier: Apache-2.0
//
// Runs the scenario files: what the reference server answers is what the engine answers.

import Foundation
import Testing

@Suite struct ScenarioTests {
  @Test func thereAreScenarios() {
    #expect(ScenarioFile.all.count >= 11)
  }

  /// Set OVSDB_SCENARIO_OUTPUT to a directory to get the files with our answers in them, to be compared with the originals.
  @Test(arguments: ScenarioFile.all)
  func repliesAreThoseOfTheReferenceServer(_ file: ScenarioFile) throws {
    let runner = ScenarioRunner(file: file)
    var replies: [Int: [String]] = [:]
    for step in file.steps {
      let actual = try runner.run(step)
      replies[step.line] = actual
      #expect(actual == step.expected, "\(file.name):\(step.line)")
    }
    if let directory = ProcessInfo.processInfo.environment["OVSDB_SCENARIO_OUTPUT"] {
      try file.write(replies, to: directory)
    }
  }
}
