// SPDX-License-Identifier: Apache-2.0
//
// Rows that break an index, on both servers: which of the two is named first.

import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasPeer && Programs.hasOurs, "Open vSwitch's programs, or ours, are missing"))
struct IndexOrderTests {
  private static let schema: WireJSON = [
    "name": "D", "version": "1.0.0",
    "tables": [
      "T": [
        "columns": ["k": ["type": "integer"], "n": ["type": "integer"]], "indexes": [["k"]], "isRoot": true,
      ]
    ],
  ]

  private static func row(_ number: Int) -> String { "0000000\(number)-0000-4000-8000-000000000000" }

  private static func insert(_ number: Int, k: Int) -> WireJSON {
    ["op": "insert", "table": "T", "uuid": .string(row(number)), "row": ["k": .integer(k)]]
  }

  private static func change(_ number: Int, _ row: WireJSON) -> WireJSON {
    ["op": "update", "table": "T", "where": [["_uuid", "==", ["uuid", .string(Self.row(number))]]], "row": row]
  }

  /// The new row's UUID is the smaller one in some and the greater one in others: the order does not follow from it.
  static let transactions: [[WireJSON]] = [
    [insert(9, k: 5)], [insert(1, k: 5)], [change(3, ["k": 5])], [change(7, ["k": 3])],
    [["op": "mutate", "table": "T", "where": [["k", "==", 3]], "mutations": [["k", "+=", 2]]]],
    [insert(8, k: 8), insert(2, k: 8)], [change(5, ["n": 1]), insert(9, k: 5)], [change(5, ["k": 1]), change(3, ["k": 1])],
  ]

  @Test(arguments: transactions.indices)
  func ofARowThatWasThereAndANewOneTheFirstIsNamedFirst(_ index: Int) throws {
    let answers = try [Side.ours, .peer].map { side in
      let server = try DatabaseServer(side, [.schema(Self.schema)])
      defer { server.stop() }
      let session = try server.session()
      try session.call("transact", ["D", Self.insert(3, k: 3), Self.insert(5, k: 5), Self.insert(7, k: 7)])
      return try session.call("transact", .array(["D"] + Self.transactions[index]))
    }
    #expect(answers[0].elements?.last?["details"]?.stringValue.flatMap(IndexViolation.init) != nil, "\(answers[0])")
    #expect(AcceptedDifferences.blurred(answers[0]) == AcceptedDifferences.blurred(AcceptedDifferences.today(answers[1])))
  }
}
