// SPDX-License-Identifier: Apache-2.0
//
// Bytes that are no proper JSON-RPC, and the corners of JSON that are: our server answers, or closes the connection,
// where Open vSwitch's does.

import Foundation
import TestSupport
import Testing

/// A byte string to send on a fresh connection. `\u{…}` escapes of Swift stand for their UTF-8 bytes.
struct RawInput: Sendable, CustomTestStringConvertible {
  let bytes: [UInt8]

  init(_ text: String) { bytes = Array(text.utf8) }
  init(bytes: [UInt8]) { self.bytes = bytes }

  var testDescription: String { String(decoding: bytes.prefix(80), as: UTF8.self) }

  static func echo(_ params: String) -> RawInput { RawInput("{\"method\":\"echo\",\"id\":1,\"params\":[\(params)]}") }

  static func message(_ members: String) -> RawInput { RawInput("{\(members)}") }

  static let all: [RawInput] = shapes + values + texts

  private static let shapes: [RawInput] = [
    RawInput("x"), RawInput("]"), RawInput("}"), RawInput("{]"), RawInput("[}"), RawInput("[]"), RawInput("{}"), RawInput("[1,2]"), RawInput("1"),
    RawInput("\"text\""), RawInput("null"), RawInput("true"), RawInput("  \n\t\r {}"), RawInput("{\"a\":1}"), RawInput("\u{feff}{}"),
    message(#""method":"echo","params":[]"#), message(#""method":"echo","params":[],"id":null"#), message(#""method":"echo","params":[],"id":1,"error":null"#),
    message(#""method":"echo","params":[],"id":1,"result":null"#), message(#""method":"echo","params":[],"id":1,"result":1"#), message(#""method":"echo","params":[],"id":1,"extra":null"#),
    message(#""method":"echo","params":{},"id":1"#), message(#""method":"echo","params":null,"id":1"#), message(#""method":"echo","id":1"#), message(#""method":1,"params":[],"id":1"#),
    message(#""params":[],"id":1"#), message(#""id":1"#), message(#""id":1,"result":2"#), message(#""id":1,"result":2,"error":null"#), message(#""id":1,"error":"x""#),
    message(#""id":1,"error":"x","result":null"#), message(#""id":1,"error":"x","result":1"#), message(#""id":"echo","result":[]"#), message(#""id":"echo","error":"x""#),
    message(#""id":null,"result":1"#), message(#""method":"cancel","params":[1],"id":null"#), message(#""method":"nosuch","params":[],"id":null"#),
    message(#""method":"echo","params":[1],"id":false"#), message(#""method":"echo","params":[1],"id":{"a":[1,1.0]}"#), message(#""method":"echo","params":[1],"id":1.0"#),
    message(#""method":"echo","params":[1],"id":"""#), message(#""method":"echo","method":"nosuch","params":[1],"id":1"#), message(#""method":"echo","params":[1],"params":[2],"id":1,"id":2"#),
    RawInput(#"{"method":"echo","params":[1],"id":1}{"method":"echo","params":[2],"id":2}garbage"#),
    RawInput("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}"), RawInput("GET / HTTP/1.1\r\n\r\n"), RawInput(bytes: [4, 0, 0, 8, 0, 0, 0, 1]),
  ]

  private static let values: [RawInput] = [
    "1", "-1", "0", "-0", "-0.0", "1.0", "1e3", "123456.789e3", "1.5", "1e15", "1e19", "0.1", "0.30000000000000004", "1e-5", "0.00001", "1e308", "1e309", "-1e309",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "12345678901234567890", "1e400", "00", "01", "-", "-01", "+1", ".5", "1.", "1e", "1e+", "1E5",
    "1e+5", "0x10", "1 2", "NaN", "Infinity", "-Infinity", "True", "FALSE", "nul", "nulll", "truefalse", "true", "false", "null", "100000000000000000000000000", "1.7976931348623157e308",
    "0e5", "0.0e-3", "10e-1", "15e-1", "1.000000000000000000000", "0.1e1", "123456789012345678", "1e14", "1e16", "3.14159265358979", "2.5e-07",
  ].map { echo($0) }

  private static let texts: [RawInput] = [
    #""""#, #""a""#, #""\"\\\/\b\f\n\r\t""#, #""\u0041\u00e9\u20ac""#, #""\ud83d\ude00""#, #""\ud83d""#, #""\ude00""#, #""\ud83dx""#, #""\ud83d\u0041""#, #""\u0000""#, #""\u12""#, #""\u12xy""#,
    #""\x""#, "'a'", "\"tab\there\"", "\"line\nhere\"", "\"\u{7f}\u{e9}\u{1f600}\"", "\"\u{1}\"", "\"a\" \"b\"", "\"a\",", ",", "1,,2", "[1,]", "[,1]", #"{"a":1,}"#, #"{"a"}"#, #"{"a":}"#, #"{a:1}"#,
    #"{"a":1 "b":2}"#, #"{"a":1,"a":2}"#, #"{1:2}"#, "[[[[[[]]]]]]", "/* c */ 1", "// c\n1", "\"a\0b\"", #""\u001f\u0008\u007f""#, #""\uD83D\uDE00""#, "{}", "[]", "[{}]", #"{"":{"":[]}}"#,
  ].map { echo($0) } + [
    RawInput(bytes: Array("{\"method\":\"echo\",\"id\":1,\"params\":[\"".utf8) + [0xff, 0xfe, 0xc0, 0x80] + Array("\"]}".utf8)),
    RawInput(bytes: Array("{\"method\":\"echo\",\"id\":1,\"params\":[\"a".utf8) + [0] + Array("\"]}".utf8)),
    RawInput(bytes: [0] + Array("{\"method\":\"echo\",\"id\":1,\"params\":[]}".utf8)),
    echo(String(repeating: "[", count: 998) + String(repeating: "]", count: 998)),
    echo(String(repeating: "[", count: 999) + String(repeating: "]", count: 999)),
    RawInput(String(repeating: "[", count: 2000)),
    RawInput(String(repeating: "{\"a\":", count: 1500)),
  ]
}

@Suite(
  .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"),
  .enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct RawInputTests {
  private static let schema: WireJSON = ["name": "D", "tables": ["t": ["columns": ["n": ["type": "integer"]]]]]

  /// The messages that come back, and whether the server closed the connection.
  private func answer(_ server: DatabaseServer, to input: RawInput, byByte: Bool) throws -> [WireJSON] {
    let session = try server.session()
    let end: WireJSON = ["method": "echo", "params": ["end"], "id": "end"]
    do {
      if byByte { for byte in input.bytes { try session.send([byte]) } } else { try session.send(input.bytes) }
      try session.send(end.bytes)
    } catch {
      // The server closed early: what it said before is still to be read.
    }
    var messages: [WireJSON] = []
    while true {
      let next: WireMessage?
      do { next = try session.receive(seconds: 10) } catch let error as ProcessError {
        throw ProcessError("\(server.side) neither answered nor closed after \(input.testDescription): \(error)")
      }
      guard let message = next else { return messages + ["closed"] }
      messages.append(message.json)
      if message.isReply(to: "end") { return messages }
    }
  }

  @Test("bytes get the same answer on both servers, sent at once or one by one")
  func sameAnswers() throws {
    let servers = try [Side.ours, .peer].map { try DatabaseServer($0, [.schema(Self.schema)]) }
    for input in RawInput.all {
      for byByte in input.bytes.count < 200 ? [false, true] : [false] {
        let answers = try servers.map { try answer($0, to: input, byByte: byByte) }
        #expect(answers[0] == answers[1], "\(input.testDescription), byte by byte: \(byByte)")
      }
    }
    for server in servers { #expect(server.isRunning) }
  }

  @Test("strings and numbers are stored and printed the same on both servers")
  func storedValues() throws {
    let schema: WireJSON = [
      "name": "D", "tables": ["t": ["columns": ["s": ["type": "string"], "r": ["type": "real"], "i": ["type": "integer"]]]],
    ]
    let servers = try [Side.ours, .peer].map { try DatabaseServer($0, [.schema(schema)]) }
    for input in RawInput.all {
      guard let text = String(bytes: input.bytes, encoding: .utf8), let begin = text.firstRange(of: "\"params\":[") else { continue }
      let value = text[begin.upperBound...].dropLast(2)
      for column in ["s", "r", "i"] {
        let request = RawInput(
          "{\"method\":\"transact\",\"id\":1,\"params\":[\"D\",{\"op\":\"insert\",\"table\":\"t\",\"row\":{\"\(column)\":\(value)}}"
            + ",{\"op\":\"select\",\"table\":\"t\",\"where\":[],\"columns\":[\"s\",\"r\",\"i\"]},{\"op\":\"abort\"}]}")
        let answers = try servers.map { server in
          var identities = IdentityMap()
          return identities.canonical(.array(try answer(server, to: request, byByte: false)))
        }
        #expect(answers[0] == answers[1], "\(request.bytes.count) bytes: \(value.prefix(100)) into \(column)")
      }
    }
  }
}
