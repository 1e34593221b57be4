// SPDX-License-Identifier: Apache-2.0
//
// Every fuzz target takes every text of its corpus, and a fixed number of spoiled ones. utilities/fuzz.sh looks for more.

import Foundation
import FuzzTargets
import Testing

@Suite struct CorpusTests {
  @Test(arguments: FuzzTarget.all.map(\.name)) func everyTextOfTheCorpusIsTaken(_ name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let corpus = try Corpus(name)
    #expect(!corpus.texts.isEmpty)
    for (file, text) in corpus.texts {
      do {
        try text.withUnsafeBytes(target.run)
      } catch {
        Issue.record("\(name)/\(file): \(error)")
      }
    }
  }

  /// `OVSDB_FUZZ_ROUNDS` takes more of them.
  @Test(arguments: FuzzTarget.all.map(\.name)) func spoiledTextsAreTaken(_ name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let corpus = try Corpus(name)
    let rounds = ProcessInfo.processInfo.environment["OVSDB_FUZZ_ROUNDS"].flatMap { UInt64($0) } ?? 400
    for seed in 0..<rounds {
      var mutator = Mutator(seed: seed, texts: corpus.texts.map(\.text), words: target.words)
      let text = mutator.text()
      do {
        try text.withUnsafeBytes(target.run)
      } catch {
        Issue.record("\(name), seed \(seed): \(error)\n\(String(decoding: text, as: UTF8.self))")
        return
      }
    }
  }
}

/// The texts of one target, from the package's own folder.
struct Corpus {
  let texts: [(file: String, text: [UInt8])]

  init(_ name: String) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Fuzz/Corpora/\(name)").standardizedFileURL
    let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    texts = try files.sorted { $0.path < $1.path }.map { ($0.lastPathComponent, Array(try Data(contentsOf: $0))) }
  }
}
