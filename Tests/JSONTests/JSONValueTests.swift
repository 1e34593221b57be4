// SPDX-License-Identifier: Apache-2.0
//
// Reading a parsed text through JSONValue.

import Testing

@testable import JSON

/// Parses any one value and lends it.
func with<Result>(_ text: String, _ body: (JSONValue) throws -> Result) throws -> Result {
  try JSONDocument.parse(text, anyValue: true).withRoot(body)
}

@Suite struct JSONValueTests {
  @Test func eachKindAnswersOnlyItsOwnQuestions() throws {
    try with(#"[null,true,false,7,1.5,"s",[1],{"a":1}]"#) { array in
      #expect(array.elements.map { $0.kind } == [.null, .true, .false, .integer, .real, .string, .array, .object])
      #expect(array.elements.map { $0.isNull } == [true, false, false, false, false, false, false, false])
      #expect(array.elements.map { $0.boolean } == [nil, true, false, nil, nil, nil, nil, nil])
      #expect(array.elements.map { $0.integer } == [nil, nil, nil, 7, nil, nil, nil, nil])
      #expect(array.elements.map { $0.number } == [nil, nil, nil, 7, 1.5, nil, nil, nil])
      #expect(array.elements.map { $0.string } == [nil, nil, nil, nil, nil, "s", nil, nil])
      #expect(array.elements.map { $0.count } == [0, 0, 0, 0, 0, 0, 1, 1])
      #expect(array.elements.map { Array($0.elements).count } == [0, 0, 0, 0, 0, 0, 1, 0])
      #expect(array.elements.map { Array($0.members).count } == [0, 0, 0, 0, 0, 0, 0, 1])
      #expect(array.elements.map { $0.member("a")?.integer } == [nil, nil, nil, nil, nil, nil, nil, 1])
    }
  }

  @Test func elementsAreFoundByIndexPastNestedContainers() throws {
    try with(#"[[1,[2,{"x":[3]}]],{"y":[]},"end"]"#) { array in
      #expect(array[0]?[1]?[1]?.member("x")?[0]?.integer == 3)
      #expect(array[2]?.string == "end")
      #expect(array[3] == nil)
      #expect(array[-1] == nil)
      #expect(array[0]?[5] == nil)
      #expect(array.member("y") == nil)
    }
  }

  @Test func membersAreFoundByTheirBytes() throws {
    try with(#"{"a":1,"ab":[1,2],"longer than eight":{"n":0},"":5,"\u0061\u0062c":6}"#) { object in
      #expect(object.member("a")?.integer == 1)
      #expect(object.member("ab")?.count == 2)
      #expect(object.member("abc")?.integer == 6)
      #expect(object.member("")?.integer == 5)
      #expect(object.member("longer than eight")?.count == 1)
      #expect(object.member("longer than eighT") == nil)
      #expect(object.members.map { $0.name.string } == ["a", "ab", "longer than eight", "", "abc"])
    }
  }

  @Test func stringsAreComparedByBytesNotByMeaning() throws {
    try with("[\"\u{e9}\"]") { array in
      #expect(array[0]?.isString("\u{e9}") == true)
      #expect(array[0]?.isString("e\u{301}") == false)
      #expect(array.isString("") == false)
    }
  }

  @Test(arguments: [1, 2, 15, 16, 17, 64, 1000])
  func theLastOfEqualNamesStaysHoweverMany(_ count: Int) throws {
    let members = (0..<count).map { "\"name-\($0 % (count / 2 + 1))\":[\($0),{\"deep\":\($0)}]" }
    try with("{\"before\":{\(members.joined(separator: ","))},\"after\":true}") { value in
      let copy = try #require(value.member("before")).detached()
      #expect(try #require(value.member("before")).isEqual(to: copy.root))
      let object = try #require(value.member("before"))
      #expect(object.count == min(count, count / 2 + 1))
      #expect(object.count == Array(object.members).count)
      for (name, value) in object.members {
        let text = try #require(name.string)
        let number = try #require(Int(text.dropFirst(5)))
        let last = number + (count / 2 + 1) < count ? number + count / 2 + 1 : number
        #expect(value[0]?.integer == Int64(last))
        #expect(value[1]?.member("deep")?.integer == Int64(last))
      }
      #expect(value.member("after")?.boolean == true)
    }
  }

