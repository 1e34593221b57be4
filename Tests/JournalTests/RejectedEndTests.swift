// SPDX-License-Identifier: Apache-2.0
//
// A last record that is whole but was refused, and a loss of power at every call by which the next write takes its place: what was
// refused is at the end of the file or in a file of its own, whole, and what was good stays.

import TestSupport
import Testing

@testable import Journal

@Suite struct RejectedEndTests {
  private let directory: TemporaryDirectory
  private var path: String { directory.file("x.db") }

  init() throws { directory = try TemporaryDirectory() }

  private static let good = [#"{"name":"D"}"#, #"{"a":1}"#].flatMap { framed($0) }
  private static let refused = framed(#"{"b":"\#(String(repeating: "x", count: 300))"}"#)
  private static let next = #"{"c":1}"#

  private func open(_ disk: SimulatedDisk) throws(LogError) -> LogFile {
    try LogFile.open(path: path, fileSystem: disk.fileSystem).load { (record) throws(LogError) in
      if record.data.starts(with: #"{"b""#.utf8) { throw LogError(.syntaxError, "does not fit") }
    }.log
  }

  /// Writes behind what was refused, or replaces the file.
  private func work(_ log: LogFile, replaces: Bool) throws(LogError) {
    if replaces {
      let replacement = try log.beginReplacement()
      try replacement.append(Array(#"{"name":"D"}"#.utf8))
      try replacement.append(Array(#"{"a":1}"#.utf8))
      return try log.finish(replacement)
    }
    log.append(Array(Self.next.utf8))
    try log.flush()
    try log.syncTarget.sync()
  }

  @Test(arguments: SimulatedDisk.Habit.allCases, [false, true])
  func whatWasRefusedOutlivesALossOfPowerAtEveryCall(habit: SimulatedDisk.Habit, replaces: Bool) throws {
    var random = SeededRandom(seed: 7)
    var isWorkDone = false
    var callCount = 0
    while !isWorkDone {
      #expect(callCount < 100)
      for readable in [true, false, true, false, true, false] {
        let disk = SimulatedDisk(hasReadableDirectories: readable)
        disk.put(Self.good + Self.refused, at: path)
        let log = try open(disk)
        disk.losePower(afterCalls: callCount)
        do throws(LogError) { try work(log, replaces: replaces) } catch {
          #expect(disk.isDead, "\(error)")
        }
        isWorkDone = !disk.isDead
        disk.reboot(habit, using: &random)
        let file = try #require(disk.contents(of: path))
        let kept = disk.contents(of: "\(path).rejected-\(Self.good.count)")
        #expect(file.starts(with: Self.good), "call \(callCount)")
        #expect(file == Self.good + Self.refused || kept == Self.refused, "call \(callCount)")
        if isWorkDone, !replaces { #expect(file == Self.good + framed(Self.next)) }
      }
      callCount += 1
    }
  }
}
