// SPDX-License-Identifier: Apache-2.0
//
// The manual pages against the programs: both have the same options and commands, the sections that readers expect are there, and
// formatters have nothing to complain about.

import Foundation
import TestSupport
import Testing

@Suite struct ManualTests {
  struct Page: CustomTestStringConvertible, Sendable {
    let program: String
    let section: Int

    var source: String { Repository.path("Documentation/man/\(program).\(section).md") }
    var testDescription: String { "\(program).\(section)" }

    /// The source with its escaped characters as they are meant.
    func text() throws -> String { try readText(source).replacing(#/\\([^A-Za-z0-9\s])/#) { $0.output.1 } }
  }

  static let pages = [
    Page(program: "ovsdb-server", section: 1), Page(program: "ovsdb-client", section: 1), Page(program: "ovsdb-tool", section: 1),
    Page(program: "ovs-appctl", section: 8),
  ].filter { FileManager.default.fileExists(atPath: $0.source) }

  @Test(arguments: pages) func sectionsStandInTheirOrder(page: Page) throws {
    let headings = try page.text().split(separator: "\n").filter { $0.hasPrefix("# ") }.map { String($0.dropFirst(2)) }
    let expected = [
      "NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "FILES", "EXIT STATUS", "EXAMPLES", "SEE ALSO",
    ]
    #expect(headings == expected)
  }

  @Test(arguments: pages) func helpAndPageHaveTheSameOptions(page: Page) throws {
    let directory = try RunDirectory()
    let help = try succeed(Side.ours.tool(page.program), ["--help"], in: directory)
    // An option begins its line, or stands behind another one; in a sentence or in brackets it is just spoken of.
    var offered: Set<String> = []
    for line in help.split(separator: "\n") {
      guard let match = line.firstMatch(of: #/^ +(?:\[)?((?:-[A-Za-z][A-Z]*, |)--?[A-Za-z].*?)(?:\s\s|$)/#) else { continue }
      offered.formUnion(Self.options(in: String(match.output.1)))
    }
    // `[-m]...` and `[--cid=UUID]` before commands.
    for match in help.matches(of: #/\[(--?[a-z][a-z-]*)/#) { offered.insert(String(match.output.1)) }
    var described: Set<String> = []
    let text = try page.text()
    let options = text.components(separatedBy: "\n# OPTIONS\n").last?.components(separatedBy: "\n# FILES\n").first ?? ""
    for line in options.split(separator: "\n") where line.hasPrefix("**-") { described.formUnion(Self.options(in: String(line))) }
    #expect(offered.subtracting(described).sorted() == [], "in --help, not in the page")
    // Help has no lines for these.
    let unlisted: Set<String> = [
      "-o", "--option", "-e", "--execute", "--peer-ca-cert", "--ssl-ciphersuites", "--ssl-server-name", "--no-self-confinement",
    ]
    #expect(described.subtracting(offered).subtracting(unlisted).sorted() == [], "in the page, not in --help")
    for option in described {
      let result = try run(Side.ours.tool(page.program), [option, "--version"], in: directory)
      let isUnknown = result.standardError.contains("unrecognized option") || result.standardError.contains("invalid option")
      #expect(!isUnknown, "\(page.program) \(option): \(result)")
    }
  }

  @Test func everyControlCommandOfTheServerIsInAPage() throws {
    let server = try DatabaseServer(.ours, [], options: ["--no-dbs"])
    let list = try succeed(
      Side.ours.tool("ovs-appctl"), ["-t", server.controlSocket, "list-commands"], in: server.directory)
    let pages = try Page(program: "ovsdb-server", section: 1).text() + Page(program: "ovs-appctl", section: 8).text()
    let described = Set(pages.matches(of: #/\*\*([a-z-]+(?:\/[a-z-]+)?)/#).map { String($0.output.1) })
    for line in list.split(separator: "\n").dropFirst() {
      let command = String(line.split(separator: " ").first ?? "")
      #expect(described.contains(command), "\(command)")
    }
  }

  private static func options(in text: String) -> Set<String> {
    Set(text.matches(of: #/(?:^|[\s,*])(--[a-z][a-z-]*|-[A-Za-z])/#).map { String($0.output.1) })
  }

  @Test func theToolsPageHasAllItsCommands() throws {
    let directory = try RunDirectory()
    let list = try succeed(Side.ours.tool("ovsdb-tool"), ["list-commands"], in: directory)
    let page = try Page(program: "ovsdb-tool", section: 1).text()
    for line in list.split(separator: "\n").dropFirst() {
      let command = line.split(separator: " ").first ?? ""
      #expect(page.contains("**\(command)**"), "\(command)")
    }
  }

  private static func built() throws -> RunDirectory {
    let directory = try RunDirectory()
    try succeed(Repository.path("utilities/build-manuals.sh"), [directory.path("man")], in: directory, seconds: 120)
    return directory
  }

  @Test(.enabled(if: Programs.has("pandoc", "mandoc"), "pandoc or mandoc is not installed"))
  func mandocHasNothingToComplainAbout() throws {
    let directory = try Self.built()
    for page in Self.pages {
      let lint = try run(Programs.peer("mandoc"), ["-Tlint", directory.path("man/\(page.testDescription)")], in: directory)
      #expect(lint.standardOutput + lint.standardError == "", "\(page)")
    }
  }

  @Test(.enabled(if: Programs.has("pandoc", "man"), "pandoc or man is not installed"))
  func manShowsPagesWithoutWarningsAndMarks() throws {
    let directory = try Self.built()
    for page in Self.pages {
      let shown = try run(
        Programs.peer("man"), ["--warnings", "-l", directory.path("man/\(page.testDescription)")],
        environment: ["MANWIDTH": "80", "LC_ALL": "C.UTF-8"], in: directory)
      #expect(shown.standardError == "", "\(page)")
      #expect(shown.standardOutput.contains("SEE ALSO"), "\(page)")
      #expect(!shown.standardOutput.contains("**"), "\(page): a mark of the source is shown")
      // What users copy into a shell must have plain dashes.
      #expect(shown.standardOutput.contains("--help"), "\(page)")
    }
  }
}
