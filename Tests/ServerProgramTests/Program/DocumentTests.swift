// SPDX-License-Identifier: Apache-2.0
//
// The commands of the documentation do what the pages say; DocumentPage.swift has the marks that a page may use.

import Foundation
import TestSupport
import Testing

/// A page and how its sections are run.
struct Page: Sendable, CustomTestStringConvertible {
  var path: String
  /// A walk-through is one session from the first line to the last. Of other pages each section has a directory of its own, where the
  /// commands before the first section are run first.
  var isWalkThrough = false

  var testDescription: String { path }

  static let all =
    [Page(path: "README.md", isWalkThrough: true), Page(path: "Documentation/first-steps.md", isWalkThrough: true)]
    + ["recipes", "operations", "database-files", "remotes", "security", "service-models", "systemd"]
    .map { Page(path: "Documentation/\($0).md") }
    + ["ovsdb-server.1", "ovsdb-client.1", "ovsdb-tool.1", "ovs-appctl.8"].map { Page(path: "Documentation/man/\($0).md") }

  /// Pages with commands that are not run here, and why.
  static let exempt = [
    "CONTRIBUTING.md": "they build and test everything", "Documentation/testing.md": "they are the tests themselves",
    "Documentation/benchmarks.md": "WorkloadTests run every workload; a measurement takes minutes",
    "Documentation/performance.md": "it builds a release and measures", "Documentation/architecture.md": "drawings",
    "Documentation/protocol/files.md": "formats", "Documentation/protocol/tools.md": "formats",
  ]

  func read() throws -> DocumentPage {
    let text = try readText(Repository.path(path))
    guard path.contains("/man/") else { return DocumentPage(text) }
    var page = DocumentPage(text, heading: "# ")
    page.sections.removeAll { $0.title != "EXAMPLES" }
    return page
  }

  /// What is run in one directory each.
  func sessions() throws -> [DocumentPage.Section] {
    let sections = try read().sections
    let blocks = sections.flatMap(\.blocks)
    if isWalkThrough || sections.count == 1 { return [DocumentPage.Section(title: path, blocks: blocks)] }
    return sections.dropFirst().filter { !$0.blocks.isEmpty }
      .map { DocumentPage.Section(title: $0.title, blocks: sections[0].blocks + $0.blocks) }
  }
}

/// A part of a page that is run in one directory.
struct Session: Sendable, CustomTestStringConvertible {
  var page: Page
  var section: DocumentPage.Section

  var testDescription: String { "\(page.path): \(section.title)" }

  /// A page that cannot be read has none, which `everyPageHasCommands` reports.
  static let all = Page.all.flatMap { page in
    ((try? page.sessions()) ?? []).map { Session(page: page, section: $0) }
  }
}

@Suite(.enabled(if: Programs.hasOurs && Programs.hasVsctl, "our programs are not built, or Open vSwitch's are not here"))
struct DocumentTests {
  @Test(arguments: Session.all)
  func theCommandsDoWhatThePageSays(session: Session) throws {
    let defects = try DocumentRun().defects(of: session.section.blocks)
    #expect(defects.isEmpty, "\(session.page.path), \(defects.joined(separator: "\n"))")
  }
}

@Suite struct DocumentMarkTests {
  @Test(arguments: Page.all)
  func everyPageHasCommandsAndEveryExemptionAReason(page: Page) throws {
    #expect(try !page.sessions().flatMap(\.blocks).isEmpty)
    #expect(try page.read().emptyExemptions.isEmpty)
  }

  @Test func everyPageIsRunOrExempt() throws {
    let pages = try ["", "Documentation", "Documentation/man", "Documentation/protocol"].flatMap { folder in
      try FileManager.default.contentsOfDirectory(atPath: Repository.path(folder)).filter { $0.hasSuffix(".md") }
        .map { folder.isEmpty ? $0 : "\(folder)/\($0)" }
    }
    let run = Set(Page.all.map(\.path))
    for page in pages where !run.contains(page) {
      let hasCommands = try !DocumentPage(readText(Repository.path(page))).sections.flatMap(\.blocks).isEmpty
      #expect(hasCommands == (Page.exempt[page] != nil), "\(page)")
    }
    #expect(run.isDisjoint(with: Page.exempt.keys) && Set(pages).isSuperset(of: run.union(Page.exempt.keys)))
  }

