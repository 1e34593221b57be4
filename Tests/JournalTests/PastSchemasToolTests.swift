// SPDX-License-Identifier: Apache-2.0
//
// The same conversions by `ovsdb-tool convert`: of files that a server wrote, in place and into another file, and back. A server shows
// what came of it; converting the rows in memory says what must (PastSchemasTests.swift).

import Engine
import Foundation
import OVSDB
import TestSupport
import Testing

@testable import Journal

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "the programs, ours or Open vSwitch's, are missing"))
struct PastSchemasToolTests {
  @Test(.enabled(if: !SchemaLine.all.isEmpty, SchemaLine.absence), arguments: SchemaLine.all)
  func theToolConvertsFilesToTheNewestOfTheirKindAndBack(_ line: SchemaLine) throws {
    let newest = try #require(line.files.last)
    var convertedCount = 0
    for file in line.files.dropLast() where try convert(file, to: newest) { convertedCount += 1 }
    #expect(convertedCount > 0, "nothing of \(line.kind) converts")
  }

  /// - Returns: whether the new schema admits the rows.
  private func convert(_ file: URL, to newest: URL) throws -> Bool {
    let (older, newer) = (try SchemaLine.read(file), try SchemaLine.read(newest))
    let before = try SampleRows(schema: older).database()
    let directory = try RunDirectory()
    try writeFile(older, try SchemaLine.json(file), in: directory)
    guard let expected = try step(before, "old.db", newest, newer, into: "new.db", in: directory) else { return false }
    // In place as well, and from there back.
    try succeed(Side.ours.tool("ovsdb-tool"), ["convert", "old.db", newest.path], in: directory)
    try expectRows(of: expected, in: "old.db", directory, "\(file.lastPathComponent), in place")
    _ = try step(expected, "old.db", file, older, into: "back.db", in: directory)
    return true
  }

  /// A file as a server writes it.
  private func writeFile(_ schema: DatabaseSchema, _ json: WireJSON, in directory: RunDirectory) throws {
    let server = try DatabaseServer(.ours, [.schema(json, file: "old.db")], directory: directory)
    try SampleRows(schema: schema).insert(over: try server.session())
    server.stop()
  }

  /// Converts a file into another one.
  ///
  /// - Returns: what is in it; nil when it was refused with a row named, and left alone.
  private func step(
    _ before: Database, _ source: String, _ schemaFile: URL, _ schema: DatabaseSchema, into destination: String, in directory: RunDirectory
  ) throws -> Database? {
    let bytes = try readBytes(directory.path(source))
    let result = try run(Side.ours.tool("ovsdb-tool"), ["convert", source, schemaFile.path, destination], in: directory)
    #expect(try readBytes(directory.path(source)) == bytes)
    guard let expected = try? Conversion.convert(before.snapshot, to: schema, rules: .offline) else {
      let names = before.snapshot.tables.flatMap { $0.rows.keys.map { "\($0)" } }
      #expect(result.status == 1 && names.contains { result.standardError.contains($0) }, "\(result)")
      #expect(access(directory.path(destination), F_OK) != 0)
      return nil
    }
    #expect(result.status == 0, "\(result)")
    try expectRows(of: expected, in: destination, directory, "to \(schemaFile.lastPathComponent)")
    return expected
  }

  private func expectRows(of database: Database, in file: String, _ directory: RunDirectory, _ what: String) throws {
    let server = try DatabaseServer(.ours, [.existing(file: file)], directory: directory)
    defer { server.stop() }
    let seen = try RowText.rows(of: database.schema, over: try server.session(), isFile: true)
    let expected = RowText.rows(of: database, isFile: true)
    if seen != expected { Issue.record("\(what): \(differences(seen.sorted(), expected.sorted(), limit: 4))") }
  }
}
