// SPDX-License-Identifier: Apache-2.0
//
// A small database with every kind of value, filled with rows of known UUIDs: what tools print of it can be compared
// byte by byte.

import TestSupport

enum SampleDatabase {
  static let schema: WireJSON = [
    "name": "Sample", "version": "1.2.3", "cksum": "12 34",
    "tables": [
      "Thing": [
        "columns": [
          "name": ["type": "string"], "flag": ["type": "boolean"], "size": ["type": "real"],
          "numbers": ["type": ["key": "integer", "min": 0, "max": "unlimited"]],
          "labels": ["type": ["key": "string", "value": "string", "min": 0, "max": "unlimited"]],
          "note": ["type": ["key": "string", "min": 0, "max": 1]],
          "friend": ["type": ["key": ["type": "uuid", "refTable": "Thing", "refType": "weak"], "min": 0, "max": 1]],
          "level": ["type": ["key": ["type": "string", "enum": ["set", ["low", "high", ""]]]]],
          "status": ["type": "integer", "ephemeral": true], "born": ["type": "integer", "mutable": false],
        ],
        "isRoot": true, "indexes": [["name"]],
      ],
      "Empty": ["columns": ["n": ["type": ["key": ["type": "integer", "minInteger": 0, "maxInteger": 9], "min": 0]]], "maxRows": 5],
    ],
  ]

  static func uuid(_ number: Int) -> String { "aaaaaaaa-0000-4000-8000-00000000000\(number)" }

  /// Transactions in order; each list is one.
  static let history: [[WireJSON]] = [
    [
      [
        "op": "insert", "table": "Thing", "uuid": .string(uuid(1)),
        "row": ["name": "one two", "flag": true, "size": 1.5, "numbers": ["set", [3, 1]], "labels": ["map", [["k", "v"], ["a b", "c,d"]]],
          "note": "<&\">", "born": 7, "status": 4],
      ],
      ["op": "comment", "comment": "first \u{e9}"],
    ],
    [
      [
        "op": "insert", "table": "Thing", "uuid": .string(uuid(2)),
        "row": ["name": "zed", "friend": ["uuid", .string(uuid(1))], "level": "high"],
      ],
      ["op": "insert", "table": "Thing", "uuid": .string(uuid(3)), "row": ["name": "\u{1f600}\n\"q\"", "size": .number("1e20"), "note": ""]],
    ],
    [["op": "mutate", "table": "Thing", "where": [["name", "==", "one two"]], "mutations": [["numbers", "insert", ["set", [5, 9]]], ["numbers", "delete", 1]]]],
    [["op": "update", "table": "Thing", "where": [["name", "==", "zed"]], "row": ["labels": ["map", [["x", "y"]]], "size": 0.1]]],
    [["op": "update", "table": "Thing", "where": [["name", "==", "zed"]], "row": ["status": 9]]],
    [["op": "delete", "table": "Thing", "where": [["note", "==", ""]]], ["op": "comment", "comment": "second"], ["op": "comment", "comment": "third"]],
  ]

  /// Starts a server on a new sample database with its history.
  static func server(_ side: Side) throws -> DatabaseServer {
    let server = try DatabaseServer(side, [.schema(schema, file: "sample.db")])
    try apply(history, to: server)
    return server
  }

  static func apply(_ history: [[WireJSON]], to server: DatabaseServer) throws {
    let session = try server.session()
    for operations in history {
      let results = try session.call("transact", .array([.string("Sample")] + operations))
      for result in results.elements ?? [] where result["error"] != nil { throw ProcessError("\(operations): \(results)") }
    }
  }
}