  @Test func exemptBlocksAndOtherLanguagesAreNotRun() {
    let page = DocumentPage(
      """
      <!-- not run: a line of the log -->

          some|INFO|text

      ```json
      {}
      ```

          true
      <!-- not run: -->
      """)
    #expect(page.sections.flatMap(\.blocks).map(\.text) == [["true"]])
    #expect(page.emptyExemptions == [10, 10])
  }

  @Test(arguments: [
    "    $ echo a\n    b", "    $ echo a\n    $ echo b\n    b", "    $ true\n    b", "    false", "    $ false",
    "    $ true # exit status 1", "    $ printf 'a\\nb\\n'\n    a",
    "    $ echo 2 rows\n    3 rows", "    true\n    false\n    true", "<!-- first: false -->",
  ])
  func aPageThatIsWrongIsFound(text: String) throws {
    #expect(try Self.defects(text).count == 1)
  }

  @Test(arguments: [
    "    $ echo a\n    a", "    $ (exit 2) # damaged: exit status 2", "    $ echo a; echo b >&2\n    a", "    $ echo a >&2\n    a",
    "    $ cat <<'END'\n    a\n    END\n    a", "    $ echo 'a\n    b'\n    a\n    b",
    "    $ for i in a b\n    do echo $i; done\n    a\n    b", "    $ echo 2026-01-02 03:04:05.678Z pid 77\n    2020-11-12 13:14:15Z pid 1",
    "    $ printf 'a\\nb\\nc\\n'\n    a\n    ...", "    $ echo one two three\n    one ... three", "    $ sleep 0.1 &\n    $ wait $!",
    "    echo a\n    # no output is compared here\n    echo b", "<!-- first:\nx=1; echo $x\n-->\n\n    $ echo $x\n    1",
  ])
  func aPageThatIsRightPasses(text: String) throws {
    #expect(try Self.defects(text) == [])
  }

  private static func defects(_ text: String) throws -> [String] {
    try DocumentRun().defects(of: DocumentPage(text).sections.flatMap(\.blocks))
  }
}

/// The table of log lines in operations.md has lines that the program writes.
@Suite struct LogLineDocumentTests {
  /// All sources, with texts that go over several lines put together.
  private static func sources() throws -> String {
    let base = Repository.path("Sources")
    let paths = FileManager.default.enumerator(atPath: base)?.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") } ?? []
    return try paths.map { try readText("\(base)/\($0)").replacing(#/\\\n */#, with: "").replacing("\\\"", with: "\"") }.joined()
  }

  @Test func everyLineOfTheTableIsOneOfTheProgram() throws {
    let page = try readText(Repository.path("Documentation/operations.md"))
    let section = page.components(separatedBy: "### Lines to know").last?.components(separatedBy: "\n## ").first ?? ""
    let rows = section.split(separator: "\n").filter { $0.contains(#/^\| (EMER|INFO|WARN|ERR) \|/#) }
    #expect(rows.count > 20)
    let sources = try Self.sources()
    var missing: [String] = []
    for row in rows {
      let cells = row.components(separatedBy: " | ")
      for line in (cells[1] + cells[2]).matches(of: #/`([^`]+)`/#) {
        let pieces = line.output.1.split(separator: #/\b(?!RBAC\b|CA\b)[A-Z]+\b/#.wordBoundaryKind(.simple)).map(String.init)
        missing += pieces.filter { $0.count > 3 && !sources.contains($0) }
      }
    }
    #expect(missing.isEmpty)
  }
}

/// README.md and Documentation/README.md have one index, of all pages.
@Suite struct DocumentIndexTests {
  /// The lines of an index, with links from the top of the tree.
  private static func index(of path: String) throws -> [String] {
    let text = try readText(Repository.path(path))
    let index = text[(text.range(of: "For operators:")?.lowerBound ?? text.endIndex)...]
    return index.prefix(upTo: index.range(of: "\n## ")?.lowerBound ?? index.endIndex)
      .replacingOccurrences(of: "](Documentation/", with: "](").replacingOccurrences(of: "](../", with: "](")
      .split(separator: "\n").map(String.init)
  }

  @Test func bothPagesHaveTheSameIndex() throws {
    let index = try Self.index(of: "README.md")
    #expect(!index.isEmpty)
    #expect(try index == Self.index(of: "Documentation/README.md"))
  }

  @Test func theIndexHasEveryPage() throws {
    let index = try Self.index(of: "Documentation/README.md").joined(separator: "\n")
    let pages = try FileManager.default.contentsOfDirectory(atPath: Repository.path("Documentation"))
    for page in pages where page.hasSuffix(".md") && page != "README.md" { #expect(index.contains("](\(page))"), "\(page)") }
  }
}
