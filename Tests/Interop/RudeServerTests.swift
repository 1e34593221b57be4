// SPDX-License-Identifier: Apache-2.0
//
// ovsdb-client against servers that answer rubbish, nothing, too much or half of it: a message and status 1, as Open vSwitch's
// client has them where it does not crash. And against an output that cannot be written.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasPeer && Programs.hasOurs))
struct RudeServerTests {
  private static let script = (#filePath as NSString).deletingLastPathComponent + "/python/rude_server.py"

  /// What both clients make of one bad answer.
  private func outcomes(_ answer: String, _ words: [String], _ sides: [Side]) throws -> [CommandResult] {
    let directory = try RunDirectory()
    let socket = directory.path("rude.sock")
    let output = directory.path("rude.out")
    let server = try ChildProcess(
      "python3", [Self.script, socket, answer], directory: directory.path, output: output, errors: directory.path("rude.err"))
    defer { server.stop() }
    try waitUntil("a rude server", seconds: 60) { try readText(output).contains("ready") }
    return try sides.map { side in
      var result = presentable(
        try run(side.tool("ovsdb-client"), ["-t", "20"] + words.map { $0 == "S" ? "unix:\(socket)" : $0 }, in: directory),
        directory: directory)
      result.standardError = result.standardError.replacing(side.tool("ovsdb-client"), with: "ovsdb-client")
      return result
    }
  }

  /// Method and answer of the script, the command line.
  private static let agreed: [(String, [String])] = [
    ("list_dbs:garbage", ["list-dbs", "S"]), ("list_dbs:close", ["list-dbs", "S"]), ("list_dbs:object", ["list-dbs", "S"]),
    ("list_dbs:mixed", ["list-dbs", "S"]), ("list_dbs:empty", ["dump", "S"]), ("get_schema:number", ["dump", "S"]),
    ("get_schema:badname", ["dump", "S"]), ("get_schema:close", ["dump", "S"]), ("transact:number", ["dump", "S", "T"]),
    ("transact:empty", ["dump", "S", "T"]), ("transact:norows", ["dump", "S", "T"]), ("transact:rows5", ["dump", "S", "T"]),
    ("transact:row5", ["dump", "S", "T"]), ("transact:rowlacks", ["dump", "S", "T"]), ("transact:rowtype", ["dump", "S", "T"]),
    ("transact:many", ["dump", "S", "T"]), ("transact:cut", ["dump", "S", "T"]), ("transact:cut", ["backup", "S", "T"]),
    ("transact:deep", ["dump", "S", "T"]), ("transact:deep", ["transact", "S", #"["T"]"#]),
    ("transact:number", ["transact", "S", #"["T"]"#]), ("transact:number", ["query", "S", #"["T"]"#]),
    ("transact:empty", ["query", "S", #"["T"]"#]), ("monitor:close", ["monitor", "S", "T", "x"]),
    ("set_db_change_aware:close", ["monitor", "S", "T", "x"]), ("lock:close", ["lock", "S", "L"]),
  ]

  @Test func badAnswersHaveThePeersMessages() throws {
    for (answer, words) in Self.agreed {
      let results = try outcomes(answer, words, [.ours, .peer])
      #expect(results[0] == results[1], "\(answer) \(words)")
    }
  }

  /// Here the peer crashes, prints a part of what it was asked for, or needs the memory for all of it.
  private static let ours: [(String, [String], String)] = [
    ("transact:deeprow", ["dump", "S", "T"], "response is not JSON: line 0, column 1008, byte 1008: input exceeds maximum nesting depth"),
    ("transact:rowcommas", ["dump", "S", "T"], "transaction failed (Protocol error)"),
    ("transact:rownotjson", ["dump", "S", "T"], "row 0 in table x response is not JSON"),
    ("transact:row5", ["backup", "S", "T"], "x table reply row is not an object: 5"),
    ("transact:rowlacks", ["backup", "S", "T"], #"x table reply row lacks _uuid member: {"k":1}"#),
    ("monitor_cond_since:number", ["monitor-cond-since", "S", "T", "[true]", "x"], "<result> is not array"),
    ("monitor_cond_since:empty", ["monitor-cond-since", "S", "T", "[true]", "x"], "<result> should have 3 elements, but has 0."),
    ("monitor_cond_since:three", ["monitor-cond-since", "S", "T", "[true]", "x"], "<result> does not hold a boolean"),
  ]

  @Test func worseAnswersAreErrorsToo() throws {
    for (answer, words, message) in Self.ours {
      let result = try outcomes(answer, words, [.ours])[0]
      #expect(result.status == 1, "\(answer) \(words)")
      #expect(result.standardOutput.isEmpty, "\(answer) \(words)")
      #expect(result.standardError.contains(message), "\(answer) \(words): \(result.standardError)")
    }
  }

  @Test func aDiskThatIsFullAndAPipeThatIsClosedAreErrors() throws {
    let server = try DatabaseServer(.peer, [.schema(SampleDatabase.schema, file: "sample.db")])
    let client = Side.ours.tool("ovsdb-client")
    let commands = [
      ["list-dbs", server.remote], ["get-schema", server.remote], ["dump", server.remote], ["-f", "json", "dump", server.remote],
      ["backup", server.remote], ["transact", server.remote, #"["Sample"]"#], ["--help"], ["--version"],
      ["-t", "20", "lock", server.remote, "L"],
    ]
    for words in commands {
      for (redirection, message) in [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")] {
        let result = try run("/bin/sh", ["-c", "exec \"$0\" \"$@\" \(redirection)", client] + words, in: server.directory)
        #expect(result.status == 1, "\(words) \(redirection)")
        #expect(result.standardError.contains("write to stdout failed (\(message))"), "\(words) \(redirection)")
      }
    }
  }
}
