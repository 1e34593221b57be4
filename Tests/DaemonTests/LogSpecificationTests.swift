// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Daemon

@Suite struct LogSpecificationTests {
  private static func parse(_ text: String) throws(LogSpecificationError) -> LogSpecification {
    try LogSpecification(parsing: text) { ["jsonrpc", "memory"].contains($0) }
  }

  @Test(arguments: [
    ("", LogSpecification.levels(module: nil, destination: nil, level: .dbg)),
    (":", .levels(module: nil, destination: nil, level: .dbg)),
    ("any:any:any", .levels(module: nil, destination: nil, level: .dbg)),
    ("file dbg", .levels(module: nil, destination: .file, level: .dbg)),
    ("JSONRPC,off Syslog", .levels(module: "jsonrpc", destination: .syslog, level: .off)),
    ("info", .levels(module: nil, destination: nil, level: .info)),
    ("PATTERN:file:%m x:y", .pattern(.file, "%m x:y")),
    ("pattern:ANY:a", .pattern(nil, "a")),
    ("PATTERN:file", .pattern(.file, "")),
    ("PATTERN:file:", .pattern(.file, "")),
    ("FACILITY:local3", .facility(19 << 3)),
    ("facility:Daemon", .facility(3 << 3)),
  ])
  func wordsMeanWhatTheySay(text: String, meaning: LogSpecification) throws {
    #expect(try Self.parse(text) == meaning)
  }

  @Test(arguments: [
    ("foo", #"no destination, level, or module "foo""#),
    ("jsonrpc;dbg", #"no destination, level, or module "jsonrpc;dbg""#),
    ("file:file", "cannot specify multiple destinations"),
    ("file:dbg:info", "cannot specify multiple levels"),
    ("file:jsonrpc,memory", "cannot specify multiple modules"),
    ("PATTERN", "missing destination"), ("PATTERN:", "missing destination"),
    ("PATTERN:zz:a", #"unknown destination "zz""#),
    ("FACILITY", "invalid facility"), ("FACILITY:", "invalid facility"), ("FACILITY:cron", "invalid facility"),
  ])
  func mistakesAreNamed(text: String, problem: String) {
    #expect(throws: LogSpecificationError(problem)) { try Self.parse(text) }
  }
}
