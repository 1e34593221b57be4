// SPDX-License-Identifier: Apache-2.0
//
// The least, the greatest and other extreme numbers in every member of a file's records that holds one, and in the headers before them,
// given to every command that reads such a file: what is wrong is said in words, and no command ends by a signal.

import Foundation
import Journal
import TestSupport
import Testing

@Suite struct ExtremeNumberToolTests {
  private let workspace: Workspace

  init() throws { workspace = try Workspace() }

  private static let commands = [
    ["-mmm", "show-log", "n.db"], ["check", "n.db"], ["query", "n.db", #"["T",{"op":"select","table":"P","where":[]}]"#],
    ["compact", "n.db", "out.db"], ["salvage", "n.db", "out.db"], ["check-cluster", "n.db", "c.db"],
    ["cluster-to-standalone", "n.db", "out.db"],
  ]

  private func expectNoCrash(_ context: String) throws {
    for command in Self.commands {
      try? FileManager.default.removeItem(at: workspace.url("out.db"))
      try? FileManager.default.removeItem(at: workspace.url(".out.db.~lock~"))
      let result = try workspace.run(Workspace.ours, command)
      // A signal is shown as its number, and those of crashes are greater than any status of the tool.
      #expect((0...2).contains(result.status), "\(command): \(context): \(result)")
    }
  }

  private func makeFile(_ records: [String], kind: FileKind) throws {
    for name in ["n.db", ".n.db.~lock~"] { try? FileManager.default.removeItem(at: workspace.url(name)) }
    let log = try LogFile.create(path: workspace.url("n.db").path, kind: kind)
    for record in records { log.append(Array(record.utf8)) }
    try log.persistCreation()
  }

  /// Records of a file of its own; `N` is the number.
  private static let standalone = [
    #"{"_date":N}"#, #"{"_date":1,"_comment":"c","_is_diff":N}"#, #"{"_date":1,"_comment":N}"#,
    #"{"_date":N,"_is_diff":true,"P":{"00000000-0000-0000-0000-000000000090":{"name":"a","n":N}}}"#, #"{"P":N}"#, "N",
  ]
  private static let clustered = [
    #"{"term":N}"#, #"{"term":N,"index":N,"data":[null,{"_date":N}]}"#, #"{"term":2,"index":N}"#, #"{"term":2,"commit_index":N}"#,
    #"{"commit_index":N}"#, #"{"term":2,"index":2,"election_timer":N}"#, #"{"term":N,"leader":"\#(Fixtures.id(1))"}"#,
    #"{"term":N,"vote":"\#(Fixtures.id(1))"}"#,
  ]
  private static let headers = [
    #"H1{"prev_term":N}"#, #"H1{"prev_index":N}"#, #"H1{"prev_term":N,"prev_index":N}"#, #"H1{"prev_election_timer":N}"#,
  ]

  @Test(arguments: ExtremeNumbers.json) func noNumberInARecordCrashesATool(number: String) throws {
    for record in Self.standalone {
      try makeFile([Fixtures.schema, record.replacing("N", with: number)], kind: .standalone)
      try expectNoCrash("\(record), N = \(number)")
    }
    for record in Self.clustered {
      let text = record.replacing("N", with: number)
      try makeFile([try ClusterFixtures.record("H1"), text, #"{"term":2,"index":2}"#, text], kind: .clustered)
      try expectNoCrash("\(record), N = \(number)")
    }
  }

  @Test(arguments: ExtremeNumbers.integers) func noNumberInTheHeaderOfAClusterFileCrashesATool(number: Int64) throws {
    for header in Self.headers {
      let last = number &+ 1
      let records = [#"{"term":2,"index":\#(last)}"#, #"{"term":3,"index":\#(number)}"#, #"{"term":2,"commit_index":\#(last)}"#]
      try makeFile([try ClusterFixtures.record(header.replacing("N", with: "\(number)"))] + records, kind: .clustered)
      try expectNoCrash("\(header), N = \(number)")
    }
  }

  /// Lengths that a header says of its record.
  @Test(arguments: ["JSON", "CLUSTER"]) func noLengthInAHeaderCrashesATool(kind: String) throws {
    for number in ExtremeNumbers.words {
      let header = "OVSDB \(kind) \(number) \(String(repeating: "a", count: 40))\n{}\n"
      for start in [Data(), try workspace.bytes(kind == "JSON" ? "x.db" : "c.db")] {
        try (start + Data(header.utf8)).write(to: workspace.url("n.db"))
        try expectNoCrash("length \(number)")
      }
    }
  }
}
