// SPDX-License-Identifier: Apache-2.0
//
// Random requests for the catalog's database: most are sensible, some fail, some are nonsense.

import Foundation
import JSON
import TestSupport

struct StatefulRequests {
  struct Request {
    let method: String
    let params: String
  }

  private var random: SeededRandom

  init(random: SeededRandom) { self.random = random }

  // MARK: - Transactions

  mutating func transaction() -> Request {
    let operations = (0..<random.within(1...5)).map { _ in operation() }
    var params = "[\"db\"," + operations.joined(separator: ",") + "]"
    // What is no JSON costs the connection, which is another step (`StatefulFuzzer.spoil`).
    if random.chance(5), case let text = spoiled(params), (try? JSONDocument.parse(text)) != nil { params = text }
    return Request(method: "transact", params: params)
  }

  private mutating func operation() -> String {
    switch random.below(20) {
    case 0..<8: return insert()
    case 8..<12: return update()
    case 12..<15: return mutate()
    case 15..<17: return #"{"op":"delete","table":"\#(table())","where":[\#(condition("A"))]}"#
    case 17: return #"{"op":"commit","durable":\#(random.chance(50))}"#
    case 18: return random.pick([#"{"op":"comment","comment":"c"}"#, #"{"op":"abort"}"#, #"{"op":"assert","lock":"l1"}"#])
    default: return select()
    }
  }

  private mutating func table() -> String { random.pick(["A", "A", "A", "B", "C"]) }
  private mutating func uuid(_ table: String) -> String { "00000000-0000-0000-000\(table == "A" ? 1 : table == "B" ? 2 : 3)-00000000000\(random.below(9))" }

  private mutating func references(_ table: String) -> String {
    let list = Set((0..<random.below(4)).map { _ in uuid(table) }).sorted().map { "[\"uuid\",\"\($0)\"]" }
    return "[\"set\",[\(list.joined(separator: ","))]]"
  }

  private mutating func value(_ column: String) -> String {
    switch column {
    case "n", "k": return "\(random.below(6))"
    case "s": return "\"\(random.pick(["", "a", "b", "\\u00e9\\n"]))\""
    case "r": return random.pick(["0", "1.5", "-2e10"])
    case "b": return "\(random.chance(50))"
    case "set": return "[\"set\",[\(Set((0..<random.below(5)).map { _ in random.below(8) }).map(String.init).joined(separator: ","))]]"
    case "map": return "[\"map\",[\((0..<random.below(3)).map { "[\"k\($0)\",\(random.below(3))]" }.joined(separator: ","))]]"
    case "few": return "[\"set\",[\(random.pick(["1", "1,2", "3,4,5", "9", "1,2,3,4", ""]))]]"
    case "opt": return random.pick(["\"x\"", "\"y\"", "[\"set\",[]]", "\"z\""])
    case "weak": return references("B")
    case "need": return references("A")
    case "next": return random.chance(50) ? "[\"set\",[]]" : "[\"uuid\",\"\(uuid("C"))\"]"
    case "gone": return "\(random.below(4))"
    default: return "[\"map\",[\((0..<random.below(3)).map { "[\"o\($0)\",[\"uuid\",\"\(uuid("C"))\"]]" }.joined(separator: ","))]]"
    }
  }

  private static let columns = [
    "A": ["n", "s", "r", "b", "set", "map", "few", "opt", "weak", "own", "gone"], "B": ["n", "need"], "C": ["k", "next"],
  ]

  private mutating func row(_ table: String, _ percent: Int) -> String {
    var members: [String] = []
    for column in Self.columns[table] ?? [] where random.chance(percent) { members.append("\"\(column)\":\(value(column))") }
    return "{\(members.joined(separator: ","))}"
  }

  private mutating func insert() -> String {
    let table = table()
    if table == "C" {
      // Somebody has to own it.
      let row = row("C", 60)
      return """
        {"op":"insert","table":"C","uuid-name":"c","uuid":"\(uuid("C"))","row":\(row)},\
        {"op":"mutate","table":"A","where":[],"mutations":[["own","insert",["map",[["x\(random.below(3))",["named-uuid","c"]]]]]]}
        """
    }
    return #"{"op":"insert","table":"\#(table)","uuid":"\#(uuid(table))","row":\#(row(table, 50))}"#
  }

  private mutating func update() -> String {
    let table = table()
    return #"{"op":"update","table":"\#(table)","where":[\#(condition(table))],"row":\#(row(table, 25))}"#
  }

  private mutating func mutate() -> String {
    let mutation = random.pick([
      #"["n","+=",1]"#, #"["n","%=",\#(random.below(3))]"#, #"["set","insert",\#(value("set"))]"#, #"["set","delete",\#(value("set"))]"#,
      #"["map","insert",\#(value("map"))]"#, #"["map","delete",["set",["k0"]]]"#, #"["weak","insert",\#(references("B"))]"#,
      #"["own","delete",["set",["o0","x1"]]]"#, #"["few","insert",["set",[7]]]"#,
    ])
    return #"{"op":"mutate","table":"A","where":[\#(condition("A"))],"mutations":[\#(mutation)]}"#
  }

  private mutating func condition(_ table: String) -> String {
    switch random.below(6) {
    case 0: return ""
    case 1, 2: return #"["_uuid","==",["uuid","\#(uuid(table))"]]"#
    case 3 where table == "A": return #"["set","includes",\#(random.below(8))]"#
    case 4 where table == "A": return #"["s","==",\#(value("s"))]"#
    default: return #"["\#(table == "C" ? "k" : "n")","\#(random.pick(["==", "<", "!=", ">="]))",\#(random.below(6))]"#
    }
  }

  private mutating func select() -> String {
    let table = table()
    return #"{"op":"select","table":"\#(table)","where":[\#(condition(table))]}"#
  }

  /// A transaction that only reads: much of it is sent piece by piece.
  mutating func selects() -> Request {
    var operations = [select(), #"{"op":"select","table":"A","where":[],"columns":["n"],"sort":["n"]}"#, #"{"op":"select","table":"A","where":[]}"#]
    if random.chance(20) { operations.append(#"{"op":"select","table":"A","where":[["none","==",1]]}"#) }
    return Request(method: "transact", params: "[\"db\",\(random.sample(operations, 4).joined(separator: ","))]")
  }

  mutating func wait() -> Request {
    let rows = random.chance(50) ? "[]" : #"[{"n":\#(random.below(6))}]"#
    let before = random.chance(30) ? operation() + "," : ""
    let wait =
      #"\#(before){"op":"wait","timeout":\#(random.pick([0, 1, 30, 3000])),"table":"A","where":[\#(condition("A"))],"columns":["n"],"until":"\#(random.pick(["==", "!="]))","rows":\#(rows)}"#
    return Request(method: "transact", params: "[\"db\",\(wait),\(operation())]")
  }

  // MARK: - Monitors

  mutating func monitorRequests(hasConditions: Bool) -> String {
    let tables = random.sample(["A", "B", "C"], random.within(1...3)).map { table -> String in
      var members: [String] = []
      if random.chance(50) {
        let columns = random.sample(Self.columns[table] ?? [], 3).map { "\"\($0)\"" }
        members.append("\"columns\":[\(columns.joined(separator: ","))]")
      }
      if hasConditions, random.chance(60) { members.append("\"where\":\(where_(table))") }
      return "\"\(table)\":[{\(members.joined(separator: ","))}]"
    }
    return "{\(tables.joined(separator: ","))}"
  }

  private mutating func where_(_ table: String) -> String {
    if random.chance(20) { return random.pick(["[]", "[true]", "[false]"]) }
    return "[\((0..<random.within(1...2)).map { _ in condition(table) }.filter { !$0.isEmpty }.joined(separator: ","))]"
  }

  mutating func conditionChange() -> String {
    let tables = random.sample(["A", "B", "C"], random.within(1...2)).map { "\"\($0)\":[{\"where\":\(where_($0))}]" }
    return "{\(tables.joined(separator: ","))}"
  }

  // MARK: - Others

  mutating func lock() -> Request {
    Request(method: random.pick(["lock", "steal", "unlock", "unlock"]), params: "[\"l\(random.below(5))\"]")
  }

  /// Requests that are answered with an error, or with little.
  mutating func oddity() -> Request {
    random.pick([
      Request(method: "list_dbs", params: "[]"), Request(method: "get_schema", params: "[\"db\"]"),
      Request(method: "get_schema", params: "[\"none\"]"), Request(method: "get_server_id", params: "[]"),
      Request(method: "no_such_method", params: "[{}]"), Request(method: "transact", params: "[]"),
      Request(method: "monitor", params: "[\"db\",null]"), Request(method: "monitor_cond", params: "[\"db\",1,{\"Z\":[]}]"),
      Request(method: "monitor_cond_change", params: "[1,2,3]"), Request(method: "set_db_change_aware", params: "[true]"),
      Request(method: "lock", params: "[7]"), Request(method: "transact", params: "[\"_Server\",{\"op\":\"select\",\"table\":\"Database\",\"where\":[]}]"),
    ])
  }

  /// A text with something of it doubled or left out that is JSON still, or a plain other one.
  private mutating func spoiled(_ text: String) -> String {
    let pairs = [("\"op\"", "\"po\""), ("\"A\"", "\"Z\""), ("[", "[[],"), (":1", ":\"1\""), ("where", "were"), ("\"uuid\"", "\"uid\"")]
    let (from, to) = random.pick(pairs)
    guard let range = text.range(of: from) else { return "[\"db\",7]" }
    return text.replacingCharacters(in: range, with: to)
  }
}
