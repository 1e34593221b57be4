// SPDX-License-Identifier: Apache-2.0
//
// Random schedules of commits, syncs, failures, compactions and conversions on a disk that forgets what was not synced
// (SimulatedDisk.swift). Wherever the power is lost, every commit that was reported as durable is there afterwards, with all before it.

import Foundation
import TestSupport
import Testing

@testable import Journal

/// `OVSDB_POWER_SEEDS`: how many schedules; each loses power several times.
private let seedCount = ProcessInfo.processInfo.environment["OVSDB_POWER_SEEDS"].flatMap { Int($0) } ?? 150

@Suite struct PowerLossTests {
  @Test(arguments: SimulatedDisk.Habit.allCases)
  func durableCommitsSurviveEveryLossOfPower(habit: SimulatedDisk.Habit) throws {
    var refusals = 0
    for seed in 0..<seedCount {
      let schedule = try Schedule(habit, seed: UInt64(seed))
      for life in 0..<6 {
        if let problem = try schedule.live() {
          Issue.record("\(habit), seed \(seed), life \(life): \(problem)")
          return
        }
      }
      refusals += schedule.refusalCount
    }
    // Where writes keep their order a lost tail is always a torn one.
    if habit == .ordered { #expect(refusals == 0) }
  }
}

/// A server's life with one file, reduced to what matters to the disk. The database is a list of numbers 0, 1, 2, ...; a record holds
/// one or, written by a compaction, all; a conversion adds 1,000,000 to each, and the schema record tells how often that was.
private final class Schedule {
  private let habit: SimulatedDisk.Habit
  private let disk: SimulatedDisk
  private let directory: TemporaryDirectory
  private var random: SeededRandom
  private(set) var refusalCount = 0

  private var path: String { directory.file("x.db") }

  /// Numbers in the file, by what the server knows; the next commit is this one.
  private var count = 0
  /// Reported as durable.
  private var durableCount = 0
  private var generation = 0
  /// Of a conversion that was reported as done.
  private var durableGeneration = 0

  init(_ habit: SimulatedDisk.Habit, seed: UInt64) throws {
    self.habit = habit
    disk = SimulatedDisk(hasReadableDirectories: seed % 4 != 3)
    directory = try TemporaryDirectory()
    random = SeededRandom(seed: seed)
    let log = try LogFile.create(path: path, fileSystem: disk.fileSystem)
    log.append(Self.schema(0))
    try log.persistCreation()
  }

