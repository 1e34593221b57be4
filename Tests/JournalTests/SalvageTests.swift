// SPDX-License-Identifier: Apache-2.0
//
// Salvage: records that do not fit leave the rows as they were, and cost no more than others.

import Engine
import JSON
import OVSDB
import Testing

@testable import Journal

@Suite struct SalvageTests {
  private static let schemaText = """
    {"name":"D","tables":{"r":{"columns":{"n":{"type":"integer"},"s":{"type":{"key":"integer","min":0,"max":"unlimited"}}},"isRoot":true}}}
    """

  /// Offers records to a salvage, and says why each was left out.
  private func salvage(_ texts: [String], to path: String) throws -> [LogError?] {
    var copier = try DatabaseFile.Salvage(path: "x", destination: path, schema: try schema(Self.schemaText))
    var problems: [LogError?] = []
    for text in texts {
      let data = Array((text + "\n").utf8)
      problems.append(
        try data.withUnsafeBytes { try copier.add(Record(data: $0, index: problems.count + 1, start: 0, offset: 0)) })
    }
    _ = try copier.finish()
    return problems
  }

  @Test func aRecordThatFitsInPartLeavesNothingOfItself() throws {
    let directory = try TemporaryDirectory()
    let records = [
      #"{"r":{"\#(id(1))":{"n":1,"s":["set",[1,2]]},"\#(id(2))":{"n":2}}}"#,
      // Changes, deletes and adds rows before it turns out that it cannot be.
      #"{"_is_diff":true,"r":{"\#(id(1))":{"n":7,"s":["set",[2,3]]},"\#(id(2))":null,"\#(id(3))":{"n":3},"\#(id(9))":null}}"#,
      #"{"r":{"\#(id(1))":{"n":8}},"nowhere":{}}"#, "[]", #"{"r":"#,
      #"{"_is_diff":true,"r":{"\#(id(1))":{"s":["set",[1,3]]},"\#(id(4))":{"n":4}}}"#,
    ]
    let problems = try salvage(records, to: directory.file("y.db"))
    #expect(problems.map { $0 == nil } == [true, false, false, false, false, true])
    let database = try DatabaseFile.read(directory.file("y.db"))
    #expect(try salvage([records[0], records[5]], to: directory.file("z.db")).allSatisfy { $0 == nil })
    let expected = try DatabaseFile.read(directory.file("z.db"))
    #expect(rows(database) == rows(expected) && rows(database).count == 3)
  }

  /// To begin anew at each of them would take minutes.
  @Test(.timeLimit(.minutes(1))) func thousandsOfRecordsThatDoNotFitTakeNoLongerThanOthers() throws {
    let directory = try TemporaryDirectory()
    let good = (0..<4_000).map { #"{"r":{"\#(id($0 + 1))":{"n":\#($0)}}}"# }
    let bad = (0..<4_000).map { #"{"r":{"\#(id($0 + 1))":{"n":-1},"\#(id(10_000 + $0))":null}}"# }
    let problems = try salvage(good + bad, to: directory.file("y.db"))
    #expect(problems.filter { $0 == nil }.count == good.count)
  }
}
