// SPDX-License-Identifier: Apache-2.0
//
// Databases of every age become databases of today, and go back, without losing anything that both schemas can hold.

import Engine
import JSON
import OVSDB
import Testing

@testable import Journal

@Suite struct PastSchemasTests {
  @Test(.enabled(if: !SchemaLine.all.isEmpty, SchemaLine.absence), arguments: SchemaLine.all)
  func everySchemaConvertsToTheNewestOfItsKindAndBack(_ line: SchemaLine) throws {
    let newest = try SchemaLine.read(try #require(line.files.last))
    var convertedCount = 0
    for file in line.files.dropLast() {
      let older = try SchemaLine.read(file)
      for rules in [ConversionRules.live, .offline] {
        let before = try SampleRows(schema: older).database()
        #expect(before.snapshot.tables.contains { !$0.rows.isEmpty })
        guard let after = convert(before, to: newest, rules) else { continue }
        convertedCount += 1
        expectSameContents(before, after, rules)
        if let back = convert(after, to: older, rules) { expectSameContents(after, back, rules) }
      }
    }
    #expect(convertedCount > 0, "nothing of \(line.kind) converts")
  }

  /// Nil when a constraint of the new schema forbids it; then the error names the row.
  private func convert(_ database: Database, to schema: DatabaseSchema, _ rules: ConversionRules) -> Database? {
    do {
      let converted = try Conversion.convert(database.snapshot, to: schema, rules: rules)
      #expect(converted.checkInvariants() == [])
      return converted
    } catch {
      let rows = database.snapshot.tables.flatMap { $0.rows.keys.map { "\($0)" } }
      #expect(rows.contains { error.details?.contains($0) == true }, "no row is named: \(error)")
      return nil
    }
  }

  /// What both schemas can hold is in both: every row of a root table, and every value but weak references to what is gone.
  private func expectSameContents(_ before: Database, _ after: Database, _ rules: ConversionRules) {
    for new in after.snapshot.tables {
      guard let old = before.snapshot.tables.first(where: { $0.schema.name == new.schema.name }) else { continue }
      if new.schema.isRoot { #expect(Set(new.rows.keys) == Set(old.rows.keys), "rows of \(new.schema.name)") }
      let pairs = Conversion.pairs(from: old.schema, to: new.schema, rules).filter { pair in
        !new.schema.weakColumns.contains { $0 === pair.new }
      }
      for (uuid, row) in new.rows {
        guard let source = old.rows[uuid] else {
          Issue.record("row \(uuid) of \(new.schema.name) was not there before")
          continue
        }
        for pair in pairs {
          #expect(
            text(row[pair.new], pair.new.type) == text(source[pair.old], pair.old.type),
            "\(new.schema.name) \(uuid) \(pair.new.name)")
        }
      }
    }
  }

  private func text(_ datum: Datum, _ type: ColumnType) -> String {
    var writer = ByteWriter()
    datum.write(to: &writer, type: type)
    return writer.string
  }
}
