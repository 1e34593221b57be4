// SPDX-License-Identifier: Apache-2.0
//
// The schema of a database as immutable objects, shared by everything that works on the database. Reading and printing are in
// DatabaseSchema+JSON.swift.

import JSON

/// One column of a table.
package final class ColumnSchema: Sendable {
  package let name: String
  package let type: ColumnType
  /// False: only an insert sets the column.
  package let isMutable: Bool
  /// False for ephemeral columns, which are not written to disk.
  package let isPersistent: Bool
  /// The position in a row's fields; negative for the columns every table has.
  package let index: Int
  /// What a new row holds here.
  package let defaultDatum: Datum
  package let hasReferences: Bool
  package let isMap: Bool
  /// Whether some values of the column's type are refused.
  package let hasConstraints: Bool
  /// The name as it begins a member of a JSON object: in quotes, with the colon.
  package let memberName: [UInt8]
  let shortcut: Shortcut

  /// How the values of most columns can be read without a look at the whole type.
  enum Shortcut {
    case none
    /// An atom of any value.
    case string, integer, boolean, uuid
    /// A map of strings to strings, any number of any.
    case stringMap
  }

  package static let uuidIndex = -1
  package static let versionIndex = -2

  package init(name: String, type: ColumnType, isMutable: Bool, isPersistent: Bool, index: Int) {
    self.name = name
    self.type = type
    self.isMutable = isMutable
    self.isPersistent = isPersistent
    self.index = index
    self.defaultDatum = type.defaultDatum
    self.hasReferences = type.key.reference != nil || type.value?.reference != nil
    self.isMap = type.isMap
    self.hasConstraints = type.key.isLimiting || type.value?.isLimiting == true
    self.memberName = jsonMemberName(name)
    self.shortcut = Self.shortcut(type)
  }

  private static func shortcut(_ type: ColumnType) -> Shortcut {
    // References are checked when the transaction commits.
    if type.key.type == .uuid, type.value == nil, !type.key.isLimiting { return .uuid }
    guard type.key.constraint == .none else { return .none }
    if let value = type.value {
      let isPlain = type.key.type == .string && value == BaseType(.string) && type.min == 0 && type.max == ColumnType.unlimited
      return isPlain ? .stringMap : .none
    }
    switch type.key.type {
    case .string: return .string
    case .integer: return .integer
    case .boolean: return .boolean
    case .real, .uuid: return .none
    }
  }

  /// `_uuid`, the row's name.
  package static let uuid = ColumnSchema(
    name: "_uuid", type: ColumnType(key: BaseType(.uuid)), isMutable: false, isPersistent: true, index: uuidIndex)
  /// `_version`, which changes with every change of the row.
  package static let version = ColumnSchema(
    name: "_version", type: ColumnType(key: BaseType(.uuid)), isMutable: false, isPersistent: false, index: versionIndex)

  /// Whether this is `_uuid` or `_version`.
  package var isSynthetic: Bool { index < 0 }
}

/// One table.
package final class TableSchema: Sendable {
  package let name: String
  /// The position among the schema's tables, which are sorted by name.
  package let index: Int
  /// Sorted by name; `columns[i].index == i`. `_uuid` and `_version` are not among them.
  package let columns: [ColumnSchema]
  /// Each a list of columns whose values together are unique.
  package let indexes: [[ColumnSchema]]
  package let rowsMax: Int
  /// Whether rows live without being referenced.
  package let isRoot: Bool
  package let isMutable: Bool
  /// What a new row holds, in the order of `columns`.
  package let defaults: [Datum]
  /// The columns that hold strong and weak references.
  package let strongColumns: [ColumnSchema]
  package let weakColumns: [ColumnSchema]
  /// `_uuid`, `_version` and `columns`.
  package let allColumns: [ColumnSchema]
  /// The columns that refuse some values of their types.
  package let constrainedColumns: [ColumnSchema]
  /// The stored columns of sets and maps that may not grow without end.
  package let limitedColumns: [ColumnSchema]
  /// The name as it begins a member of a JSON object: in quotes, with the colon.
  package let memberName: [UInt8]
  private let columnNames: NameTable

  package static let rowsUnlimited = Int(UInt32.max)

  package init(
    name: String, index: Int, columns: [ColumnSchema], indexes: [[ColumnSchema]], rowsMax: Int, isRoot: Bool,
    isMutable: Bool
  ) {
    self.name = name
    self.index = index
    self.columns = columns
    self.indexes = indexes
    self.rowsMax = rowsMax
    self.isRoot = isRoot
    self.isMutable = isMutable
    defaults = columns.map(\.defaultDatum)
    strongColumns = columns.filter { $0.type.key.reference?.isStrong == true || $0.type.value?.reference?.isStrong == true }
    weakColumns = columns.filter { $0.type.key.reference?.isStrong == false || $0.type.value?.reference?.isStrong == false }
    allColumns = [.uuid, .version] + columns
    constrainedColumns = columns.filter(\.hasConstraints)
    limitedColumns = columns.filter { $0.isPersistent && $0.type.max > 1 && $0.type.max != ColumnType.unlimited }
    memberName = jsonMemberName(name)
    columnNames = NameTable(allColumns.map(\.name))
  }

  /// The column of a name, `_uuid` and `_version` included.
  package func column(named name: UnsafeBufferPointer<UInt8>) -> ColumnSchema? {
    if let position = columnNames.position(of: name) { return allColumns[position] }
    return nil
  }

  package func column(named name: String) -> ColumnSchema? {
    var name = name
    return name.withUTF8 { column(named: $0) }
  }

  package func column(_ name: JSONValue) -> ColumnSchema? {
    name.utf8.flatMap { column(named: $0) }
  }
}

/// A name as it begins a member of a JSON object.
private func jsonMemberName(_ name: String) -> [UInt8] {
  var writer = ByteWriter(capacity: name.utf8.count + 3)
  writer.appendQuoted(name)
  writer.append(":")
  return writer.bytes
}

/// A whole schema.
///
/// Source: RFC 7047 §3.2 (`<database-schema>`).
package final class DatabaseSchema: Sendable {
  package let name: String
  package let version: String?
  package let cksum: String?
  /// Sorted by name; `tables[i].index == i`.
  package let tables: [TableSchema]
  private let tableNames: NameTable

  package init(name: String, version: String?, cksum: String?, tables: [TableSchema]) {
    self.name = name
    self.version = version
    self.cksum = cksum
    self.tables = tables
    tableNames = NameTable(tables.map(\.name))
  }

  package func table(named name: UnsafeBufferPointer<UInt8>) -> TableSchema? {
    tableNames.position(of: name).map { tables[$0] }
  }

  package func table(named name: String) -> TableSchema? {
    var name = name
    return name.withUTF8 { table(named: $0) }
  }

  package func table(_ name: JSONValue) -> TableSchema? {
    name.utf8.flatMap { table(named: $0) }
  }
}
