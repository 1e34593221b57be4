// SPDX-License-Identifier: Apache-2.0
//
// ovsdb-client as users and scripts see it: the same command lines with our program and Open vSwitch's, on a server of either
// side; standard output, messages and exit status must be the same.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasPeer && Programs.hasOurs))
struct ClientCommandTests {
  private static let schema = #"""
    {"name":"T","version":"1.0.0","cksum":"1 2","tables":{
     "t":{"isRoot":true,"columns":{"name":{"type":"string"},"b":{"type":"boolean"},"r":{"type":"real"},
      "n":{"type":{"key":"integer","min":0,"max":"unlimited"}},
      "m":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}},
      "o":{"type":{"key":"string","min":0,"max":1}},
      "ref":{"type":{"key":{"type":"uuid","refTable":"t","refType":"weak"},"min":0,"max":1}}}},
     "x":{"isRoot":true,"columns":{"k":{"type":"integer"},"e":{"type":"integer"}}}}}
    """#

  private static let contents = #"""
    ["T",{"op":"insert","table":"t","uuid-name":"a","row":{"name":"one two","n":["set",[1,3]],"b":true,
      "m":["map",[["a b","c,d"],["k","v"]]],"o":"<&\">","r":1.5}},
     {"op":"insert","table":"t","row":{"name":"zed","ref":["named-uuid","a"]}},
     {"op":"insert","table":"t","row":{"name":"line1\nline2\ttab\u0001\r","o":"cr\r"}},
     {"op":"insert","table":"t","row":{"name":"日本","r":-0.5,"o":"x=1","m":["map",[["é","日本語"]]]}},
     {"op":"insert","table":"x","row":{"e":0,"k":5}},{"op":"insert","table":"x","row":{"e":1,"k":-5}},
     {"op":"insert","table":"x","row":{"e":1,"k":-5}}]
    """#

  private func serve(_ side: Side) throws -> DatabaseServer {
    let directory = try RunDirectory()
    try write(Self.schema, to: directory.path("t.ovsschema"))
    let server = try DatabaseServer(
      side, [.schema(path: directory.path("t.ovsschema"), file: "t.db")], directory: directory)
    try succeed(Side.peer.tool("ovsdb-client"), ["transact", Self.contents], in: directory)
    return server
  }

  /// Runs a command line with both clients and compares. Lists of columns and rows of monitors come in no order.
  private func compare(_ words: [String], on server: DatabaseServer, input: String = "/dev/null") throws {
    let isUnordered = words.contains("list-columns") || words.contains("monitor")
    let results = try Side.allCases.map { side in
      var result = presentable(
        try run(side.tool("ovsdb-client"), words, in: server.directory, input: input), directory: server.directory,
        sortingLines: isUnordered)
      // getopt begins its messages with the path of the program.
      result.standardError = result.standardError.replacing(side.tool("ovsdb-client"), with: "ovsdb-client")
      if side == .ours { result.standardError = countingLinesFromZero(result.standardError) }
      result.standardError = result.standardError.replacing(" (the name of a table must follow the name of the database)", with: "")
      return result
    }
    #expect(results[0] == results[1], "\(words)")
  }

  private static let simple: [[String]] = [
    [], ["foo"], ["--foo"], ["list-dbs"], ["list-dbs", "foo"], ["list-dbs", "foo:bar"], ["list-dbs", "unix:zz"],
    ["list-dbs", "tcp:127.0.0.1:1"], ["list-dbs", "a", "b"], ["list-dbs", "unix:zz", "a"], ["get-schema"],
    ["--pretty", "get-schema"], ["get-schema", "nodb"], ["get-schema", "_Server"], ["get-schema", "a", "b"],
    ["get-schema-version"], ["get-schema-cksum"], ["get-schema-cksum", "T"], ["list-tables"], ["list-tables", "t"],
    ["list-columns"], ["list-columns", "t"], ["list-columns", "T", "x"], ["list-columns", "T", "zz"],
    ["-t", "0", "list-dbs"], ["-t", "x", "list-dbs"], ["-f", "zz", "dump"], ["-d", "zz", "dump"],
  ]

  private static let transactions: [[String]] = [
    ["transact"], ["transact", "[1"], ["transact", "{}"], ["transact", "[]"], ["transact", "[1]"],
    ["transact", #"["nodb"]"#], ["transact", #"["T",{"op":"foo"}]"#], ["transact", "T", #"["T"]"#],
    ["transact", "unix:zz"], ["transact", "unix:zz", "T", "[1]"], ["query", #"["T"]"#],
    ["query", #"["T",{"op":"select","table":"x","where":[],"columns":["e","k"]}]"#],
    ["query", #"["T",{"op":"foo"}]"#], ["query", #"["T",{"op":"abort"}]"#],
    ["query", #"["T",{"op":"assert","lock":"a"},{"op":"comment","comment":"x"}]"#],
    ["--pretty", "query", #"["T",{"op":"comment","comment":"x"}]"#],
  ]

  private static let dumps: [[String]] = {
    var dumps: [[String]] = [
      ["dump", "T"], ["dump", "t"], ["dump", "T", "x", "k"], ["dump", "T", "zz"], ["dump", "T", "x", "zz"],
      ["dump", "T", "x", "_version"], ["dump", "T", "x", "e", "_uuid", "k"], ["-f", "json", "--pretty", "dump", "T", "x"],
      ["--bare", "dump", "T", "t", "name", "n"], ["--max-column-width=6", "dump"], ["--max-column-width=x", "dump"],
      ["--max-column-width=3", "-d", "bare", "dump", "T", "t", "m", "o"], ["--timestamp", "dump", "T", "x"],
      ["dump", ""], ["dump", "X"], ["dump", "_Server", "Database", "name"],
    ]
    for format in ["table", "list", "csv", "html", "json"] {
      for cells in ["string", "bare", "json"] {
        dumps.append(["-f", format, "-d", cells, "dump"])
        dumps.append(["-f", format, "-d", cells, "--no-headings", "dump", "T", "t"])
      }
      dumps.append(["-f", format, "list-tables"])
    }
    return dumps
  }()

  private static let others: [[String]] = [
    ["wait", "T"], ["wait", "T", "foo"], ["wait", "T", "added"], ["wait", "T", "connected"], ["wait", "nodb", "removed"],
    ["-t", "1", "wait", "T", "removed"], ["wait", "unix:zz", "T", "added", "-t", "2"],
    ["list-dbs", "unix:zz,unix:yy"], ["dump", "unix:zz,unix:yy"], ["dump", "unix:zz,unix:db.sock", "T", "x"],
    ["transact", "unix:zz,unix:db.sock", #"["no"]"#], ["needs-conversion", "t.ovsschema"],
    ["needs-conversion", "nosuch"], ["convert", "nosuch"], ["backup", "nodb"], ["lock"], ["lock", "unix:zz", "a"],
    ["monitor"], ["monitor", "T"], ["monitor", "T", "t", "zz"], ["monitor", "T", "t", "name", "name"],
    ["monitor-cond", "T", "x"], ["monitor-cond", "T", "[", "x"], ["monitor-cond", "T", #"[["zz","==",1]]"#, "x"],
    ["monitor-cond-since", "T", "abc", "[true]", "x"], ["-t", "1", "lock", "L"], ["-t", "1", "lock", "1 no name"],
    ["-t", "1", "monitor", "T", "x", ","],
  ]

  /// Numbers of arguments, words that are no servers, option spellings.
  private static let misuses: [[String]] = {
    var misuses: [[String]] = []
    let commands = [
      "list-dbs", "get-schema", "get-schema-version", "get-schema-cksum", "list-tables", "list-columns", "transact", "query", "dump",
      "convert", "needs-conversion", "backup", "monitor-cond-since",
    ]
    let wrong: [[String]] = [
      ["a", "b", "c", "d"], ["a", "b", "c", "d", "e"], ["unix:zz", "T"], ["foo:bar", "T"], ["tcp:127.0.0.1:1", "T", "x"], ["", ""],
      ["T", "x", "k", "zz"], ["unix:db.sock", "nodb"], ["unix:zz,unix:yy", "T"], ["unix:db.sock", "unix:db.sock", "T"],
    ]
    for command in commands { misuses += wrong.map { [command] + $0 } }
    misuses += ["lock", "steal", "unlock", "monitor", "monitor-cond", "monitor-cond-since", "wait"].map { [$0] }
    misuses += [["lock", "unix:zz", "L", "M"], ["monitor-cond", "a"], ["wait", "a"], ["wait", "a", "b", "c"], ["wait", "a", "b", "c", "d"]]
    for options in [
      ["--d"], ["--pr"], ["--m"], ["--ti"], ["--time"], ["--pre"], ["--form", "json"], ["--da", "json"], ["--ba"], ["--max=5"], ["--forc"],
      ["--format"], ["--format="], ["-f"], ["-fjson"], ["-f=json"], ["--bare=x"], ["-x"], ["-t5"], ["-t=5"], ["-vfoo"], ["-vfoo:bar:baz"],
      ["--verbose=off"], ["--log-file=/nosuch/x"], ["--no-leader-only"], ["--db-change-aware"], ["--no-db-change-aware=1"],
      ["--timeout= 1"], ["--timeout=+1"], ["--timeout=1x"], ["--timeout=4294967296"], ["--timeout="], ["--syslog-method=x"],
      ["--peer-ca-cert=x"], ["--", "-f", "json"], ["-"], ["--no-self-confinement"], ["-djson"], ["--option"], ["-P"], ["-e"],
    ] {
      misuses += [options + ["list-tables"], ["list-tables"] + options]
    }
    return misuses
  }()

  @Test(arguments: Side.allCases)
  func misusesAgree(server side: Side) throws {
    let server = try serve(side)
    for words in Self.misuses { try compare(words, on: server) }
  }

  @Test(arguments: Side.allCases)
  func limitsOnColumnsAgree(server side: Side) throws {
    let server = try serve(side)
    for limit in ["0", "-1", "1", "2", "3", "5", "7", "40", "", "5x", " 4", "+4", "0x5", "99999999999"] {
      for words in [["dump"], ["--no-headings", "dump", "T", "t"], ["-f", "list", "dump", "T", "x"]] {
        try compare(["--max-column-width=\(limit)"] + words, on: server)
      }
    }
  }

  /// Strings of many alphabets, with everything that formats could stumble over.
  private static func generatedContents(seed: UInt64) -> String {
    var random = SeededRandom(seed: seed)
    let pieces = [
      "a", "Z", "0", "_", "-", ".", " ", ",", ";", ":", "=", "\\\"", "\\\\", "'", "/", "<", ">", "&", "{", "}", "[", "]", "\\n", "\\r", "\\t",
      "\\u0001", "\\u001b[31m", "\\u007f", "\\u0085", "\\u2028", "\\u202e", "é", "e\\u0301", "ß", "Ω", "я", "א", "ش", "ก", "अ", "日", "한", "ｗ",
      "😀", "\\ufeff", "\\ufffd", "true", "false", "aaaaaaaa-0000-0000-0000-000000000001", "",
    ]
    func string() -> String { (0..<random.below(7)).map { _ in random.pick(pieces) }.joined() }
    func quoted() -> String { "\"\(string())\"" }
    func real() -> String { random.pick(["0", "-0.0", "1.5", "1e300", "1e-300", "123456789012345678", "0.1", "-2.5e10", "3"]) }
    var rows: [String] = []
    for index in 0..<40 {
      let numbers = Set((0..<random.below(4)).map { _ in random.pick([0, 1, -1, Int.max, Int.min, random.below(1000)]) })
      let keys = Array(Set((0..<random.below(4)).map { _ in string() })).sorted()
      let pairs = keys.map { "[\"\($0)\",\(quoted())]" }.joined(separator: ",")
      let optional = random.chance(50) ? quoted() : "[\"set\",[]]"
      rows.append(
        "{\"op\":\"insert\",\"table\":\"t\",\"row\":{\"name\":\(quoted()),\"b\":\(random.chance(50)),\"r\":\(real()),"
          + "\"n\":[\"set\",[\(numbers.map(String.init).joined(separator: ","))]],\"m\":[\"map\",[\(pairs)]],\"o\":\(optional)}}")
      rows.append("{\"op\":\"insert\",\"table\":\"x\",\"row\":{\"k\":\(index),\"e\":\(random.below(3))}}")
    }
    return "[\"T\",\(rows.joined(separator: ","))]"
  }

  @Test(arguments: Side.allCases)
  func generatedContentsPrintTheSame(server side: Side) throws {
    for seed in UInt64(1)...3 {
      let server = try serve(side)
      let file = server.directory.path("contents")
      try write(Self.generatedContents(seed: seed), to: file)
      try succeed("/bin/sh", ["-c", "'\(Side.peer.tool("ovsdb-client"))' transact \"$(cat '\(file)')\""], in: server.directory)
      for format in ["table", "list", "csv", "html", "json"] {
        for cells in ["string", "bare", "json"] {
          try compare(["-f", format, "-d", cells, "dump"], on: server)
          try compare(["-f", format, "-d", cells, "--max-column-width=9", "--no-headings", "dump", "T", "t", "name", "m"], on: server)
        }
      }
      try compare(["--pretty", "-f", "json", "dump"], on: server)
      try compare(["--bare", "dump"], on: server)
      try compare(["transact", #"["T",{"op":"select","table":"x","where":[["e","==",1]],"columns":["e"]}]"#], on: server)
    }
  }

  @Test(arguments: Side.allCases)
  func commandsAboutSchemasAgree(server side: Side) throws {
    let server = try serve(side)
    for words in Self.simple { try compare(words, on: server) }
  }

  @Test(arguments: Side.allCases)
  func transactionsAgree(server side: Side) throws {
    let server = try serve(side)
    for words in Self.transactions { try compare(words, on: server) }
  }

  @Test(arguments: Side.allCases)
  func dumpsAgreeInEveryFormat(server side: Side) throws {
    let server = try serve(side)
    for words in Self.dumps { try compare(words, on: server) }
  }

  @Test(arguments: Side.allCases)
  func otherCommandsAgree(server side: Side) throws {
    let server = try serve(side)
    for words in Self.others { try compare(words, on: server) }
  }

  // MARK: - Monitors

  private static let monitors: [[String]] = [
    ["monitor", "T", "x"], ["monitor", "T", "x", "k", "e,!insert"], ["monitor", "T", "ALL"], ["-f", "json", "monitor", "T", "t"],
    ["-f", "html", "monitor", "T", "x", "k"], ["--timestamp", "-f", "csv", "monitor", "ALL"],
    ["--bare", "monitor", "T", "t"], ["monitor-cond", "T", #"[["k",">=",2]]"#, "x"],
    ["-d", "json", "monitor-cond", "T", "[true]", "t"], ["monitor-cond-since", "T", "[]", "x", "k"],
  ]

  /// A series of changes, one row at a time, since rows of one update come in no order.
  private static let changes = [
    #"["T",{"op":"insert","table":"x","row":{"e":7,"k":1}}]"#,
    #"["T",{"op":"update","table":"x","where":[["e","==",7]],"row":{"k":2}}]"#,
    #"["T",{"op":"insert","table":"t","row":{"name":"m x","n":["set",[1,2]],"o":"v","m":["map",[["a","b"],["c","d"]]]}}]"#,
    #"["T",{"op":"mutate","table":"t","where":[],"mutations":[["n","insert",["set",[3]]],["n","delete",1],["m","delete",["set",["a"]]]]}]"#,
    #"["T",{"op":"update","table":"t","where":[],"row":{"o":["set",[]],"r":2.5}}]"#,
    #"["T",{"op":"delete","table":"x","where":[]}]"#,
    #"["T",{"op":"delete","table":"t","where":[]}]"#,
  ]

  @Test(arguments: Side.allCases)
  func monitorsPrintTheSameSeriesOfChanges(server side: Side) throws {
    let server = try serve(side)
    let transact = { (text: String) throws in
      _ = try succeed(Side.peer.tool("ovsdb-client"), ["transact", text], in: server.directory)
    }
    try transact(#"["T",{"op":"delete","table":"x","where":[]},{"op":"delete","table":"t","where":[]}]"#)
    var children: [(words: [String], children: [ChildProcess])] = []
    let directory = server.directory
    for (index, words) in Self.monitors.enumerated() {
      let pair = try Side.allCases.map { client in
        // Detached: the command returns when the initial contents are printed, and the monitor writes on into the file.
        let name = directory.path("\(client)-\(index)")
        return try ChildProcess(
          client.tool("ovsdb-client"), ["--detach", "--no-chdir", "--pidfile=\(name).pid"] + words,
          environment: server.directory.environment, directory: server.directory.path, output: "\(name).out",
          errors: "\(name).err")
      }
      children.append((words, pair))
    }
    for entry in children {
      for child in entry.children { #expect(try child.waitForExit() == 0, "\(entry.words)") }
    }
    for change in Self.changes { try transact(change) }
    for (index, words) in Self.monitors.enumerated() {
      let names = Side.allCases.map { directory.path("\($0)-\(index)") }
      let seen = try names.map { name in
        // The last line of each is that of the last deletion; a monitor that hides it has nothing to wait for.
        try waitUntilQuiet("\(name).out")
        return presentable(try readText("\(name).out"), directory: server.directory)
      }
      #expect(seen[0] == seen[1], "\(words)")
      #expect(!seen[0].isEmpty, "\(words)")
      for name in names {
        let pid = try #require(pid_t(try readText("\(name).pid").trimmingCharacters(in: .whitespacesAndNewlines)))
        kill(pid, SIGTERM)
      }
    }
  }

  /// Waits until a file has not grown for a while.
  private func waitUntilQuiet(_ path: String) throws {
    var size = -1
    var since = Date()
    try waitUntil("quiet in \(path)") {
      let now = try readBytes(path).count
      if now != size { (size, since) = (now, Date()) }
      return Date().timeIntervalSince(since) > 0.3
    }
  }

  // MARK: - Backup and restore

  @Test(arguments: Side.allCases)
  func backupsOfEitherClientRestoreWithTheOther(server side: Side) throws {
    let server = try serve(side)
    let directory = server.directory
    let before = presentable(
      try succeed(Side.peer.tool("ovsdb-client"), ["dump"], in: directory), directory: directory)
    for (writer, reader) in [(Side.ours, Side.peer), (.peer, .ours), (.ours, .ours)] {
      let backup = directory.path("backup-\(writer)-\(reader)")
      try succeed("/bin/sh", ["-c", "'\(writer.tool("ovsdb-client"))' backup > '\(backup)'"], in: directory)
      try succeed(Side.peer.tool("ovsdb-client"), ["transact", #"["T",{"op":"delete","table":"t","where":[]}]"#], in: directory)
      try succeed(reader.tool("ovsdb-client"), ["restore"], in: directory, input: backup)
      let after = presentable(try succeed(Side.peer.tool("ovsdb-client"), ["dump"], in: directory), directory: directory)
      #expect(after == before, "\(writer) to \(reader)")
    }
    let other = directory.path("other.db")
    try write(Self.schema.replacing("1.0.0", with: "1.0.1"), to: directory.path("other.ovsschema"))
    try succeed(Side.peer.tool("ovsdb-tool"), ["create", other, directory.path("other.ovsschema")], in: directory)
    for input in [other, directory.path("t.ovsschema"), "/dev/null"] {
      try compare(["restore"], on: server, input: input)
      try compare(["--force", "restore"], on: server, input: input)
    }
  }

  @Test func aBackupMayComeThroughAPipe() throws {
    let server = try serve(.peer)
    let client = Side.ours.tool("ovsdb-client")
    try succeed("/bin/sh", ["-c", "'\(client)' backup | cat | '\(client)' restore"], in: server.directory)
    let dump = try succeed(client, ["dump", "T", "x", "k"], in: server.directory)
    #expect(dump == "x table\nk\n--\n-5\n5\n")
  }

  // MARK: - Where ours does better

  @Test func conversionOfADatabaseThatIsNotServedIsAnError() throws {
    let server = try serve(.peer)
    try write(#"{"name":"Z","version":"1.0.0","tables":{}}"#, to: server.directory.path("z.ovsschema"))
    for command in ["convert", "needs-conversion"] {
      let result = try run(Side.ours.tool("ovsdb-client"), [command, "z.ovsschema"], in: server.directory)
      #expect(result.status == 1)
      #expect(result.standardError.contains("server does not have a database named \"Z\""))
    }
  }

  @Test func aDatabaseNamedWithoutATableIsSaidToLackOne() throws {
    let server = try serve(.ours)
    let result = try run(Side.ours.tool("ovsdb-client"), ["monitor", "T"], in: server.directory)
    #expect(result.status == 1)
    #expect(
      result.standardError.contains(
        #"T does not have a table named "T" (the name of a table must follow the name of the database)"#), "\(result)")
  }
}
