// SPDX-License-Identifier: Apache-2.0
//
// Strings, UUIDs and the text form of values.

import JSON
import TestSupport
import Testing

@testable import OVSDB

@Suite struct TextTests {
  /// Strings are bytes: a composed and a decomposed letter are two values.
  @Test func lettersComposedDifferentlyAreDifferent() {
    let (composed, decomposed) = (Text("\u{e9}"), Text("e\u{301}"))
    #expect(composed != decomposed)
    #expect(Set([composed, decomposed]).count == 2)
    #expect(decomposed < composed)
  }

  /// Documentation/protocol/values.md#order.
  @Test func stringsAreOrderedByBytes() {
    let sorted = ["", "A", "Z", "a", "a\u{1}", "aa", "z", "\u{e9}", "\u{ffff}", "😀"]
    for (position, low) in sorted.enumerated() {
      for high in sorted[(position + 1)...] {
        #expect(Text(low) < Text(high))
        #expect(!(Text(high) < Text(low)))
      }
      #expect(!(Text(low) < Text(low)))
    }
  }

  @Test(arguments: 0..<50 as Range<UInt64>)
  func uuidsAreReadAsTheyAreWritten(_ seed: UInt64) {
    var generator = SeededRandom(seed: seed)
    let uuid = UUID.random(using: &generator)
    #expect(UUID(uuid.description) == uuid)
    #expect(UUID(uuid.description.uppercased()) == uuid)
    var writer = ByteWriter()
    uuid.write(to: &writer)
    #expect(writer.string == uuid.description)
    // RFC 4122, version 4.
    let text = Array(uuid.description)
    #expect(text[14] == "4")
    #expect("89ab".contains(text[19]))
  }

  @Test(arguments: [
    "", "00000000-0000-0000-0000-00000000000", "00000000-0000-0000-0000-0000000000000", "00000000-0000-0000-0000-00000000000g",
    "00000000+0000-0000-0000-000000000000", "000000000000-0000-0000-000000000000-", "{0000000-0000-0000-0000-000000000000",
    " 0000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-0000000000é",
  ])
  func otherTextIsNoUUID(_ text: String) {
    #expect(UUID(text) == nil)
  }

  @Test func uuidsSortAsTheirTexts() {
    var generator = SeededRandom(seed: 5)
    let uuids = (0..<200).map { _ in UUID.random(using: &generator) }
    #expect(uuids.sorted().map(\.description) == uuids.map(\.description).sorted())
  }

  static let list = ColumnType(key: BaseType(.string), min: 0, max: ColumnType.unlimited)
  static let optional = ColumnType(key: BaseType(.string), min: 0, max: 1)
  static let scalar = ColumnType(key: BaseType(.string))
  static let map = ColumnType(key: BaseType(.string), value: BaseType(.integer), min: 0, max: ColumnType.unlimited)
  static let pair = ColumnType(key: BaseType(.string), value: BaseType(.integer), min: 0, max: 1)
  static let real = ColumnType(key: BaseType(.real))

  /// Documentation/protocol/values.md#text-form, printing.
  @Test(arguments: [
    (#"["set",["b","a"]]"#, list, "[a, b]", "a b"), (#"["set",[]]"#, list, "[]", ""), (#""a""#, list, "[a]", "a"),
    (#""one two""#, scalar, #""one two""#, "one two"), (#""""#, scalar, #""""#, ""), (#""true""#, scalar, #""true""#, "true"),
    (#""_a-b.c9""#, scalar, "_a-b.c9", "_a-b.c9"), (#""9a""#, scalar, #""9a""#, "9a"), (#""é""#, scalar, #""é""#, "é"),
    (#""a\"b\\\n""#, scalar, #""a\"b\\\n""#, "a\"b\\\n"),
    (#""a0000000-0000-0000-0000-000000000000""#, scalar, #""a0000000-0000-0000-0000-000000000000""#, "a0000000-0000-0000-0000-000000000000"),
    (#"["set",[]]"#, optional, "[]", ""), (#""a""#, optional, "a", "a"),
    (#"["map",[["k 2",2],["k",1]]]"#, map, #"{k=1, "k 2"=2}"#, "k=1 k 2=2"), (#"["map",[]]"#, map, "{}", ""),
    (#"["map",[["k",1]]]"#, pair, "k=1", "k=1"), (#"["map",[["k",1]]]"#, map, "{k=1}", "k=1"), (#"0.1"#, real, "0.1", "0.1"),
    (#"1e20"#, real, "1e+20", "1e+20"),
  ])
  func valuesHaveATextForm(_ json: String, _ type: ColumnType, _ text: String, _ bare: String) throws {
    let datum = try read(json, type)
    #expect(datum.text(of: type) == text)
    #expect(datum.bareText(of: type) == bare)
  }

  /// Documentation/protocol/values.md#error-objects-as-text.
  @Test func errorsHaveATextForm() {
    let error = OVSDBError(.syntaxError, "d", syntax: "[\"x\"]")
    #expect(error.description == "syntax \"[\"x\"]\": syntax error: d")
    #expect(OVSDBError(.ioError, "x.db: create failed", ioError: "File exists").description
      == "I/O error: x.db: create failed (File exists)")
    var writer = ByteWriter()
    OVSDBError(.ioError, "a\"b", syntax: "s", ioError: "e").write(to: &writer)
    #expect(writer.string == #"{"details":"a\"b","error":"I/O error","io-error":"e","syntax":"s"}"#)
  }
}
