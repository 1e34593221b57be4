// SPDX-License-Identifier: Apache-2.0
//
// The dialect of the wire: what is accepted, what it means, and how refusals read. Every row was observed with
// ovsdb-server 3.1.0 unless it says otherwise.

import Testing

@testable import JSON

/// The compact form of a text, in the order of its members.
func echo(_ text: String) throws -> String {
  try JSONDocument.parse(text).withRoot { $0.text(sorted: false) }
}

/// The description of the error that a stream of these bytes ends with, nil when it has none.
func streamError(_ bytes: [UInt8]) -> String? {
  var stream = JSONStream(messageBytesMax: .max)
  bytes.withUnsafeBytes { stream.append($0) }
  do {
    while try stream.next() != nil {}
    return nil
  } catch {
    return error.description
  }
}

@Suite struct JSONDialectTests {
  @Test(arguments: [
    ("1.0000000000000000000000000", "1"), ("0.1e1", "1"), ("0e400", "0"), ("9223372036854775807.0", "9223372036854775807"),
    ("92233720368547758070e-1", "9223372036854775807"), ("922337203685477580700000e-5", "9223372036854775807"),
    ("-9223372036854775808", "-9223372036854775808"), ("-9223372036854775809", "-9.22337203685478e+18"),
    ("-92233720368547758080e-1", "-9223372036854775808"), ("123e-2", "1.23"), ("1200e-2", "12"),
    ("1e18", "1000000000000000000"), ("1e19", "1e+19"), ("1e308", "1e+308"),
    ("1.7976931348623158e308", "1.79769313486232e+308"), ("-0.0", "0"), ("-0", "0"), ("-1e-400", "0"), ("2e-324", "0"),
    ("1e-999", "0"), ("1e0000000000000000000001", "10"), ("123456789012345678901234567890e-20", "1234567890.12346"),
    ("100000000000000000000000000000e-20", "1000000000"), ("12345678901234567890123e-4", "1.23456789012346e+18"),
    ("0.00000000000000000000000000000000000000001e41", "1"), ("1.5e1", "15"), ("1.25e1", "12.5"), ("5e-1", "0.5"),
    ("50e-1", "5"), ("-0e5", "0"), ("18446744073709551615", "1.84467440737096e+19"),
    // The peer's arithmetic wraps here and it reads 0.
    ("18446744073709551616", "1.84467440737096e+19"),
    ("36893488147419103232", "3.68934881474191e+19"), ("99999999999999999999e0", "1e+20"), ("0.30000000000000004", "0.3"),
    ("0.00001", "1e-05"), ("12345678901234567890", "1.23456789012346e+19"), ("9223372036854775807.5", "9.22337203685478e+18"),
    ("18446744073709551614e-1", "1.84467440737096e+18"), ("9.223372036854775807e18", "9223372036854775807"),
    ("-9.223372036854775808e18", "-9223372036854775808"), ("9.223372036854775808e18", "9.22337203685478e+18"),
    ("123456789.123e3", "123456789123"), ("9007199254740993.0", "9007199254740993"), ("-0.00001e5", "-1"), ("1E3", "1000"),
    ("1.0E+3", "1000"), ("15e14", "1500000000000000"), ("1e15", "1000000000000000"), ("0e2147483639", "0"),
    // The peer refuses numbers between zero and the smallest normal one.
    ("1.1e-310", "1.09999999999999e-310"), ("4.9e-324", "4.94065645841247e-324"),
    ("1e-307", "1e-307"), ("-1.5", "-1.5"), ("0.1", "0.1"), ("100000.0001", "100000.0001"), ("0.0001", "0.0001"),
    ("123456.78901", "123456.78901"), ("99999999999.5", "99999999999.5"), ("3.14159", "3.14159"),
  ])
  func numbersAreIntegersWhenTheirExactValueIs(_ text: String, _ expected: String) throws {
    #expect(try echo("[\(text)]") == "[\(expected)]")
  }

