// SPDX-License-Identifier: Apache-2.0
//
// The wait operation. A wait that is not met holds nothing: the whole transaction is run again when the database has changed.

import JSON
import OVSDB

extension Transaction {
  /// Shape: `{"op":"wait","timeout":MS?,"table":T,"where":[...],"columns":[...]?,"until":"=="|"!=","rows":[...]}`; result `{}`.
  ///
  /// - Throws: `OperationFailure.blocked`, or `.timedOut` when the time is up.
  ///
  /// Source: RFC 7047 §5.2.6.
  mutating func wait(
    _ members: OperationMembers, _ table: TableSchema?, _ context: borrowing TransactionContext, _ writer: inout ByteWriter
  ) throws {
    guard let table, let conditionJSON = members.condition, let rowsJSON = members.rows, let untilJSON = members.until
    else { throw missing(members) }
    let condition = try Condition(json: conditionJSON, table: table, symbols: symbols)
    let columns = try members.columns.map { json throws(OVSDBError) in try columnList(json, table) } ?? table.allColumns
    var timeout: Int64?
    if let timeoutJSON = members.timeout, let milliseconds = timeoutJSON.integer {
      guard milliseconds >= 0 else { throw OVSDBError.syntaxError("timeout must be nonnegative", at: timeoutJSON) }
      timeout = milliseconds
    }
    let isEqualWanted = untilJSON.isString("==")
    guard isEqualWanted || untilJSON.isString("!=") else {
      throw OVSDBError.syntaxError("\"until\" must be \"==\" or \"!=\"", at: untilJSON)
    }
    let wanted = try rowSet(rowsJSON, table, columns)
    if try areFound(wanted, in: table, where: condition, columns) == isEqualWanted {
      writer.append("{}")
      return
    }
    try block(timeout, context)
  }

  /// Whether the rows that a condition selects, reduced to some columns, are those wanted. The first that is not decides.
  private mutating func areFound(
    _ wanted: Set<[Datum]>, in table: TableSchema, where condition: Condition, _ columns: [ColumnSchema]
  ) throws(OperationFailure) -> Bool {
    var found: Set<[Datum]> = []
    var isOther = false
    try forFirstRows(in: table, where: condition) { row in
      let values = columns.map { row[$0] }
      isOther = !wanted.contains(values)
      if !isOther { found.insert(values) }
      return !isOther
    }
    return !isOther && found.count == wanted.count
  }

  private func block(_ timeout: Int64?, _ context: borrowing TransactionContext) throws {
    if timeout == 0 { throw OVSDBError(.timedOut, "\"where\" clause test failed") }
    if let timeout, context.elapsedMilliseconds >= timeout {
      throw OVSDBError(.timedOut, "\"wait\" timed out after \(context.elapsedMilliseconds) ms")
    }
    guard context.canWait else { throw OVSDBError(.notSupported, "triggers not supported") }
    throw OperationFailure.blocked(timeoutMilliseconds: timeout)
  }

  /// The rows waited for, each reduced to the columns looked at; a column left out has its default.
  private func rowSet(_ json: JSONValue, _ table: TableSchema, _ columns: [ColumnSchema]) throws(OVSDBError) -> Set<[Datum]> {
    var rows: Set<[Datum]> = []
    for rowJSON in json.elements {
      guard rowJSON.kind == .object else { throw .syntaxError("row must be JSON object", at: rowJSON) }
      var values = columns.map(\.defaultDatum)
      for (name, value) in rowJSON.members {
        let (column, datum) = try columnValue(name, value, table, rowJSON)
        if let position = columns.firstIndex(where: { $0 === column }) { values[position] = datum }
      }
      rows.insert(values)
    }
    return rows
  }
}
