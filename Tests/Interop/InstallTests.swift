// SPDX-License-Identifier: Apache-2.0
//
// Installs into a private root and uses what is there.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.has("pandoc"), "pandoc is not installed")) struct InstallTests {
  private func install(_ words: [String], prefix: String = "/opt/ovsdb", in directory: RunDirectory) throws -> CommandResult {
    let programs = (Side.ours.tool("ovsdb-tool") as NSString).deletingLastPathComponent
    // A relative root is one below the directory of the caller.
    let environment = [
      "PREFIX": prefix, "DESTDIR": "root", "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin",
    ]
    return try run(
      Repository.path("utilities/install.sh"), ["--from", programs] + words, environment: environment, in: directory, seconds: 120)
  }

  private func files(_ directory: RunDirectory) throws -> [String] {
    try succeed("/usr/bin/find", [directory.path("root"), "-type", "f"], in: directory).split(separator: "\n").map(String.init)
  }

  @Test func whatIsInstalledRunsAndIsRemovedAgain() throws {
    let directory = try RunDirectory()
    let result = try install([], in: directory)
    #expect(result.status == 0, "\(result)")
    let base = directory.path("root/opt/ovsdb")
    try succeed("\(base)/bin/ovsdb-tool", ["create", "i.db", "\(base)/share/swift-ovsdb/inventory.ovsschema"], in: directory)
    let dump = try succeed(
      "\(base)/sbin/ovsdb-server",
      ["--remote=punix:\(directory.path("db.sock"))", "--run=\(base)/bin/ovsdb-client list-dbs unix:\(directory.path("db.sock"))",
        "-vconsole:off", "-vsyslog:off", "i.db"], in: directory)
    #expect(dump.contains("Inventory"))
    for (program, section) in [("ovsdb-server", 1), ("ovsdb-tool", 1), ("ovs-appctl", 8)] {
      #expect(try readText("\(base)/share/man/man\(section)/\(program).\(section)").contains(".TH"))
      #expect(try readText("\(base)/share/bash-completion/completions/\(program)").contains("complete -F"))
    }
    #expect(try readText("\(base)/share/zsh/site-functions/_ovsdb").hasPrefix("#compdef"))
    try everyUnitRunsWhatIsInstalled(in: directory)
    // Again, over itself, and away.
    #expect(try install([], in: directory).status == 0)
    #expect(try install(["--uninstall"], in: directory).status == 0)
    #expect(try succeed("/usr/bin/find", [directory.path("root"), "-mindepth", "1"], in: directory) == "")
  }

  /// Every command of a unit is a program of this installation.
  private func everyUnitRunsWhatIsInstalled(in directory: RunDirectory) throws {
    let services = try files(directory).filter { $0.hasSuffix(".service") }
    #expect(!services.isEmpty)
    for service in services {
      let commands = try readText(service).matches(of: #/(?m)^Exec\w+=-?(\S+)/#).map { String($0.output.1) }
      #expect(commands.count >= 3)
      for command in commands {
        #expect(FileManager.default.isExecutableFile(atPath: directory.path("root") + command), "\(service) runs \(command)")
      }
    }
  }

  @Test(arguments: ["/opt/a|b", "/opt/a&b", "/opt//c/"]) func theUnitsKnowAnyPrefix(prefix: String) throws {
    let directory = try RunDirectory()
    #expect(try install([], prefix: prefix, in: directory).status == 0)
    try everyUnitRunsWhatIsInstalled(in: directory)
    #expect(try install(["--uninstall"], prefix: prefix, in: directory).status == 0)
    #expect(try succeed("/usr/bin/find", [directory.path("root"), "-mindepth", "1"], in: directory) == "")
  }

  @Test func directoriesOfOthersStay() throws {
    let directory = try RunDirectory()
    for path in ["opt", "opt/ovsdb/share/empty"] {
      try FileManager.default.createDirectory(atPath: directory.path("root/\(path)"), withIntermediateDirectories: true)
    }
    #expect(try install([], in: directory).status == 0)
    try write("another's\n", to: directory.path("root/opt/ovsdb/bin/other"))
    #expect(try install(["--uninstall"], in: directory).status == 0)
    let left = try succeed("/usr/bin/find", [directory.path("root/opt"), "-printf", "%P\\n"], in: directory)
    #expect(
      Set(left.split(separator: "\n")) == ["ovsdb", "ovsdb/bin", "ovsdb/bin/other", "ovsdb/share", "ovsdb/share/empty"], "\(left)")
  }

  @Test func filesOfOthersAreNotReplacedWithoutBeingTold() throws {
    let directory = try RunDirectory()
    let place = directory.path("root/usr/sbin")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    try write("Open vSwitch's\n", to: "\(place)/ovsdb-server")
    let refused = try install([], prefix: "/usr", in: directory)
    #expect(refused.status == 1)
    #expect(refused.standardError.contains("root/usr/sbin/ovsdb-server"))
    #expect(try files(directory) == ["\(place)/ovsdb-server"])
    #expect(try readText("\(place)/ovsdb-server") == "Open vSwitch's\n")
    #expect(try install(["--replace"], prefix: "/usr", in: directory).status == 0)
    #expect(try succeed("\(place)/ovsdb-server", ["--version"], in: directory).contains("swift-ovsdb"))
  }

  @Test(arguments: [["--nothing"], ["relative"]]) func mistakesAreTold(words: [String]) throws {
    let directory = try RunDirectory()
    let result = try install(words == ["relative"] ? [] : words, prefix: words == ["relative"] ? "usr" : "/usr", in: directory)
    #expect(result.status == 2)
    #expect(!FileManager.default.fileExists(atPath: directory.path("root")))
  }
}
