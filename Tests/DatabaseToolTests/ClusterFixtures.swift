// SPDX-License-Identifier: Apache-2.0
//
// Files of cluster members in a few letters, because check-cluster needs dozens of them:
//
//   H1        the header of server 1 that has joined; H1{"prev_index":5} with a member set, {"x":null} without one
//   J3        the header of server 3 that has not
//   E2.3a     an entry of term 2 with index 3 that names a row "a"; E2.3 an entry without data
//   S2.3      an entry that converts to another schema; S2.3a with data
//   T4 L4.1 V4.1 C7    a term, a leader, a vote, a commit index
//   {...}     a record as it stands

import Foundation
import Journal

enum ClusterFixtures {
  static let schema = #"{"name":"T","version":"1.0.0","tables":{"P":{"isRoot":true,"columns":{"name":{"type":"string"}}}}}"#
  static let otherSchema =
    #"{"name":"T","version":"2.0.0","tables":{"P":{"isRoot":true,"columns":{"name":{"type":"string"},"z":{"type":"integer"}}}}}"#

  static func id(_ number: Int) -> String { Fixtures.id(number) }

  /// Writes a file out of words of the notation, separated by blanks.
  static func write(_ notation: String, to url: URL) throws {
    let log = try LogFile.create(path: url.path, kind: .clustered)
    for word in notation.split(separator: " ") { log.append(Array(try record(String(word)).utf8)) }
    try log.persistCreation()
  }

  static func record(_ word: String) throws -> String {
    let rest = String(word.dropFirst())
    let numbers = rest.prefix { $0.isNumber || $0 == "." }.split(separator: ".").compactMap { Int($0) }
    let tail = String(rest.drop { $0.isNumber || $0 == "." })
    let (first, second) = (numbers.first ?? 0, numbers.count > 1 ? numbers[1] : 0)
    switch word.first {
    case "H": return try merged(joined(first), tail)
    case "J": return try merged(joining(first), tail)
    case "E", "S":
      let transaction = tail.isEmpty ? "null" : #"{"_date":1795230318760,"P":{"\#(id(0x90))":{"name":"\#(tail)"}}}"#
      let schema = word.first == "S" ? otherSchema : "null"
      if word.first == "E", tail.isEmpty { return #"{"term":\#(first),"index":\#(second)}"# }
      let entryID = id(0x1000 * first + second)
      return #"{"term":\#(first),"index":\#(second),"eid":"\#(entryID)","data":[\#(schema),\#(transaction)]}"#
    case "T": return #"{"term":\#(first)}"#
    case "L": return #"{"term":\#(first),"leader":"\#(id(second))"}"#
    case "V": return #"{"term":\#(first),"vote":"\#(id(second))"}"#
    case "C": return #"{"commit_index":\#(first)}"#
    default: return word
    }
  }

  private static func joined(_ server: Int) -> String {
    """
    {"name":"T","server_id":"\(id(server))","local_address":"tcp:1.1.1.\(server):1","cluster_id":"\(id(0xc))","prev_term":1,\
    "prev_index":1,"prev_eid":"\(id(0xe1))","prev_data":[\(schema),{}],\
    "prev_servers":{"\(id(1))":"tcp:1.1.1.1:1","\(id(2))":"tcp:1.1.1.2:1"}}
    """
  }

  private static func joining(_ server: Int) -> String {
    """
    {"name":"T","server_id":"\(id(server))","local_address":"tcp:1.1.1.\(server):1","remote_addresses":["tcp:1.1.1.9:1"]}
    """
  }

  private static func merged(_ header: String, _ changes: String) throws -> String {
    guard !changes.isEmpty else { return header }
    guard var object = try JSONSerialization.jsonObject(with: Data(header.utf8)) as? [String: Any],
      let other = try JSONSerialization.jsonObject(with: Data(changes.utf8)) as? [String: Any]
    else { return header }
    for (key, value) in other { object[key] = value is NSNull ? nil : value }
    return String(decoding: try JSONSerialization.data(withJSONObject: object, options: .withoutEscapingSlashes), as: UTF8.self)
  }
}
