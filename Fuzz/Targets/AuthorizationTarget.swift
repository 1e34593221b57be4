// SPDX-License-Identifier: Apache-2.0
//
// Rules of roles, which are rows that somebody wrote, and transactions of clients that have a role.

import Engine
import JSON
import OVSDB

extension FuzzTarget {
  /// The input is transactions of an operator and of a client with the role `r`, whose name is `c`: an operator's is an array, the
  /// client's stands in an object, `{"c":[...]}`. Whatever the rules say, the rules themselves are the operator's.
  static let authorization = FuzzTarget(
    name: "authorization",
    words: Catalog.words + [
      "{\"c\":[\"db\",", "\"RBAC_Role\"", "\"RBAC_Permission\"", "\"authorization\":[\"set\",[", "\"name\"", "\"owner\"", "\"tags:k\"", "\"::\"",
      "\"insert_delete\":true", "\"update\":[\"set\",[", "\"permissions\":[\"map\",[[\"T\",",
    ]
  ) { bytes in
    let schema = try JSONDocument.parse(authorizationSchema).withRoot { try DatabaseSchema(json: $0) }
    let database = Database(schema: schema, random: RandomSource(seed: 1))
    let role = AccessRole(name: "r", client: "c")
    var stream = JSONStream(messageBytesMax: 1 << 20)
    stream.append(bytes)
    var writer = ByteWriter()
    while let text = try? stream.next() {
      writer.removeAll()
      let isOperator = text.kind == .array
      guard let params = isOperator ? text : text.member("c"), params.kind == .array else { continue }
      let rules = database.rules
      _ = database.transact(params: params, context: TransactionContext(role: isOperator ? nil : role), into: &writer)
      let faults = database.checkInvariants()
      try require(faults.isEmpty, "\(faults)")
      try require(isOperator || rules == database.rules || database.permitsRules, "a client changed the rules: \(params.text())")
    }
  }

  private static let authorizationSchema = """
    {"name":"db","tables":{
    "T":{"columns":{"owner":{"type":"string"},"v":{"type":"integer"},"tags":{"type":{"key":"string","value":"string","min":0,"max":"unlimited"}}},
      "isRoot":true},
    "RBAC_Role":{"columns":{"name":{"type":"string"},
      "permissions":{"type":{"key":"string","value":{"type":"uuid","refTable":"RBAC_Permission"},"min":0,"max":"unlimited"}}},"isRoot":true},
    "RBAC_Permission":{"columns":{"table":{"type":"string"},"insert_delete":{"type":"boolean"},
      "authorization":{"type":{"key":"string","min":0,"max":"unlimited"}},"update":{"type":{"key":"string","min":0,"max":"unlimited"}}},
      "isRoot":true}}}
    """
}

extension Database {
  /// The rows that hold the rules.
  fileprivate var rules: [String] { lines().filter { $0.hasPrefix("RBAC_") } }

  /// Whether an operator let a role change the tables of the rules.
  fileprivate var permitsRules: Bool { rules.contains { $0.contains("\"RBAC_Role\"") || $0.contains("\"RBAC_Permission\"") } }
}
