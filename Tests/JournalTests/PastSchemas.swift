// SPDX-License-Identifier: Apache-2.0
//
// Schemas of OVN and Open vSwitch through the years, and rows for any schema.
//
// The schemas are no part of this package: OVSDB_PAST_SCHEMAS names their folder, by default `.build/schemas`.

import Engine
import Foundation
import JSON
import OVSDB
import TestSupport
import Testing

@testable import Journal

/// The schemas of one database, the oldest first.
struct SchemaLine: Sendable, CustomTestStringConvertible {
  let kind: String
  let files: [URL]

  var testDescription: String { kind }

  static let absence: Comment = "no schemas of the past: OVSDB_PAST_SCHEMAS names a folder with them, by default .build/schemas"

  /// Every kind of which there are two or more.
  static let all: [SchemaLine] = {
    let files = (try? FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)) ?? []
    let kinds = Dictionary(grouping: files.filter { $0.pathExtension == "ovsschema" }) { split($0).kind }
    return kinds.filter { $0.value.count > 1 }.sorted { $0.key < $1.key }.map { kind, files in
      SchemaLine(kind: kind, files: files.sorted { split($0).version.lexicographicallyPrecedes(split($1).version) })
    }
  }()

  private static var directory: URL {
    if let path = ProcessInfo.processInfo.environment["OVSDB_PAST_SCHEMAS"] { return URL(filePath: path) }
    return URL(filePath: Repository.path(".build/schemas"))
  }

  /// `ovn-nb-5.3.0.ovsschema`.
  private static func split(_ file: URL) -> (kind: String, version: [Int]) {
    let words = file.deletingPathExtension().lastPathComponent.split(separator: "-")
    return (words.dropLast().joined(separator: "-"), words.last.map { $0.split(separator: ".").compactMap { Int($0) } } ?? [])
  }

  static func read(_ file: URL) throws -> DatabaseSchema { try schema(try String(contentsOf: file, encoding: .utf8)) }

  static func json(_ file: URL) throws -> WireJSON { try WireJSON(parsing: try String(contentsOf: file, encoding: .utf8)) }
}

/// Rows for any schema, with a value in every column.
struct SampleRows {
  let schema: DatabaseSchema

  /// A database of the schema that holds them.
  func database() throws -> Database {
    let database = Database(schema: schema)
    try transact(database, operations)
    return database
  }

  /// The operations that insert them, separated by commas.
  var operations: String {
    schema.tables.flatMap { table in (0..<rowCount(table)).map { insert($0, into: table) } }.joined(separator: ",")
  }

  /// Inserts them into a server's database.
  func insert(over session: WireSession) throws {
    let results = try session.call("transact", try WireJSON(parsing: "[\"\(schema.name)\",\(operations)]")).elements ?? []
    #expect(results.allSatisfy { $0["error"] == nil }, "\(results)")
  }

  private func rowCount(_ table: TableSchema) -> Int { Swift.min(2, table.rowsMax) }

  private func name(_ row: Int, of table: Int) -> String { id(table * 16 + row + 1) }

  private func insert(_ row: Int, into table: TableSchema) -> String {
    let values = table.columns.map { "\"\($0.name)\":\(value(of: $0.type, row: row))" }
    return """
      {"op":"insert","table":"\(table.name)","uuid":"\(name(row, of: table.index))","row":{\(values.joined(separator: ","))}}
      """
  }

  private func value(of type: ColumnType, row: Int) -> String {
    let count = Swift.max(type.min, Swift.min(type.max, 2, distinctCount(type.key)))
    let keys = (0..<count).map { atom(type.key, row + $0) }
    guard let value = type.value else { return "[\"set\",[\(keys.joined(separator: ","))]]" }
    let pairs = keys.enumerated().map { "[\($1),\(atom(value, row + $0))]" }
    return "[\"map\",[\(pairs.joined(separator: ","))]]"
  }

  /// How many values there are that `atom` gives for numbers in a row.
  private func distinctCount(_ base: BaseType) -> Int {
    switch base.constraint {
    case .enumeration(let values): values.count
    case .integerRange(let low, let high): low == high ? 1 : 2
    case .reference(let reference): rowCount(schema.tables[reference.tableIndex])
    default: 2
    }
  }

  private func atom(_ base: BaseType, _ number: Int) -> String {
    switch base.constraint {
    case .enumeration(let values):
      var writer = ByteWriter()
      values[number % values.count].write(to: &writer)
      return writer.string
    case .integerRange(let low, let high):
      let wished = low == .min ? high &- Int64(number) : low &+ Int64(number)
      return String(Swift.min(Swift.max(wished, low), high))
    case .realRange(let low, let high): return String(low.isFinite ? low : high.isFinite ? high : 0.5)
    case .length(let shortest, _):
      return "\"\(number)" + String(repeating: "x", count: Swift.max(0, shortest - 1)) + "\""
    case .reference(let reference):
      return "[\"uuid\",\"\(name(number % rowCount(schema.tables[reference.tableIndex]), of: reference.tableIndex))\"]"
    case .none: return unconstrained(base.type, number)
    }
  }

  private func unconstrained(_ type: AtomicType, _ number: Int) -> String {
    switch type {
    case .integer: String(number)
    case .real: "\(number).5"
    case .boolean: number % 2 == 0 ? "true" : "false"
    case .string: "\"text \(number)\""
    case .uuid: "[\"uuid\",\"\(id(4096 + number))\"]"
    }
  }
}
