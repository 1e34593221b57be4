// SPDX-License-Identifier: Apache-2.0
//
// Remotes that a database configures, `db:DB,TABLE,COLUMN`: either the strings of a column, or the rows it references, each of which
// has a target and options and is told what became of it.
//
// Source: Documentation/protocol/server.md#remotes-in-a-database.

import Engine
import HashTreeCollections
import JSON
import OVSDB

/// A configuration that names what is not there.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  package let description: String
}

/// A column that configures remotes.
struct DatabaseColumn {
  /// `db:DB,TABLE,COLUMN`, taken apart.
  struct Path: Hashable, Sendable {
    let name: String
    let database: String
    let table: String
    let column: String

    /// - Throws: `"NAME": invalid syntax`.
    init(_ name: String) throws(ConfigurationError) {
      let parts = name.dropFirst(3).split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      guard name.hasPrefix("db:"), parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else {
        throw ConfigurationError(description: "\"\(name)\": invalid syntax")
      }
      self.name = name
      (database, table, column) = (parts[0], parts[1], parts[2])
    }

    /// Looks the column up.
    ///
    /// - Parameter schema: of the database that the path names; nil when there is none.
    func column(in schema: DatabaseSchema?) throws(ConfigurationError) -> (TableSchema, ColumnSchema) {
      guard let schema else { throw ConfigurationError(description: "\"\(name)\": no database named \(database)") }
      guard let found = schema.table(named: table) else {
        throw ConfigurationError(description: "\"\(name)\": no table named \(table)")
      }
      guard let column = found.column(named: column) else {
        throw ConfigurationError(description: "\"\(name)\": table \"\(table)\" has no column \"\(self.column)\"")
      }
      return (found, column)
    }
  }

  let database: ServedDatabase
  let table: TableSchema
  let column: ColumnSchema
  private let server: Server

  /// Checks that the column exists. The columns of a relay are looked at when its source has told them.
  static func check(_ path: Path, in server: Server) throws(ConfigurationError) {
    if isOpen(path, in: server) { return }
    _ = try DatabaseColumn(path, in: server)
  }

  /// Whether the schema that a name refers to is not known yet.
  static func isOpen(_ path: Path, in server: Server) -> Bool {
    server.databases[path.database]?.relay?.isAvailable == false
  }

  /// Looks the column up.
  init(_ path: Path, in server: Server) throws(ConfigurationError) {
    let database = server.databases[path.database]
    (table, column) = try path.column(in: database?.database.schema)
    guard let database else { throw ConfigurationError(description: "\"\(path.name)\": no database named \(path.database)") }
    self.server = server
    self.database = database
  }

  /// The remotes that are configured now.
  func targets(_ warnings: inout Set<String>) -> [(String, RemoteOptions)] {
    switch column.type.key.type {
    case .string: strings.map { ($0, RemoteOptions()) }
    case .uuid: managers.compactMap { target(of: $0, &warnings) }
    default: []
    }
  }

  private var strings: [String] {
    var strings: [String] = []
    for row in database.database.tables[table.index].rows.values {
      if case .strings(let texts) = row[column].keys(of: .string) { strings += texts.map(\.string) }
    }
    return strings
  }

  /// The rows that the column references, once each.
  private var managers: [Row] {
    guard let target = column.type.key.reference?.tableIndex else { return [] }
    var rows: [Row] = []
    var seen: Set<UUID> = []
    for row in database.database.tables[table.index].rows.values {
      guard case .uuids(let uuids) = row[column].keys(of: .uuid) else { continue }
      for uuid in uuids where seen.insert(uuid).inserted {
        if let manager = database.database.tables[target].rows[uuid] { rows.append(manager) }
      }
    }
    return rows
  }

