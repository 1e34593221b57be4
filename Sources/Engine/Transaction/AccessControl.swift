// SPDX-License-Identifier: Apache-2.0
//
// Roles: what a session may change when its remote gives it a role. The rules stand in the database itself, in rows of `RBAC_Role`
// and of the permission table that these refer to. Sessions without a role are not looked at.
//
// Source: Documentation/protocol/server.md#roles.

import HashTreeCollections
import OVSDB

/// Who asks, for the rules of roles.
package final class AccessRole: Sendable {
  /// The `name` of a row of `RBAC_Role`; not empty.
  package let name: String
  /// Whom the transport showed the client to be; nil: nobody. Whoever is nobody changes nothing.
  package let client: String?

  package init(name: String, client: String?) {
    self.name = name
    self.client = client
  }

  /// An error that tells whom the rules refuse what.
  package func refusal(_ what: String) -> OVSDBError {
    let who = client.map { "client \"\($0)\"" } ?? "client without a name"
    return OVSDBError(.permissionError, "RBAC rules for \(who) role \"\(name)\" prohibit \(what)")
  }
}

/// The tables of the rules, found by name in a database's schema.
struct AccessSchema {
  static let roleTable = "RBAC_Role"

  let roles: TableSchema
  let name: ColumnSchema?
  let permissions: ColumnSchema?
  let permissionTable: Int?

  /// - Returns: nil when the schema knows no roles, so that there is nothing to be checked.
  init?(_ schema: DatabaseSchema) {
    guard let roles = schema.table(named: Self.roleTable) else { return nil }
    self.roles = roles
    name = roles.column(named: "name").flatMap { $0.type.isSingle(.string) ? $0 : nil }
    permissions = roles.column(named: "permissions").flatMap { $0.type.isMap && $0.type.key.type == .string ? $0 : nil }
    permissionTable = permissions?.type.value?.reference?.tableIndex
  }
}

/// What a role allows with the rows of one table.
struct AccessPermission {
  /// Columns, or keys of maps as `column:key`, of which one must hold the client's name; an empty string is satisfied by every row.
  let authorization: [Text]
  let allowsInsertAndDelete: Bool
  let updatableColumns: [Text]

  init(_ row: Row) {
    authorization = Self.strings(row, "authorization")
    updatableColumns = Self.strings(row, "update")
    allowsInsertAndDelete = row.table.column(named: "insert_delete").map { row[$0] == .boolean(true) } ?? false
  }

  private static func strings(_ row: Row, _ name: String) -> [Text] {
    guard let column = row.table.column(named: name), column.type.key.type == .string, !column.type.isMap,
      case .strings(let texts) = row[column].keys(of: .string)
    else { return [] }
    return Array(texts)
  }

  /// Whether a row belongs to a client.
  func authorizes(_ client: Text, _ row: Row) -> Bool {
    authorization.contains { (rule: Text) in
      if rule.string.isEmpty { return true }
      // One colon makes it a key, wherever it stands, and what follows a second one is passed over.
      let parts = rule.string.split(separator: ":")
      guard let first = parts.first, let column = row.table.column(named: String(first)) else { return false }
      if rule.string.utf8.contains(UInt8(ascii: ":")) {
        guard let key = parts.dropFirst().first, case .map(let pairs) = row[column], case .strings = pairs.keys else { return false }
        return pairs.value(of: .string(Text(String(key)))) == .string(client)
      }
      // Of a column with many values any could be the client's; only one that has at most one is asked.
      return column.type.isSingle(.string) && row[column] == .string(client)
    }
  }
}

extension ColumnType {
  /// At most one value of a type.
  fileprivate func isSingle(_ type: AtomicType) -> Bool { !isMap && max == 1 && key.type == type }
}

extension Transaction {
  // MARK: - Checks, one for each operation that writes

  func checkInsert(_ row: Row, by role: AccessRole) throws(OVSDBError) {
    try check(row.table, by: role, else: "row insertion into table \"\(row.table.name)\".") { permission, client in
      permission.allowsInsertAndDelete && permission.authorizes(client, row)
    }
  }

  func checkDelete(_ uuids: [UUID], in table: TableSchema, by role: AccessRole) throws(OVSDBError) {
    try check(table, by: role, else: "row deletion from table \"\(table.name)\".") { permission, client in
      uuids.allSatisfy { permission.allowsInsertAndDelete && isAuthorized($0, in: table, client, permission) }
    }
  }

  func checkUpdate(
    _ uuids: [UUID], of columns: [ColumnSchema], in table: TableSchema, by role: AccessRole
  ) throws(OVSDBError) {
    try check(table, by: role, else: "modification of table \"\(table.name)\".") { permission, client in
      allows(columns, of: uuids, in: table, client, permission)
    }
  }

  func checkMutate(
    _ uuids: [UUID], of columns: [ColumnSchema], in table: TableSchema, by role: AccessRole
  ) throws(OVSDBError) {
    try check(table, by: role, else: "mutate operation on table \"\(table.name)\".") { permission, client in
      allows(columns, of: uuids, in: table, client, permission)
    }
  }

  /// Where no row is touched, nothing is asked of columns.
  private func allows(
    _ columns: [ColumnSchema], of uuids: [UUID], in table: TableSchema, _ client: Text, _ permission: AccessPermission
  ) -> Bool {
    uuids.isEmpty
      || columns.allSatisfy { permission.updatableColumns.contains(Text($0.name)) }
        && uuids.allSatisfy { isAuthorized($0, in: table, client, permission) }
  }

  private func isAuthorized(_ uuid: UUID, in table: TableSchema, _ client: Text, _ permission: AccessPermission) -> Bool {
    row(uuid, in: table.index).map { permission.authorizes(client, $0) } ?? true
  }

  // MARK: - Rules

  private func check(
    _ table: TableSchema, by role: AccessRole, else what: String,
    _ isAllowed: (AccessPermission, _ client: Text) -> Bool
  ) throws(OVSDBError) {
    guard let schema = AccessSchema(database.schema) else { return }
    guard let client = role.client, let permission = permission(schema, for: table, of: role.name),
      isAllowed(permission, Text(client))
    else { throw role.refusal(what) }
  }

  /// The rules of a role for a table, as the transaction sees them.
  private func permission(_ schema: AccessSchema, for table: TableSchema, of role: String) -> AccessPermission? {
    guard let permissions = schema.permissions, let permissionTable = schema.permissionTable,
      let row = roleRow(schema, named: Text(role)), case .map(let pairs) = row[permissions],
      case .uuid(let uuid)? = pairs.value(of: .string(Text(table.name)))
    else { return nil }
    return self.row(uuid, in: permissionTable).map(AccessPermission.init)
  }

  /// Roles are few; should a name be there twice, the row of the smaller UUID counts, so that the answer is always the same.
  private func roleRow(_ schema: AccessSchema, named name: Text) -> Row? {
    guard let column = schema.name else { return nil }
    let overlay = overlayPosition(schema.roles.index)
    var rows = tables[schema.roles.index].rows.values.filter { row in
      overlay.map { overlays[$0].position(of: row.uuid) == nil } ?? true
    }
    if let overlay { rows += overlays[overlay].drafts.compactMap(\.new) }
    return rows.filter { $0[column] == .string(name) }.min { $0.uuid < $1.uuid }
  }
}

extension Database {
  /// Whether there is a role of that name. False in a database that knows no roles.
  package func hasRole(_ name: String) -> Bool {
    guard let schema = AccessSchema(self.schema), let column = schema.name else { return false }
    return tables[schema.roles.index].rows.values.contains { $0[column] == .string(Text(name)) }
  }
}
