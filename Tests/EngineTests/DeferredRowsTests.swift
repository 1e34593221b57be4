// SPDX-License-Identifier: Apache-2.0
//
// Selects that are left to whoever sends the reply: the same rows as at one go, of the moment of the transaction, whatever is written
// meanwhile, and in steps that are bounded however large the table and the condition are.

import JSON
import OVSDB
import Testing

@testable import Engine

struct DeferredRowsTests {
  private static let rowCount = 10_000
  private var terms: TransactionContext { TransactionContext(deferral: DeferralTerms(rowsMin: 100)) }

  private func filled() throws -> Database {
    let database = try makeDatabase(
      #"{"T":{"columns":{"n":{"type":"integer"},"g":{"type":"integer"}},"isRoot":true},"U":{"columns":{"n":{"type":"integer"}},"isRoot":true}}"#)
    for start in stride(from: 0, to: Self.rowCount, by: 1000) {
      let inserts = (start..<start + 1000).map { #"{"op":"insert","table":"T","row":{"n":\#($0),"g":\#($0 % 7)}}"# }
      _ = try database.run(inserts.joined(separator: ","))
    }
    return database
  }

  /// The result array with the rows that were left, and how many pieces they came in.
  private func complete(_ result: TransactionResult) -> (text: String, pieces: Int) {
    var text: [UInt8] = []
    let bytes = Array(result.text.utf8)
    var start = 0
    var pieces = 0
    for var rows in result.deferred {
      text += bytes[start..<rows.offset]
      start = rows.offset
      if rows.needsArrangement { rows = rows.arranged() }
      var hasMore = true
      while hasMore {
        var writer = ByteWriter()
        hasMore = rows.writePiece(until: 1000, to: &writer)
        text += writer.bytes
        pieces += 1
      }
    }
    text += bytes[start...]
    return (String(decoding: text, as: UTF8.self), pieces)
  }

  @Test(arguments: [
    #""where":[]"#, #""where":[["n","<",5000]]"#, #""where":[["n",">",9990]]"#, #""where":[["g","!=",3],["n",">=",100]]"#,
    #""where":[],"sort":["g","n"]"#, #""where":[["n","<",9000]],"columns":["g"]"#, #""where":[],"columns":["g"],"sort":["g"]"#,
    #""where":[["n","==",77]]"#, #""where":[["n","<",-1]]"#,
  ])
  func theRowsAreThoseOfASelectAtOneGo(_ members: String) throws {
    let database = try filled()
    let select = #"{"op":"select","table":"T",\#(members)}"#
    let plain = try database.run(select).text
    let left = try database.run(select, context: terms)
    #expect(left.text.utf8.count < 100)
    #expect(complete(left).text == plain)
  }

  @Test func theyAreThoseOfTheMomentOfTheTransaction() throws {
    let database = try filled()
    let select = #"{"op":"select","table":"T","where":[],"sort":["n"]}"#
    let before = try database.run(select).text
    // What the transaction itself writes behind the select is not seen either; what it has written before it is.
    let left = try database.run(select + #",{"op":"delete","table":"T","where":[["n","<",4000]]}"#, context: terms)
    #expect(left.deferred.count == 1)
    _ = try database.run(#"{"op":"update","table":"T","where":[],"row":{"n":0}}"#)
    #expect(complete(left).text == before.dropLast() + #",{"count":4000}]"#)
    let after = try database.run(#"{"op":"delete","table":"T","where":[["g","==",1]]},\#(select)"#, context: terms)
    #expect(after.deferred.isEmpty)
    #expect(!after.text.contains(#""g":1,"#))
  }

  @Test func aStepLooksAtFewRowsHoweverFewAreFound() throws {
    let database = try filled()
    // The clauses on a column are one look; each row takes two.
    let clauses = (0..<500).map { #"["n","!=",\#(-1 - $0)],["g","!=",\#(-1 - $0)]"# } + [#"["n","<",0]"#]
    let left = try database.run(#"{"op":"select","table":"T","where":[\#(clauses.joined(separator: ","))]}"#, context: terms)
    let (text, pieces) = complete(left)
    #expect(text == #"[{"rows":[]}]"#)
    #expect(pieces >= 4)
  }

  @Test func nothingIsLeftOfADurableOneNorWhereThereAreTooMany() throws {
    let database = try filled()
    let select = #"{"op":"select","table":"T","where":[]}"#
    let durable = try database.run(select + #",{"op":"commit","durable":true}"#, context: terms)
    #expect(durable.deferred.isEmpty)
    #expect(durable.text.utf8.count > Self.rowCount * 100)
    let many = Array(repeating: select, count: TransactionLimits.deferredSelectsMax + 1).joined(separator: ",")
    #expect(try database.run(many, context: terms).errorTag == "resources exhausted")
    // Rows to arrange are counted; others are not.
    let few = TransactionContext(deferral: DeferralTerms(rowsMin: 100, arrangedRowsMax: 15_000))
    let sorted = #"{"op":"select","table":"T","where":[],"sort":["n"]}"#
    #expect(try database.run([select, sorted, select].joined(separator: ","), context: few).errorTag == nil)
    #expect(try database.run([sorted, sorted].joined(separator: ","), context: few).errorTag == "resources exhausted")
  }
}
