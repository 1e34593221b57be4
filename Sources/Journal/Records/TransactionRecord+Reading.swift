// SPDX-License-Identifier: Apache-2.0
//
// Records 1 to n of a standalone file: transactions. Reading applies them to a database under construction; writing is in
// TransactionRecord+Writing.swift.
//
//     {"_date":1795222386576,"_is_diff":true,"_comment":"text",
//      "T":{"<row uuid>":{"col":value,...},"<row uuid>":null}}
//
//   _date     milliseconds since 1970; below 2^31-1 seconds (old files)
//   _comment  the comments of the transaction; any JSON is tolerated
//   _is_diff  true: a value of a row that exists already is a difference (OVSDB, Datum+Difference.swift), else the new value;
//             of a row that is new it is the value itself. Columns of a new row that are left out hold their default.
//   T         row changes of table T; null: the row is deleted
//
// Any other member is the name of a table, also one that begins with `_` and a `_date` that is no integer.
//
// Source: Documentation/protocol/files.md#transactions; TransactionRecordTests has a case for each rule.

import Engine
import JSON
import OVSDB

/// What a record's member names that are no tables mean.
enum RecordMember {
  /// Whether a member is one of the three that describe the record, not a table.
  static func isDescription(_ name: JSONValue, _ value: JSONValue) -> Bool {
    guard name.utf8?.first == UInt8(ascii: "_") else { return false }
    if name.isString("_date") { return value.integer != nil }
    if name.isString("_is_diff") { return value.boolean != nil }
    return name.isString("_comment")
  }
}

/// Reads transaction records into a `DatabaseBuilder`. One buffer and one tape serve all records that were not parsed before.
struct RecordDecoder: ~Copyable {
  /// The file's name for error messages.
  let path: String
  private var parser = RecordParser()

  init(path: String) { self.path = path }

  /// Makes the changes of one record. When it throws the builder holds a part of them and must not be used any more.
  ///
  /// - Throws: that the data are no JSON object, or what does not fit the schema or the rows.
  mutating func apply(_ record: Record, to builder: inout DatabaseBuilder) throws(LogError) {
    let root: JSONValue
    if let parsed = record.parsed { root = try parsed.get() } else { root = try parser.parse(record, of: path) }
    guard root.kind == .object else { throw LogError.notObject(path, record) }
    do {
      try Self.apply(root, to: &builder)
    } catch {
      throw LogError(error)
    }
    parser.release()
  }

  /// Makes the changes of a record's object; see `apply(_:to:)`.
  static func apply(_ root: JSONValue, to builder: inout DatabaseBuilder) throws(OVSDBError) {
    let isDifference = root.member("_is_diff")?.boolean == true
    for (name, changes) in root.members where !RecordMember.isDescription(name, changes) {
      guard let table = builder.schema.table(name) else {
        throw .init(.unknownTable, "No table named \(name.string ?? "").", at: root)
      }
      guard changes.kind == .object else { throw .syntaxError("object expected", at: changes) }
      for (uuidText, change) in changes.members {
        guard let uuid = uuidText.utf8.flatMap({ UUID(utf8: $0) }) else {
          throw .syntaxError("\"\(uuidText.string ?? "")\" is not a valid UUID", at: changes)
        }
        try apply(change, to: uuid, of: table, isDifference, &builder)
      }
    }
  }

  private static func apply(
    _ change: JSONValue, to uuid: UUID, of table: TableSchema, _ isDifference: Bool, _ builder: inout DatabaseBuilder
  ) throws(OVSDBError) {
    if change.isNull {
      guard builder.remove(uuid, from: table) else {
        throw OVSDBError(.syntaxError, "transaction deletes row \(uuid) that does not exist")
      }
      return
    }
    guard change.kind == .object else { throw .syntaxError("row must be JSON object", at: change) }
    let (row, isNew) = builder.obtain(uuid, in: table)
    for (name, value) in change.members {
      guard let column = table.column(name) else {
        throw .init(.unknownColumn, "No column \(name.string ?? "") in table \(table.name).", at: change)
      }
      // The names every row has are not values; nobody writes them, and the peer tolerates them.
      if column.isSynthetic { continue }
      if isDifference, !isNew, column.type.max > 1 {
        // A difference may have more elements than the column: two are replaced by two others with four.
        let difference = try Datum(json: value, type: column.type.ofAnyCount, symbols: nil)
        row.set(column, to: try row[column].applying(difference: difference, type: column.type))
      } else {
        row.set(column, to: try Datum(json: value, column: column, symbols: nil))
      }
    }
  }
}

extension Record {
  /// The data without the white space at the end.
  var text: UnsafeRawBufferPointer {
    var end = data.count
    while end > 0, [0x20, 0x09, 0x0a, 0x0d].contains(data[end - 1]) { end -= 1 }
    return UnsafeRawBufferPointer(rebasing: data[..<end])
  }

  /// The record's object as a document of its own.
  ///
  /// - Throws: `not valid JSON`, `not a JSON object`.
  package func document(of path: String) throws(LogError) -> JSONDocument {
    let document: JSONDocument
    do {
      document = try JSONDocument.parse(data)
    } catch {
      throw LogError.notJSON(path, self, problem: error.description)
    }
    guard document.root.kind == .object else { throw LogError.notObject(path, self) }
    return document
  }
}
