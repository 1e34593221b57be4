// SPDX-License-Identifier: Apache-2.0
//
// The rows of a database under another schema: `convert` of the server and `ovsdb-tool convert`.

import Engine
import JSON
import OVSDB

/// Which rules a conversion follows.
package enum ConversionRules: Sendable {
  /// The server's: values in memory. A real stays a real, also when it is whole; ephemeral values are kept.
  case live
  /// The tool's: values as they stand in a file. `2` is an integer, whatever column it stood in; there are no ephemeral values.
  case offline
}

package enum Conversion {
  /// Makes a database of the rows of `snapshot` with `schema`.
  ///
  /// Tables and columns that only the old schema has are dropped; columns that only the new one has hold their default, even
  /// when their constraints exclude it. Each other value is turned into JSON and read with the new type. The result is checked
  /// like a transaction that inserts everything.
  ///
  /// - Throws: what a value of the new type must be, or what contradicts each other.
  ///
  /// Source: Documentation/protocol/wire.md#convert.
  package static func convert(
    _ snapshot: Snapshot, to schema: DatabaseSchema, rules: ConversionRules, random: RandomSource = RandomSource()
  ) throws(OVSDBError) -> Database {
    var builder = DatabaseBuilder(schema: schema, random: random)
    for old in snapshot.tables {
      guard let new = schema.table(named: old.schema.name) else { continue }
      let columns = pairs(from: old.schema, to: new, rules)
      for (uuid, row) in old.rows {
        let (converted, _) = builder.obtain(uuid, in: new)
        for pair in columns { converted.set(pair.new, to: try pair.convert(row, rules)) }
      }
    }
    return try builder.finish()
  }

  /// A column in both schemas.
  struct ColumnPair {
    let old: ColumnSchema
    let new: ColumnSchema
    /// The types say the same, so values pass as they are.
    let isSame: Bool

    /// The value of a row of the old schema.
    ///
    /// - Throws: what the value must be, and behind it whose value it is. What comes first is the reference's text, which clients
    ///   know.
    func convert(_ row: Row, _ rules: ConversionRules) throws(OVSDBError) -> Datum {
      do throws(OVSDBError) {
        return try convert(row[old], rules)
      } catch {
        var error = error
        let place = "table \"\(row.table.name)\", row \(row.uuid), column \"\(old.name)\""
        error.details = error.details.map { "\($0) (\(place))" } ?? place
        throw error
      }
    }

    private func convert(_ datum: Datum, _ rules: ConversionRules) throws(OVSDBError) -> Datum {
      if isSame { return datum }
      if rules == .live { try refuseRealAsInteger(datum) }
      var writer = ByteWriter(capacity: 64)
      datum.write(to: &writer, type: old.type)
      let document: JSONDocument
      do {
        document = try JSONDocument.parse(writer.bytes, anyValue: true)
      } catch {
        throw OVSDBError(.ovsdbError, "value of column \(old.name) cannot be read back: \(error)")
      }
      defer { withExtendedLifetime(document) {} }
      return try Datum(json: document.root, type: new.type, symbols: nil)
    }

    /// In memory a real is no integer, though both may print as `2`.
    private func refuseRealAsInteger(_ datum: Datum) throws(OVSDBError) {
      func refuse(_ base: BaseType, _ newBase: BaseType, _ atom: Atom?) throws(OVSDBError) {
        guard base.type == .real, newBase.type == .integer, let atom else { return }
        var writer = ByteWriter(capacity: 32)
        atom.write(to: &writer)
        throw OVSDBError(.syntaxError, "expected integer", syntax: writer.string)
      }
      let keys = datum.keys(of: old.type.key.type)
      try refuse(old.type.key, new.type.key, keys.count > 0 ? keys[0] : nil)
      if let oldValue = old.type.value, let newValue = new.type.value, case .map(let map) = datum {
        try refuse(oldValue, newValue, map.values[0])
      }
    }
  }

  static func pairs(from old: TableSchema, to new: TableSchema, _ rules: ConversionRules) -> [ColumnPair] {
    new.columns.compactMap { column in
      guard let source = old.columns.first(where: { $0.name == column.name }) else { return nil }
      if rules == .offline, !source.isPersistent { return nil }
      // References compare by the table's name: its position may differ between the schemas.
      return ColumnPair(old: source, new: column, isSame: text(source.type) == text(column.type))
    }
  }

  private static func text(_ type: ColumnType) -> [UInt8] {
    var writer = ByteWriter(capacity: 64)
    type.write(to: &writer)
    return writer.bytes
  }
}
