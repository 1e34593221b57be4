// SPDX-License-Identifier: Apache-2.0

import Foundation
import JSON
import Testing

@testable import Journal

@Suite struct LogAppendixTests {
  let directory: TemporaryDirectory
  let script = ScriptedFileSystem()

  init() throws { directory = try TemporaryDirectory() }

  private var path: String { directory.file("x.db") }

  private func makeLog() throws -> LogFile {
    let log = try LogFile.create(path: path, fileSystem: script.fileSystem)
    for record in [schemaText, "{\"a\":1}"] { log.append(Array(record.utf8)) }
    try log.persistCreation()
    return log
  }

  private func record(_ text: String) -> ByteWriter {
    var writer = ByteWriter()
    writer.append(utf8: text)
    return writer
  }

  @Test func aRecordThatAnotherThreadWroteIsLikeAnyOther() async throws {
    let log = try makeLog()
    let text = "{\"s\":\"\(String(repeating: "x", count: 3 << 20))\"}"
    let appendix = try log.beginAppendix()
    let size = log.size
    let end = try await Task.detached {
      var writer = ByteWriter()
      writer.append(utf8: text)
      return try appendix.write(writer)
    }.value
    #expect(log.size == size && log.recordCount == 2)
    try log.endAppendix(keeping: end)
    #expect(log.size == end && log.recordCount == 3)
    log.append(Array("{\"b\":1}".utf8))
    try log.flush()
    #expect(readAll(path).records == [schemaText, "{\"a\":1}", text, "{\"b\":1}"].map { $0 + "\n" })
  }

  @Test func whatIsNotKeptIsRemoved() throws {
    let log = try makeLog()
    let before = try contents(of: path)
    let appendix = try log.beginAppendix()
    _ = try appendix.write(record("{\"n\":1}"))
    #expect(try contents(of: path).count > before.count)
    try log.endAppendix(keeping: nil)
    #expect(try contents(of: path) == before)
  }

  @Test func aWriteThatFailsLeavesNothing() throws {
    let log = try makeLog()
    let before = try contents(of: path)
    for failing in 1...3 {
      script.inject(.write, [failing: .fail(ENOSPC)])
      let appendix = try log.beginAppendix()
      let error = #expect(throws: LogError.self) { _ = try appendix.write(record("{\"n\":1}")) }
      #expect(error?.description == "I/O error: \(path): write failed (No space left on device)")
      try log.endAppendix(keeping: nil)
      #expect(try contents(of: path) == before)
    }
  }

  @Test func nothingElseIsWrittenMeanwhile() throws {
    let log = try makeLog()
    let appendix = try log.beginAppendix()
    log.append(Array("{\"b\":1}".utf8))
    #expect(throws: LogError.self) { try log.flush() }
    log.discardPending()
    let end = try appendix.write(record("{\"n\":1}"))
    try log.endAppendix(keeping: end)
    #expect(readAll(path).records == [schemaText, "{\"a\":1}", "{\"n\":1}"].map { $0 + "\n" })
  }

  @Test func aSyncThatFailsMeanwhileRefusesTheRecord() throws {
    let log = try makeLog()
    let before = try contents(of: path)
    let appendix = try log.beginAppendix()
    let end = try appendix.write(record("{\"n\":1}"))
    script.inject(.syncData, [1: .fail(EIO)])
    #expect(throws: LogError.self) { try log.syncTarget.sync() }
    #expect(throws: LogError.self) { try log.endAppendix(keeping: end) }
    #expect(try contents(of: path) == before)
  }
}
