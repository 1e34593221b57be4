// SPDX-License-Identifier: Apache-2.0
//
// The scanner must see the same in every split of its input.

import Testing

@testable import Benchmarking

@Suite struct MessageScannerTests {
  /// Feeds the pieces of a text and returns the messages that were found.
  private func scan(_ pieces: [[UInt8]]) throws -> [MessageSummary] {
    var scanner = MessageScanner()
    var found: [MessageSummary] = []
    for piece in pieces {
      try piece.withUnsafeBytes { bytes in
        var position = 0
        while let summary = try scanner.next(in: bytes, from: &position) { found.append(summary) }
        #expect(position == bytes.count)
      }
    }
    return found
  }

  private func scan(_ text: String) throws -> [MessageSummary] { try scan([Array(text.utf8)]) }

  static let samples: [(text: String, expected: [MessageSummary])] = [
    (#"{"id":1,"result":[{"uuid":["uuid","a"]}],"error":null}"#, [MessageSummary(initialRows: 1)]),
    (
      #"{"error":null,"id":1,"result":[{"rows":[{"a":1},{"a":2},{}]}]}"#,
      [MessageSummary(initialRows: 1, changedRows: 0, selectedRows: 3)]
    ),
    (
      #"{"id":1,"result":{"T":{"u1":{"new":{"a":"}\"{"}},"u2":{"new":{}}}},"error":null}"#,
      [MessageSummary(initialRows: 2, changedRows: 2, selectedRows: 2)]
    ),
    (
      #"{"id":null,"method":"update2","params":[7,{"T":{"u1":{"modify":{"a":1}}},"S":{"u2":{"delete":null}}}]}"#,
      [MessageSummary(method: MessageScanner.word("update2"), initialRows: 2, changedRows: 2, selectedRows: 2)]
    ),
    (
      #"{"method" : "echo", "id" : "echo", "params" : []}{"id":2,"result":[],"error":null}"#,
      [MessageSummary(method: MessageScanner.word("echo")), MessageSummary()]
    ),
    (#"{"id":1,"result":null,"error":{"error":"unknown database"}}"#, [MessageSummary(isError: true)]),
    (#"{"id":1,"result":null,"error":"no"}"#, [MessageSummary(isError: true)]),
    (
      #"{"id":1,"result":[{},{"details":"d","error":"constraint violation"}],"error":null}"#,
      [MessageSummary(isError: true, initialRows: 2)]
    ),
    (
      #"{"id":1,"result":[{"rows":[{"error":"a column"}]}],"error":null}"#,
      [MessageSummary(initialRows: 1, selectedRows: 1)]
    ),
    (#"{"id":"error","result":[{"count":1}],"error":null} "#, [MessageSummary(initialRows: 1)]),
    (
      #"{"\"error":1,"id":"a long string \\","method":"a name of many letters","x":"u\u0041\\\""}"#,
      [MessageSummary(method: MessageScanner.word("a name o"))]
    ),
  ]

  @Test(arguments: samples.indices) func messagesAreJudgedByWhatLiesAtKnownDepths(_ index: Int) throws {
    let sample = MessageScannerTests.samples[index]
    #expect(try scan(sample.text) == sample.expected)
  }

  @Test(arguments: samples.indices) func everySplitOfTheInputGivesTheSame(_ index: Int) throws {
    let sample = MessageScannerTests.samples[index]
    let bytes = Array(sample.text.utf8)
    for cut in 0...bytes.count {
      #expect(try scan([Array(bytes[..<cut]), Array(bytes[cut...])]) == sample.expected, "cut at \(cut)")
    }
    #expect(try scan(bytes.map { [$0] }) == sample.expected)
  }

  @Test func messagesBehindEachOtherDoNotDisturbEachOther() throws {
    let text = MessageScannerTests.samples.map(\.text).joined(separator: "\n")
    #expect(try scan(text) == MessageScannerTests.samples.flatMap(\.expected))
  }

  @Test(arguments: ["[1]", "x", "\"a\"", "}", "{}]", "{\"id\":1}1"])
  func whatIsNoStreamOfObjectsIsRefused(_ text: String) {
    #expect(throws: BenchmarkFailure.self) { try scan(text) }
  }

  @Test func anIncompleteMessageIsNotReported() throws {
    #expect(try scan(#"{"id":1,"result":[{"rows":[{}"#) == [])
  }
}
