// SPDX-License-Identifier: Apache-2.0
//
// Somebody truncates a database file that is open, at any byte, and then it is written: what was lost is noticed, whenever it was looked
// at before.

import Foundation
import Testing

@testable import Journal

@Suite struct TruncatedFileTests {
  let directory: TemporaryDirectory
  private var path: String { directory.file("x.db") }

  init() throws { directory = try TemporaryDirectory() }

  private func append(_ text: String, to log: LogFile) throws {
    log.append(Array(text.utf8))
    try log.flush()
  }

  private func isWhole(_ log: LogFile) -> Bool {
    do throws(LogError) {
      try log.syncTarget.checkName()
      return true
    } catch {
      return false
    }
  }

  /// A file with some records, looked at after each of the first ones.
  private func makeLog(_ recordCount: Int, examined: Int) throws -> LogFile {
    unlink(path)
    let log = try LogFile.create(path: path)
    log.append(Array(schemaText.utf8))
    try log.persistCreation()
    for number in 1..<recordCount {
      try append("{\"n\":\(number)}", to: log)
      if number < examined { #expect(isWhole(log)) }
    }
    return log
  }

  @Test(arguments: 1...4) func aCutAtAnyByteIsNoticedAfterTheNextWrite(examined: Int) throws {
    let size = try makeLog(4, examined: examined).size
    for cut in 0...size {
      let log = try makeLog(4, examined: examined)
      try #require(truncate(path, off_t(cut)) == 0)
      try append("{\"n\":4}", to: log)
      #expect(isWhole(log) == (cut == size), "cut at \(cut) of \(size)")
      #expect((readAll(path).error == nil) == (cut == size))
      // It takes nothing more until it is replaced.
      #expect((log.syncFailure == nil) == (cut == size))
    }
  }

  @Test func whatWasLoadedIsCompared() throws {
    let size = try makeLog(4, examined: 4).size
    for cut in [0, 1, size / 2, size - 1] {
      _ = try makeLog(4, examined: 4)
      let log = try LogFile.open(path: path).load { _ in }.log
      try #require(truncate(path, off_t(cut)) == 0)
      try append("{\"n\":4}", to: log)
      #expect(!isWhole(log), "cut at \(cut) of \(size)")
    }
  }

  /// What is copied from the old file is what was written to it.
  @Test func noGapIsCopiedIntoAReplacement() throws {
    func replace(_ cutting: (Int, Int) -> Int?) throws -> Bool {
      let log = try makeLog(2, examined: 2)
      let replacement = try log.beginReplacement()
      let start = log.size
      try append("{\"n\":2}", to: log)
      let end = log.size
      if let cut = cutting(start, end) { try #require(truncate(path, off_t(cut)) == 0) }
      try append("{\"n\":3}", to: log)
      try replacement.append(Array(schemaText.utf8))
      try replacement.append(Array("{\"n\":1}".utf8))
      do throws(LogError) { try log.finish(replacement) } catch { return false }
      #expect(readAll(path).records == [schemaText, "{\"n\":1}", "{\"n\":2}", "{\"n\":3}"].map { $0 + "\n" })
      return true
    }
    let length = framed("{\"n\":2}").count
    for back in 1...length { #expect(try !replace { _, end in end - back }, "\(back) bytes") }
    #expect(try replace { _, _ in nil })
    #expect(try replace { _, end in end })
  }
}
