// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Testing

@testable import Journal

@Suite struct LogReplacementTests {
  let directory: TemporaryDirectory
  let script = ScriptedFileSystem()

  init() throws { directory = try TemporaryDirectory() }

  private var path: String { directory.file("x.db") }

  private func makeLog(at path: String? = nil) throws -> LogFile {
    let log = try LogFile.create(path: path ?? self.path, fileSystem: script.fileSystem)
    for record in [schemaText, "{\"a\":1}", "{\"b\":1}"] { log.append(Array(record.utf8)) }
    try log.persistCreation()
    return log
  }

  private func append(_ text: String, to log: LogFile) throws {
    log.append(Array(text.utf8))
    try log.flush()
  }

  private func fill(_ replacement: LogReplacement) throws(LogError) {
    try replacement.append(Array(schemaText.utf8))
    try replacement.append(Array("{\"all\":1}".utf8))
    try replacement.catchUp()
  }

  @Test func commitsMadeMeanwhileFollowTheSnapshot() throws {
    let log = try makeLog()
    let replacement = try log.beginReplacement()
    try append("{\"n\":1}", to: log)
    try fill(replacement)
    try append("{\"n\":2}", to: log)
    try log.finish(replacement)
    try append("{\"n\":3}", to: log)
    let expected = [schemaText, "{\"all\":1}", "{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]
    #expect(readAll(path).records == expected.map { $0 + "\n" })
    #expect(log.recordCount == 5)
    #expect(log.size == (try contents(of: path).count))
    #expect(log.baseSize == expected.prefix(2).reduce(0) { $0 + framed($1).count })
    #expect(!FileManager.default.fileExists(atPath: path + ".tmp"))
  }

  /// What is left for the sync at the end is little, however large the file: writing much at one go delays everybody on the machine.
  @Test func aLargeFileGoesToTheDiskWhileItGrows() throws {
    let begun = Mutex<[Range<Int>]>([])
    var fileSystem = script.fileSystem
    fileSystem.beginWriting = { _, offset, count in begun.withLock { $0.append(offset..<offset + count) } }
    let log = try LogFile.create(path: path, fileSystem: fileSystem)
    log.append(Array(schemaText.utf8))
    try log.persistCreation()
    let replacement = try log.beginReplacement()
    try replacement.append(Array(schemaText.utf8))
    let piece = Array(String(repeating: "x", count: 300_000).utf8)
    for _ in 0..<20 { try piece.withUnsafeBytes { try replacement.append(piece: $0) } }
    try Array("1".utf8).withUnsafeBytes { try replacement.append(lastPiece: $0) }
    let ranges = begun.withLock { $0 }
    #expect(ranges.first?.lowerBound == 0)
    #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    #expect((ranges.last?.upperBound ?? 0) > 20 * 300_000 - (2 << 20))
    try log.finish(replacement)
    #expect(begun.withLock { $0.count } == ranges.count)
  }

  /// The header of a record in pieces is written last, into a place that was kept for it.
  @Test func aRecordThatCameInPiecesIsReadAsOne() throws {
    let log = try makeLog()
    let replacement = try log.beginReplacement()
    try replacement.append(Array(schemaText.utf8))
    let pieces = ["{\"a\":\"", String(repeating: "x", count: 40 << 20), "\",\"b\":", "1}"]
    for piece in pieces.dropLast() { try replacement.append(piece: piece) }
    try replacement.append(lastPiece: pieces[3])
    try append("{\"n\":1}", to: log)
    try log.finish(replacement)
    let whole = pieces.joined()
    let records = readAll(path).records
    #expect(records.count == 3)
    #expect(records[1] == whole + "\n")
    #expect(records.last == "{\"n\":1}\n")
    #expect(log.size == (try contents(of: path).count))
    #expect(log.baseSize == framed(schemaText).count + RecordHasher.paddedHeaderByteCount + whole.utf8.count + 1)
    guard isPeerInstalled else { return }
    let shown = try run("ovsdb-tool", ["show-log", path])
    #expect(shown.status == 0 && shown.output.contains("record 2"), "\(shown)")
  }

  @Test func aRecordInOnePieceIsWrittenLikeAnyOther() throws {
    let log = try makeLog()
    let replacement = try log.beginReplacement()
    try replacement.append(Array(schemaText.utf8))
    try replacement.append(lastPiece: "{\"all\":1}")
    try log.finish(replacement)
    #expect(try contents(of: path) == framed(schemaText) + framed("{\"all\":1}"))
  }

  @Test(arguments: 1...6) func aWriteThatFailsInARecordOfPiecesLeavesTheOldFile(_ number: Int) throws {
    let log = try makeLog()
    let before = try contents(of: path)
    script.inject(.write, [number: .fail(ENOSPC)])
    #expect(throws: LogError.self) {
      let replacement = try log.beginReplacement()
      try replacement.append(Array(schemaText.utf8))
      try replacement.append(piece: "{\"a\":")
      try replacement.append(lastPiece: "1}")
      try log.finish(replacement)
    }
    #expect(try contents(of: path) == before)
    #expect(!FileManager.default.fileExists(atPath: path + ".tmp"))
  }

