import Testing

/// Each rule finds a made-up bad sample, and leaves a good one alone.
@Suite struct RuleTests {
  private func swift(_ text: String, path: String = "Sources/Engine/A.swift") -> ProjectFile { ProjectFile(path: path, text: text) }

  @Test func aLineOf141CharactersIsTooWide() {
    let wide = swift("let a = 1\n" + String(repeating: "x", count: 141))
    #expect(wideLines(in: [wide]) == ["Sources/Engine/A.swift:2: 141 columns"])
    #expect(wideLines(in: [swift(String(repeating: "é", count: 140))]) == [], "characters count, not bytes")
  }

  @Test func aFileMayNotGainLongLines() {
    let line = String(repeating: "x", count: 141)
    #expect(wideLines(in: [swift(line)], known: ["Sources/Engine/A.swift": 1]) == [])
    #expect(wideLines(in: [swift(line + "\n" + line)], known: ["Sources/Engine/A.swift": 1]).count == 2)
  }

  @Test func aFileMayNotGrowAboveItsCeiling() {
    let file = swift("1\n2\n3\n4\n")
    #expect(largeFiles(in: [file], limit: 3) == ["Sources/Engine/A.swift:4: more than 3 lines"])
    #expect(largeFiles(in: [file], limit: 4) == [])
    #expect(largeFiles(in: [file], limit: 2, known: [file.path: 4]) == [])
    #expect(largeFiles(in: [file], limit: 2, known: [file.path: 3]).count == 1)
  }

  @Test func anExceptionThatIsNotNeededIsFound() {
    let file = swift("1\n2\n3\n")
    #expect(staleExceptions([file.path: 9], in: [file], limit: 2) == [])
    #expect(staleExceptions([file.path: 9], in: [file], limit: 3).count == 1)
    #expect(staleExceptions(["Sources/Engine/Gone.swift": 9], in: [file], limit: 2).count == 1)
  }

  /// The first is the line that ended the server: a pause of a client's column was doubled past the largest integer.
  @Test(arguments: [
    ("    nextMilliseconds = min(pause * 2, limitMilliseconds)", true), ("let end = start + options.maxBackoffMilliseconds", true),
    ("deadlineMilliseconds += step", true), ("let due = now - (last ?? now)", true), ("f(a, timeout - 1)", true),
    ("let next = port + 1", true), ("let bytes = 2 * limits.messageBytesMax", true), ("let date = 1000 * self.date", true),
    ("x = pause.saturatingTimes(2)", false), ("let runtime = a + b", false), ("let page = pages + 1", false),
    ("return .milliseconds(pauseMilliseconds)", false), ("log(\"timeout - \\(now)\") + a", false), ("a = b // now + timeout", false),
    ("let name = Int.max", false), ("x += max(1, port)", false),
  ])
  func durationsDatesPortsAndLimitsAreNotAddedOrMultiplied(line: String, isFound: Bool) {
    let file = swift("let a = 1\n" + line)
    #expect(unguardedArithmetic(in: [file]).isEmpty == !isFound)
    let known = GuardedArithmetic("Engine/A.swift", String(line.suffix(8)), "for this test")
    #expect(unguardedArithmetic(in: [file], guarded: [known]).isEmpty)
    #expect(staleGuards([known], in: [file]).isEmpty == isFound)
  }

  @Test func theOrderOfTargetsIsThatOfTheManifest() {
    let manifest =
      #"[.systemLibrary(name: "C"), .target(name: "A", dependencies: []), .executableTarget(\#n  name: "b-c", dependencies: [])]"#
    #expect(targetOrder(inManifest: manifest) == ["C", "A", "b-c"])
  }

  @Test(arguments: [
    "import Server", "package import Server", "@testable import Server", "@_exported public import Server", "import struct Server.X",
  ])
  func anImportThatGoesUpIsFound(statement: String) {
    let found = upwardImports(in: [swift("import JSON\n" + statement)], order: ["JSON", "Engine", "Server"])
    #expect(found == ["Sources/Engine/A.swift:2: Engine imports Server, which is declared after it"])
  }

  @Test func anImportThatGoesDownIsNone() {
    #expect(upwardImports(in: [swift("import JSON\nimport Glibc\n// import Server")], order: ["JSON", "Engine", "Server"]) == [])
  }

