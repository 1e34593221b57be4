// SPDX-License-Identifier: Apache-2.0
//
// What a server says about its databases in the database `_Server`.

import Client
import JSON
import OVSDB

/// One row of the table `Database`.
struct ServedDatabase: Sendable {
  let name: String
  let isConnected: Bool
  let isLeader: Bool
  let isClustered: Bool
  let clusterID: String?

  init(_ row: JSONValue) {
    name = row.member("name")?.string ?? ""
    isConnected = row.member("connected")?.boolean ?? false
    isLeader = row.member("leader")?.boolean ?? false
    isClustered = row.member("model")?.isString("clustered") ?? false
    // An optional UUID: `["uuid","..."]`, or the empty set.
    clusterID = row.member("cid").flatMap { $0[0]?.isString("uuid") == true ? $0[1]?.string : nil }
  }
}

enum ServerView {
  /// The databases of a server. Nil when it cannot say: it is older than `_Server`, or the connection broke.
  static func databases(_ session: ClientSession) async -> [ServedDatabase]? {
    let select = #"{"op":"select","table":"Database","where":[]}"#
    guard case .result(let result)? = try? await session.transact("_Server", [select]),
      let rows = result.root[0]?.member("rows"), rows.kind == .array
    else { return nil }
    return rows.elements.map(ServedDatabase.init)
  }

  /// Whether a server can be used for a database.
  static func suits(
    _ session: ClientSession, database: String, clusterID: String?, wantsLeader: Bool
  ) async -> Bool {
    guard let databases = await databases(session) else {
      // A server without `_Server` has no clusters.
      guard clusterID == nil, case .result(let names)? = try? await session.call("list_dbs", "[]") else { return false }
      return names.root.elements.contains { $0.string == database }
    }
    return databases.contains { served in
      guard served.name == database else { return false }
      guard served.isClustered else { return true }
      if let clusterID, served.clusterID != clusterID { return false }
      return served.isConnected && (served.isLeader || !wantsLeader)
    }
  }
}
