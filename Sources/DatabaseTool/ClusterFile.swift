// SPDX-License-Identifier: Apache-2.0
//
// Files of cluster members, as far as we read them: record 0, the header, and what entries of the log hold.
//
// Record 0 has `name`, `server_id`, `local_address`; of a server that created or joined a cluster also `cluster_id`,
// `prev_term`, `prev_index`, `prev_servers`, `prev_eid` and `prev_data` (`[schema, transaction]`, the snapshot); of one that is
// still joining `remote_addresses` and maybe `cluster_id`.

import JSON
import Journal
import OVSDB

enum ClusterFile {
  struct Header {
    var name: String
    var serverID: String
    var localAddress: String
    var clusterID: String?
  }

  static func isUUID(_ text: String) -> Bool { UUID(text) != nil }

  /// Reads record 0.
  static func header(_ path: String) throws(ToolError) -> Header {
    do throws(LogError) {
      var reader = try RecordReader(path: path, accepting: [.standalone, .clustered])
      guard reader.kind == .clustered else { throw LogError.notClustered(path) }
      guard let record = try reader.next() else {
        throw LogError(.ovsdbError, "\(path): cannot identify file type")
      }
      let document = try record.document(of: path)
      defer { withExtendedLifetime(document) {} }
      return try parseHeader(document.root)
    } catch where error == .notClustered(path) {
      throw ToolError(error.message)
    } catch {
      throw ToolError(error)
    }
  }

  /// - Throws: `Parsing raft header failed: ...`.
  static func parseHeader(_ root: JSONValue) throws(LogError) -> Header {
    func member(_ name: StaticString, isRequired: Bool = true, _ isValid: (String) -> Bool) throws(LogError) -> String? {
      guard let value = root.member(name) else {
        if !isRequired { return nil }
        throw failure("Required '\(name)' member is missing.", root)
      }
      guard let text = value.string, isValid(text) else { throw failure("Type mismatch for member '\(name)'.", root) }
      return text
    }
    let clusterID = try member("cluster_id", isRequired: false, isUUID)
    guard let serverID = try member("server_id", isUUID), let name = try member("name", { isID($0) }),
      let address = try member("local_address", { !$0.isEmpty })
    else { throw failure("Object expected.", root) }
    return Header(name: name, serverID: serverID, localAddress: address, clusterID: clusterID)
  }

  private static func failure(_ text: String, _ root: JSONValue) -> LogError {
    LogError(OVSDBError(.syntaxError, "Parsing raft header failed: \(text)", at: root))
  }
}

extension LogError {
  static func notClustered(_ path: String) -> LogError { LogError(.ovsdbError, "\(path): not a clustered database") }
}
