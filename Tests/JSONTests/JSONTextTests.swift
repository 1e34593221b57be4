// SPDX-License-Identifier: Apache-2.0
//
// Documents that people write, as libjansson reads them.

import Foundation
import Testing

@testable import JSON

@Suite struct JSONTextTests {
  @Test(arguments: [
    (#"{"a":[1,-2.5,true,false,null,"é\n"],"b":{}}"#, #"{"a":[1,-2.5,true,false,null,"é\n"],"b":{}}"#),
    ("[1.0,1e3,-0.0,1e19]", "[1,1000,0,1e+19]"), ("[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]"),
    ("[9223372036854775808,-9223372036854775809,1]", "[9.22337203685478e+18,-9.22337203685478e+18,1]"),
    (#"["99999999999999999999\"99999999999999999999"]"#, #"["99999999999999999999\"99999999999999999999"]"#),
    (#"{"a":1,"a":2}"#, #"{"a":2}"#), (" [ ] ", "[]"),
  ])
  func documentsMeanWhatTheyMeanOnTheWire(_ text: String, _ expected: String) throws {
    let document = try JSONText.parse(text)
    #expect(document.withRoot { $0.text(sorted: false) } == expected)
    let wire = try JSONDocument.parse(text)
    #expect(document.withRoot { document in wire.withRoot { document.isEqual(to: $0) } })
  }

  @Test(arguments: [
    ("", "line 0, column 0, byte 0: '[' or '{' expected near end of file"),
    ("1", "line 0, column 1, byte 1: '[' or '{' expected near '1'"),
    ("[1,]", "line 0, column 4, byte 4: unexpected token near ']'"),
    ("{\n  \"a\": 1\n  \"b\": 2\n}", "line 2, column 5, byte 16: '}' expected near '\"b\"'"),
    ("[1] x", "line 0, column 5, byte 5: end of file expected near 'x'"), ("{\"a\":tru}", "line 0, column 8, byte 8: invalid token near 'tru'"),
    ("[\"a", "line 0, column 3, byte 3: premature end of input near '\"a'"), ("[\"\\u0000\"]", "line 0, column 9, byte 9: \\u0000 is not allowed without JSON_ALLOW_NUL near '\"\\u0000\"'"),
    ("[1e999]", "line 0, column 6, byte 6: real number overflow near '1e999'"),
    ("[true\0]", "line 0, column 5, byte 5: invalid character U+0000"),
    // The `e0` that makes a real of a large integer does not move the place of an error behind it.
    ("[99999999999999999999,\n 99999999999999999999, @]", "line 1, column 24, byte 47: invalid token near '@'"),
    ("[99999999999999999999 99999999999999999999]", "line 0, column 42, byte 42: ']' expected"),
  ])
  func errorsNameTheWordAndItsPlace(_ text: String, _ expected: String) {
    let error = #expect(throws: JSONSyntaxError.self) { try JSONText.parse(text) }
    #expect(error?.description == expected)
  }

  @Test func nestingIsLimitedAsOnTheWire() throws {
    let deepest = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
    #expect(try JSONText.parse(deepest).withRoot { $0.text() } == deepest)
    let error = #expect(throws: JSONSyntaxError.self) { try JSONText.parse("\n[" + deepest + "]") }
    #expect(error?.description == "line 1, column 1000, byte 1001: input exceeds maximum nesting depth 1000")
    // Brackets inside strings do not nest.
    #expect(throws: Never.self) { try JSONText.parse("[\"" + String(repeating: "[", count: 2000) + "\"]") }
  }

  @Test func bytesThatAreNotUTF8AreRefused() {
    let error = #expect(throws: JSONSyntaxError.self) { try JSONText.parse([0x5b, 0x22, 0xff, 0x22, 0x5d]) }
    #expect(error?.text.hasPrefix("unable to decode byte 0xff") == true)
  }

  @Test func filesAreReadAndTheirFailuresNamed() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appendingPathComponent("document.json").path
    let large = "[" + (0..<50_000).map(String.init).joined(separator: ",") + "]\n"
    try large.write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try JSONText.read(file: path).withRoot { $0.count } == 50_000)

    try "{\"a\":".write(toFile: path, atomically: true, encoding: .utf8)
    let syntax = #expect(throws: JSONFileError.self) { try JSONText.read(file: path) }
    #expect(syntax?.description == "line 1, column 5, byte 5: unexpected token near end of file")
    // Editors call the first line 1.
    try "{\n\"a\": 1,\n\"b\" 2}".write(toFile: path, atomically: true, encoding: .utf8)
    let third = #expect(throws: JSONFileError.self) { try JSONText.read(file: path) }
    #expect(third?.description.hasPrefix("line 3, ") == true, "\(String(describing: third))")
    let missing = #expect(throws: JSONFileError.self) { try JSONText.read(file: path + ".none") }
    #expect(missing?.description == "error opening \"\(path).none\": No such file or directory")
    let folder = #expect(throws: JSONFileError.self) { try JSONText.read(file: directory.path) }
    #expect(folder?.description == "error reading JSON stream: Is a directory")
  }
}
