// SPDX-License-Identifier: Apache-2.0
//
// The same conversions by a running server, while one client monitors every table and another writes. What is there in the end is what
// converting the rows in memory makes of them (PastSchemasTests.swift holds that against the rows before).

import Engine
import Foundation
import JSON
import OVSDB
import Synchronization
import TestSupport
import Testing

@testable import Journal

@Suite(.enabled(if: Programs.hasOurs && Programs.hasPeer, "ovsdb-server, ours or Open vSwitch's, is missing"))
struct PastSchemasOnlineTests {
  @Test(.enabled(if: !SchemaLine.all.isEmpty, SchemaLine.absence), arguments: SchemaLine.all)
  func aServerConvertsBesideClientsThatMonitorAndWrite(_ line: SchemaLine) throws {
    let newest = try #require(line.files.last)
    for file in line.files.dropLast() { try convert(file, to: newest) }
  }

  private func convert(_ file: URL, to newest: URL) throws {
    let (older, newer) = (try SchemaLine.read(file), try SchemaLine.read(newest))
    let before = try SampleRows(schema: older).database()
    let server = try DatabaseServer(.ours, [.schema(try SchemaLine.json(file))])
    let session = try Self.awareSession(of: server)
    try SampleRows(schema: older).insert(over: session)
    let watcher = try Self.awareSession(of: server)
    try watcher.call("monitor_cond", [.string(older.name), "all", .object(older.tables.map { .init($0.name, [:]) })])
    let writer = MapWriter.place(in: older, newer, before).map { MapWriter(server.socket, older.name, $0) }
    try writer?.waitForWrites(10)
    let error = try session.exchange("convert", [.string(older.name), try SchemaLine.json(newest)]).reply["error"] ?? nil
    try writer?.waitForWrites(10)
    let written = try writer?.stop() ?? []
    // Every change that was reported as made is there; without them the rows are those that were inserted.
    if let place = writer?.place { try Self.remove(written, at: place, of: older.name, over: session) }
    if error.isNull {
      let expected = try Conversion.convert(before.snapshot, to: newer, rules: .live)
      #expect(try RowText.rows(of: newer, over: session) == RowText.rows(of: expected), "\(file.lastPathComponent)")
      while let message = try watcher.receive() { if message.method == "monitor_canceled" { break } }
    } else {
      let names = before.snapshot.tables.flatMap { $0.rows.keys.map { "\($0)" } }
      #expect(names.contains { error.text.contains($0) }, "no row is named: \(error)")
      #expect(try RowText.rows(of: older, over: session) == RowText.rows(of: before), "\(file.lastPathComponent)")
    }
  }

  private static func awareSession(of server: DatabaseServer) throws -> WireSession {
    let session = try server.session()
    try session.call("set_db_change_aware", [true])
    return session
  }

  /// Removes the keys that a writer put into a map, and requires each of them to have been there.
  private static func remove(_ keys: [String], at place: MapWriter.Place, of database: String, over session: WireSession) throws {
    let row: WireJSON = [["_uuid", "==", ["uuid", .string(place.row)]]]
    let reply = try session.call(
      "transact",
      [
        .string(database),
        ["op": "select", "table": .string(place.table), "where": row, "columns": [.string(place.column)]],
        [
          "op": "mutate", "table": .string(place.table), "where": row,
          "mutations": [[.string(place.column), "delete", ["set", .array(keys.map { .string($0) })]]],
        ],
      ])
    let pairs = reply[0]?["rows"]?[0]?[place.column]?[1]?.elements ?? []
    let found = Set(pairs.compactMap { $0[0]?.stringValue })
    #expect(Set(keys).subtracting(found).isEmpty, "written and gone: \(Set(keys).subtracting(found))")
    #expect(reply[1]?["count"] == 1, "\(reply)")
  }
}

/// Puts keys into a map of strings of one row, one after the other, and knows which are in it.
private final class MapWriter: Sendable {
  struct Place: Sendable {
    let table: String
    let column: String
    let row: String
  }

  let place: Place
  private let socket: String
  private let database: String
  private let written = Mutex<[String]>([])
  private let isStopped = Atomic<Bool>(false)
  private let done = DispatchSemaphore(value: 0)

  /// A map of any strings, of any length, in a row that both schemas keep; nil when there is none.
  static func place(in older: DatabaseSchema, _ newer: DatabaseSchema, _ rows: Database) -> Place? {
    for table in rows.snapshot.tables where table.schema.isRoot && newer.table(named: table.schema.name)?.isRoot == true {
      guard let row = table.rows.keys.min(by: { "\($0)" < "\($1)" }) else { continue }
      for column in table.schema.columns where isFree(column.type) {
        guard let kept = newer.table(named: table.schema.name)?.column(named: column.name), isFree(kept.type) else { continue }
        return Place(table: table.schema.name, column: column.name, row: "\(row)")
      }
    }
    return nil
  }

  private static func isFree(_ type: ColumnType) -> Bool {
    guard let value = type.value, type.max == .max else { return false }
    return [type.key, value].allSatisfy { base in
      if case .none = base.constraint { base.type == .string } else { false }
    }
  }

  init(_ socket: String, _ database: String, _ place: Place) {
    (self.socket, self.database, self.place) = (socket, database, place)
    Thread.detachNewThread { [self] in
      do { try write() } catch { Issue.record("the writer: \(error)") }
      done.signal()
    }
  }

  func waitForWrites(_ count: Int) throws {
    let goal = written.withLock { $0.count } + count
    try waitUntil("\(count) more writes", seconds: 60) { written.withLock { $0.count } >= goal }
  }

  /// - Returns: the keys that are in the map.
  func stop() throws -> [String] {
    isStopped.store(true, ordering: .releasing)
    done.wait()
    return written.withLock { $0 }
  }

  private func write() throws {
    let session = try WireSession(socket: socket)
    try session.call("set_db_change_aware", [true])
    var number = 0
    while !isStopped.load(ordering: .acquiring) {
      number += 1
      let key = "w\(number)"
      let reply = try session.call(
        "transact",
        [
          .string(database),
          [
            "op": "mutate", "table": .string(place.table), "where": [["_uuid", "==", ["uuid", .string(place.row)]]],
            "mutations": [[.string(place.column), "insert", ["map", [[.string(key), "v"]]]]],
          ],
        ])
      guard reply[0]?["count"] == 1 else { throw ProcessError("\(reply)") }
      written.withLock { $0.append(key) }
      usleep(1000)
    }
  }
}
