// SPDX-License-Identifier: Apache-2.0
//
// `show-log` of a cluster member's file: what each record says of the cluster, one item a line, then its transaction.

import JSON
import Journal
import OVSDB

extension ShowLog {
  mutating func showClustered(_ root: JSONValue, isFirst: Bool) throws(LogError) {
    output += "\n"
    let hasTransaction = isFirst ? try showHeader(root) : try showEntry(root)
    if !hasTransaction { output += "\n" }
  }

  /// - Returns: whether a transaction was shown, which ends the record by itself.
  private mutating func showHeader(_ root: JSONValue) throws(LogError) -> Bool {
    let header = try ClusterFile.parseHeader(root)
    output += " name: \"\(header.name)'\n"
    output += " local address: \"\(header.localAddress)\"\n"
    output += " server_id: \(short(header.serverID))\n"
    if let clusterID = header.clusterID { output += " cluster_id: \(short(clusterID))\n" }
    if let addresses = root.member("remote_addresses") {
      output += " remote_addresses: \(addresses.elements.map { $0.string ?? "" }.joined(separator: " "))\n"
    }
    showInteger(root, "prev_index")
    showInteger(root, "prev_term")
    showServers(root, "prev_servers")
    showID(root, "prev_eid")
    return try showData(root.member("prev_data"), label: "prev_schema")
  }

  private mutating func showEntry(_ root: JSONValue) throws(LogError) -> Bool {
    showString(root, "comment")
    showInteger(root, "term")
    showInteger(root, "index")
    showServers(root, "servers")
    showID(root, "eid")
    let hasTransaction = try showData(root.member("data"), label: "schema")
    showID(root, "vote")
    showString(root, "note")
    showInteger(root, "commit_index")
    showID(root, "leader")
    return hasTransaction
  }

  /// Shows `[schema or null, transaction or null]`.
  private mutating func showData(_ data: JSONValue?, label: String) throws(LogError) -> Bool {
    guard let data, data.kind == .array else { return false }
    guard data.count == 2, let schemaJSON = data[0], let transaction = data[1] else {
      throw LogError(.syntaxError, "\(path): Invalid raft record array length")
    }
    if schemaJSON.kind == .object {
      try adopt(schema: schemaJSON)
      output += " \(label): \(schemaText(""))\n"
    }
    guard transaction.kind == .object else { return false }
    showTransaction(transaction)
    return true
  }

  private mutating func showInteger(_ root: JSONValue, _ member: StaticString) {
    if let value = root.member(member)?.integer { output += " \(member): \(value)\n" }
  }

  private mutating func showString(_ root: JSONValue, _ member: StaticString) {
    if let value = root.member(member)?.string { output += " \(member): \"\(value)\"\n" }
  }

  private mutating func showID(_ root: JSONValue, _ member: StaticString) {
    if let value = root.member(member)?.string { output += " \(member): \(short(value))\n" }
  }

  private mutating func showServers(_ root: JSONValue, _ member: StaticString) {
    guard let servers = root.member(member), servers.kind == .object else { return }
    let list = servers.members.map { id, address in "\(short(id.string ?? ""))(\"\(address.string ?? "")\")" }
    output += " \(member): \(list.joined(separator: ", "))\n"
  }

  private func short(_ id: String) -> String { String(id.prefix(4)) }
}
