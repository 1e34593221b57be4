// SPDX-License-Identifier: Apache-2.0
//
// The message of a service manager, read. What a server does with it is tested with whole programs, in ServerProgramTests.

import Glibc
import Testing

@testable import Streams

@Suite struct ListenVariablesTests {
  private func read(_ process: String?, _ count: String?, _ names: String? = nil) -> SocketActivation {
    SocketActivation(process: process, count: count, names: names, processID: 42)
  }

  @Test func descriptorsBeginAtThreeAndHaveNames() {
    #expect(
      read("42", "3", "db:unknown:") .passed
        == [.init(number: 3, name: "db"), .init(number: 4, name: nil), .init(number: 5, name: nil)])
    #expect(read("42", "1").passed == [.init(number: 3, name: nil)])
    #expect(read("42", "0", "").passed.isEmpty && read("42", "0", "").warnings.isEmpty)
  }

  @Test func whatIsMeantForOthersIsIgnoredInSilence() {
    #expect(read("41", "2", "a:b") == SocketActivation())
    #expect(read(nil, nil, "a") == SocketActivation())
  }

  @Test(arguments: [
    ("x", "1"), ("", "1"), ("-42", "1"), ("0", "1"), ("99999999999999999999", "1"), (" 42", "1"), ("42", "x"), ("42", ""),
    ("42", "-1"), ("42", "3x"), ("42", "2147483645"), ("42", "99999999999999999999"), (nil, "1"), ("42", nil),
  ] as [(String?, String?)])
  func whatMakesNoSenseIsIgnoredWithAWarning(process: String?, count: String?) {
    let activation = read(process, count)
    #expect(activation.passed.isEmpty)
    #expect(activation.warnings.count == 1)
  }

  @Test(arguments: ["a", "a:b:c", ""])
  func namesThatDoNotFitAreIgnoredAndTheDescriptorsAreNot(names: String) {
    let activation = read("42", "2", names)
    #expect(activation.passed == [.init(number: 3, name: nil), .init(number: 4, name: nil)])
    #expect(activation.warnings.count == 1)
  }
}