  @Test(arguments: [
    (#"["\uD83D\uDE00\/\b\f\n\r\t\"\\\u0041\u00e9\u20ac\u001f\u007f"]"#, "[\"😀/\\b\\f\\n\\r\\t\\\"\\\\Aé€\\u001f\u{7f}\"]"),
    (#"["\uD800\uDC00","\uDBFF\uDFFF","\uFFFF"]"#, "[\"\u{10000}\",\"\u{10ffff}\",\"\u{ffff}\"]"),
    (#"{"a":1,"b":2,"a":3}"#, #"{"b":2,"a":3}"#), (#"{"\u0061":1,"b":2,"a":3}"#, #"{"b":2,"a":3}"#),
    (" [ 1 ,\t2\r\n, [ ] , { } ] ", "[1,2,[],{}]"), (#"{ "a" : [ true , false , null ] }"#, #"{"a":[true,false,null]}"#),
    ("[\"\u{7f}\"]", "[\"\u{7f}\"]"), (#"{"":0}"#, #"{"":0}"#),
  ])
  func textsAreReadAndWrittenCompactly(_ text: String, _ expected: String) throws {
    #expect(try echo(text) == expected)
  }

  @Test func bytesThatAreNotUTF8ArePassedOn() throws {
    let bytes: [UInt8] = [0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]
    let document = try JSONDocument.parse(bytes)
    var writer = ByteWriter()
    document.root.write(to: &writer)
    #expect(writer.bytes == bytes)
    #expect(document.root[0]?.string == nil)
    #expect(document.root[0]?.utf8.map { Array($0) } == [0xff, 0xfe])
  }

  @Test func aLoneLowSurrogateKeepsItsThreeBytes() throws {
    let document = try JSONDocument.parse(#"["\ude00"]"#)
    #expect(document.root[0]?.utf8.map { Array($0) } == [0xed, 0xb8, 0x80])
  }

  @Test(arguments: [
    (#""a""#, "line 0, column 2, byte 2: syntax error at beginning of input"),
    ("}", "line 0, column 0, byte 0: syntax error at beginning of input"),
    ("1 ", "line 0, column 1, byte 1: syntax error at beginning of input"),
    (#"{"a":}"#, "line 0, column 5, byte 5: syntax error expecting value"),
    (#"{"a":1,}"#, "line 0, column 7, byte 7: syntax error parsing object expecting string"),
    ("[,", "line 0, column 1, byte 1: syntax error expecting value"),
    ("[1,]", "line 0, column 3, byte 3: syntax error expecting value"),
    ("[tru ", "line 0, column 4, byte 4: invalid keyword 'tru'"),
    ("[truex]", "line 0, column 6, byte 6: invalid keyword 'truex'"),
    ("[nulL]", "line 0, column 5, byte 5: invalid keyword 'nulL'"),
    ("[true1]", "line 0, column 6, byte 6: syntax error expecting ']' or ','"),
    ("[@", "line 0, column 1, byte 1: invalid character '@'"), ("[\\", "line 0, column 1, byte 1: invalid character '\\'"),
    ("[\u{1}", "line 0, column 1, byte 1: invalid character U+0001"),
    ("[\u{7f}", "line 0, column 1, byte 1: invalid character U+007f"),
    ("[é", "line 0, column 1, byte 1: invalid character U+00c3"),
    ("[\0]", "line 0, column 1, byte 1: invalid character U+0000"), ("\0", "line 0, column 0, byte 0: invalid character U+0000"),
    ("\u{feff}{}", "line 0, column 0, byte 0: invalid character U+00ef"),
    ("[01]", "line 0, column 3, byte 3: leading zeros not allowed"), ("[-01]", "line 0, column 4, byte 4: leading zeros not allowed"),
    ("[01.]", "line 0, column 4, byte 4: leading zeros not allowed"),
    ("[-]", "line 0, column 2, byte 2: '-' must be followed by digit"),
    ("[--1]", "line 0, column 4, byte 4: '-' must be followed by digit"),
    ("[1.]", "line 0, column 3, byte 3: decimal point must be followed by digit"),
    ("[1.e]", "line 0, column 4, byte 4: decimal point must be followed by digit"),
    ("[1e+]", "line 0, column 4, byte 4: exponent must contain at least one digit"),
    ("[1.0e]", "line 0, column 5, byte 5: exponent must contain at least one digit"),
    ("[1e400]", "line 0, column 6, byte 6: number outside valid range"),
    ("[1e400.5]", "line 0, column 8, byte 8: syntax error in number"),
    ("[0e2147483640]", "line 0, column 13, byte 13: exponent outside valid range"),
    ("[1e-99999999999999999999999]", "line 0, column 27, byte 27: exponent outside valid range"),
    ("[1x]", "line 0, column 3, byte 3: invalid keyword 'x'"), ("[0x1]", "line 0, column 3, byte 3: invalid keyword 'x'"),
    ("[1.5.5]", "line 0, column 6, byte 6: syntax error in number"), ("[1-2]", "line 0, column 4, byte 4: syntax error in number"),
    ("[+1]", "line 0, column 1, byte 1: invalid character '+'"),
    ("[\"\u{1}\"]", "line 0, column 2, byte 2: U+0001 must be escaped in quoted string"),
    ("[\"a\nb\"]", "line 0, column 3, byte 3: U+000A must be escaped in quoted string"),
    ("[\"\0\"]", "line 0, column 2, byte 2: U+0000 must be escaped in quoted string"),
    (#"["\u12"]"#, "line 0, column 6, byte 6: quoted string ends within \\u escape"),
    (#"["\u12x4"]"#, "line 0, column 8, byte 8: malformed \\u escape"),
    (#"["\u+123"]"#, "line 0, column 8, byte 8: malformed \\u escape"),
    (#"["\u0000"]"#, "line 0, column 8, byte 8: null bytes not supported in quoted strings"),
    (#"["\ud800"]"#, "line 0, column 8, byte 8: malformed escaped surrogate pair"),
    (#"["\ud800\n"]"#, "line 0, column 10, byte 10: malformed escaped surrogate pair"),
    (#"["\ud800x\q"]"#, "line 0, column 11, byte 11: malformed escaped surrogate pair"),
    (#"["\ud800\u0041"]"#, "line 0, column 14, byte 14: second half of escaped surrogate pair is not trailing surrogate"),
    (#"["\ud800\u12"]"#, "line 0, column 12, byte 12: quoted string ends within \\u escape"),
    (#"["\q"]"#, "line 0, column 4, byte 4: bad escape \\q"), ("[\"\\\n\"]", "line 1, column 0, byte 4: bad escape \\\n"),
    ("[\"\\\0\"]", "line 0, column 4, byte 4: quoted string may not end with backslash"),
    ("{\"a\":1\n,\n\"b\":@", "line 2, column 4, byte 13: invalid character '@'"),
    ("{\"a\":\n@", "line 1, column 0, byte 6: invalid character '@'"),
    ("[1]\n\n\n[@", "line 3, column 1, byte 4: invalid character '@'"), ("[1] {2\n", "line 0, column 3, byte 3: syntax error parsing object expecting string"),
    ("{]", "line 0, column 1, byte 1: syntax error parsing object expecting string"),
    ("[}", "line 0, column 1, byte 1: syntax error expecting value"),
    ("[1}", "line 0, column 2, byte 2: syntax error expecting ']' or ','"), ("[1:", "line 0, column 2, byte 2: syntax error expecting ']' or ','"),
    (#"{"a"]"#, "line 0, column 4, byte 4: syntax error parsing object expecting ':'"),
    (#"{"a" "b""#, "line 0, column 7, byte 7: syntax error parsing object expecting ':'"),
    (#"{"a":1 "b""#, "line 0, column 9, byte 9: syntax error expecting '}' or ','"),
    (#"{"a" "\q""#, "line 0, column 8, byte 8: bad escape \\q"), ("{01,", "line 0, column 3, byte 3: leading zeros not allowed"),
    (#"["a" true "#, "line 0, column 9, byte 9: syntax error expecting ']' or ','"),
  ])
  func refusalsSayWhatAndWhere(_ text: String, _ expected: String) {
    #expect(streamError(Array(text.utf8)) == expected)
  }

  @Test(arguments: [
    ("", "line 0, column 0, byte 0: empty input stream"), (" ", "line 0, column 1, byte 1: empty input stream"),
    ("[", "line 0, column 1, byte 1: unexpected end of input"), ("[1", "line 0, column 3, byte 3: unexpected end of input"),
    ("[\"a", "line 0, column 3, byte 3: unexpected end of input in quoted string"),
    ("[\"\\q", "line 0, column 4, byte 4: unexpected end of input in quoted string"),
    ("[1]x", "line 0, column 4, byte 4: invalid keyword 'x'"), ("[1] 2", "line 0, column 5, byte 5: trailing garbage at end of input"),
    ("1", "line 0, column 1, byte 1: syntax error at beginning of input"), ("tru", "line 0, column 3, byte 3: invalid keyword 'tru'"),
    ("[1\n] @", "line 1, column 2, byte 5: invalid character '@'"), ("[1.", "line 0, column 3, byte 3: decimal point must be followed by digit"),
    ("{\"a\":1} }", "line 0, column 8, byte 8: trailing garbage at end of input"), ("{\"a\"", "line 0, column 4, byte 4: unexpected end of input"),
    ("[1]\n\"x\"", "line 1, column 2, byte 6: trailing garbage at end of input"), ("{} {}", "line 0, column 3, byte 3: trailing garbage at end of input"),
  ])
  func aDocumentMustBeOneWholeText(_ text: String, _ expected: String) {
    let error = #expect(throws: JSONSyntaxError.self) { try JSONDocument.parse(text) }
    #expect(error?.description == expected)
  }

  @Test func aThousandLevelsAreTakenAndOneMoreIsNot() throws {
    let deepest = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
    #expect(try echo(deepest) == deepest)
    #expect(
      streamError(Array(String(repeating: "[", count: 1001).utf8))
        == "line 0, column 1000, byte 1000: input exceeds maximum nesting depth 1000")
    #expect(
      streamError(Array(String(repeating: "{\"a\":", count: 1001).utf8))
        == "line 0, column 5000, byte 5000: input exceeds maximum nesting depth 1000")
  }
}
