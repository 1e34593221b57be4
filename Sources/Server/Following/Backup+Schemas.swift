// SPDX-License-Identifier: Apache-2.0
//
// Whether the schema of a source fits its backup, which is asked after each connection. A source that is converted ends the connections
// of its backups, so each finds out then.
//
// By default replication ends when nothing fits: the databases become active, as those of Open vSwitch do. With `--sync-schema` a
// database is converted to the schema of its source, with its rows, beside its clients, and then copied. One that cannot be converted
// stays a backup, and the connection is kept: it ends when the source is converted again, and everything begins from the start.

import JSON
import OVSDB

/// Why a database cannot follow its source.
struct SchemaMisfit {
  let database: String
  let reason: String

  var text: String { "\(database): \(reason)".escapingControlCharacters() }
}

extension Backup {
  func askSchemas(of databases: [ServedDatabase]) {
    awaitedSchemas = databases.count
    for database in databases { askSchema(of: database) }
  }

  private func askSchema(of database: ServedDatabase) {
    ask("get_schema", params: { Self.write([database.name], to: &$0) }) { [weak self] reply in
      guard let self else { return }
      guard case .result(let json) = reply else { return distrust("is no schema", reply) }
      let schema: DatabaseSchema
      do {
        schema = try DatabaseSchema(json: json)
      } catch {
        return distrust("\(error)")
      }
      guard schema.name == database.name else { return distrust("is the schema of another database than \(database.name)", reply) }
      if server.backups.syncsSchema { convert(database, to: schema) } else { compare(database, with: schema) }
    }
  }

  /// Looks whether everything the source has fits here.
  private func compare(_ database: ServedDatabase, with schema: DatabaseSchema) {
    let local = database.database.schema
    guard schema.text != local.text else { return copy(database, schema) }
    log.info("Schema version mismatch, checking if \(local.name) can still be replicated or not.")
    if let reason = schema.misfit(in: local, ignoring: excluded.tables(of: local.name)) {
      log.info("\(reason)  \(local.name) cannot be replicated.")
      note(SchemaMisfit(database: local.name, reason: reason))
    } else {
      log.info("\(local.name) can be replicated: all the source has is here too.")
      copy(database, schema)
    }
  }

  private func copy(_ database: ServedDatabase, _ schema: DatabaseSchema) {
    awaitedSchemas -= 1
    let local = database.database.schema
    let excludedTables = excluded.tables(of: local.name)
    let tables = local.tables.filter { !excludedTables.contains($0.name) && schema.table(named: $0.name) != nil }
    copies[local.name] = Copy(database: database, schema: local, tables: tables)
    askContents(of: local.name, schema, tables)
  }

  private func note(_ misfit: SchemaMisfit) {
    awaitedSchemas -= 1
    misfits.append(misfit)
    misfits.sort { Text($0.database) < Text($1.database) }
    guard awaitedSchemas == 0 else { return }
    if copies.isEmpty, !server.backups.syncsSchema {
      log.info("with --sync-schema the database would be converted, and stay a backup")
      return end((["Nothing to replicate."] + misfits.map(\.text)).joined(separator: " "))
    }
    refreshState()
  }

  /// Looks whether all databases have what the source has, as far as they can.
  func refreshState() {
    guard awaitedSchemas == 0, copies.values.allSatisfy(\.isDone) else { return }
    refusal = nil
    guard !copies.isEmpty else { return state = .idle }
    state = .replicating
    link.succeeded()
  }

  // MARK: - Conversion

  private func convert(_ database: ServedDatabase, to schema: DatabaseSchema) {
    guard schema.text != database.database.schema.text else { return copy(database, schema) }
    let name = database.name
    if let table = excluded.tables(of: name).sorted().first(where: { Self.wouldLose($0, of: database, schema) }) {
      return noteNotConverted(name, "table \(table) is excluded, and is not in the schema of the source")
    }
    log.info("\(name): the schema of \(source) is another, converting to it")
    let (start, generation) = (server.nowMilliseconds, generation)
    let conversion = ServerConversion(of: database, to: schema, on: server) { [weak self] in self?.generation == generation }
    conversion.run { [server] in
      server.databaseChanged(database, because: "converted \(name) to the schema of its source")
    } done: { [weak self, server] error in
      if conversion.isInPlace {
        let milliseconds = server.nowMilliseconds.saturatingMinus(start)
        server.databaseLog.info("\(name): converted to version \(schema.version ?? "none") in \(milliseconds) ms, as its source was")
        server.refreshRow(of: database)
      }
      if let self, self.generation == generation { self.converted(database, schema, error) }
      server.closeSegment()
    }
  }

  /// An excluded table's rows are of nobody else.
  private static func wouldLose(_ table: String, of database: ServedDatabase, _ schema: DatabaseSchema) -> Bool {
    database.database.schema.table(named: table) != nil && schema.table(named: table) == nil
  }

  private func converted(_ database: ServedDatabase, _ schema: DatabaseSchema, _ error: OVSDBError?) {
    switch error?.tag {
    case nil: copy(database, schema)
    case .ioError, .canceled: retry(database.name, error)
    default: noteNotConverted(database.name, error?.description ?? "")
    }
  }

  private func noteNotConverted(_ name: String, _ reason: String) {
    log.error("\(name): cannot be converted to the schema of \(source), stays a backup until the source changes: \(reason)")
    note(SchemaMisfit(database: name, reason: "cannot be converted to the schema of the source: \(reason)"))
  }
}

extension DatabaseSchema {
  /// What this schema has that another one has not, or has otherwise; nil when everything fits there.
  fileprivate func misfit(in other: DatabaseSchema, ignoring excluded: Set<String>) -> String? {
    for table in tables where !excluded.contains(table.name) {
      guard let counterpart = other.table(named: table.name) else {
        return "Table \(table.name) not present in the local db schema."
      }
      for column in table.columns {
        guard let match = counterpart.column(named: column.name) else {
          return "Column \(column.name) not present in the local db schema table \(table.name)."
        }
        guard column.type.text == match.type.text else {
          return "Column \(column.name) mismatch in local db schema table \(table.name)."
        }
      }
    }
    return nil
  }
}

extension ColumnType {
  /// The type as JSON: references are to tables by name, so that types of two schemas can be compared.
  fileprivate var text: String {
    var writer = ByteWriter(capacity: 64)
    write(to: &writer)
    return writer.string
  }
}
