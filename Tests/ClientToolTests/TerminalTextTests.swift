// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ClientTool

@Suite struct TerminalTextTests {
  private func style(_ fit: TerminalStyle.Fit, columns: Int) -> TableStyle {
    var style = TableStyle()
    style.terminal = TerminalStyle(fit: fit, columns: columns, ellipsis: "…")
    return style
  }

  private func text(_ style: TableStyle, _ headings: [String], _ rows: [[String]]) -> String {
    var table = TextTable(headings: headings)
    for row in rows { table.append(row.map { .text($0) }) }
    return String(decoding: table.bytes(style), as: UTF8.self)
  }

  @Test func whatFitsIsShownAsItIs() {
    #expect(text(style(.cut, columns: 9), ["a", "b"], [["日本", "e\u{301}"]]) == "a    b\n---- -\n日本 e\u{301}\n")
  }

  @Test func theWidestColumnsGiveWay() {
    #expect(ColumnWidths.fit([3, 50, 40], into: 45) == [3, 20, 20])
    #expect(ColumnWidths.fit([3, 50, 10], into: 45) == [3, 30, 10])
    #expect(ColumnWidths.fit([10, 10], into: 80) == [10, 10])
    #expect(ColumnWidths.fit([10, 10, 10], into: 5) == [4, 4, 4])
    #expect(ColumnWidths.fit([9, 9], into: 16) == [8, 7])
    #expect(ColumnWidths.fit([], into: 5) == [])
  }

  @Test func cutCellsEndInAnEllipsis() {
    #expect(
      text(style(.cut, columns: 12), ["long heading", "b"], [["0123456789abc", "x"], ["日本語日本語", "y"]])
        == "long head… b\n---------- -\n012345678… x\n日本語日…  y\n")
  }

  @Test func wrappedCellsGoOnBelow() {
    #expect(
      text(style(.wrap, columns: 8), ["k", "value"], [["a", "0123456789abc"], ["b", ""]])
        == "k value\n- ------\na 012345\n  6789ab\n  c\nb\n")
  }

  @Test func wideTablesStayAsTheyAreOnDemand() {
    #expect(text(style(.off, columns: 5), ["value"], [["0123456789"]]) == "value\n----------\n0123456789\n")
  }

  @Test func nothingInACellCommandsTheTerminal() {
    #expect(TerminalText.visible("a\u{1b}[31m\u{9b}x\r\n\t\u{202e}") == "a\\u001b[31m\\u009bx\\r\\n\\t\\u202e")
    #expect(TerminalText.visible("a\n\tb", keepsLines: true) == "a\n\tb")
    var list = style(.cut, columns: 80)
    list.format = .list
    #expect(text(list, ["h"], [["\u{1b}]0;x\u{7}\nnext"]]) == "h                   : \\u001b]0;x\\u0007\nnext\n")
  }

  @Test func jsonIsIndentedByItsBrackets() {
    var style = TableStyle()
    style.isPretty = true
    #expect(
      outputText(#"{"a":[1.5e+17,"x[,\"",[]],"b":{},"c":{"d":null}}"#, style)
        == "{\n  \"a\": [\n    1.5e+17,\n    \"x[,\\\"\",\n    []],\n  \"b\": {\n    },\n  \"c\": {\n    \"d\": null}}\n")
  }
}
