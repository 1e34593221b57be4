// SPDX-License-Identifier: Apache-2.0
//
// A fixed budget of random and spoilt texts. jansson is the judge of the wire decoder: both accept and refuse the same
// inputs and read the same values. The differences that remain are listed in `complaint(about:using:)`.

import TestSupport
import Testing

@testable import JSON

@Suite struct JSONFuzzTests {
  @Test(arguments: 0..<8 as Range<UInt64>)
  func randomTextsReadTheSameHoweverTheyAreCut(_ seed: UInt64) throws {
    var generator = JSONTextGenerator(random: SeededRandom(seed: seed))
    for round in 0..<300 {
      let text = generator.text()
      #expect(throws: Never.self) { try JSONDocument.parse(text) }
      let broken = complaint(about: text, using: &generator.random)
      #expect(broken == nil, "seed \(seed), round \(round): \(String(decoding: text, as: UTF8.self))")
      if broken != nil { return }
    }
  }

  @Test(arguments: 100..<108 as Range<UInt64>)
  func spoiltTextsAreJudgedAsJanssonJudgesThem(_ seed: UInt64) {
    var generator = JSONTextGenerator(random: SeededRandom(seed: seed))
    for round in 0..<1000 {
      let text = mutated(generator.text(), using: &generator.random)
      let broken = complaint(about: text, using: &generator.random)
      #expect(broken == nil, "seed \(seed), round \(round): \(text)")
      if broken != nil { return }
    }
  }

  @Test(arguments: 200..<208 as Range<UInt64>)
  func streamsSurviveAnyOrderOfOperations(_ seed: UInt64) {
    var generator = JSONTextGenerator(random: SeededRandom(seed: seed))
    #expect(complaintOfOperations(&generator, count: 3000) == nil)
  }

  @Test func randomNumbersAreReadAsTheCLibraryReadsThem() throws {
    var generator = JSONTextGenerator(random: SeededRandom(seed: 7))
    for _ in 0..<20_000 {
      let text = generator.number()
      let document = try JSONDocument.parse(text, anyValue: true)
      let number = document.withRoot { $0.number }
      #expect(number == Double(text) || number == 0, "\(text)")
    }
  }
}
