// SPDX-License-Identifier: Apache-2.0
//
// What a source's monitor tells, read as rows to be made the same here. Nothing is believed: what does not fit the schema, or the
// rows that are here, is an error.

import Engine
import JSON
import OVSDB

/// How a source tells changes.
enum SourceFormat {
  /// `update`: whole values. Source: RFC 7047 §4.1.6.
  case whole
  /// `update2` and `update3`: differences. Source: Documentation/protocol/monitors.md#monitor_cond_since.
  case differences
}

/// Reads `<table-updates>` of a source.
struct SourceRows {
  /// The database as it is here, whose schema the rows are read with.
  let database: Database

  /// - Throws: `.syntaxError` for what is no update, `.unknownTable` and `.unknownColumn`, what a value is not, and `.ovsdbError` for a
  ///   difference to a row that is not here.
  func read(_ updates: JSONValue, _ format: SourceFormat) throws(OVSDBError) -> [ReplicaRow] {
    guard updates.kind == .object else { throw .syntaxError("table updates must be an object", at: updates) }
    var rows: [ReplicaRow] = []
    for (name, tableUpdates) in updates.members {
      guard let table = database.schema.table(name) else {
        throw OVSDBError(.unknownTable, "No table named \(name.string ?? "").")
      }
      guard tableUpdates.kind == .object else { throw .syntaxError("table update must be an object", at: tableUpdates) }
      for (uuidText, update) in tableUpdates.members {
        guard let uuid = uuidText.utf8.flatMap({ UUID(utf8: $0) }) else {
          throw .syntaxError("\(uuidText.text()) is not a valid UUID", at: uuidText)
        }
        guard update.kind == .object else { throw .syntaxError("row update must be an object", at: update) }
        switch format {
        case .whole: rows.append(try readWhole(update, uuid, table))
        case .differences: rows.append(try readDifference(update, uuid, table))
        }
      }
    }
    return rows
  }

  private func readWhole(_ update: JSONValue, _ uuid: UUID, _ table: TableSchema) throws(OVSDBError) -> ReplicaRow {
    if let new = update.member("new"), !new.isNull { return try readRow(new, uuid, table) }
    guard let old = update.member("old"), !old.isNull else {
      throw .syntaxError("row update must have \"new\" or \"old\"", at: update)
    }
    return ReplicaRow(table: table, uuid: uuid, columns: nil)
  }

  private func readDifference(
    _ update: JSONValue, _ uuid: UUID, _ table: TableSchema
  ) throws(OVSDBError) -> ReplicaRow {
    let known = database.tables[table.index].rows[uuid]
    if let new = update.member("initial") ?? update.member("insert") {
      let row = try readRow(new, uuid, table)
      // Columns that are left out hold their default, also when the row is here with other values.
      guard known != nil else { return row }
      let given = ColumnSet((row.columns ?? []).map(\.0))
      let rest = table.columns.filter { !given.contains($0.index) }.map { ($0, $0.defaultDatum) }
      return ReplicaRow(table: table, uuid: uuid, columns: (row.columns ?? []) + rest, version: row.version)
    }
    guard let known else {
      throw OVSDBError(.ovsdbError, "change of row \(uuid) of table \(table.name), which is not here")
    }
    if update.member("delete") != nil { return ReplicaRow(table: table, uuid: uuid, columns: nil) }
    guard let changes = update.member("modify") else {
      throw .syntaxError("row update must have \"initial\", \"insert\", \"delete\" or \"modify\"", at: update)
    }
    return try readRow(changes, uuid, table, differingFrom: known)
  }

  private func readRow(
    _ json: JSONValue, _ uuid: UUID, _ table: TableSchema, differingFrom known: Row? = nil
  ) throws(OVSDBError) -> ReplicaRow {
    guard json.kind == .object else { throw .syntaxError("row must be JSON object", at: json) }
    var columns: [(ColumnSchema, Datum)] = []
    columns.reserveCapacity(json.count)
    var version: UUID?
    for (name, value) in json.members {
      guard let column = table.column(name) else {
        throw OVSDBError(.unknownColumn, "No column \(name.string ?? "") in table \(table.name).")
      }
      if column.isSynthetic {
        if column === ColumnSchema.version, case .uuid(let told) = try Datum(json: value, type: column.type, symbols: nil) {
          version = told
        }
        continue
      }
      columns.append((column, try readValue(value, column, known)))
    }
    return ReplicaRow(table: table, uuid: uuid, columns: columns, version: version)
  }

  private func readValue(_ json: JSONValue, _ column: ColumnSchema, _ known: Row?) throws(OVSDBError) -> Datum {
    guard let known, column.type.max > 1 else { return try Datum(json: json, type: column.type, symbols: nil) }
    // A difference may have more elements than the column: two are replaced by two others with four.
    let difference = try Datum(json: json, type: column.type.ofAnyCount, symbols: nil)
    return try known[column].applying(difference: difference, type: column.type)
  }
}

extension Server {
  /// Makes what a source has told a commit of its own.
  ///
  /// - Throws: why nothing was changed; `.ioError` when it was the log that refused.
  func replicate(
    _ rows: [ReplicaRow], terms: ReplicaTerms, in database: ServedDatabase
  ) throws(OVSDBError) {
    // A segment that is done again does what clients asked, not what a source told: the commit stays out of it.
    closeSegment()
    let previousID = database.database.lastCommitID
    guard let commit = try database.database.replicate(rows, terms: terms) else { return }
    if let error = recordAlone(commit, in: database, previousID: previousID) { throw error }
  }

  /// Writes and tells a commit that is made already, in a segment of its own; taken back when the log refuses it.
  func recordAlone(_ commit: Commit, in database: ServedDatabase, previousID: UUID) -> OVSDBError? {
    if let error = record(commit, in: database, previousID: previousID, alone: true) { return error }
    closeSegment()
    return nil
  }
}
