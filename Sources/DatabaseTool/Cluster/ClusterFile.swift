// SPDX-License-Identifier: Apache-2.0
//
// Files of cluster members, as far as we read them: record 0, the header. Entries of the log are in ClusterRecord.swift.
//
// Record 0 has `name`, `server_id`, `local_address`; of a server that created or joined a cluster also `cluster_id`,
// `prev_term`, `prev_index`, `prev_servers`, `prev_eid` and `prev_data` (`[schema, transaction]`, the snapshot), maybe
// `prev_election_timer`; of one that is still joining `remote_addresses` and maybe `cluster_id`.
//
// Source: Documentation/protocol/files.md#cluster-members; ClusterComparisonTests has a case for each rule.

import Daemon
import JSON
import Journal
import OVSDB

/// Record 0 of a member's file. Views in it are valid as long as the record's document.
struct ClusterHeader {
  var name: String
  var serverID: String
  var localAddress: String
  var clusterID: String?
  /// Of a server that is still joining: where it asks.
  var remoteAddresses: [String] = []
  /// Nil for a server that is still joining.
  var snapshot: ClusterSnapshot?
}

/// What stands in the header for all entries up to one.
struct ClusterSnapshot {
  var term: UInt64
  /// Of the last entry that the snapshot stands for.
  var index: UInt64
  var servers: JSONValue
  var entryID: String?
  /// `[schema, transaction]`
  var data: JSONValue?
}

extension ClusterHeader {
  /// - Throws: `Parsing raft header failed: ...`, or what is wrong with an address or a server's id.
  init(json: JSONValue) throws(OVSDBError) {
    var parser = ObjectParser(json, "raft header")
    let clusterID = parser.optionalID("cluster_id")
    let serverID = parser.requiredID("server_id")
    let name = parser.required("name", .id)?.words
    let localAddress = parser.required("local_address", .string)?.words
    self.init(name: name ?? "", serverID: serverID, localAddress: localAddress ?? "", clusterID: clusterID)
    if let addresses = parser.optional("remote_addresses", .array) {
      for address in addresses.elements { remoteAddresses.append(try ClusterServers.address(address)) }
      if parser.error == nil, !remoteAddresses.contains(where: { $0 != localAddress }) {
        parser.fail("at least one remote address (other than the local address) is required")
      }
    } else {
      let snapshot = ClusterSnapshot(parsing: &parser)
      if clusterID == nil { _ = parser.required("cluster_id", .string) }
      if let snapshot, parser.error == nil { try ClusterServers.check(snapshot.servers) }
      self.snapshot = snapshot
    }
    if let error = parser.finish() { throw error }
  }
}

extension ClusterSnapshot {
  fileprivate init?(parsing parser: inout ObjectParser) {
    let servers = parser.required("prev_servers", .object)
    let index = parser.requiredCount("prev_index")
    _ = parser.optional("prev_election_timer", .integer)
    guard let servers else { return nil }
    self.init(term: 0, index: index, servers: servers)
    guard index != 0 else { return }
    term = parser.requiredCount("prev_term")
    entryID = parser.requiredID("prev_eid")
    data = parser.required("prev_data", .any)
  }
}

/// Objects of the form `{"<server id>": "<address>", ...}`, and addresses alone.
enum ClusterServers {
  static func check(_ servers: JSONValue) throws(OVSDBError) {
    if servers.count == 0 { throw .syntaxError("must have at least one server", at: servers) }
    for (id, address) in servers.members {
      if !ClusterFile.isUUID(id.words) { throw .syntaxError("\(id.words) is not a UUID", at: servers) }
      _ = try self.address(address)
    }
  }

  static func address(_ json: JSONValue) throws(OVSDBError) -> String {
    guard json.kind == .string else { throw .syntaxError("server address is not string", at: json) }
    let text = json.words
    guard text.hasPrefix("tcp:") || text.hasPrefix("ssl:") else {
      throw OVSDBError(.ovsdbError, "\(text): expected \"tcp\" or \"ssl\" address")
    }
    return text
  }
}

extension ObjectParser {
  /// A member that must be a UUID; an empty text after a mistake, which is noted.
  mutating func requiredID(_ member: StaticString) -> String {
    guard let value = required(member, .string) else { return "" }
    return checkedID(value, member)
  }

  mutating func optionalID(_ member: StaticString) -> String? {
    optional(member, .string).map { checkedID($0, member) }
  }

  private mutating func checkedID(_ value: JSONValue, _ member: StaticString) -> String {
    if !ClusterFile.isUUID(value.words) { fail("\(member) is not a valid UUID") }
    return value.words
  }

  /// A member that counts terms or entries: 64 bits without sign, as JSON with sign.
  mutating func requiredCount(_ member: StaticString) -> UInt64 {
    required(member, .integer)?.integer.map(UInt64.init(bitPattern:)) ?? 0
  }

  mutating func optionalCount(_ member: StaticString) -> UInt64 {
    optional(member, .integer)?.integer.map(UInt64.init(bitPattern:)) ?? 0
  }
}

enum ClusterFile {
  static func isUUID(_ text: String) -> Bool { UUID(text) != nil }

  /// Refuses a snapshot behind which there is no room for indexes: every log ends before it has that many entries.
  static func checkRoom(behind snapshot: ClusterSnapshot, _ path: String) throws(ToolError) {
    guard snapshot.index <= UInt64(Int64.max) else {
      throw ToolError("\(path): the snapshot ends at index \(snapshot.index), which leaves no room for entries")
    }
  }

  /// The first four digits of an id, as it is told to people.
  static func short(_ id: String) -> String { String(id.prefix(4)) }

  /// Reads record 0, without its snapshot.
  static func header(_ path: String) throws(ToolError) -> ClusterHeader {
    let kind = try ToolError.wrapping { () throws(LogError) in try DatabaseFile.kind(of: path) }
    guard kind == .clustered else { throw ToolError("\(path): not a clustered database") }
    var reader = try open(path)
    let record = try ToolError.wrapping { () throws(LogError) in
      guard let record = try reader.next() else { throw LogError(.ovsdbError, "\(path): cannot identify file type") }
      return try record.document(of: path)
    }
    defer { withExtendedLifetime(record) {} }
    var header = try ToolError.parsing { () throws(OVSDBError) in try ClusterHeader(json: record.root) }
    header.snapshot = nil
    return header
  }

  static func open(_ path: String) throws(ToolError) -> RecordReader {
    do throws(LogError) {
      return try RecordReader(path: path, accepting: [.clustered])
    } catch {
      throw ToolError(error)
    }
  }

  /// Gives the object of every record to `body`, with its number.
  ///
  /// - Throws: the first bad record's error; what `body` throws.
  static func forEachRecord(
    of path: String, meter: ProgressMeter? = nil, _ body: (JSONValue, Int) throws(ToolError) -> Void
  ) throws(ToolError) {
    var reader = try open(path)
    while true {
      let document: JSONDocument
      let number = reader.index
      do throws(LogError) {
        guard let record = try reader.next() else { return }
        document = try record.document(of: path)
        meter?.advance(to: Int64(record.offset))
      } catch {
        throw ToolError(error)
      }
      defer { withExtendedLifetime(document) {} }
      try body(document.root, number)
    }
  }
}
