// SPDX-License-Identifier: Apache-2.0
//
// Schemas from and to JSON, with the corrections that reading makes and the normal form that everything prints.

import JSON

extension DatabaseSchema {
  /// Reads `<database-schema>`.
  ///
  /// - Throws: `.syntaxError` in the peer's words (Documentation/protocol/schemas.md#errors).
  package convenience init(json: JSONValue) throws(OVSDBError) {
    var parser = ObjectParser(json, "database schema")
    let name = parser.required("name", .id)?.string
    let version = parser.optional("version", .string)
    let cksum = parser.optional("cksum", .string)?.words
    let tablesJSON = parser.required("tables", .object)
    if let error = parser.finish() { throw error }
    guard let name, let tablesJSON else { throw .syntaxError("Parsing database schema failed: Object expected.", at: json) }
    if let version, !isVersion(version.string ?? "") {
      throw .syntaxError("schema version \"\(version.string ?? "")\" not in format x.y.z", at: json)
    }
    var drafts: [TableDraft] = []
    for (tableName, tableJSON) in tablesJSON.members {
      try checkName(tableName, in: json)
      drafts.append(try TableDraft(name: tableName.string ?? "", json: tableJSON))
    }
    drafts.sort { Text($0.name) < Text($1.name) }
    let tables = try TableDraft.tables(of: drafts)
    self.init(name: name, version: version?.string, cksum: cksum == "" ? nil : cksum, tables: tables)
  }

  /// Appends the normal form (Documentation/protocol/schemas.md#normal-form).
  package func write(to writer: inout ByteWriter) {
    writer.append("{")
    if let cksum {
      writer.append("\"cksum\":")
      writer.appendQuoted(cksum)
      writer.append(",")
    }
    writer.append("\"name\":")
    writer.appendQuoted(name)
    writer.append(",\"tables\":{")
    let showsRoot = !tables.allSatisfy(\.isRoot)
    for table in tables {
      if table.index > 0 { writer.append(",") }
      writer.appendQuoted(table.name)
      writer.append(":")
      table.write(to: &writer, showsRoot: showsRoot)
    }
    writer.append("}")
    if let version {
      writer.append(",\"version\":")
      writer.appendQuoted(version)
    }
    writer.append("}")
  }

  /// The normal form as text, keys sorted.
  package var text: String {
    var writer = ByteWriter(capacity: 4096)
    write(to: &writer)
    return writer.string
  }
}

/// Whether text is three decimal numbers with points between.
///
/// Blanks and a sign may stand before a number, as C's `strtoul` and the reference have it.
package func isVersion(_ text: String) -> Bool {
  let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
  return parts.count == 3
    && parts.allSatisfy { part in
      var digits = part.drop { $0 == 0x20 || (0x09...0x0d).contains($0) }
      if digits.first == UInt8(ascii: "+") || digits.first == UInt8(ascii: "-") { digits = digits.dropFirst() }
      return !digits.isEmpty && digits.allSatisfy { (0x30...0x39).contains($0) }
    }
}

/// Names of tables and columns: an id that does not begin with `_`.
private func checkName(_ name: JSONValue, in object: JSONValue) throws(OVSDBError) {
  let bytes = name.utf8
  if bytes?.first == UInt8(ascii: "_") { throw .syntaxError("names beginning with \"_\" are reserved", at: object) }
  guard let bytes, isID(bytes) else { throw .syntaxError("name must be a valid id", at: object) }
}

/// A table as read, before its references to other tables are resolved.
private struct TableDraft {
  let name: String
  var columns: [ColumnDraft]
  let indexNames: [[String]]
  let rowsMax: Int
  let isRoot: Bool
  let isMutable: Bool

  init(name: String, json: JSONValue) throws(OVSDBError) {
    self.name = name
    var parser = ObjectParser(json, "table schema for table \(name)")
    let columnsJSON = parser.required("columns", .object)
    isMutable = parser.optional("mutable", .boolean)?.boolean ?? true
    let rowsMaxJSON = parser.optional("maxRows", .integer)
    isRoot = parser.optional("isRoot", .boolean)?.boolean ?? false
    let indexesJSON = parser.optional("indexes", .array)
    if let error = parser.finish() { throw error }
    guard let columnsJSON else { throw .syntaxError("Parsing table schema for table \(name) failed: Object expected.", at: json) }
    if let limit = rowsMaxJSON?.integer, limit <= 0 { throw .syntaxError("maxRows must be at least 1", at: json) }
    rowsMax = Int(min(rowsMaxJSON?.integer ?? Int64(TableSchema.rowsUnlimited), Int64(TableSchema.rowsUnlimited)))
    guard columnsJSON.count > 0 else { throw .syntaxError("table must have at least one column", at: json) }

    columns = []
    for (columnName, columnJSON) in columnsJSON.members {
      try checkName(columnName, in: json)
      columns.append(try ColumnDraft(name: columnName.string ?? "", json: columnJSON))
    }
    columns.sort { Text($0.name) < Text($1.name) }
    indexNames = try Self.indexes(indexesJSON, columns, in: json)
  }