  /// The owner's half of the test below; a thread gets it as a whole.
  private final class Gate: Sendable { let isDone = Atomic<Bool>(false) }

  @Test func aThreadFillsTheReplacementWhileTheOwnerCommits() throws {
    let log = try makeLog()
    let replacement = try log.beginReplacement()
    let gate = Gate()
    let failure = Mutex<LogError?>(nil)
    let thread = Thread {
      do throws(LogError) {
        try replacement.append(Array(schemaText.utf8))
        for number in 0..<2000 {
          try replacement.append(Array("{\"row\":\(number),\"pad\":\"\(String(repeating: "x", count: 500))\"}".utf8))
        }
        try replacement.catchUp()
      } catch {
        failure.withLock { $0 = error }
      }
      gate.isDone.store(true, ordering: .releasing)
    }
    thread.start()
    var commits = 0
    while !gate.isDone.load(ordering: .acquiring) || commits < 100 {
      try append("{\"commit\":\(commits)}", to: log)
      commits += 1
    }
    #expect(failure.withLock { $0 } == nil)
    try log.finish(replacement)
    let records = readAll(path).records
    #expect(records.count == 2001 + commits)
    #expect(Array(records.dropFirst(2001)) == (0..<commits).map { "{\"commit\":\($0)}\n" })
    #expect(log.recordCount == records.count)
  }

  @Test func aLeftoverIsOverwritten() throws {
    let log = try makeLog()
    _ = try directory.write(Array("leftover of a crash".utf8), to: "x.db.tmp")
    let replacement = try log.beginReplacement()
    try fill(replacement)
    try log.finish(replacement)
    #expect(readAll(path).records.count == 2)
  }

  @Test func modeIsKept() throws {
    let log = try makeLog()
    #expect(chmod(path, 0o604) == 0)
    let replacement = try log.beginReplacement()
    try fill(replacement)
    try log.finish(replacement)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(mode == 0o604)
  }

