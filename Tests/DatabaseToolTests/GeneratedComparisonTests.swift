// SPDX-License-Identifier: Apache-2.0
//
// Databases, transactions and damage drawn from a seed, given to Open vSwitch's ovsdb-tool and to ours. `OVSDB_TOOL_SEEDS` asks for more
// than the usual few.

import Foundation
import Journal
import TestSupport
import Testing

@Suite(.enabled(if: Workspace.peer != nil)) struct GeneratedComparisonTests {
  let workspace: Workspace

  init() throws { workspace = try Workspace() }

  static let seeds = Array(1...(ProcessInfo.processInfo.environment["OVSDB_TOOL_SEEDS"].flatMap(UInt64.init) ?? 4))

  private func both(_ arguments: [String]) throws -> (theirs: ToolResult, ours: ToolResult) {
    let peer = try #require(Workspace.peer)
    return (try workspace.run(peer, arguments), try workspace.run(Workspace.ours, arguments))
  }

  /// Without what may differ: the order of lines, rows and members, times of log lines.
  private func normal(_ result: ToolResult) -> ToolResult {
    var result = result.unordered
    result.output = result.output.replacing(#/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} "co/#, with: "NOW \"co")
    return result
  }

  private func normalRows(_ result: ToolResult) -> ToolResult {
    var result = result
    // Versions are new each time a file is read.
    let text = result.output.replacing(#/"_version":\["uuid","[^"]*"\],/#, with: "").replacing("{\"rows\":[{", with: "},{")
    result.output = text.components(separatedBy: "},{").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "[]{},\n")) }
      .sorted().joined(separator: "\n")
    return result
  }

  @Test(arguments: seeds) func databasesOfAllTypesAreShownReadAndRewrittenTheSame(seed: UInt64) throws {
    var generator = GeneratedDatabase(seed: seed)
    try generator.write(to: workspace.url("g.db"), records: 30)
    try Data(generator.otherSchema.utf8).write(to: workspace.url("gs"))
    for detail in [[], ["-m"], ["-mm"]] {
      let (theirs, ours) = try both(["show-log"] + detail + ["g.db"])
      #expect(normal(ours) == normal(theirs), "show-log \(detail)")
    }
    let select = #"["G",{"op":"select","table":"A","where":[]},{"op":"select","table":"B","where":[]}]"#
    let (theirs, ours) = try both(["query", "g.db", select])
    #expect(normalRows(ours).output == normalRows(theirs).output)
    #expect(theirs.status == 0)
    let peer = try #require(Workspace.peer)
    for command in [["compact", "g.db"], ["convert", "g.db", "gs"]] {
      var results = [
        try workspace.run(peer, command + ["theirs.db"]).comparable, try workspace.run(Workspace.ours, command + ["ours.db"]).comparable,
      ]
      // Ours says whose value does not fit.
      results[1].errors = results[1].errors.replacing(#/ \(table "[^"]*", row [0-9a-f-]{36}, column "[^"]*"\)/#, with: "")
      #expect(results[0] == results[1], "\(command)")
      guard results[0].status == 0 else { continue }
      let shown = try ["theirs.db", "ours.db"].map { normal(try workspace.run(peer, ["show-log", "-mm", $0])) }
      #expect(shown[0] == shown[1], "\(command)")
    }
    // Each goes on with a file of its own; both are read by both.
    let transaction = generator.transaction()
    try FileManager.default.copyItem(at: workspace.url("g.db"), to: workspace.url("h.db"))
    let answers = [
      try workspace.run(peer, ["transact", "g.db", transaction]), try workspace.run(Workspace.ours, ["transact", "h.db", transaction]),
    ]
    #expect(answers[0].withoutUUIDs == answers[1].withoutUUIDs, "\(transaction)")
    for program in [peer, Workspace.ours] {
      let read = try ["g.db", "h.db"].map { normalRows(try workspace.run(program, ["query", $0, select]).withoutUUIDs) }
      let rows = read.map { Set($0.output.components(separatedBy: "\n")) }
      #expect(rows[0].symmetricDifference(rows[1]).sorted() == [])
    }
  }

  @Test(arguments: seeds) func damageIsToldTheSameByWhoReadsOn(seed: UInt64) throws {
    var generator = GeneratedDatabase(seed: seed &+ 1000)
    try generator.write(to: workspace.url("g.db"), records: 6)
    let whole = try workspace.bytes("g.db")
    for _ in 0..<12 {
      var bytes = whole
      switch generator.random.next() % 4 {
      case 0: bytes[Int(generator.random.next() % UInt64(bytes.count))] ^= UInt8(1 << (generator.random.next() % 8))
      case 1: bytes = bytes.dropLast(Int(generator.random.next() % UInt64(bytes.count)))
      case 2: bytes.removeSubrange(10..<(10 + Int(generator.random.next() % 60)))
      default: bytes.append(contentsOf: Array("OVSDB JSON 5 x\n".utf8).prefix(Int(generator.random.next() % 15) + 1))
      }
      try Data(bytes).write(to: workspace.url("bad.db"))
      for command in [["show-log", "bad.db"], ["query", "bad.db", #"["G"]"#], ["compact", "bad.db", "new.db"], ["db-name", "bad.db"]] {
        let (theirs, ours) = try both(command)
        // A record that is whole but does not fit: 3.1.0 logs it and goes on.
        if theirs.status != ours.status, ours.errors.contains("expected") || theirs.errors.contains("|ovsdb") { continue }
        #expect(ours.comparable == theirs.comparable, "\(command)")
        #expect(try workspace.bytes("bad.db") == Data(bytes), "\(command) changed the file")
      }
    }
  }

  /// Every command with every number of arguments that it does not take.
  @Test func wrongNumbersOfArgumentsAreToldTheSame() throws {
    let peer = try #require(Workspace.peer)
    let list = try workspace.run(peer, ["list-commands"]).output
    for line in list.split(separator: "\n").dropFirst() {
      let command = String(line.split(separator: " ")[0])
      for count in [0, 1, 2, 3, 4, 6] {
        let arguments = [command] + (0..<count).map { "/nowhere/\($0)" }
        // With the right number of arguments they begin to work.
        if ["create-cluster", "join-cluster", "help", "list-commands"].contains(command) { continue }
        let (theirs, ours) = try both(arguments)
        guard theirs.errors.contains("command") else { continue }
        #expect(ours == theirs, "\(arguments)")
      }
    }
  }

  @Test(arguments: [
    "--more", "--mor --rbac-role", "--rbac-role= list-commands", "--cid list-commands", "--cid= list-commands", "--c=0 list-commands",
    "--election-timer=abc list-commands", "--election-timer", "--ver", "--v", "--he", "--", "-- list-commands", "-x", "-mx list-commands",
    "--more=1 list-commands", "-vany:off list-commands", "-v list-commands", "--verbose=nosuch list-commands", "-h foo", "-V foo", "-oV", "list-command",
    "LIST-COMMANDS", "list-commands --foo", "list-commands -- --foo", "--option=x", "help foo", "create --more a b c",
  ])
  func optionsFollowTheSameRules(line: String) throws {
    let (theirs, ours) = try both(line.split(separator: " ").map(String.init))
    var (mine, other) = (ours.comparable, theirs.comparable)
    // getopt_long names the program as it was called; ours has a line more in its version, and knows more options.
    mine.errors = mine.errors.replacingOccurrences(of: Workspace.ours, with: "ovsdb-tool")
    other.errors = other.errors.replacingOccurrences(of: try #require(Workspace.peer), with: "ovsdb-tool")
    mine.output = mine.output.replacing(#/\nswift-ovsdb [0-9.]+\n/#, with: "\n")
    #expect(mine == other)
  }
}

/// Records of a database with columns of all types.
struct GeneratedDatabase {
  var random: SeededRandom
  private var rows: [String] = []

  init(seed: UInt64) { random = SeededRandom(seed: seed) }

  static let columns = [
    "name": "string", "i": "integer", "r": "real", "b": "boolean", "u": "uuid", "oi": "optional integer", "os": "optional string",
    "ss": "set string", "si": "set integer", "su": "set uuid", "msi": "map string integer", "mis": "map integer string",
    "mss": "map string string", "or": "optional real", "ob": "optional boolean", "sr": "set real",
  ]

  private static func type(_ text: String) -> String {
    let words = text.split(separator: " ")
    switch words[0] {
    case "optional": return #"{"key":"\#(words[1])","min":0,"max":1}"#
    case "set": return #"{"key":"\#(words[1])","min":0,"max":"unlimited"}"#
    case "map": return #"{"key":"\#(words[1])","value":"\#(words[2])","min":0,"max":"unlimited"}"#
    default: return "\"\(text)\""
    }
  }

  private static func schema(version: String, _ columns: [String: String]) -> String {
    let members = columns.sorted { $0.key < $1.key }.map { #""\#($0.key)":{"type":\#(type($0.value))}"# }.joined(separator: ",")
    return #"{"name":"G","version":"\#(version)","tables":{"A":{"isRoot":true,"columns":{\#(members)}},"B":{"isRoot":true,"columns":{\#(members)}}}}"#
  }

  /// Fewer columns, a new one, and integers that become reals.
  var otherSchema: String {
    var columns = Self.columns.filter { !["u", "mss", "ob"].contains($0.key) }
    columns["new"] = "set string"
    columns["i"] = "real"
    return Self.schema(version: "2.0.0", columns)
  }

  mutating func write(to url: URL, records: Int) throws {
    let log = try LogFile.create(path: url.path)
    log.append(Array(Self.schema(version: "1.0.0", Self.columns).utf8))
    for number in 0..<records { log.append(Array(record(number).utf8)) }
    try log.persistCreation()
  }

  private mutating func record(_ number: Int) -> String {
    var members = [#""_date":\#(1_795_230_000_000 + number * 977)"#]
    if random.next() % 2 == 0 { members.append(#""_comment":\#(string())"#) }
    var changes: [String] = []
    for _ in 0...(random.next() % 3) {
      let uuid = uuid()
      rows.append(uuid)
      changes.append("\"\(uuid)\":\(row())")
    }
    if rows.count > 4, random.next() % 3 == 0 { changes.append("\"\(rows.removeFirst())\":null") }
    members.append(#""A":{\#(changes.joined(separator: ","))}"#)
    return "{\(members.joined(separator: ","))}"
  }

  mutating func row() -> String {
    let members = Self.columns.sorted { $0.key < $1.key }.compactMap { column, type -> String? in
      random.next() % 3 == 0 ? nil : "\"\(column)\":\(value(type))"
    }
    return "{\(members.joined(separator: ","))}"
  }

  mutating func transaction() -> String {
    let operations = (0..<3).map { _ in #"{"op":"insert","table":"B","row":\#(row())}"# }
    return #"["G",\#(operations.joined(separator: ",")),{"op":"comment","comment":\#(string())},{"op":"update","table":"A","where":[["b","==",true]],"row":{"os":\#(string())}}]"#
  }

  private mutating func value(_ type: String) -> String {
    let words = type.split(separator: " ").map(String.init)
    switch words[0] {
    case "optional": return random.next() % 2 == 0 ? #"["set",[]]"# : atom(words[1])
    case "set":
      let atoms = Set((0..<(random.next() % 4)).map { _ in atom(words[1]) })
      return #"["set",[\#(atoms.sorted().joined(separator: ","))]]"#
    case "map":
      let keys = Set((0..<(random.next() % 4)).map { _ in atom(words[1]) })
      return #"["map",[\#(keys.sorted().map { "[\($0),\(atom(words[2]))]" }.joined(separator: ","))]]"#
    default: return atom(words[0])
    }
  }

  private mutating func atom(_ type: String) -> String {
    switch type {
    case "integer": return pick(["0", "-1", "7", "9223372036854775807", "-9223372036854775808", "\(Int32(truncatingIfNeeded: random.next()))"])
    case "real": return pick(["0", "1.5", "-2.25", "1e300", "-1e-7", "123456789.125", "3"])
    case "boolean": return pick(["true", "false"])
    case "uuid": return #"["uuid","\#(uuid())"]"#
    default: return string()
    }
  }

  private mutating func string() -> String {
    let parts = [
      "a", "b c", #"\""#, #"\\"#, #"\n"#, #"\t"#, #"\u0001"#, #"\u001f"#, #"\u007f"#, "'", ",", "=", "{", "]", "#", "true", "5", "-1.5", "é", "ß", "Ω", "ж",
      "中文", "かな", "עברית", "العربية", "𝄞", "😀", #"\/"#, #"\r"#, "e\u{301}", "\u{feff}", "\u{2028}", "x=y", "/", " ",
    ]
    return "\"" + (0..<(random.next() % 5)).map { _ in pick(parts) }.joined() + "\""
  }

  private mutating func uuid() -> String {
    let digits = (0..<32).map { _ in String(random.next() % 16, radix: 16) }.joined()
    let ends = [8, 12, 16, 20, 32]
    return zip([0] + ends, ends).map { String(digits.dropFirst($0).prefix($1 - $0)) }.joined(separator: "-")
  }

  private mutating func pick(_ choices: [String]) -> String { choices[Int(random.next() % UInt64(choices.count))] }
}

extension ToolResult {
  /// New rows have random UUIDs.
  var withoutUUIDs: ToolResult {
    var result = self
    result.output = output.replacing(#/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/#, with: "UUID")
    return result
  }
}
