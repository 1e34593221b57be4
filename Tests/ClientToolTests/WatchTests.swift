// SPDX-License-Identifier: Apache-2.0

import Daemon
import JSON
import OVSDB
import Testing

@testable import ClientTool

@Suite struct WatchTests {
  private static let columns = [
    ColumnSchema(name: "name", type: ColumnType(key: BaseType(.string)), isMutable: true, isPersistent: true, index: 0),
    ColumnSchema(name: "n", type: ColumnType(key: BaseType(.integer)), isMutable: true, isPersistent: true, index: 1),
  ]
  private static let size = Terminal.Size(rows: 8, columns: 40)

  private func uuid(_ number: Int) -> String { "aaaaaaaa-0000-0000-0000-00000000000\(number)" }

  private func apply(_ update: String, to table: inout WatchTable, now: Int64) throws {
    try JSONDocument.parse(update).withRoot { (root) throws(ToolFailure) in try table.apply(root, now: now) }
  }

  private func begin(_ update: String, _ table: inout WatchTable, isFirst: Bool = true, now: Int64 = 1) throws {
    try JSONDocument.parse(update).withRoot { (root) throws(ToolFailure) in try table.begin(root, isFirst: isFirst, now: now) }
  }

  private func view() -> WatchView {
    var style = TableStyle()
    style.terminal = TerminalStyle(fit: .cut, columns: 40, ellipsis: "…")
    return WatchView(title: "t in T", style: style)
  }

  /// The screen without its looks.
  private func screen(_ table: WatchTable, now: Int64, _ view: WatchView? = nil, size: Terminal.Size = size) -> [String] {
    (view ?? self.view()).lines(table.sortedRows(), columns: table.columns, count: table.count, now: now, size: size).map { line in
      let text = line.replacing(#/\u{1B}\[\d*m/#, with: "")
      return text.replacing(#/ +$/#, with: "")
    }
  }

  private func example() throws -> WatchTable {
    var table = WatchTable(columns: Self.columns)
    try begin(#"{"\#(uuid(1))":{"new":{"name":"b","n":1}},"\#(uuid(2))":{"new":{"name":"a","n":2}}}"#, &table)
    return table
  }

  @Test func rowsAreSortedAndFitTheScreen() throws {
    let table = try example()
    #expect(screen(table, now: 1).prefix(4) == ["t in T: 2 rows", "  name n", "  a    2", "  b    1"])
    for (rows, columns) in [(1, 1), (2, 5), (3, 10), (4, 200), (0, 0)] {
      let lines = screen(table, now: 1, size: Terminal.Size(rows: rows, columns: columns))
      #expect(lines.count == rows)
      #expect(lines.allSatisfy { DisplayWidth.of($0) <= columns })
    }
  }

  @Test func changesAreMarkedForAWhile() throws {
    var table = try example()
    let update = #"{"\#(uuid(1))":{"old":{"n":1},"new":{"name":"b","n":9}},"\#(uuid(2))":{"old":{"name":"a","n":2}},"\#(uuid(3))":{"new":{"name":"c","n":3}}}"#
    try apply(update, to: &table, now: 10_000)
    #expect(screen(table, now: 10_100)[2...4] == ["- a    2", "~ b    9", "+ c    3"])
    #expect(screen(table, now: 10_100)[0] == "t in T: 2 rows")
    let fadesEarly = table.fade(now: 14_000, since: 10_100)
    #expect(!fadesEarly)
    let fades = table.fade(now: 15_001, since: 14_000)
    #expect(fades)
    #expect(screen(table, now: 15_001)[2...3] == ["  b    9", "  c    3"])
  }

  @Test func aNewConnectionTellsWhatChangedMeanwhile() throws {
    var table = try example()
    try begin(#"{"\#(uuid(1))":{"new":{"name":"b","n":8}},"\#(uuid(4))":{"new":{"name":"d","n":4}}}"#, &table, isFirst: false, now: 50_000)
    #expect(screen(table, now: 50_000)[2...4] == ["- a    2", "~ b    8", "+ d    4"])
  }

  @Test func rubbishIsAnError() throws {
    for update in [#"{"x":{"new":{"name":"a","n":1}}}"#, #"{"\#(uuid(1))":{"new":{"name":"a"}}}"#, #"{"\#(uuid(1))":{"new":5}}"#, #"{"\#(uuid(1))":{"new":{"name":1,"n":1}}}"#] {
      var table = try example()
      #expect(throws: ToolFailure.self, "\(update)") { try apply(update, to: &table, now: 1) }
    }
  }

  @Test func keysMoveNoFurtherThanTheTable() throws {
    var table = WatchTable(columns: Self.columns)
    let rows = (0..<9).map { #""\#(uuid($0))":{"new":{"name":"r\#($0)","n":0}}"# }.joined(separator: ",")
    try begin("{\(rows)}", &table)
    var view = view()
    func press(_ keys: WatchView.Key...) {
      for key in keys { view.press(key, rowCount: 9, columnCount: 2, size: Self.size) }
    }
    press(.up, .left)
    #expect(screen(table, now: 1, view)[2] == "  r0   0")
    #expect(screen(table, now: 1, view)[0] == "t in T: 9 rows, lines 1 to 5")
    press(.pageDown)
    #expect(screen(table, now: 1, view)[2] == "  r4   0")
    press(.pageDown, .right, .right)
    #expect(screen(table, now: 1, view)[2] == "  0")
    press(.home, .left, .down)
    #expect(screen(table, now: 1, view)[2] == "  r1   0")
    press(.end, .pause)
    #expect(screen(table, now: 1, view)[0] == "t in T: 9 rows, lines 5 to 9, paused")
  }

  @Test func keysAreToldFromWhatTerminalsSend() {
    func keys(_ text: String) -> [WatchView.Key] { WatchScreen.keys(Array(text.utf8)[...]) }
    #expect(keys("\u{1B}[A\u{1B}OBjq") == [.up, .down, .down, .quit])
    #expect(keys("\u{3}") == [.quit])
    #expect(keys("\u{1B}[1;5qx\u{1B}[99~ \u{1B}") == [.pause])
    #expect(keys("\u{1B}[") == [])
  }
}