  @Test func aSymbolicLinkStaysALink() throws {
    try FileManager.default.createDirectory(atPath: directory.file("real"), withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "real/y.db")
    let log = try makeLog()
    let replacement = try log.beginReplacement()
    try fill(replacement)
    #expect(FileManager.default.fileExists(atPath: directory.file("real/y.db.tmp")))
    try log.finish(replacement)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == "real/y.db")
    #expect(readAll(directory.file("real/y.db")).records.count == 2)
    #expect(FileManager.default.fileExists(atPath: directory.file("real/.y.db.~lock~")))
  }

  /// Every system call of a replacement fails once: the old file is untouched, open, and takes the next commit.
  @Test(arguments: [ScriptedFileSystem.Call.open, .remove, .write, .sync, .rename, .setMode])
  func whateverFailsTheOldFileStays(call: ScriptedFileSystem.Call) throws {
    let log = try makeLog()
    let before = try contents(of: path)
    script.inject(call, [1: .fail(EIO)])
    #expect(throws: LogError.self) {
      let replacement = try log.beginReplacement()
      try fill(replacement)
      try log.finish(replacement)
    }
    #expect(try contents(of: path) == before)
    #expect(!FileManager.default.fileExists(atPath: path + ".tmp"))
    script.inject(call, [:])
    try append("{\"n\":1}", to: log)
    #expect(try contents(of: path) == before + framed("{\"n\":1}"))
    let replacement = try log.beginReplacement()
    try fill(replacement)
    try log.finish(replacement)
    #expect(readAll(path).records.count == 2)
  }

  /// Descriptors may run out while the new file is written, and the directory may become one that cannot be read.
  @Test(arguments: [EMFILE, EACCES]) func nothingIsOpenedFromTheRenameOn(code: Int32) throws {
    let log = try makeLog()
    let replacement = try log.beginReplacement()
    try fill(replacement)
    script.inject(.open, Dictionary(uniqueKeysWithValues: (1...100).map { ($0, .fail(code)) }))
    try log.finish(replacement)
    try append("{\"n\":1}", to: log)
    try log.syncTarget.sync()
    #expect(readAll(path).records.count == 3)
  }

  /// The process may make files in it, and that is enough: the whole file system is synced for the name.
  @Test func aDirectoryThatMayNotBeReadHoldsUpNoReplacement() throws {
    let log = try makeLog()
    script.inject(.open, [1: .fail(EACCES)])
    script.inject(.syncAll, [:])
    let replacement = try log.beginReplacement()
    try fill(replacement)
    try log.finish(replacement)
    #expect(script.count(of: .syncAll) == 1)
    try append("{\"n\":1}", to: log)
    try log.syncTarget.sync()
    #expect(script.count(of: .syncAll) == 1)
    #expect(readAll(path).records.count == 3)
  }

  @Test(arguments: [1, 2]) func aReplacementThatCannotBeginHoldsUpNoCommit(openNumber: Int) throws {
    let log = try makeLog()
    script.inject(.open, [openNumber: .fail(EMFILE)])
    #expect(throws: LogError.self) { try log.beginReplacement() }
    try append("{\"n\":1}", to: log)
    try log.syncTarget.sync()
    #expect(readAll(path).records.count == 4)
  }

  @Test func aModeThatMayNotBeSetIsNoReasonToKeepTheOldFile() throws {
    let log = try makeLog()
    script.inject(.setMode, [1: .fail(EPERM)])
    let replacement = try log.beginReplacement()
    #expect(replacement.unkeptAttribute?.code == EPERM)
    try fill(replacement)
    try log.finish(replacement)
    #expect(readAll(path).records.count == 2)
  }

  /// The mode is kept with the group: its bits would speak of another one otherwise.
  @Test(arguments: [true, false]) func anOwnerThatMayNotBeSetIsNoReasonToKeepTheOldFile(isGroupKept: Bool) throws {
    var fileSystem = FileSystem.system
    fileSystem.status = { descriptor throws(SystemError) in
      var status = try FileSystem.system.status(descriptor)
      (status.owner, status.group) = (UInt32(descriptor), UInt32(descriptor))
      return status
    }
    fileSystem.setOwner = { _, owner, _ throws(SystemError) in
      if owner != .max || !isGroupKept { throw SystemError(code: EPERM) }
    }
    let log = try LogFile.create(path: path, fileSystem: fileSystem)
    log.append(Array(schemaText.utf8))
    try log.persistCreation()
    #expect(chmod(path, 0o604) == 0)
    let replacement = try log.beginReplacement()
    #expect(replacement.unkeptAttribute?.code == EPERM)
    try fill(replacement)
    try log.finish(replacement)
    let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect((mode == 0o604) == isGroupKept)
  }

  @Test func aDirectoryThatCannotBeSyncedLeavesTheNewFileInUseButTakesNoRecords() throws {
    let log = try makeLog()
    let replacement = try log.beginReplacement()
    try fill(replacement)
    script.inject(.sync, [2: .fail(EIO)])
    #expect(throws: LogError.self) { try log.finish(replacement) }
    #expect(readAll(path).records.count == 2)
    #expect(throws: LogError.self) { try append("{\"n\":1}", to: log) }
    log.discardPending()
    let again = try log.beginReplacement()
    try fill(again)
    try log.finish(again)
    try append("{\"n\":1}", to: log)
    #expect(readAll(path).records.count == 3)
  }

  @Test func everythingIsOnStableStorageBeforeTheRename() throws {
    let log = try makeLog()
    let replacement = try log.beginReplacement()
    try fill(replacement)
    try append("{\"n\":1}", to: log)
    try log.finish(replacement)
    #expect(try script.survivingBytes(of: path) == (try contents(of: path)))
  }

  @Test func aSyncOfTheOldFileIsHarmlessAfterTheReplacement() throws {
    let log = try makeLog()
    let target = log.syncTarget
    let replacement = try log.beginReplacement()
    try fill(replacement)
    try log.finish(replacement)
    try target.sync()
    try log.syncTarget.sync()
  }

  @Test func anAbandonedReplacementLeavesNothingBehind() throws {
    let log = try makeLog()
    do { _ = try log.beginReplacement() }
    #expect(!FileManager.default.fileExists(atPath: path + ".tmp"))
  }

  /// As when a conversion is begun anew: the first replacement is released after the second one has its name.
  @Test func anAbandonedReplacementLeavesALaterOneAlone() throws {
    let log = try makeLog()
    var first: LogReplacement? = try log.beginReplacement()
    #expect(first != nil)
    let second = try log.beginReplacement()
    first = nil
    try fill(second)
    try log.finish(second)
    #expect(readAll(path).records.count == 2)
  }

  @Test func theLockStaysWithTheName() throws {
    let log = try makeLog()
    let replacement = try log.beginReplacement()
    try fill(replacement)
    try log.finish(replacement)
    let error = #expect(throws: LogError.self) { try load(path) }
    #expect(error?.lockWarnings.first?.hasSuffix("cannot lock file because this process has already locked it") == true)
    withExtendedLifetime(log) {}
  }
}

extension LogReplacement {
  fileprivate func append(piece: String) throws(LogError) {
    try Array(piece.utf8).withUnsafeBufferPointer { bytes throws(LogError) in try append(piece: UnsafeRawBufferPointer(bytes)) }
  }

  fileprivate func append(lastPiece piece: String) throws(LogError) {
    try Array(piece.utf8).withUnsafeBufferPointer { bytes throws(LogError) in try append(lastPiece: UnsafeRawBufferPointer(bytes)) }
  }
}