  @Test func theLastOfEqualNamesStaysAtEveryLevel() throws {
    let open = String(repeating: #"{"a":1,"b":2,"a":"#, count: 999)
    let expected = String(repeating: #"{"b":2,"a":"#, count: 999)
    let close = String(repeating: "}", count: 999)
    try with(open + "[3]" + close) { value in
      #expect(value.text(sorted: false) == expected + "[3]" + close)
      #expect(value.detached().withRoot { $0.text(sorted: false) } == expected + "[3]" + close)
    }
  }

  @Test(arguments: [
    ("1", "1.0", true), ("[1,2]", "[2,1]", false), (#"{"a":1,"b":2}"#, #"{"b":2,"a":1}"#, true), (#"{"a":1}"#, #"{"a":2}"#, false),
    (#"{"a":1}"#, #"{"b":1}"#, false), (#"{"a":1}"#, #"{"a":1,"b":1}"#, false), (#""a""#, #""\u0061""#, true), ("1.5", "1.50", true),
    ("1", #""1""#, false), ("null", "false", false), ("[]", "{}", false), ("[[]]", "[[]]", true), ("0", "-0.0", true),
    ("\"\u{e9}\"", "\"e\u{301}\"", false),
  ])
  func equalityIsThatOfJSON(_ left: String, _ right: String, _ expected: Bool) throws {
    try with(left) { left in
      try with(right) { right in
        #expect(left.isEqual(to: right) == expected)
        #expect(right.isEqual(to: left) == expected)
      }
    }
  }

  @Test func largeObjectsAreEqualInAnyOrder() throws {
    let members = (0..<100).map { "\"k\($0)\":\($0)" }
    try with("{\(members.joined(separator: ","))}") { left in
      try with("{\(members.reversed().joined(separator: ","))}") { right in #expect(left.isEqual(to: right)) }
      try with("{\(members.dropLast().joined(separator: ",")),\"k99\":0}") { right in #expect(!left.isEqual(to: right)) }
    }
  }

  @Test func detachedValuesOutliveTheirStream() throws {
    var stream = JSONStream(messageBytesMax: .max)
    stream.append(#"{"id":["a\n",{"x":1.5}],"other":0}"#)
    let id = try #require(try stream.next()?.member("id")?.detached())
    stream.release()
    stream.append(#"{"id":["zzzzzzz",{"y":2}],"other":0}"#)
    _ = try stream.next()
    #expect(id.withRoot { $0.text() } == #"["a\n",{"x":1.5}]"#)
    let scalar = try with("[5]") { $0[0]?.detached() }
    #expect(scalar?.withRoot { $0.integer } == 5)
  }

  @Test func sortedTextOrdersNamesByBytes() throws {
    try with(#"{"b":{"z":1,"a":2},"a":[{"y":1,"x":0}],"B":0,"aa":1,"é":2,"":3}"#) {
      #expect($0.text() == #"{"":3,"B":0,"a":[{"x":0,"y":1}],"aa":1,"b":{"a":2,"z":1},"é":2}"#)
      #expect($0.text(sorted: false) == #"{"b":{"z":1,"a":2},"a":[{"y":1,"x":0}],"B":0,"aa":1,"é":2,"":3}"#)
    }
  }

  @Test func textRepairsWhatIsNotUTF8() throws {
    let document = try JSONDocument.parse([0x5b, 0x22, 0xff, 0x22, 0x5d])
    #expect(document.withRoot { $0.text() } == "[\"\u{fffd}\"]")
  }

  /// Observed: ovsdb-client 3.1 `--pretty` with `dump`, `get-schema` and `transact`.
  @Test func prettyTextIsThatOfTheClient() throws {
    try with(#"{"headings":["e","k"],"caption":"x table","data":[[0,1]],"none":[],"rows":[{},{"a":{"b":null}}]}"#) {
      #expect(
        $0.prettyText() == """
          {
            "caption": "x table",
            "data": [
              [
                0,
                1]],
            "headings": [
              "e",
              "k"],
            "none": [],
            "rows": [
              {
                },
              {
                "a": {
                  "b": null}}]}
          """)
    }
    #expect(try with("[]") { $0.prettyText() } == "[]")
  }
}
