// SPDX-License-Identifier: Apache-2.0
//
// Records 1 to n of a cluster member's file: what happened to its log.
//
//   term, index, [servers], [election_timer], [data, eid]   an entry; data is [schema or null, transaction or null]
//   term                                                   the server heard of a term
//   term, vote                                             it voted
//   term, leader                                           it heard who leads the term
//   commit_index                                           entries up to this one are committed
//   note                                                   "transfer leadership", "left", ...
//
// Any of them may have a comment. An entry with the index of an earlier one replaces that and all behind it.
//
// Source: Documentation/protocol/files.md#cluster-members; ClusterComparisonTests has a case for each rule.

import JSON
import OVSDB

/// One record. Views in it are valid as long as the record's document.
struct ClusterRecord {
  enum Content {
    case entry(ClusterEntry)
    case term
    case vote(String)
    case leader(String)
    case commit(UInt64)
    case note(String)
  }

  var comment: String?
  /// 0 in records that have none.
  var term: UInt64 = 0
  var content: Content
}

struct ClusterEntry {
  var index: UInt64
  var servers: JSONValue?
  var electionTimer: Int64?
  /// `[schema or null, transaction or null]`, if it has that form.
  var data: JSONValue?
  var entryID: String?
}

extension ClusterRecord {
  /// - Throws: `Parsing raft log record failed: ...`, or what is wrong with an address or a server's id.
  init(json: JSONValue) throws(OVSDBError) {
    var parser = ObjectParser(json, "raft log record")
    let comment = parser.optional("comment", .string)?.words
    self.init(comment: comment, content: .term)
    if let note = parser.optional("note", .string) {
      content = .note(note.words)
    } else {
      let commit = parser.optionalCount("commit_index")
      if commit != 0 { content = .commit(commit) } else { parseTerm(&parser) }
    }
    if case .entry(let entry) = content, let servers = entry.servers, parser.error == nil { try ClusterServers.check(servers) }
    if let error = parser.finish() { throw error }
  }

  private mutating func parseTerm(_ parser: inout ObjectParser) {
    term = parser.requiredCount("term")
    if let leader = parser.optionalID("leader") {
      content = .leader(leader)
    } else if let vote = parser.optionalID("vote") {
      content = .vote(vote)
    } else {
      let index = parser.optionalCount("index")
      guard index != 0 else { return }
      var entry = ClusterEntry(index: index)
      entry.servers = parser.optional("servers", .object)
      entry.electionTimer = parser.optional("election_timer", .integer)?.integer
      entry.data = parser.optional("data", .array)
      if entry.data != nil { entry.entryID = parser.requiredID("eid") }
      content = .entry(entry)
    }
  }
}

extension ClusterEntry {
  /// What two servers must agree on, in one canonical text.
  func write(term: UInt64, to writer: inout ByteWriter) {
    writer.append("{")
    if let data {
      writer.append("\"data\":")
      data.write(to: &writer, sorted: true)
      writer.append(",\"eid\":")
      writer.appendQuoted(entryID ?? "")
      writer.append(",")
    }
    if let electionTimer, electionTimer != 0 {
      writer.append("\"election_timer\":")
      writer.appendInteger(electionTimer)
      writer.append(",")
    }
    if let servers {
      writer.append("\"servers\":")
      servers.write(to: &writer, sorted: true)
      writer.append(",")
    }
    writer.append("\"term\":")
    writer.append(utf8: String(term))
    writer.append("}")
  }
}
