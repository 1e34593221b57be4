// SPDX-License-Identifier: Apache-2.0
//
// The `where` of each operation selects the rows for which all clauses hold, however many clauses name one column.

import JSON
import OVSDB
import TestSupport
import Testing

@testable import Engine

@Suite struct ManyClausesTests {
  private func filled(_ text: inout ConditionText, seed: UInt64) throws -> Database {
    let database = try makeDatabase("{\(ConditionText.table)}", seed: seed)
    let inserts = (0..<8).map { number in
      #"{"op":"insert","table":"T","uuid":"\#(ConditionText.uuid(number))","row":{\#(text.row())}}"#
    }
    let result = try database.run(inserts.joined(separator: ","))
    #expect(result.commit != nil, "\(result.text)")
    return database
  }

  /// The rows that a condition selects, found clause by clause.
  private func rows(_ condition: String, _ database: Database) throws -> [UUID] {
    let table = database.tables[0]
    let parsed = try JSONDocument.parse(condition).withRoot { try Condition(json: $0, table: table.schema, symbols: nil) }
    return table.rows.values.filter { row in parsed.allHold { row[$0] } }.map(\.uuid).sorted()
  }

  /// RFC 7047 §5.2: a row matches if it satisfies all clauses of `where`.
  @Test(arguments: 0..<40 as Range<UInt64>)
  func allOperationsSelectTheRowsForWhichAllClausesHold(_ seed: UInt64) throws {
    var text = ConditionText(seed: seed)
    let database = try filled(&text, seed: seed)
    for step in 0..<30 {
      let condition = text.condition(clausesMax: 8)
      let expected = try rows(condition, database)
      let count = "[{\"count\":\(expected.count)}]"
      let comment = Comment(rawValue: "seed \(seed) step \(step): \(condition)")
      let selected = expected.map { #"{"_uuid":["uuid","\#($0)"]}"# }.joined(separator: ",")
      let select = #"{"op":"select","table":"T","where":\#(condition),"columns":["_uuid"],"sort":["_uuid"]}"#
      #expect(try database.run(select).text == "[{\"rows\":[\(selected)]}]", comment)
      let left = try database.run(select, context: TransactionContext(deferral: DeferralTerms(rowsMin: 1)))
      let deferred = left.deferred
      if deferred.isEmpty {
        #expect(left.text == "[{\"rows\":[\(selected)]}]", comment)
      } else {
        var writer = ByteWriter()
        var rows = deferred[0].arranged()
        while rows.writePiece(until: .max, to: &writer) {}
        #expect(writer.string == selected, comment)
      }
      let wait = #"{"op":"wait","timeout":0,"table":"T","where":\#(condition),"columns":["_uuid"],"until":"==","rows":[\#(selected)]}"#
      #expect(try database.run(wait).text == "[{}]", comment)
      // The rows are found among the transaction's own, too.
      let change = #"{"op":"update","table":"T","where":[],"row":{}},"#
      let mutate = #"{"op":"mutate","table":"T","where":\#(condition),"mutations":[["i","*=",1]]}"#
      #expect(try database.run(change + mutate).text == "[{\"count\":8},\(count.dropFirst())", comment)
      #expect(try database.run(#"{"op":"delete","table":"T","where":\#(condition)},{"op":"abort"}"#).text.hasPrefix(count.dropLast()), comment)
      #expect(try database.run(#"{"op":"update","table":"T","where":\#(condition),"row":{\#(text.someColumns())}}"#).text == count, comment)
    }
  }

  /// A row costs one look at each column that the condition names.
  @Test func theCostOfARowDoesNotDependOnTheNumberOfClauses() throws {
    let schema = try makeDatabase("{\(ConditionText.table)}").schema
    let table = try #require(schema.table(named: "T"))
    for (name, function, operand) in [
      ("i", "<", { "\($0)" }), ("i", "!=", { "\($0)" }), ("s", "!=", { "\"\($0)\"" }), ("is", "includes", { "[\"set\",[\($0)]]" }),
      ("ss", "excludes", { "\"\($0)\"" }), ("sm", "includes", { "[\"map\",[[\"\($0)\",\($0)]]]" }),
    ] as [(String, String, (Int) -> String)] {
      let clauses = (0..<1000).map { "[\"\(name)\",\"\(function)\",\(operand($0))]" }.joined(separator: ",")
      let condition = try JSONDocument.parse("[\(clauses)]").withRoot { try Condition(json: $0, table: table, symbols: nil) }
      #expect(PreparedCondition(condition).count == 1, "\(name) \(function)")
      #expect(Alternatives(condition).looksPerRow <= 5, "\(name) \(function)")
    }
  }
}
