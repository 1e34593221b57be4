// SPDX-License-Identifier: Apache-2.0

import JSON
import Testing

@testable import Client

@Suite struct RowSplitterTests {
  private struct Outcome: Equatable {
    var rows: [String] = []
    var skeleton = ""
  }

  /// Splits a text that arrives in the given pieces.
  private func split(_ pieces: [[UInt8]], rowBytesMax: Int = 1000) -> Outcome {
    var splitter = RowSplitter(rowBytesMax: rowBytesMax)
    var outcome = Outcome()
    var skeleton: [UInt8] = []
    for piece in pieces {
      piece.withUnsafeBytes {
        splitter.process($0, skeleton: &skeleton) { index, row in
          outcome.rows.append("\(index) \(String(decoding: row, as: UTF8.self))")
        }
      }
    }
    outcome.skeleton = String(decoding: skeleton.filter { $0 != UInt8(ascii: " ") }, as: UTF8.self)
    return outcome
  }

  private func split(_ text: String, rowBytesMax: Int = 1000) -> Outcome { split([Array(text.utf8)], rowBytesMax: rowBytesMax) }

  private static let reply = #"""
    {"method":"echo","params":[],"id":"echo"}
    {"error":null,"id":3,"result":[{"rows":[{"a":"}],\"","b":["set",[1,{"rows":[1]}]]}, [1] ,"x,]" ,12 , null,{}]},{"rows":[]},
     {"error":"not","rows":"x"},{"rows":[{"a":{}}]}]} {"method":"update","params":[{"rows":[1]}],"id":null}
    """#

  @Test func theSkeletonIsTheMessageWithoutItsRows() throws {
    let outcome = split(Self.reply)
    #expect(
      outcome.rows == [#"0 {"a":"}],\"","b":["set",[1,{"rows":[1]}]]}"#, "0 [1]", #"0 "x,]""#, "0 12", "0 null", "0 {}", #"3 {"a":{}}"#])
    #expect(
      outcome.skeleton.filter { $0 != "\n" } == #"""
        {"method":"echo","params":[],"id":"echo"}{"error":null,"id":3,"result":[{"rows":[]},{"rows":[]},{"error":"not","rows":"x"},{"rows":[]}]}{"method":"update","params":[{"rows":[1]}],"id":null}
        """#)
  }

  @Test func everyCutInTwoGivesTheSame() {
    let bytes = Array(Self.reply.utf8)
    let whole = split(Self.reply)
    for cut in bytes.indices {
      #expect(split([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole, "cut at \(cut)")
    }
    #expect(split(bytes.map { [$0] }) == whole)
  }

  @Test func rowsThatAreNotPartedProperlySpoilTheMessage() throws {
    for rows in ["[{}{}]", "[,{}]", "[{},]", "[{},,{}]", "[1 2]", "[}", "[{}:]", "[{]"] {
      let outcome = split("{\"id\":1,\"result\":[{\"rows\":\(rows)}]}")
      #expect(throws: JSONSyntaxError.self, "\(rows)") { try JSONDocument.parse(outcome.skeleton) }
    }
  }

  @Test func aRowWithoutEndIsGivenUp() throws {
    let endless = [Array(#"{"id":1,"result":[{"rows":["#.utf8)] + Array(repeating: Array("\"aaaaaaaaaaaaaaa".utf8), count: 1)
      + Array(repeating: Array("aaaaaaaaaaaaaaaa".utf8), count: 10)
    let outcome = split(endless, rowBytesMax: 50)
    #expect(outcome.rows.isEmpty)
    #expect(outcome.skeleton.contains("[,,"))
  }

  @Test func namesOtherThanThoseOfAReplyChangeNothing() {
    for text in [
      #"{"result":{"rows":[1]}}"#, #"[{"result":[{"rows":[1]}]}]"#, #"{"results":[{"rows":[1]}]}"#, #"{"a":{"result":[{"rows":[1]}]}}"#,
      #"{"result":[[{"rows":[1]}]]}"#, #"{"result":[{"x":{"rows":[1]}}]}"#, #"{"a":"result","b":[{"rows":[1]}]}"#,
    ] {
      #expect(split(text) == Outcome(rows: [], skeleton: text))
    }
  }
}
