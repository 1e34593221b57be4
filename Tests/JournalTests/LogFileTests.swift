// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Journal

@Suite struct LogFileTests {
  let directory: TemporaryDirectory
  let script = ScriptedFileSystem()

  init() throws { directory = try TemporaryDirectory() }

  private var path: String { directory.file("x.db") }

  private func makeLog(_ records: [String] = [schemaText, "{\"a\":1}"]) throws -> LogFile {
    let log = try LogFile.create(path: path, fileSystem: script.fileSystem)
    for record in records { log.append(Array(record.utf8)) }
    try log.persistCreation()
    return log
  }

  @Test func whatIsAppendedIsReadBack() throws {
    let texts = [schemaText] + (0..<100).map { "{\"n\":\($0)}" }
    let log = try makeLog([texts[0]])
    for text in texts.dropFirst() {
      log.append(Array(text.utf8))
      try log.flush()
    }
    #expect(readAll(path).records == texts.map { $0 + "\n" })
    #expect(log.recordCount == 101)
    #expect(try contents(of: path).count == log.size)
    #expect(log.baseSize == texts.prefix(2).reduce(0) { $0 + framed($1).count })
  }

  @Test func aBatchIsOneWrite() throws {
    let log = try makeLog()
    script.inject(.write, [:])
    for number in 0..<50 { log.append(Array("{\"n\":\(number)}".utf8)) }
    try log.flush()
    #expect(script.count(of: .write) == 1)
    try log.flush()
    #expect(script.count(of: .write) == 1)
    #expect(readAll(path).records.count == 52)
  }

  @Test func discardedRecordsAreNotWritten() throws {
    let log = try makeLog()
    log.append(Array("{\"b\":1}".utf8))
    log.discardPending()
    log.append(Array("{\"c\":1}".utf8))
    try log.flush()
    #expect(readAll(path).records.last == "{\"c\":1}\n")
    #expect(log.recordCount == 3)
  }