  @Test func anImportThatMayDoIOIsFoundWhereNoneMay() {
    let text = "import JSON\npackage import NIOPosix"
    #expect(
      impureImports(in: [swift(text), swift(text, path: "Sources/Core/A.swift")], allowed: ["Core": ["JSON"]])
        == ["Sources/Core/A.swift:2: Core imports NIOPosix, which may do I/O"])
  }

  @Test func aTargetThatTheManifestLacksIsFound() {
    #expect(upwardImports(in: [swift("", path: "Sources/Odd/A.swift")], order: ["JSON"]).count == 1)
  }

  /// For each forbidden text a line that holds it, in a file of a library.
  @Test(arguments: [
    "let a = try! f()", "let b = a as! Int", "fatalError()", "  print(a)", "import Foundation", "// TODO: later", "// FIXME", "// XXX",
    "// HACK",
    "open(\"/" + "root/a\")", #"open("/home/me/a")"#,
  ])
  func eachForbiddenTextIsFound(line: String) {
    let found = forbiddenTexts.flatMap { $0.findings(in: [swift("let a = 1\n" + line)]) }
    #expect(found.count == 1)
    #expect(found.first?.hasPrefix("Sources/Engine/A.swift:2:") == true)
  }

  @Test(arguments: [
    "let now = ContinuousClock().now", "SuspendingClock.now", "UInt.random(in: 0...1, using: &SystemRandomNumberGenerator())",
  ])
  func clocksAndChanceAreFoundInATargetWithoutIO(line: String) {
    #expect(forbiddenTexts.flatMap { $0.findings(in: [swift(line, path: "Sources/Serving/A.swift")]) }.count == 1)
    #expect(forbiddenTexts.flatMap { $0.findings(in: [swift(line)]) } == [])
  }

  @Test(arguments: ["try f()", "a as? Int", "rows.print(a)", "func print(a: Int)", "ovsdb-XXXXXX", #"`\uXXXX`"#, "HACKNEY", "reprint(a)"])
  func whatOnlyLooksForbiddenIsLeftAlone(line: String) {
    #expect(forbiddenTexts.flatMap { $0.findings(in: [swift(line)]) } == [])
  }

  @Test func toolsMayPrint() {
    #expect(forbiddenTexts.flatMap { $0.findings(in: [swift("print(a)", path: "Sources/ClientTool/A.swift")]) } == [])
  }
}

/// References, in a tree of three documents and one source.
@Suite struct ReferenceTests {
  private func references(document: String = "", source: String = "") -> References {
    References(
      SourceTree([
        ProjectFile(path: "Documentation/a.md", text: "# The `pfd:` form, and more\n\n## Sub\n"),
        ProjectFile(path: "Documentation/b.md", text: document),
        ProjectFile(path: "README.md", text: ""),
        ProjectFile(path: "Sources/Engine/Row.swift", text: "struct Row { let cells: Int }\n" + source),
      ]),
      others: ["LICENSE"])
  }

  @Test(arguments: [
    "[x](a.md)", "[x](a.md#sub)", "[x](a.md#the-pfd-form-and-more)", "[x](../README.md)", "[x](../LICENSE)", "[x](https://a.b/c)",
    "[x](../Sources)",
  ])
  func linksThatLeadSomewhere(link: String) { #expect(references(document: link).brokenLinks() == []) }

  @Test(arguments: ["[x](gone.md)", "[x](a.md#gone)", "[x](#gone)", "[x](../Documentation/gone)"])
  func linksThatLeadNowhere(link: String) { #expect(references(document: link).brokenLinks().count == 1) }

  @Test func filesThatAreNamed() {
    #expect(references(document: "`Row.swift`, `Engine/Row.swift` and `a.md`").missingFiles() == [])
    #expect(references(document: "`Gone.swift` and `Journal/Row.swift`").missingFiles().count == 2)
    #expect(references(source: "// See `utilities/gone.sh`.").missingFiles() == ["Sources/Engine/Row.swift:2: no file utilities/gone.sh"])
  }

  @Test func pagesThatAreCited() {
    #expect(references(source: "// Source: Documentation/a.md#sub.").brokenCitations() == [])
    #expect(references(source: "// Source: Documentation/a.md#gone").brokenCitations().count == 1)
    #expect(references(source: "// Source: Documentation/gone.md").brokenCitations().count == 1)
  }

  @Test func symbolsThatAreNamed() {
    let all = { (_: ProjectFile, _: String) in true }
    #expect(references(document: "`Row`, `Row.cells`, `where`, `_uuid`").missingSymbols(where: all) == [])
    #expect(references(document: "`Column` and `Row.gone`").missingSymbols(where: all).count == 2)
    #expect(references(document: "`Column`").missingSymbols(foreign: ["Column"], where: all) == [])
    #expect(references(document: "`Column`").missingSymbols { _, _ in false } == [])
  }
}
