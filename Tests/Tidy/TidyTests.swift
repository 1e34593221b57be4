import Foundation
import Testing

/// The project's own files, held against the rules of CONTRIBUTING.md.
@Suite struct TidyTests {
  static let tree = SourceTree.project
  static let references = References(
    tree, others: existing(["LICENSE", "Package.resolved", ".ci/run", ".swift-format", "utilities/systemd", "schemas"]))

  @Test func theTreeIsRead() {
    #expect(Self.tree.swift.count > 400)
    #expect(Self.tree.documents.count > 15)
  }

  @Test func linesHaveAtMost140Columns() {
    #expect(wideLines(in: Self.tree.swift.filter { !holdsTexts($0) }, known: longLines) == [])
    #expect(wideLines(in: Self.tree.swift.filter(holdsTexts).map(withoutTexts), known: longLines) == [])
  }

  @Test func filesHaveAtMost300Lines() {
    #expect(largeFiles(in: Self.tree.swift, limit: 300, known: largerFiles) == [])
    #expect(staleExceptions(largerFiles, in: Self.tree.swift, limit: 300) == [])
  }

  @Test func noTargetImportsOneDeclaredAfterIt() throws {
    let manifest = try #require(Self.tree.file("Package.swift"))
    #expect(upwardImports(in: Self.tree.swift, order: targetOrder(inManifest: manifest.text)) == [])
  }

  @Test func targetsWithoutIOImportNothingThatDoesSome() {
    #expect(pureTargets.keys.allSatisfy { name in Self.tree.swift.contains { $0.target == name } })
    #expect(impureImports(in: Self.tree.swift, allowed: pureTargets) == [])
  }

  @Test(arguments: forbiddenTexts.indices) func forbiddenTextsDoNotOccur(index: Int) {
    #expect(forbiddenTexts[index].findings(in: Self.tree.files.filter { !$0.path.hasPrefix("Tests/Tidy/") }) == [])
  }

  @Test func arithmeticOnNumbersFromOutsideIsGuarded() {
    let files = Self.tree.swift.filter { $0.target.map { $0 != "Benchmarking" } ?? false }
    #expect(unguardedArithmetic(in: files, guarded: guardedArithmetic) == [])
    #expect(staleGuards(guardedArithmetic, in: files) == [])
    #expect(guardedArithmetic.allSatisfy { $0.why.count > 5 })
  }

  @Test func linksOfDocumentsLeadSomewhere() { #expect(Self.references.brokenLinks() == []) }

  @Test func filesNamedInDocumentsAndCommentsExist() { #expect(Self.references.missingFiles() == []) }

  @Test func pagesCitedInSourcesExist() { #expect(Self.references.brokenCitations() == []) }

  /// The architecture's types, and tests wherever they are named.
  @Test func symbolsNamedInDocumentsExist() {
    #expect(
      Self.references.missingSymbols(foreign: ["Sources", "TreeDictionary", "Deque"]) { file, symbol in
        file.name == "architecture.md" || symbol.split(separator: ".").first?.hasSuffix("Tests") ?? false
      } == [])
  }

  private static func existing(_ paths: Set<String>) -> Set<String> {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardized
    return paths.filter { FileManager.default.fileExists(atPath: root.appendingPathComponent($0).path) }
  }
}

/// Tests and fuzz targets hold texts of the wire, which stay in one piece.
private func holdsTexts(_ file: ProjectFile) -> Bool { file.path.hasPrefix("Tests/") || file.path.hasPrefix("Fuzz/") }

/// The file with its lines that contain a string literal made empty.
private func withoutTexts(_ file: ProjectFile) -> ProjectFile {
  guard !wideLines(in: [file]).isEmpty else { return file }
  let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
  return ProjectFile(path: file.path, text: lines.map { $0.contains("\"") ? "" : $0 }.joined(separator: "\n"))
}
