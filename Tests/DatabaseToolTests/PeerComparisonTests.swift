// SPDX-License-Identifier: Apache-2.0
//
// The same command lines given to Open vSwitch's ovsdb-tool and to ours: output, messages and status must be the same.

import Foundation
import Journal
import TestSupport
import Testing

@Suite(.enabled(if: Workspace.peer != nil)) struct PeerComparisonTests {
  let workspace: Workspace

  init() throws { workspace = try Workspace() }

  private func both(_ arguments: [String]) throws -> (theirs: ToolResult, ours: ToolResult) {
    let peer = try #require(Workspace.peer)
    var ours = try workspace.run(Workspace.ours, arguments).comparable
    ours.errors = countingLinesFromZero(ours.errors)
    return (try workspace.run(peer, arguments).comparable, ours)
  }

  @Test(arguments: [
    "--help", "-o", "list-commands", "help", "", "foo", "create a b c", "compare-versions 1", "query a b c d", "db-cid",
    "--cid=0 list-commands", "--mo list-commands", "-vfoo list-commands", "-m -m list-commands", "list-commands -o",
    "compare-versions 1.2.3 < 1.2.4", "compare-versions 1.2.3 <= 1.2.3", "compare-versions 1.2.3 == 1.2.3",
    "compare-versions 1.2.3 != 1.2.3", "compare-versions 1.2.3 > 1.2.4", "compare-versions 1.10.0 > 1.9.9",
    "compare-versions 1.10.0 >= 1.9.9", "compare-versions 1.2 == 1.2.3", "compare-versions 1.2.3 = 1.2.3",
    "compare-versions 01.2.3 == 1.2.3", "compare-versions 1.2.3 == x", "compare-versions 1.2.3.4 == 1.2.3",
    "create n.db nofile", "create n.db bad1", "create n.db bad2", "create n.db bad3", "create n.db bad4", "create n.db bad5",
    "create n.db bad6", "create x.db s", "create /nowhere/x.db s", "create n.db .", "schema-name bad1", "schema-name bad2",
    "schema-name s", "schema-version s", "schema-cksum s", "schema-version nofile", "schema-cksum s2",
    "needs-conversion x.db s", "needs-conversion x.db s2", "needs-conversion x.db nofile", "needs-conversion nofile s",
    "needs-conversion x.db bad1", "needs-conversion c.db s", "convert x.db nofile", "convert nofile s", "convert x.db bad1",
    "convert c.db s", "db-name x.db", "db-name c.db", "db-name j.db", "db-name nofile", "db-name s", "db-name .",
    "db-version x.db", "db-version c.db", "db-cksum x.db", "db-cid c.db", "db-cid j.db", "db-cid x.db", "db-sid c.db",
    "db-sid j.db", "db-sid x.db", "db-local-address j.db", "db-local-address x.db", "db-is-clustered x.db",
    "db-is-clustered c.db", "db-is-clustered s", "db-is-clustered nofile", "db-is-standalone x.db", "db-is-standalone c.db",
    "compact nofile", "compact nofile y.db", "compact c.db", "compact /nowhere/x.db", "transact nofile []", "query nofile []",
    "query c.db []", "transact c.db []", "cluster-to-standalone n.db nofile", "cluster-to-standalone n.db x.db",
    "cluster-to-standalone x.db c.db", "show-log x.db", "show-log odd.db", "show-log c.db", "show-log j.db", "show-log s",
    "show-log nofile", "show-log empty.db", "show-log -m empty.db",
  ])
  func theSameIsSaid(line: String) throws {
    let (theirs, ours) = try both(line.split(separator: " ").map(String.init))
    #expect(ours == theirs)
  }

  @Test(arguments: ["x.db", "odd.db", "c.db", "j.db"], ["-m", "-mm", "-mmm"])
  func theSameLinesAreShownOfALog(file: String, detail: String) throws {
    let peer = try #require(Workspace.peer)
    let theirs = try workspace.run(peer, ["show-log", detail, file]).unordered
    let ours = try workspace.run(Workspace.ours, [detail, "show-log", file]).unordered
    #expect(ours == theirs)
  }

  /// Dates are what the file says: any integer, seconds or milliseconds.
  private static let dates: [Int64] = [
    -9_223_372_036_854_775_808, -9_223_372_036_854_775_807, -67_768_040_609_740_801, -62_167_219_201, -62_135_596_800, -2_147_483_648,
    -1000, -999, -1, 0, 2_147_483_646, 2_147_483_647, 2_147_483_648, 4_294_967_296, 9_007_199_254_740_992, 253_402_300_799_999,
    253_402_300_800_000, 9_223_372_036_854_775_806, 9_223_372_036_854_775_807,
  ]

  @Test(arguments: dates) func theSameDateIsShownOfAnyInteger(date: Int64) throws {
    let log = try LogFile.create(path: workspace.url("dated.db").path)
    for record in [Fixtures.schema, #"{"_date":\#(date)}"#] { log.append(Array(record.utf8)) }
    try log.persistCreation()
    let (theirs, ours) = try both(["show-log", "dated.db"])
    #expect(ours == theirs)
  }

  @Test(arguments: [
    "[]", #"["T"]"#, #"["X"]"#, "[5]", "{}", "5", #""x""#, "x", "", #"["T",5]"#, #"["T",{}]"#, #"["T",{"op":"foo"}]"#,
    #"["T",{"op":"select","table":"nope","where":[]}]"#, #"["T",{"op":"abort"}]"#,
    #"["T",{"op":"abort"},{"op":"comment","comment":"x"}]"#, #"["T",{"op":"assert","lock":"l"}]"#,
    #"["T",{"op":"wait","table":"P","where":[],"columns":["name"],"until":"==","rows":[{"name":"zz"}]}]"#,
    #"["T",{"op":"wait","table":"P","where":[],"columns":["name"],"until":"!=","rows":[]}]"#,
    #"["T",{"op":"commit","durable":true}]"#, #"["T",{"op":"comment","comment":"x"}]"#,
    #"["T",{"op":"insert","table":"P","row":{"name":5}}]"#,
    #"[ "T" , {"op" : "select", "where":[],"table":"P","columns":["s","r","name","m","b"]}] "#,
    #"["T",{"op":"update","table":"P","where":[],"row":{"name":"baz"}}]"#,
  ])
  func transactionsThatChangeNothingAnswerTheSame(transaction: String) throws {
    let before = try workspace.bytes("x.db")
    for command in ["query", "transact"] {
      let (theirs, ours) = try both([command, "x.db", transaction])
      #expect(ours == theirs)
    }
    #expect(try workspace.bytes("x.db") == before)
  }

  @Test func everyCutOfAFileIsToldTheSame() throws {
    let whole = try workspace.bytes("x.db")
    for cut in stride(from: 1, to: 400, by: 57) {
      try whole.dropLast(cut).write(to: workspace.url("torn.db"))
      for line in ["show-log torn.db", "db-name torn.db", "compact torn.db y.db", "compact torn.db", #"transact torn.db ["T"]"#] {
        let (theirs, ours) = try both(line.split(separator: " ").map(String.init))
        #expect(ours == theirs, "\(cut) \(line)")
      }
    }
  }

  /// What one tool writes the other reads: by its own answers.
  @Test func filesOfOneToolAreFilesOfTheOther() throws {
    let peer = try #require(Workspace.peer)
    let select = #"["T",{"op":"select","table":"P","where":[],"columns":["_uuid","name","s","m","o","r","b","u"],"sort":["name"]}]"#
    let expected = try workspace.run(peer, ["query", "x.db", select])
    #expect(expected.status == 0)
    let insert = #"["T",{"op":"insert","table":"P","row":{"name":"new","s":["set",["q","r"]]}},{"op":"comment","comment":"hi"}]"#
    for (writer, reader) in [(peer, Workspace.ours), (Workspace.ours, peer)] {
      #expect(try workspace.run(writer, ["compact", "x.db", "y.db"]).status == 0)
      #expect(try workspace.run(reader, ["query", "y.db", select]) == expected)
      #expect(try workspace.run(reader, ["compact", "y.db"]).status == 0)
      #expect(try workspace.run(writer, ["transact", "y.db", insert]).status == 0)
      let changed = try workspace.run(writer, ["query", "y.db", select])
      #expect(changed != expected)
      #expect(try workspace.run(reader, ["query", "y.db", select]) == changed)
      #expect(try workspace.run(writer, ["convert", "y.db", "s2", "z.db"]).status == 0)
      #expect(try workspace.run(reader, ["needs-conversion", "z.db", "s2"]).output == "no\n")
      let short = #"["T",{"op":"select","table":"P","where":[],"columns":["_uuid","name","s","r","more"],"sort":["name"]}]"#
      #expect(try workspace.run(reader, ["query", "z.db", short]) == (try workspace.run(writer, ["query", "z.db", short])))
    }
  }
}
