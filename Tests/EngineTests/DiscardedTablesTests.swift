// SPDX-License-Identifier: Apache-2.0

import Engine
import OVSDB
import Testing

@Suite struct DiscardedTablesTests {
  /// An index, references and rows go one after the other, the rows in pieces; what somebody else holds stays whole.
  @Test func tablesGoInPiecesAndSnapshotsStay() throws {
    let tables = """
      {"Set":{"columns":{"all":{"type":{"key":{"type":"uuid","refTable":"A"},"min":0,"max":"unlimited"}}},"isRoot":true},
       "A":{"columns":{"n":{"type":"integer"}},"indexes":[["n"]]},"Empty":{"columns":{"n":{"type":"integer"}}}}
      """
    var database: Database? = try makeDatabase(tables)
    let count = 16_400
    let inserts = (0..<count).map { "{\"op\":\"insert\",\"table\":\"A\",\"uuid-name\":\"a\($0)\",\"row\":{\"n\":\($0)}}" }
    let names = (0..<count).map { "[\"named-uuid\",\"a\($0)\"]" }.joined(separator: ",")
    let set = "{\"op\":\"insert\",\"table\":\"Set\",\"row\":{\"all\":[\"set\",[\(names)]]}}"
    let result = try #require(try database?.run((inserts + [set]).joined(separator: ",")))
    try #require(result.commit != nil)
    let snapshot = try #require(database?.snapshot)

    var discarded = DiscardedTables(database?.tables ?? [])
    database = nil
    var pieces = 0
    while discarded.letGoOfSome() { pieces += 1 }
    // The index of A, the counts of references to its rows, the maps of A and Set, and 16,401 rows of which 16,384 go at a time.
    #expect(pieces == 6)
    let isMoreLeft = discarded.letGoOfSome()
    #expect(!isMoreLeft)
    #expect(snapshot.tables.map(\.rows.count) == [count, 0, 1])
    let column = try #require(snapshot.tables[0].schema.column(named: "n"))
    #expect(Set(snapshot.tables[0].rows.values.map { $0[column] }) == Set((0..<count).map { .integer(Int64($0)) }))
  }
}