  private static func indexes(
    _ json: JSONValue?, _ columns: [ColumnDraft], in table: JSONValue
  ) throws(OVSDBError) -> [[String]] {
    guard let json else { return [] }
    var indexes: [[String]] = []
    for index in json.elements {
      guard index.kind == .array else { throw .syntaxError("array of distinct column names expected", at: index) }
      var names: [String] = []
      for element in index.elements {
        guard element.kind == .string else { throw .syntaxError("array of distinct column names expected", at: index) }
        let name = element.words
        guard name == "_uuid" || name == "_version" || columns.contains(where: { $0.name == name }) else {
          throw .syntaxError("\(name) is not a valid column name", at: index)
        }
        guard !names.contains(name) else { throw .syntaxError("array of distinct column names expected", at: index) }
        names.append(name)
      }
      guard !names.isEmpty else { throw .syntaxError("index must have at least one column", at: table) }
      for name in names where name == "_version" || columns.contains(where: { $0.name == name && !$0.isPersistent }) {
        throw .syntaxError("ephemeral columns (such as \(name)) may not be indexed", at: table)
      }
      indexes.append(names)
    }
    return indexes
  }

  /// Resolves references and makes the silent corrections.
  static func tables(of drafts: [TableDraft]) throws(OVSDBError) -> [TableSchema] {
    // A schema written before there were root sets names none; then every row lives by itself.
    let allAreRoot = !drafts.contains(where: \.isRoot)
    let positions = Dictionary(drafts.enumerated().map { ($1.name, $0) }) { first, _ in first }
    var tables: [TableSchema] = []
    for (index, draft) in drafts.enumerated() {
      var columns: [ColumnSchema] = []
      for (position, column) in draft.columns.enumerated() {
        columns.append(try column.resolved(index: position, among: drafts, positions, allAreRoot: allAreRoot))
      }
      let indexes = draft.indexNames.map { names in
        names.compactMap { name in name == "_uuid" ? .uuid : columns.first { $0.name == name } }
      }
      tables.append(
        TableSchema(
          name: draft.name, index: index, columns: columns, indexes: indexes, rowsMax: draft.rowsMax,
          isRoot: draft.isRoot || allAreRoot, isMutable: draft.isMutable))
    }
    return tables
  }
}

/// A column as read.
private struct ColumnDraft {
  let name: String
  let type: ColumnType
  let isMutable: Bool
  let isPersistent: Bool

  init(name: String, json: JSONValue) throws(OVSDBError) {
    self.name = name
    var parser = ObjectParser(json, "schema for column \(name)")
    isMutable = parser.optional("mutable", .boolean)?.boolean ?? true
    isPersistent = !(parser.optional("ephemeral", .boolean)?.boolean ?? false)
    let typeJSON = parser.required("type", .stringOrObject)
    if let error = parser.finish() { throw error }
    guard let typeJSON else { throw .syntaxError("Parsing schema for column \(name) failed: Object expected.", at: json) }
    type = try ColumnType(json: typeJSON)
  }

  func resolved(
    index: Int, among tables: [TableDraft], _ positions: [String: Int], allAreRoot: Bool
  ) throws(OVSDBError) -> ColumnSchema {
    var type = type
    var isMutable = isMutable
    var isPersistent = isPersistent
    func resolve(_ base: inout BaseType, _ part: String) throws(OVSDBError) {
      guard var reference = base.reference else { return }
      guard let target = positions[reference.tableName] else {
        throw OVSDBError(.syntaxError, "column \(name) \(part) refers to undefined table \(reference.tableName)")
      }
      reference.tableIndex = target
      base.constraint = .reference(reference)
      if !reference.isStrong {
        // Deleting the row it names changes the column.
        isMutable = true
      } else if !tables[target].isRoot, !allAreRoot {
        // What keeps a row of a non-root table alive must be there after a restart.
        isPersistent = true
      }
    }
    try resolve(&type.key, "key")
    if var value = type.value {
      try resolve(&value, "value")
      type.value = value
    }
    return ColumnSchema(name: name, type: type, isMutable: isMutable, isPersistent: isPersistent, index: index)
  }
}

extension TableSchema {
  func write(to writer: inout ByteWriter, showsRoot: Bool) {
    writer.append("{\"columns\":{")
    for column in columns {
      if column.index > 0 { writer.append(",") }
      writer.appendQuoted(column.name)
      writer.append(":{")
      if !column.isPersistent { writer.append("\"ephemeral\":true,") }
      if !column.isMutable { writer.append("\"mutable\":false,") }
      writer.append("\"type\":")
      column.type.write(to: &writer)
      writer.append("}")
    }
    writer.append("}")
    if !indexes.isEmpty {
      writer.append(",\"indexes\":[")
      for (position, index) in indexes.enumerated() {
        writer.append(position == 0 ? "[" : ",[")
        for (place, column) in index.enumerated() {
          if place > 0 { writer.append(",") }
          writer.appendQuoted(column.name)
        }
        writer.append("]")
      }
      writer.append("]")
    }
    if showsRoot, isRoot { writer.append(",\"isRoot\":true") }
    if rowsMax != Self.rowsUnlimited {
      writer.append(",\"maxRows\":")
      writer.appendInteger(Int64(rowsMax))
    }
    if !isMutable { writer.append(",\"mutable\":false") }
    writer.append("}")
  }
}