  private static func schema(_ generation: Int) -> [UInt8] { Array(#"{"generation":\#(generation)}"#.utf8) }

  private func record(_ numbers: Range<Int>) -> [UInt8] {
    let padding = String(repeating: "x", count: Int.random(in: 0...80, using: &random))
    let values = numbers.map { String($0 + 1_000_000 * generation) }.joined(separator: ",")
    return Array(#"{"n":[\#(values)],"p":"\#(padding)"}"#.utf8)
  }

  private func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

  // MARK: - A life

  /// Opens the file, works until the power is lost, and looks what is left.
  ///
  /// - Returns: what is wrong.
  func live() throws -> String? {
    var log: LogFile? = try LogFile.open(path: path, fileSystem: disk.fileSystem).load { (_) throws(LogError) in }.log
    disk.losePower(afterCalls: Int.random(in: 0...80, using: &random))
    while !disk.isDead, let open = log {
      do throws(LogError) { try step(open) } catch {
        // A dead disk, or a failure that was asked for.
        open.discardPending()
      }
    }
    log = nil
    disk.reboot(habit, using: &random)
    return try examine()
  }

  private func step(_ log: LogFile) throws(LogError) {
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<55: try commit(log)
    case 55..<75: try sync(log)
    case 75..<80: disk.failNextWrite(afterBytes: Int.random(in: 0...60, using: &random))
    case 80..<83: disk.failNextSync()
    default: try replace(log, converts: chance(40))
    }
    if log.syncFailure != nil { try replace(log, converts: false) }
  }

  private func commit(_ log: LogFile) throws(LogError) {
    let amount = Int.random(in: 1...3, using: &random)
    for number in count..<(count + amount) { log.append(record(number..<(number + 1))) }
    do throws(LogError) { try log.flush() } catch {
      log.discardPending()
      throw error
    }
    count += amount
  }

  private func sync(_ log: LogFile) throws(LogError) {
    let covered = count
    try log.syncTarget.sync()
    durableCount = covered
  }

  /// A compaction or a conversion, in the steps of a server (LogReplacement.swift), with commits and syncs between them.
  private func replace(_ log: LogFile, converts: Bool) throws(LogError) {
    let replacement = try log.beginReplacement()
    let snapshotCount = count
    try among(log, syncs: true)
    let newGeneration = generation + (converts ? 1 : 0)
    try replacement.append(Self.schema(newGeneration))
    try replacement.append(text(0..<snapshotCount, newGeneration))
    try replacement.catchUp(copiesCommits: !converts)
    try among(log, syncs: true)
    // From here on nothing is reported as durable.
    var followed = snapshotCount
    if converts, followed < count {
      try replacement.append(text(followed..<count, newGeneration))
      followed = count
    }
    try replacement.catchUp(copiesCommits: !converts)
    try among(log, syncs: false)
    if converts, followed < count { try replacement.append(text(followed..<count, newGeneration)) }
    try log.swap(to: replacement, copiesCommits: !converts)
    generation = newGeneration
    if chance(50) { try among(log, syncs: false) }
    try sync(log)
    durableGeneration = generation
  }

  private func text(_ numbers: Range<Int>, _ generation: Int) -> [UInt8] {
    let own = self.generation
    self.generation = generation
    defer { self.generation = own }
    return record(numbers)
  }

  private func among(_ log: LogFile, syncs: Bool) throws(LogError) {
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      if log.syncFailure != nil { return }
      if syncs, chance(40) { try sync(log) } else { try commit(log) }
    }
  }

  // MARK: - What is left

  private func examine() throws -> String? {
    var (records, error) = readAll(path, fileSystem: disk.fileSystem)
    do throws(LogError) {
      _ = try LogFile.open(path: path, fileSystem: disk.fileSystem).load { (_) throws(LogError) in }
      error = nil
    } catch let refusal {
      // Sectors of a tail that was never synced can be lost out of order; then the file is refused, and nothing is cut off.
      refusalCount += 1
      error = refusal
    }
    guard let first = records.first, let found = Self.value(of: first, "generation").first else {
      return "the schema is gone: \(String(describing: error))"
    }
    var numbers: [Int] = []
    for record in records.dropFirst() { numbers += Self.value(of: record, "n") }
    if found < durableGeneration || found > generation { return "generation \(found), not \(durableGeneration)...\(generation)" }
    let expected = Array(0..<numbers.count).map { $0 + 1_000_000 * found }
    if numbers != expected { return "not the first so and so many of generation \(found): \(numbers)" }
    if numbers.count < durableCount { return "\(numbers.count) of \(durableCount) durable commits are left" }
    if error != nil {
      // What a person would do.
      try restore(found, numbers.count)
    }
    (generation, durableGeneration) = (found, found)
    (count, durableCount) = (numbers.count, numbers.count)
    records = []
    return nil
  }

  private func restore(_ generation: Int, _ count: Int) throws {
    self.generation = generation
    try disk.fileSystem.remove(path)
    let log = try LogFile.create(path: path, fileSystem: disk.fileSystem)
    log.append(Self.schema(generation))
    if count > 0 { log.append(record(0..<count)) }
    try log.persistCreation()
  }

  private static func value(of record: String, _ member: String) -> [Int] {
    guard let object = try? JSONSerialization.jsonObject(with: Data(record.utf8)) as? [String: Any] else { return [] }
    return object[member] as? [Int] ?? (object[member] as? Int).map { [$0] } ?? []
  }
}
