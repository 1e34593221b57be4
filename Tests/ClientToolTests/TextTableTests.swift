// SPDX-License-Identifier: Apache-2.0

import JSON
import OVSDB
import Testing

@testable import ClientTool

@Suite struct TextTableTests {
  private static let strings = ColumnType(key: BaseType(.string), min: 0, max: ColumnType.unlimited)
  private static let uuid = UUID("aaaaaaaa-0000-0000-0000-000000000001") ?? .zero

  private func datum(_ json: String, _ type: ColumnType) throws -> Cell {
    let document = try JSONDocument.parse(json, anyValue: true)
    return .datum(try Datum(json: document.root, type: type, symbols: nil), type)
  }

  private func example() throws -> TextTable {
    var table = TextTable(caption: "t table", headings: ["_uuid", "name", "set"])
    table.append([
      .datum(.uuid(Self.uuid), ColumnType(key: BaseType(.uuid))), .text("one"), try datum(#"["set",["a b","c"]]"#, Self.strings),
    ])
    table.append([.text(""), .text("two\"<"), try datum(#"["set",[]]"#, Self.strings)])
    table.append([])
    return table
  }

  private func style(_ format: TableStyle.Format, _ cells: TableStyle.Cells = .string) -> TableStyle {
    var style = TableStyle()
    style.format = format
    style.cells = cells
    return style
  }

  private func text(_ table: TextTable, _ style: TableStyle) -> String {
    String(decoding: table.bytes(style), as: UTF8.self)
  }

  @Test func columnsAreAsWideAsTheirWidestCellAndLinesHaveNoBlanksAtTheirEnd() throws {
    #expect(
      text(try example(), style(.table)) == """
        t table
        _uuid                                name  set
        ------------------------------------ ----- ------------
        aaaaaaaa-0000-0000-0000-000000000001 one   ["a b", c]
                                             two"< []


        """.replacing("------------\n", with: "----------\n"))
  }

  @Test func aTableWithoutRowsHasItsHeading() {
    #expect(text(TextTable(headings: ["a", "bc"]), style(.table)) == "a bc\n- --\n")
    var bare = style(.table)
    bare.hasHeadings = false
    #expect(text(TextTable(headings: ["a", "bc"]), bare) == "")
  }

  @Test func cellsAreCutToBytesButNoNarrowerThanTheirHeading() {
    var table = TextTable(headings: ["wide"])
    table.append([.text("é3456")])
    var narrow = style(.table)
    narrow.columnBytesMax = 3
    #expect(table.bytes(narrow) == Array("wide\n----\né34\n".utf8))
    narrow.hasHeadings = false
    narrow.columnBytesMax = 1
    #expect(table.bytes(narrow) == [0xc3, 0x0a])
  }

  @Test func listsHaveALineForEachCell() throws {
    #expect(
      text(try example(), style(.list, .bare)) == """
        t table
        _uuid               : aaaaaaaa-0000-0000-0000-000000000001
        name                : one
        set                 : a b c

        _uuid               :\u{20}
        name                : two"<
        set                 :\u{20}

        _uuid               :\u{20}
        name                :\u{20}
        set                 :\u{20}

        """)
  }

  @Test func csvQuotesWhatCouldMislead() throws {
    #expect(
      text(try example(), style(.csv)) == """
        t table
        _uuid,name,set
        aaaaaaaa-0000-0000-0000-000000000001,one,"[""a b"", c]"
        ,"two""<",[]
        ,,

        """)
  }

  @Test func jsonKeepsTypesAndMarksMissingCells() throws {
    var table = try example()
    table.header.timestamp = "2026-11-21 00:41:00.123"
    #expect(
      text(table, style(.json)) == #"""
        {"caption":"t table","data":[[["uuid","aaaaaaaa-0000-0000-0000-000000000001"],"one",["set",["a b","c"]]],["","two\"<",["set",[]]],[null,null,null]],"headings":["_uuid","name","set"],"time":"2026-11-21 00:41:00.123"}

        """#)
  }

  @Test func htmlLinksRowsByTheirNames() {
    var table = TextTable(headings: ["_uuid", "ref"])
    table.append([.text(Self.uuid.description), .text("<\(Self.uuid)&\(Self.uuid)")])
    let html = text(table, style(.html))
    #expect(html.contains("    <td><a name=\"\(Self.uuid)\">aaaaaaaa</a></td>\n"))
    let link = "<a href=\"#\(Self.uuid)\">aaaaaaaa</a>"
    #expect(html.contains("    <td>&lt;\(link)&amp;\(link)</td>\n"))
  }
}
