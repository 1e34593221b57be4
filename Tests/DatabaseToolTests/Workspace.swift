// SPDX-License-Identifier: Apache-2.0
//
// Runs ovsdb-tool, ours and the peer's, in directories of their own.

import Foundation
import Journal
import Synchronization
import Testing

/// A directory with the files that the tests of the tool work on; it goes away with the test.
final class Workspace: Sendable {
  let path: String

  init() throws {
    var template = Array((FileManager.default.temporaryDirectory.path + "/tool-tests-XXXXXX").utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    try Data(Fixtures.schema.utf8).write(to: url("s"))
    try Data(Fixtures.otherSchema.utf8).write(to: url("s2"))
    for (name, text) in Fixtures.badSchemas { try Data(text.utf8).write(to: url(name)) }
    try makeLog("x.db", [Fixtures.schema] + Fixtures.transactions)
    try makeLog("odd.db", Fixtures.oddRecords)
    try makeLog("c.db", Fixtures.clusterRecords, kind: .clustered)
    try makeLog("j.db", [Fixtures.joiningHeader], kind: .clustered)
    try makeLog("empty.db", [Fixtures.schema])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func url(_ name: String) -> URL { URL(fileURLWithPath: "\(path)/\(name)") }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: url(name)) }

  private func makeLog(_ name: String, _ records: [String], kind: FileKind = .standalone) throws {
    let log = try LogFile.create(path: "\(path)/\(name)", kind: kind)
    for record in records { log.append(Array(record.utf8)) }
    try log.persistCreation()
  }

  /// Runs our tool here.
  func tool(_ arguments: String...) throws -> ToolResult { try run(Self.ours, arguments) }

  /// Runs a program here.
  func run(_ program: String, _ arguments: [String]) throws -> ToolResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: path)
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    // Both pipes are read at once, so that neither can fill up and stop the program.
    let text = Mutex("")
    let thread = Thread {
      let data = errors.fileHandleForReading.readDataToEndOfFile()
      text.withLock { $0 = String(decoding: data, as: UTF8.self) }
    }
    thread.start()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    while !thread.isFinished { sched_yield() }
    return ToolResult(
      status: process.terminationStatus, output: String(decoding: data, as: UTF8.self), errors: text.withLock { $0 })
  }

  /// The program just built, beside the test bundle.
  static let ours: String = {
    let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    let directories = [
      (CommandLine.arguments.first ?? "") as NSString, bundle as NSString,
    ].map(\.deletingLastPathComponent)
    return directories.map { "\($0)/ovsdb-tool" }.first { FileManager.default.isExecutableFile(atPath: $0) } ?? "ovsdb-tool"
  }()

  static let peer: String? = ["/usr/bin/ovsdb-tool", "/usr/local/bin/ovsdb-tool"]
    .first { FileManager.default.isExecutableFile(atPath: $0) }
}

struct ToolResult: Equatable {
  var status: Int32
  var output: String
  var errors: String

  /// Without what differs from run to run: the time of log lines.
  var comparable: ToolResult {
    var result = self
    // What the peer's help does not have stands at its end.
    if let more = output.range(of: "\nMore commands:\n") { result.output = String(output[..<more.lowerBound]) }
    let lines = errors.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.firstIndex(of: "|").map { line.hasPrefix("20") ? "TIME" + line[$0...] : String(line) } ?? String(line)
    }
    // Ours says what to do about a clustered file.
    result.errors = lines.joined(separator: "\n").replacing(#/ \(ovsdb-tool cluster-to-standalone NEW .*\)/#, with: "")
    return result
  }

  /// As `comparable`, with the lines of the output sorted: the peer shows rows and columns in the order of a hash table.
  var unordered: ToolResult {
    var result = comparable
    result.output = output.split(separator: "\n", omittingEmptySubsequences: false).sorted().joined(separator: "\n")
    return result
  }
}

enum Fixtures {
  static let schema = """
    {"name":"T","version":"1.2.3","cksum":"12 34","tables":{"P":{"isRoot":true,"columns":{"name":{"type":"string"},\
    "s":{"type":{"key":"string","min":0,"max":"unlimited"}},"m":{"type":{"key":"string","value":"integer","min":0,\
    "max":"unlimited"}},"o":{"type":{"key":"integer","min":0,"max":1}},"r":{"type":"real"},"b":{"type":"boolean"},\
    "u":{"type":"uuid"}}},"I":{"isRoot":true,"columns":{"zeta":{"type":"integer"},"mid":{"type":"string"},\
    "e":{"type":"integer","ephemeral":true}}}}}
    """
  static let otherSchema = """
    {"name":"T","version":"1.2.4","tables":{"P":{"isRoot":true,"columns":{"name":{"type":"string"},\
    "s":{"type":{"key":"string","min":0,"max":"unlimited"}},"r":{"type":"integer"},\
    "more":{"type":{"key":"integer","min":0,"max":1}}}}}}
    """
  static let badSchemas = [
    "bad1": #"{"name":"3","tables":{}}"#, "bad2": #"{"name":"#, "bad3": "[1]", "bad4": #""x""#, "bad5": "", "bad6": "{} x",
  ]

