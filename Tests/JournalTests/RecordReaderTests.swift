// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Journal

@Suite struct RecordReaderTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  static let hash = "5f36b2ea290645ee34d943220a14b54ee5ea5be5"  // printf '{}\n' | sha1sum

  /// A good schema record, then the bytes in question.
  private func read(behindSchema bytes: String) throws -> (records: [String], error: LogError?) {
    let path = try directory.write(framed(schemaText) + Array(bytes.utf8), to: "x.db")
    return readAll(path)
  }

  private var tailOffset: Int { framed(schemaText).count }

  @Test func aRecordIsFramedAsSha1sumAndTheDocumentSay() {
    #expect(String(decoding: framed("{}"), as: UTF8.self) == "OVSDB JSON 3 \(Self.hash)\n{}\n")
  }

  @Test(arguments: [
    "OVSDB JSON 3 \(hash)\n{}\n", "OVSDB JSON    3 \(hash)\n{}\n", "OVSDB JSON \t3 \(hash)\n{}\n",
    "OVSDB JSON 003 \(hash)\n{}\n", "OVSDB JSON +3 \(hash)\n{}\n",
    "OVSDB JSON 3 5F36B2EA290645EE34D943220A14B54EE5EA5BE5\n{}\n",
  ])
  func headersThatThePeerReadsAreRead(bytes: String) throws {
    let (records, error) = try read(behindSchema: bytes)
    #expect(records == [schemaText + "\n", "{}\n"])
    #expect(error == nil)
  }

  @Test func dataWithoutNewlineAreReadAndTheNextHeaderFollowsAtOnce() throws {
    // printf '{}' | sha1sum
    let bytes = "OVSDB JSON 2 bf21a9e8fbc5a3846fb05b4fa0859e0917b2202f\n{}OVSDB JSON 3 \(Self.hash)\n{}\n"
    let (records, error) = try read(behindSchema: bytes)
    #expect(records == [schemaText + "\n", "{}", "{}\n"])
    #expect(error == nil)
  }

  /// Bad header lines and the part of them that the message shows (observed: ovsdb-tool 3.1.0).
  @Test(arguments: [
    ("garbage here", "garbage here"), ("garbage\nmore\n", "garbage"), ("\n", ""), ("ab\u{0}cd\n", "ab"), ("O", "O"),
    ("OVSDB", "OVSDB"), ("OVSDB ", "OVSDB "), ("OVSDB JSON", "OVSDB JSON"), ("OVSDB JSON 3", "OVSDB JSON"),
    ("OVSDB FOO 3 \(hash)\n{}\n", "OVSDB FOO"), ("OVSDB CLUSTER 3 \(hash)\n{}\n", "OVSDB CLUSTER"),
    ("OVSDB  JSON 3 \(hash)\n{}\n", "OVSDB "), ("OVSDB JSON 3  \(hash)\n{}\n", "OVSDB JSON"),
    ("OVSDB JSON 3 \(hash)\r\n{}\n", "OVSDB JSON"), ("OVSDB JSON 0x3 \(hash)\n{}\n", "OVSDB JSON"),
    ("OVSDB JSON 0 \(hash)\n{}\n", "OVSDB JSON"), ("OVSDB JSON -3 \(hash)\n{}\n", "OVSDB JSON"),
    ("OVSDB JSON 99999999999999999999 \(hash)\n{}\n", "OVSDB JSON"), ("OVSDB JSON 3 \(hash)xx\n{}\n", "OVSDB JSON"),
    ("OVSDB JSON 3 \(hash)", "OVSDB JSON"), ("OVSDB JSON 3 \n", "OVSDB JSON"),
    (String(repeating: "0", count: 500) + "\n", String(repeating: "0", count: 127)),
  ])
  func aBadHeaderIsShown(bytes: String, shown: String) throws {
    let (records, error) = try read(behindSchema: bytes)
    #expect(records == [schemaText + "\n"])
    let path = directory.file("x.db")
    #expect(
      error?.description
        == "syntax error: \(path): parse error at offset \(tailOffset) in header line \"\(shown)\"")
  }

  @Test(arguments: [3, 1_000_000_000_000, Int.max])
  func dataThatEndTooEarlyAreAnIOErrorWhateverTheHeaderClaims(length: Int) throws {
    let header = "OVSDB JSON \(length) \(Self.hash)\n"
    let (_, error) = try read(behindSchema: header + "{")
    let offset = tailOffset + header.utf8.count
    #expect(
      error?.description
        == "I/O error: \(directory.file("x.db")): error reading \(length) bytes starting at offset \(offset) (End of file)"
    )
    #expect(error?.code == nil)
  }

  @Test func aWrongHashIsReportedWithBothHashes() throws {
    let (_, error) = try read(behindSchema: "OVSDB JSON 3 \(Self.hash)\nxx\n")
    #expect(
      error?.description == """
        syntax error: \(directory.file("x.db")): 3 bytes starting at offset \(tailOffset + 54) have SHA-1 hash \
        ce3af7760f1289d02bf6a7ad19f3214c4e5c7c2e but should have hash \(Self.hash)
        """)
  }

  @Test(arguments: [
    ("", "cannot identify file type"), ("hello", "unexpected file format"), ("hello\n", "unexpected file format"),
    ("O", "unexpected file format"), ("OVSDB FOO 3 \(hash)\n{x\n", "cannot identify file type"),
    ("OVSDB FOO 3 \(hash)\n{", "cannot identify file type"), ("OVSDB JSON x \(hash)\n{}\n", "unexpected file format"),
    ("OVSDB CLUSTER 3 \(hash)\n{}\n", "cannot identify file type"),
    (String(repeating: "0", count: 200) + "\n", "unexpected file format"),
  ])
  func aFileThatIsNoDatabaseIsRefused(bytes: String, text: String) throws {
    let path = try directory.write(Array(bytes.utf8), to: "x.db")
    let (records, error) = readAll(path)
    #expect(records.isEmpty)
    #expect(error?.description == "ovsdb error: \(path): \(text)")
  }

  @Test func theFirstHeaderAloneTellsTheKind() throws {
    let path = try directory.write(Array("OVSDB CLUSTER 3 \(Self.hash)\nxx\n".utf8), to: "x.db")
    let reader = try RecordReader(path: path, accepting: [.standalone, .clustered])
    #expect(reader.kind == .clustered)
  }

  @Test func aDirectoryAndAMissingFileAreIOErrors() {
    #expect(readAll(directory.path).error?.description == "I/O error: \(directory.path): read error (Is a directory)")
    let missing = directory.file("missing")
    #expect(readAll(missing).error?.description == "I/O error: \(missing): open failed (No such file or directory)")
  }

  @Test func recordsLargerThanTheBufferAndManySmallOnesAreReadWhole() throws {
    let sizes = [10, 255_000, 262_144, 1_000_000, 3, 3_000_000, 70, 131_072]
    let texts = sizes.map { "{" + String(repeating: "a", count: $0) + "}" }
    let small = (0..<20_000).map { "{\"n\":\($0)}" }
    let all = texts + small + texts
    let path = try directory.write(all.flatMap { framed($0) }, to: "x.db")
    let (records, error) = readAll(path)
    #expect(error == nil)
    #expect(records == all.map { $0 + "\n" })
  }

  /// Style T7: every place where a crash can cut a log of some records.
  @Test func everyTruncationPointGivesTheWholeRecordsBeforeIt() throws {
    let texts = [schemaText, #"{"t":{"a":{"n":1}}}"#, #"{"t":{"b":{"n":2}}}"#]
    let records = texts.map { framed($0) }
    let file = records.flatMap { $0 }
    for cut in 0..<file.count {
      let path = try directory.write(Array(file[..<cut]), to: "x.db")
      var end = 0
      let whole = records.prefix { record in
        end += record.count
        return end <= cut
      }.count
      let (read, error) = readAll(path)
      #expect(read == texts.prefix(whole).map { $0 + "\n" }, "cut at \(cut)")
      let isAtBoundary = whole > 0 && records.prefix(whole).reduce(0) { $0 + $1.count } == cut
      #expect((error == nil) == isAtBoundary, "cut at \(cut)")
      if whole > 0 {
        let loaded = try load(path)
        #expect(loaded.records == read, "cut at \(cut)")
        #expect((loaded.recovery == .clean) == isAtBoundary, "cut at \(cut)")
      } else {
        #expect(throws: LogError.self, "cut at \(cut)") { try load(path) }
      }
    }
  }

  /// Style T7: every bit of a log of some records, flipped.
  @Test func everyFlippedBitIsFoundAndNothingGoodBehindItIsEverCutOff() throws {
    let texts = [schemaText, #"{"t":{"a":{"n":1}}}"#, #"{"t":{"b":{"n":2}}}"#, #"{"t":{"b":null}}"#]
    let records = texts.map { framed($0) }
    let file = records.flatMap { $0 }
    let lastStart = file.count - records[3].count
    for bit in 0..<(8 * file.count) {
      var damaged = file
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      let path = try directory.write(damaged, to: "x.db")
      var start = 0
      let before = records.prefix { record in
        start += record.count
        return start <= bit / 8
      }.count
      let (read, error) = readAll(path)
      // A flipped bit of case in a hash digit is no damage: both cases are read.
      if error == nil {
        #expect(read.count == texts.count, "bit \(bit)")
        continue
      }
      #expect(read == texts.prefix(before).map { $0 + "\n" }, "bit \(bit)")
      if bit / 8 >= lastStart {
        let loaded = try load(path)
        guard case .torn(_, _, _, let excess) = loaded.recovery else {
          Issue.record("bit \(bit): \(loaded.recovery)")
          continue
        }
        #expect(excess == records[3].count, "bit \(bit)")
      } else {
        let thrown = #expect(throws: LogError.self, "bit \(bit)") { try load(path) }
        if before > 0 {
          let behind = texts.count - before - 1
          let count = behind == 1 ? "1 good record follows" : "\(behind) good records follow"
          #expect(
            thrown?.details.contains("record \(before) at offset \(start - records[before].count) is damaged and \(count)")
              == true, "bit \(bit): \(String(describing: thrown))")
        }
      }
      #expect(try contents(of: path) == damaged, "bit \(bit)")
    }
  }

  @Test func aScanOfHeadersThatClaimEverythingEndsAndCountsAsDamage() throws {
    let header = Array("OVSDB JSON 2000000 \(Self.hash)\n".utf8)
    var file = framed(schemaText) + Array("garbage\n".utf8)
    while file.count < 3_000_000 { file += header }
    let path = try directory.write(file, to: "x.db")
    #expect(throws: LogError.self) { try load(path) }
  }
}
