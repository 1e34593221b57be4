// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Daemon

@Suite struct LogPatternTests {
  private func render(_ pattern: String, subprogram: String = "") -> String {
    LogPattern(pattern).render(
      LogRecord(
        level: .warn, module: "jsonrpc", text: "hello", sequence: 42, wallMilliseconds: 1_795_229_432_642,
        facility: SyslogFacility.daemon, subprogram: subprogram, hostName: "host"))
  }

  @Test(arguments: [
    ("%A", Program.name), ("%B", "28"), ("%c", "jsonrpc"), ("%E", "host"), ("%m", "hello"), ("%N", "42"),
    ("a%nb", "a\nb"), ("%p", "WARN"), ("%t", "main"), ("%T", ""), ("%%", "%"), ("%q", "q"), ("%", "%"),
    ("[%10c]", "[   jsonrpc]"), ("[%-10c]", "[jsonrpc   ]"), ("[%010c]", "[000jsonrpc]"), ("[%05N]", "[00042]"),
    ("[%-5N]", "[42   ]"), ("[%5N]", "[   42]"), ("[%2m]", "[hello]"), ("%5.3m", "    .3m"), ("%-5%|", "%    |"),
    ("[%10D{%H}]", "[        02]"), ("", ""), ("plain", "plain"),
  ])
  func fieldsArePaddedAndFilledLikeThePeers(pattern: String, line: String) {
    #expect(render(pattern) == line)
  }

  @Test(arguments: [
    ("%D", "2026-11-21 02:50:32.642"), ("%D{%Y-%m-%dT%H:%M:%S.###Z}", "2026-11-21T02:50:32.642Z"),
    ("%D{%Y.#}", "2026.6"), ("%D{####}", "6420"), ("%D{%S.###Z###}", "32.642Z642"), ("%D{}", "2026-11-21 02:50:32.642"),
    ("%D{open", "2026-11-21 02:50:32.642{open"),
  ])
  func timesShowFractionsOfASecond(pattern: String, line: String) {
    #expect(render(pattern) == line)
  }

  @Test func aSubprogramIsNamedBehindTheModule() {
    #expect(render("%c%T|%t", subprogram: "monitor") == "jsonrpc(monitor)|monitor")
  }

  @Test func anAbsurdWidthIsCut() {
    #expect(render("%99999999999999999999c").utf8.count == LogPattern.widthMax)
  }
}
