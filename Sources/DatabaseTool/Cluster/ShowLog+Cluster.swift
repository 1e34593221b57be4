// SPDX-License-Identifier: Apache-2.0
//
// `show-log` of a cluster member's file: what each record says of the cluster, one item a line, then its transaction. A record that
// is no record of such a log is told in its place, and the next ones follow.

import JSON
import Journal
import OVSDB

extension ShowLog {
  /// - Throws: that the schema of a record is none, as values cannot be shown any more.
  mutating func showClustered(_ root: JSONValue, isFirst: Bool) throws(LogError) {
    output += "\n"
    // Whether a transaction was shown, which ends the record by itself.
    let hasTransaction: Bool
    switch Self.parse(root, isFirst: isFirst) {
    case .header(let header): hasTransaction = try show(header)
    case .record(let record): hasTransaction = try show(record)
    case .mistake(let error):
      output += "\(error.description)\n"
      hasTransaction = false
    }
    if !hasTransaction { output += "\n" }
  }

  private enum Parsed {
    case header(ClusterHeader)
    case record(ClusterRecord)
    case mistake(OVSDBError)
  }

  private static func parse(_ root: JSONValue, isFirst: Bool) -> Parsed {
    do throws(OVSDBError) {
      return isFirst ? .header(try ClusterHeader(json: root)) : .record(try ClusterRecord(json: root))
    } catch {
      return .mistake(error)
    }
  }

  private mutating func show(_ header: ClusterHeader) throws(LogError) -> Bool {
    output += " name: \"\(header.name)'\n"
    output += " local address: \"\(header.localAddress)\"\n"
    output += " server_id: \(ClusterFile.short(header.serverID))\n"
    if let clusterID = header.clusterID { output += " cluster_id: \(ClusterFile.short(clusterID))\n" }
    if !header.remoteAddresses.isEmpty { output += " remote_addresses: \(header.remoteAddresses.joined(separator: " "))\n" }
    guard let snapshot = header.snapshot else { return false }
    if snapshot.index != 0 { output += " prev_index: \(snapshot.index)\n prev_term: \(snapshot.term)\n" }
    show(snapshot.servers, label: "prev_servers")
    if let id = snapshot.entryID { output += " prev_eid: \(ClusterFile.short(id))\n" }
    return try show(data: snapshot.data, label: "prev_schema")
  }

  private mutating func show(_ record: ClusterRecord) throws(LogError) -> Bool {
    if let comment = record.comment { output += " comment: \"\(comment)\"\n" }
    if record.term != 0 { output += " term: \(record.term)\n" }
    switch record.content {
    case .term: return false
    case .vote(let server): output += " vote: \(ClusterFile.short(server))\n"
    case .leader(let server): output += " leader: \(ClusterFile.short(server))\n"
    case .commit(let index): output += " commit_index: \(index)\n"
    case .note(let note): output += " note: \"\(note)\"\n"
    case .entry(let entry):
      output += " index: \(entry.index)\n"
      if let servers = entry.servers { show(servers, label: "servers") }
      if let id = entry.entryID { output += " eid: \(ClusterFile.short(id))\n" }
      return try show(data: entry.data, label: "schema")
    }
    return false
  }

  /// Shows `[schema or null, transaction or null]`.
  private mutating func show(data: JSONValue?, label: String) throws(LogError) -> Bool {
    guard let data else { return false }
    guard data.kind == .array, data.count == 2, let schemaJSON = data[0], let transaction = data[1] else {
      output += " ***invalid data***\n"
      return false
    }
    if !schemaJSON.isNull {
      try adopt(schema: schemaJSON)
      output += " \(label): \(schemaText(""))\n"
    }
    guard transaction.kind == .object else { return false }
    showTransaction(transaction)
    return true
  }

  private mutating func show(_ servers: JSONValue, label: String) {
    let list = servers.members.map { id, address in (id.words, address.words) }.sorted { $0.0 < $1.0 }
      .map { id, address in "\(ClusterFile.short(id))(\"\(address)\")" }
    output += " \(label): \(list.joined(separator: ", "))\n"
  }
}