  private func target(of row: Row, _ warnings: inout Set<String>) -> (String, RemoteOptions)? {
    guard let target = row.string("target") else {
      warnings.insert("Table `\(row.table.name)' has missing or invalid `target' column")
      return nil
    }
    var options = RemoteOptions()
    if let milliseconds = row.integer("max_backoff") { options.maxBackoffMilliseconds = milliseconds }
    options.probeMilliseconds = row.integer("inactivity_probe")
    options.isReadOnly = row.boolean("read_only") ?? false
    options.role = row.string("role") ?? ""
    if let text = row.value(of: "dscp", in: "other_config"), let dscp = UInt8(text), dscp < 64 { options.dscp = dscp }
    return (target, options)
  }

  // MARK: - Status

  /// Writes the state of each row's remote into the row, if it changed.
  ///
  /// - Parameters:
  ///   - remote: the remote of a target.
  ///   - refusal: why a target is not served at all.
  func writeStatus(_ remote: (String) -> Remote?, refusal: (String) -> String?) {
    // While a long transaction is under way nothing else changes the database.
    guard column.type.key.type == .uuid, !database.isReadOnly, !database.line.isBusy else { return }
    var operations: [String] = []
    for row in managers {
      guard let target = row.string("target") else { continue }
      if let operation = statusUpdate(row, remote(target), refusal: refusal(target)) { operations.append(operation) }
    }
    guard !operations.isEmpty else { return }
    server.transactInternally("[\(operations.joined(separator: ","))]", in: database)
  }

  /// The status of a row whose target is not served. VOID means that the connection is disabled.
  ///
  /// Source: ovs-vswitchd.conf.db(5), table Manager, "Status".
  private static func refused(because reason: String) -> [(String, String)] { [("state", "VOID"), ("last_error", reason)] }

  private func statusUpdate(_ row: Row, _ remote: Remote?, refusal: String?) -> String? {
    var members: [String] = []
    if let column = row.table.column(named: "is_connected"), column.type.key.type == .boolean {
      let isConnected = !(remote?.sessions.isEmpty ?? true)
      if row[column] != .boolean(isConnected) { members.append("\"is_connected\":\(isConnected)") }
    }
    if let column = row.table.column(named: "status"), column.type.isMap, column.type.key.type == .string {
      let status = refusal.map(Self.refused) ?? remote?.status() ?? [("sec_since_connect", "0"), ("sec_since_disconnect", "0")]
      var pairs = AtomMap(keys: .strings([]), values: .strings([]))
      for (key, value) in status.sorted(by: { Text($0.0) < Text($1.0) }) {
        pairs.keys.append(.string(Text(key)))
        pairs.values.append(.string(Text(value)))
      }
      let datum = Datum(sorted: pairs)
      if row[column] != datum {
        var writer = ByteWriter()
        datum.write(to: &writer, isMap: column.isMap)
        members.append("\"status\":\(writer.string)")
      }
    }
    guard !members.isEmpty else { return nil }
    return """
      {"op":"update","table":"\(row.table.name)","where":[["_uuid","==",["uuid","\(row.uuid)"]]],\
      "row":{\(members.joined(separator: ","))}}
      """
  }
}

/// Columns of rows whose schema is another's: each may be missing or of another type.
extension Row {
  func atom(_ name: String) -> Atom? {
    table.column(named: name).flatMap { self[$0].onlyAtom }
  }

  func string(_ name: String) -> String? {
    if case .string(let text)? = atom(name) { text.string } else { nil }
  }

  func integer(_ name: String) -> Int64? {
    if case .integer(let value)? = atom(name) { value } else { nil }
  }

  func boolean(_ name: String) -> Bool? {
    if case .boolean(let value)? = atom(name) { value } else { nil }
  }

  /// The value of a key in a map of strings.
  func value(of key: String, in name: String) -> String? {
    guard let column = table.column(named: name), case .map(let pairs) = self[column],
      case .string(let text)? = pairs.value(of: .string(Text(key)))
    else { return nil }
    return text.string
  }
}
