// SPDX-License-Identifier: Apache-2.0
//
// The text form as people type it (Documentation/protocol/values.md#parsing-the-text-form).

import OVSDB
import Testing

@Suite struct TextParsingTests {
  private let integers = ColumnType(key: BaseType(.integer), min: 0, max: ColumnType.unlimited)
  private let strings = ColumnType(key: BaseType(.string), min: 0, max: ColumnType.unlimited)
  private let map = ColumnType(key: BaseType(.string), value: BaseType(.string), min: 0, max: ColumnType.unlimited)

  private func read(_ text: String, _ type: ColumnType) throws -> String {
    try Datum(text: text, type: type, symbols: nil).text(of: type)
  }

  private func problem(_ text: String, _ type: ColumnType) -> String {
    do {
      return "read as \(try read(text, type))"
    } catch {
      return "\(error)"
    }
  }

  @Test func bracketsMayBeLeftOut() throws {
    #expect(try read("3, 1 2", integers) == "[1, 2, 3]")
    #expect(try read("[3,1,2]", integers) == "[1, 2, 3]")
    #expect(try read("a=1, b=2", map) == "{a=\"1\", b=\"2\"}")
    #expect(try read("{}", map) == "{}")
    #expect(try read("[]", integers) == "[]")
  }

  @Test func rangesStandForTheirIntegers() throws {
    #expect(try read("3-5 -2--1", integers) == "[-2, -1, 3, 4, 5]")
    #expect(problem("9-1", integers) == "\"9-1\" is not a valid range. Range end cannot be before start.")
    #expect(problem("0-4096", integers) == "Range \"0-4096\" is too big. Maximum allowed size is 4096.")
    #expect(problem("-9223372036854775808-9223372036854775807", integers).hasPrefix("Range"))
  }

  @Test func quotesProtectDelimiters() throws {
    #expect(try read(#""a, b" c\ d"#, strings) == #"["a, b", "c d"]"#)
    #expect(try read(#""tab\t""#, ColumnType(key: BaseType(.string))) == #""tab\t""#)
    #expect(try read(#"{"k 1"="v=2"}"#, map) == #"{"k 1"="v=2"}"#)
  }

  @Test func wordsForBooleans() throws {
    let boolean = ColumnType(key: BaseType(.boolean))
    for word in ["true", "yes", "on", "1"] { #expect(try read(word, boolean) == "true") }
    for word in ["false", "no", "off", "0"] { #expect(try read(word, boolean) == "false") }
    #expect(problem("maybe", boolean) == "\"maybe\" is not a valid boolean (use \"true\" or \"false\")")
  }

  @Test func mistakesAreNamed() {
    let optional = ColumnType(key: BaseType(.integer), min: 0, max: 1)
    #expect(problem("", map) == "use \"{}\" to specify the empty map")
    #expect(problem("", integers) == "use \"[]\" to specify the empty set")
    #expect(problem("[1", integers) == "[1: missing \"]\" at end of data")
    #expect(problem("[1] 2", integers) == "[1] 2: trailing garbage after \"]\"")
    #expect(problem("=", integers) == "=: unexpected \"=\" parsing set of integers")
    #expect(problem("a", map) == "a: syntax error at \"\" expecting \"=\"")
    #expect(problem("1 1", integers) == "1 1: set contains duplicate value")
    #expect(problem("a=1 a=2", map) == "a=1 a=2: map contains duplicate key")
    #expect(problem("1 2", optional) == "1 2: 2 value(s) specified but the maximum number is 1")
    #expect(problem("x", integers) == "\"x\" is not a valid integer or range")
    #expect(problem("1e999", ColumnType(key: BaseType(.real))) == "\"1e999\" is not a valid real number")
    #expect(problem("x", ColumnType(key: BaseType(.uuid))) == "\"x\" is not a valid UUID")
    #expect(problem("\"x", strings) == "\"x: quoted string extends past end of argument")
    #expect(problem("x\\", strings) == "x\\: backslash at end of argument")
  }

  @Test func constraintsHold() {
    let small = ColumnType(key: BaseType(.integer, .integerRange(0, 10)))
    #expect(problem("11", small).contains("11 is not in the valid range 0 to 10 (inclusive)"))
  }

  @Test func whatIsPrintedIsReadAgain() throws {
    for text in ["[a, \"b c\", \"true\"]", "[]", "[\"\"]"] { #expect(try read(text, strings) == text) }
    for text in ["{a=b, \"c d\"=\"=\"}", "{}"] { #expect(try read(text, map) == text) }
  }
}