  static func id(_ number: Int) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits + "-0000-4000-8000-000000000000"
  }

  static let transactions = [
    #"{"_date":1795230247524,"_is_diff":true,"_comment":"two\nlines \"q\"","P":{"\#(id(1))":{"m":["map",[["k",1],["k 2",2]]],"name":"foo bar","o":5,"b":true,"u":["uuid","\#(id(9))"],"s":["set",["a","b c"]],"r":2}},"I":{"\#(id(2))":{"zeta":1,"mid":"hello"}}}"#,
    #"{"_date":1795230247529,"_is_diff":true,"P":{"\#(id(1))":{"m":["map",[["k",3]]],"name":"baz","o":["set",[]],"s":["set",["a","z"]]}}}"#,
    #"{"_date":1795230247533,"_is_diff":true,"P":{"\#(id(3))":{},"\#(id(4))":{"name":"zz"}},"I":{"\#(id(2))":{"zeta":2}}}"#,
    #"{"_date":1795230247541,"_is_diff":true,"P":{"\#(id(4))":null,"\#(id(3))":null}}"#,
  ]

  /// Records that no server writes but that a file may hold.
  static let oddRecords = [
    #"{"name":"D","tables":{"r":{"columns":{"name":{"type":"string"},"n":{"type":"integer"},"x":{"type":{"key":"integer","min":0,"max":1}}}}}}"#,
    #"{"_date":5,"r":{"\#(id(1))":null}}"#, #"{"_date":2147483646,"r":{"\#(id(1))":{"name":"a\"b\n","n":"str"}}}"#,
    #"{"_date":2147483647,"r":{"\#(id(1))":{"zz":[1,2]}}}"#, #"{"zz":{"\#(id(7))":{"q":1}}}"#,
    #"{"r":{"\#(id(1))":null},"_comment":"del"}"#, #"{"r":{"\#(id(1))":{"n":1}},"_is_diff":true}"#,
    #"{"r":{"\#(id(1))":{"name":5}},"_is_diff":true}"#, #"{"r":5}"#, #"{"r":{"\#(id(3))":5}}"#, #"{"r":{"zz":{"n":1}}}"#,
    #"{"r":{"zz":null}}"#, #"{"_comment":5}"#, #"{"_comment":{"a":[1,"x"]}}"#, #"{"_date":"x"}"#, #"{"_date":1.5}"#,
    #"{"_is_diff":7,"r":{"\#(id(1))":{"n":3}}}"#, #"{"_date":-5}"#, #"{"_date":99999999999999}"#, #"{"_date":0}"#, "{}",
    #"{"r":{"\#(id(1))":{}}}"#, #"{"r":{"\#(id(1))":{"x":["set",[]],"n":["set",[3]]}}}"#, #"{"_foo":3}"#,
    #"{"_foo":{"\#(id(1))":{"n":3}}}"#, #"{"_date":9223372036854775807}"#, #"{"_comment":""}"#,
    #"{"r":{"\#(id(5))":{"name":"é ö"}}}"#, #"{"r":{"\#(id(5))":{"n":4}}}"#, #"{"r":{}}"#,
  ]

  static let joiningHeader =
    #"{"name":"T","remote_addresses":["tcp:127.0.0.1:6644"],"server_id":"\#(id(0xb))","local_address":"tcp:127.0.0.1:6645"}"#

  /// A member's file: snapshot, votes, a commit, an overwritten one, a conversion with data, one without.
  static let clusterRecords = [
    #"{"prev_eid":"\#(id(0xe))","cluster_id":"\#(id(0xc))","name":"T","prev_term":1,"prev_data":[\#(schema),{}],"prev_servers":{"\#(id(0xa))":"tcp:127.0.0.1:6644"},"server_id":"\#(id(0xa))","prev_index":1,"local_address":"tcp:127.0.0.1:6644"}"#,
    #"{"term":1,"vote":"\#(id(0xa))"}"#, #"{"term":1,"leader":"\#(id(0xa))"}"#, #"{"term":1,"index":2}"#,
    #"{"commit_index":2}"#,
    #"{"term":1,"index":3,"eid":"\#(id(0xf))","data":[null,{"_date":1795230318760,"_is_diff":true,"_comment":"c","P":{"\#(id(1))":{"name":"lost"}}}]}"#,
    #"{"term":2,"index":3,"eid":"\#(id(0xf))","data":[null,{"_date":1795230318760,"_is_diff":true,"_comment":"c","P":{"\#(id(1))":{"name":"foo bar","s":["set",["a","b c"]]}}}]}"#,
    #"{"note":"transfer leadership"}"#, #"{"note":"left","comment":"bye"}"#,
  ]
}
