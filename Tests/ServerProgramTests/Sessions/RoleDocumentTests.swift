// SPDX-License-Identifier: Apache-2.0
//
// The example of roles in Documentation/security.md, run as it stands there.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct RoleDocumentTests {
  /// The commands of the example, as one script.
  private static func script() throws -> String {
    let page = try readText(Repository.path("Documentation/security.md"))
    let start = try #require(page.firstRange(of: "### An example of roles\n")).upperBound
    let section = page[start...].prefix(upTo: page[start...].firstRange(of: "\n### ")?.lowerBound ?? page.endIndex)
    return section.split(separator: "\n").filter { $0.hasPrefix("    ") }.map { $0.dropFirst(4) }.joined(separator: "\n")
  }

  @Test func theExampleAllowsOnesOwnRowsAndRefusesOthers() throws {
    let directory = try RunDirectory()
    let tools = (Side.ours.server as NSString).deletingLastPathComponent
    let environment = [
      "PATH": "\(tools):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")", "OVS_SYSLOG_METHOD": "null",
      "OVS_RUNDIR": directory.path,
    ]
    let result = try run("/bin/sh", ["-ec", Self.script()], environment: environment, in: directory, seconds: 120)
    #expect(result.status == 0, "\(result)")
    let replies = result.standardOutput.split(separator: "\n").suffix(2)
    #expect(replies.first?.contains("error") == false && replies.first?.contains("uuid") == true, "\(result)")
    #expect(replies.last?.contains("permission error") == true, "\(result)")
  }
}
