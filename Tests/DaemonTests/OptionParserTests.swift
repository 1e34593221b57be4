// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Daemon

/// getopt_long keeps its place in global variables: one command line at a time.
@Suite(.serialized) struct OptionParserTests {
  private func parse(_ arguments: [String], ordering: OptionParser.Ordering = .mixed) throws -> [String] {
    var seen: [String] = []
    let parser = OptionParser(
      options: [
        CommandLineOption("remote") { (value) throws(UsageError) in seen.append("remote=\(value)") },
        CommandLineOption("pidfile", argument: .optional) { (value) throws(UsageError) in seen.append("pidfile=\(value ?? "-")") },
        CommandLineOption("remove") { (value) throws(UsageError) in seen.append("remove=\(value)") },
        CommandLineOption("detach") { () throws(UsageError) in seen.append("detach") },
        CommandLineOption("verbose", letter: "v", argument: .optional) { (value) throws(UsageError) in
          seen.append("verbose=\(value ?? "-")")
        },
        CommandLineOption("target", letter: "t") { (value) throws(UsageError) in
          guard value != "bad" else { throw UsageError("bad target") }
          seen.append("target=\(value)")
        },
      ], ordering: ordering)
    let rest = try parser.parse(["program"] + arguments)
    return seen + ["|"] + rest
  }

  @Test func anOptionalArgumentCountsOnlyBehindAnEqualsSign() throws {
    #expect(try parse(["--pidfile", "db", "--pidfile=x", "-v", "info", "-vinfo"])
      == ["pidfile=-", "pidfile=x", "verbose=-", "verbose=info", "|", "db", "info"])
  }

  @Test func uniqueAbbreviationsAndMixedOrderAreUnderstood() throws {
    #expect(try parse(["a.db", "--det", "b.db", "--remote", "punix:x", "--", "--detach"])
      == ["detach", "remote=punix:x", "|", "a.db", "b.db", "--detach"])
  }

  @Test func withOptionsFirstACommandKeepsItsOwnOptions() throws {
    #expect(try parse(["-t", "x", "version", "-t", "y"], ordering: .optionsFirst)
      == ["target=x", "|", "version", "-t", "y"])
  }

  @Test(arguments: ["--foo", "--remote", "--rem=x", "-Z", "--detach=1", "-t"])
  func mistakesThatTheLibraryReportsCarryNoTextOfOurs(argument: String) {
    #expect { try parse([argument]) } throws: { ($0 as? UsageError)?.message == nil && $0 is UsageError }
  }

  @Test func anOptionMayRefuseItsArgument() {
    #expect { try parse(["--target=bad"]) } throws: { ($0 as? UsageError)?.message == "bad target" }
  }

  @Test func theListingShowsArguments() {
    let parser = OptionParser(options: [
      CommandLineOption("target", letter: "t") { (_: String) throws(UsageError) in },
      CommandLineOption("execute", letter: "e") { () throws(UsageError) in },
      CommandLineOption("verbose", letter: "v", argument: .optional) { (_) throws(UsageError) in },
    ])
    #expect(parser.listing == "--target=ARG\n-t ARG\n--execute\n-e \n--verbose=[ARG]\n-v [ARG]\n")
  }
}