  @Test func aNewFileHasMode0660AndAnExistingOneIsRefused() throws {
    // umask(2) can only be read by changing it, which other tests would notice; proc(5) shows it.
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix("Umask:") }
    let mask = try #require(line.flatMap { Int($0.dropFirst(6).trimmingCharacters(in: .whitespaces), radix: 8) })
    _ = try makeLog()
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o660 & ~mask)
    let error = #expect(throws: LogError.self) { try LogFile.create(path: path) }
    #expect(error?.description == "I/O error: \(path): create failed (File exists)")
  }

  @Test func aFileThatCannotBeCompletedIsRemoved() throws {
    script.inject(.write, [1: .fail(ENOSPC)])
    let error = #expect(throws: LogError.self) { try makeLog() }
    #expect(error?.description == "I/O error: \(path): write failed (No space left on device)")
    #expect(!FileManager.default.fileExists(atPath: path))
  }

  @Test func shortWritesAreContinued() throws {
    let log = try makeLog()
    script.inject(.write, [1: .short(1), 2: .short(20), 3: .short(7)])
    log.append(Array("{\"n\":12345678901234567890}".utf8))
    try log.flush()
    #expect(script.count(of: .write) == 4)
    #expect(readAll(path).records.last == "{\"n\":12345678901234567890}\n")
  }

  /// Invariant (3) at every byte: a write that fails after k bytes leaves nothing, and the next one succeeds.
  @Test func aWriteThatFailsAfterAnyByteLeavesTheFileAsItWas() throws {
    let log = try makeLog()
    let before = try contents(of: path)
    let record = Array("{\"n\":1}".utf8)
    for taken in 0..<framed("{\"n\":1}").count {
      script.inject(.write, [1: .short(taken), 2: .fail(ENOSPC)])
      log.append(record)
      let error = #expect(throws: LogError.self) { try log.flush() }
      #expect(error?.description == "I/O error: \(path): write failed (No space left on device)")
      #expect(error?.code == ENOSPC)
      #expect(try contents(of: path) == before)
      #expect(log.hasPending)
      log.discardPending()
    }
    script.inject(.write, [:])
    log.append(record)
    try log.flush()
    #expect(try contents(of: path) == before + framed("{\"n\":1}"))
  }

  /// What stands in several files stands in all of them or in none.
  @Test func whatIsWrittenCanBeCutOffBeforeItCounts() throws {
    let log = try makeLog()
    let before = try contents(of: path)
    log.append(Array("{\"n\":1}".utf8))
    try log.writePending()
    #expect(log.size == before.count && log.recordCount == 2)
    log.cutWritten()
    #expect(try contents(of: path) == before)
    try log.writePending()
    log.keepWritten()
    #expect(try contents(of: path) == before + framed("{\"n\":1}"))
    #expect(log.size == before.count + framed("{\"n\":1}").count && log.recordCount == 3 && !log.hasPending)
  }

  @Test func whatCannotBeCutOffIsCutByTheNextWrite() throws {
    let log = try makeLog()
    let before = try contents(of: path)
    log.append(Array("{\"n\":1234567890}".utf8))
    try log.writePending()
    script.inject(.truncate, [1: .fail(EIO)])
    log.cutWritten()
    log.discardPending()
    #expect(try contents(of: path).count > before.count)
    log.append(Array("{\"n\":2}".utf8))
    try log.flush()
    #expect(try contents(of: path) == before + framed("{\"n\":2}"))
  }

  @Test func aFailedFlushCanBeRepeated() throws {
    let log = try makeLog()
    script.inject(.write, [1: .fail(EIO)])
    log.append(Array("{\"n\":1}".utf8))
    #expect(throws: LogError.self) { try log.flush() }
    try log.flush()
    #expect(readAll(path).records.last == "{\"n\":1}\n")
  }

  @Test func aCutThatFailsIsMadeUpForBeforeTheNextWrite() throws {
    let log = try makeLog()
    let before = try contents(of: path)
    script.inject(.write, [1: .short(10), 2: .fail(ENOSPC)])
    script.inject(.truncate, [1: .fail(EIO), 2: .fail(EIO)])
    log.append(Array("{\"n\":1}".utf8))
    #expect(throws: LogError.self) { try log.flush() }
    #expect(try contents(of: path).count == before.count + 10)
    // The tail is torn, which a reader knows; and while it cannot be cut nothing is written behind it.
    let error = #expect(throws: LogError.self) { try log.flush() }
    #expect(
      error?.description == "I/O error: \(path): cannot truncate to length \(before.count) (Input/output error)")
    #expect(try contents(of: path).count == before.count + 10)
    try log.flush()
    #expect(try contents(of: path) == before + framed("{\"n\":1}"))
  }

  /// What `get-db-storage-status` finds out by.
  @Test func aProbeTellsWhetherAWriteWouldSucceedByNowAndLeavesTheFileAsItWas() throws {
    let log = try makeLog()
    let before = try contents(of: path)
    try log.probe()
    script.inject(.write, [1: .short(5), 2: .fail(ENOSPC), 3: .short(5), 4: .fail(ENOSPC)])
    log.append(Array("{\"n\":1}".utf8))
    #expect(throws: LogError.self) { try log.flush() }
    log.discardPending()
    let error = #expect(throws: LogError.self) { try log.probe() }
    #expect(error?.code == ENOSPC)
    #expect(try contents(of: path) == before)
    try log.probe()
    #expect(script.count(of: .write) == 5)
    #expect(try contents(of: path) == before)
    try log.probe()
    #expect(script.count(of: .write) == 5)
  }

  @Test func aTornTailStaysUntilTheFirstWriteAndIsGoneAfterIt() throws {
    let good = framed(schemaText) + framed("{\"a\":1}")
    let torn = good + framed("{\"b\":1}").dropLast(3)
    _ = try directory.write(torn, to: "x.db")
    do {
      let loaded = try load(path)
      #expect(loaded.records.count == 2)
      guard case .torn(let error, _, _, let excess) = loaded.recovery else {
        Issue.record("\(loaded.recovery)")
        return
      }
      #expect(error.ioError == "End of file")
      #expect(excess == torn.count - good.count)
    }
    #expect(try contents(of: path) == torn)
    let loaded = try load(path)
    loaded.log.append(Array("{\"c\":1}".utf8))
    try loaded.log.flush()
    #expect(try contents(of: path) == good + framed("{\"c\":1}"))
  }

  @Test func aRecordThatItsReaderRefusesCountsAsDamage() throws {
    let records = [schemaText, "{\"a\":1}", "{\"b\":1}", "{\"c\":1}"].map { framed($0) }
    _ = try directory.write(records.flatMap { $0 }, to: "x.db")
    func loadRefusing(_ index: Int) throws(LogError) -> LogFile.Recovery {
      try LogFile.open(path: path).load { (record) throws(LogError) in
        if record.index == index { throw LogError(.syntaxError, "does not fit") }
      }.recovery
    }
    let offset = records[..<3].reduce(0) { $0 + $1.count }
    #expect(
      try loadRefusing(3)
        == .rejected(LogError(.syntaxError, "does not fit"), record: 3, offset: offset, excess: records[3].count))
    let inside = #expect(throws: LogError.self) { try loadRefusing(2) }
    #expect(inside?.details.contains("record 2 at offset \(records[0].count + records[1].count)") == true)
    #expect(inside?.details.contains("1 good record follows it") == true)
    let first = #expect(throws: LogError.self) { try loadRefusing(0) }
    #expect(first?.details == "does not fit")
  }

  /// What stands at the end of the file when its last record is whole and refused.
  private func rejectLast(_ behind: String = "") throws -> (log: LogFile, good: [UInt8], bad: [UInt8]) {
    let good = [schemaText, "{\"a\":1}"].flatMap { framed($0) }
    let bad = framed("{\"b\":1}") + Array(behind.utf8)
    _ = try directory.write(good + bad, to: "x.db")
    let log = try LogFile.open(path: path, fileSystem: script.fileSystem).load { (record) throws(LogError) in
      if record.index == 2 { throw LogError(.syntaxError, "does not fit") }
    }.log
    #expect(try contents(of: path) == good + bad, "nothing is written before there is something to write")
    return (log, good, bad)
  }

  @Test(arguments: ["", "OVSDB JSON 5", "garbage"]) func theNextWriteTakesThePlaceOfARejectedRecordWhichIsKept(behind: String) throws {
    let (log, good, bad) = try rejectLast(behind)
    let rejected = "\(path).rejected-\(good.count)"
    _ = try directory.write([1], to: FilePath.name(of: rejected))
    log.append(Array("{\"c\":1}".utf8))
    try log.flush()
    #expect(try contents(of: path) == good + framed("{\"c\":1}"))
    #expect(try contents(of: rejected) == [1])
    #expect(try contents(of: "\(rejected).1") == bad)
  }

  @Test(arguments: [ScriptedFileSystem.Call.open, .write, .sync])
  func aRejectedRecordThatCannotBeKeptStays(call: ScriptedFileSystem.Call) throws {
    let (log, good, bad) = try rejectLast()
    script.inject(call, [1: .fail(ENOSPC)])
    log.append(Array("{\"c\":1}".utf8))
    #expect(throws: LogError.self) { try log.flush() }
    #expect(try contents(of: path) == good + bad)
    try log.flush()
    #expect(try contents(of: path) == good + framed("{\"c\":1}"))
    #expect(try contents(of: "\(path).rejected-\(good.count)") == bad)
  }

  @Test func aReplacementKeepsARejectedRecordAsWell() throws {
    let (log, good, bad) = try rejectLast()
    _ = try log.beginReplacement()
    #expect(try contents(of: "\(path).rejected-\(good.count)") == bad)
  }

  /// A file with holes may have any size.
  @Test func aFileOfTheGreatestSizeIsSearchedForGoodRecords() throws {
    _ = try directory.write(framed(schemaText) + Array("OVSDB JSON 5".utf8), to: "x.db")
    var system = FileSystem.system
    system.status = { descriptor throws(SystemError) in
      var status = try FileSystem.system.status(descriptor)
      status.size = .max
      return status
    }
    guard case .torn = try load(path, fileSystem: system).recovery else {
      Issue.record("not torn")
      return
    }
  }

  @Test func anUnreadableFileIsNeverTakenForATornOne() throws {
    _ = try makeLog([schemaText, "{\"a\":\"\(String(repeating: "x", count: 600_000))\"}", "{\"b\":1}"])
    var system = FileSystem.system
    let live = system
    system.read = { descriptor, buffer, offset throws(SystemError) in
      if offset > 300_000 { throw SystemError(code: EIO) }
      return try live.read(descriptor, buffer, offset)
    }
    let error = #expect(throws: LogError.self) { try load(path, fileSystem: system) }
    #expect(error?.code == EIO)
  }

  @Test func afterAFailedSyncNothingIsWrittenUntilAReplacement() throws {
    let log = try makeLog()
    script.inject(.syncData, [1: .fail(EIO)])
    let target = log.syncTarget
    #expect(throws: LogError.self) { try target.sync() }
    #expect(throws: LogError.self) { try target.sync() }
    log.append(Array("{\"n\":1}".utf8))
    let error = #expect(throws: LogError.self) { try log.flush() }
    #expect(error?.description == "I/O error: \(path): fsync failed (Input/output error)")
    log.discardPending()
    let replacement = try log.beginReplacement()
    try replacement.append(Array(schemaText.utf8))
    try replacement.append(Array("{\"all\":1}".utf8))
    try replacement.catchUp()
    try log.finish(replacement)
    log.append(Array("{\"n\":1}".utf8))
    try log.flush()
    try log.syncTarget.sync()
    #expect(readAll(path).records == [schemaText, "{\"all\":1}", "{\"n\":1}"].map { $0 + "\n" })
  }

  @Test func whatWasSyncedSurvivesALossOfPower() throws {
    let log = try makeLog()
    log.append(Array("{\"n\":1}".utf8))
    try log.flush()
    try log.syncTarget.sync()
    let durable = try contents(of: path)
    log.append(Array("{\"n\":2}".utf8))
    try log.flush()
    #expect(try script.survivingBytes(of: path) == durable)
  }

  @Test(arguments: [
    (1, 90, 11, 1, false), (11, 100, 11, 1, true), (11, 99, 11, 1, false), (21, 100, 10, 1, false),
    (21, 1000, 21, 11, false), (21, 1000, 23, 11, true), (25 * 60, 3, 1, 1, true), (25 * 60, 2, 1, 1, false),
  ])
  func compactionIsDueByGrowthOrOnceADay(minutes: Int, records: Int, size: Int, base: Int, isDue: Bool) {
    let start: Int64 = 1_000_000
    var schedule = CompactionSchedule(nowMilliseconds: start, jitter: 0)
    let now = start + Int64(minutes) * CompactionSchedule.minuteMilliseconds
    let mega = 1 << 20
    #expect(
      schedule.isDue(nowMilliseconds: now, recordCount: records, size: size * mega, baseSize: base * mega) == isDue)
  }
}
