// SPDX-License-Identifier: Apache-2.0
//
// The operations that change rows: insert, update, mutate, delete. Reading ones are in Transaction+Select.swift and
// Transaction+Wait.swift.

import JSON
import OVSDB

/// A required member that the check of the members let through without it: a fault of this program, told as an error all the same.
func missing(_ members: OperationMembers) -> OVSDBError {
  .syntaxError("Parsing ovsdb operation \(members.position) of \(members.count) failed: member missing.", at: members.json)
}

extension Transaction {
  /// Shape: `{"op":"insert","table":T,"row":{...},"uuid-name":ID?,"uuid":STRING?}`; result `{"uuid":["uuid",U]}`.
  ///
  /// Source: RFC 7047 §5.2.1; `uuid` is an extension: Documentation/protocol/transactions.md#insert.
  mutating func insert(
    _ members: OperationMembers, _ table: TableSchema?, _ writer: inout ByteWriter
  ) throws {
    guard let table, let rowJSON = members.row else { throw missing(members) }
    try charge(WorkUnits.changedRow)
    let uuid = try newUUID(members, table)
    let row = Row.make(table: table, uuid: uuid, version: database.makeUUID(), fields: table.defaults)
    var given = ColumnSet()
    for (name, value) in rowJSON.members {
      let (column, datum) = try columnValue(name, value, table, rowJSON)
      if column.isSynthetic { continue }
      row.set(column, to: datum)
      given.insert(column.index)
    }
    // A default may be outside of what the column allows; then the column must be given.
    for column in table.constrainedColumns where !given.contains(column.index) {
      try column.type.check(column.defaultDatum)
    }
    if let role { try checkInsert(row, by: role) }
    insert(row)
    writer.append("{\"uuid\":[\"uuid\",\"")
    uuid.write(to: &writer)
    writer.append("\"]}")
  }

  /// The UUID of a row to be inserted: prescribed, announced by an earlier use of its name, or new.
  private func newUUID(_ members: OperationMembers, _ table: TableSchema) throws(OVSDBError) -> UUID {
    var prescribed: UUID?
    if let json = members.uuid {
      guard let uuid = json.utf8.flatMap({ UUID(utf8: $0) }) else { throw .syntaxError("bad uuid", at: json) }
      // A row that this transaction inserted and deleted again never was.
      if row(uuid, in: table.index) != nil || tables[table.index].rows[uuid] != nil {
        throw OVSDBError(
          .duplicateUUID,
          """
          This UUID would duplicate a UUID already present within the "\(table.name)" table or deleted from this table within the \
          same transaction.
          """, at: json)
      }
      prescribed = uuid
    }
    guard let nameJSON = members.uuidName, let name = nameJSON.string else { return prescribed ?? database.makeUUID() }
    guard let uuid = symbols.define(try SymbolTable.name(name), as: prescribed) else {
      throw OVSDBError(
        .duplicateUUIDName, "This \"uuid-name\" appeared on an earlier \"insert\" operation.", at: nameJSON)
    }
    return uuid
  }

  /// One member of a row: the column and its value.
  func columnValue(
    _ name: JSONValue, _ value: JSONValue, _ table: TableSchema, _ row: JSONValue
  ) throws(OVSDBError) -> (ColumnSchema, Datum) {
    guard let column = table.column(name) else {
      throw OVSDBError(.unknownColumn, "No column \(name.words) in table \(table.name).", at: row)
    }
    return (column, try Datum(json: value, column: column, symbols: symbols))
  }

  /// Shape: `{"op":"update","table":T,"where":[...],"row":{...}}`; result `{"count":N}`.
  ///
  /// Source: RFC 7047 §5.2.3.
  mutating func update(
    _ members: OperationMembers, _ table: TableSchema?, _ writer: inout ByteWriter
  ) throws {
    guard let table, let rowJSON = members.row, let conditionJSON = members.condition else { throw missing(members) }
    var values: [(ColumnSchema, Datum)] = []
    values.reserveCapacity(rowJSON.count)
    for (name, value) in rowJSON.members { values.append(try columnValue(name, value, table, rowJSON)) }
    for (column, _) in values where !column.isMutable {
      throw OVSDBError(
        .constraintViolation, "Cannot update immutable column \(column.name) in table \(table.name).", at: members.json)
    }
    let condition = try Condition(json: conditionJSON, table: table, symbols: symbols)
    let uuids = try matching(table, condition)
    if let role { try checkUpdate(uuids, of: values.map(\.0), in: table, by: role) }
    for uuid in uuids {
      for (column, datum) in values { set(column, of: uuid, in: table.index, to: datum) }
    }
    writeCount(uuids.count, &writer)
  }

  /// Shape: `{"op":"mutate","table":T,"where":[...],"mutations":[...]}`; result `{"count":N}`.
  ///
  /// Source: RFC 7047 §5.2.4.
  mutating func mutate(
    _ members: OperationMembers, _ table: TableSchema?, _ writer: inout ByteWriter
  ) throws {
    guard let table, let conditionJSON = members.condition, let mutationsJSON = members.mutations else {
      throw missing(members)
    }
    var mutations: [Mutation] = []
    for json in mutationsJSON.elements { mutations.append(try Mutation(json: json, table: table, symbols: symbols)) }
    let condition = try Condition(json: conditionJSON, table: table, symbols: symbols)
    let uuids = try matching(table, condition)
    // Who changes nothing needs no permission: later versions than 3.1.0 count the rows.
    if let role, !mutations.isEmpty { try checkMutate(uuids, of: mutations.map(\.column), in: table, by: role) }
    for uuid in uuids {
      for mutation in mutations {
        guard let row = row(uuid, in: table.index) else { continue }
        let before = row[mutation.column]
        try charge(before.count)
        let datum = try mutation.apply(to: before)
        set(mutation.column, of: uuid, in: table.index, to: datum)
      }
    }
    writeCount(uuids.count, &writer)
  }

  /// Shape: `{"op":"delete","table":T,"where":[...]}`; result `{"count":N}`.
  ///
  /// Source: RFC 7047 §5.2.5.
  mutating func delete(
    _ members: OperationMembers, _ table: TableSchema?, _ writer: inout ByteWriter
  ) throws {
    guard let table, let conditionJSON = members.condition else { throw missing(members) }
    let condition = try Condition(json: conditionJSON, table: table, symbols: symbols)
    let uuids = try matching(table, condition)
    if let role { try checkDelete(uuids, in: table, by: role) }
    for uuid in uuids { delete(uuid, in: table.index) }
    writeCount(uuids.count, &writer)
  }

  /// The rows a condition selects, by name: the operation changes them while it goes through them.
  private mutating func matching(_ table: TableSchema, _ condition: Condition) throws(OperationFailure) -> [UUID] {
    var uuids: [UUID] = []
    try forEachRow(in: table, where: condition) { uuids.append($0.uuid) }
    try charge(WorkUnits.changedRow * uuids.count)
    return uuids
  }

  private func writeCount(_ count: Int, _ writer: inout ByteWriter) {
    writer.append("{\"count\":")
    writer.appendInteger(Int64(count))
    writer.append("}")
  }
}
