// SPDX-License-Identifier: Apache-2.0
//
// ovsdb-tool on a terminal tells how far long work has come, and elsewhere it does not.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.has("python3"))) struct ToolProgressTests {
  /// Adds rows, a record for each.
  private func grow(_ file: String, by count: Int, in directory: RunDirectory) throws {
    let script = """
      import hashlib, sys, uuid
      with open(sys.argv[1], "ab") as file:
          for number in range(int(sys.argv[2])):
              row = b'{"_date":1795230318760,"t":{"%s":{"n":%d,"s":"%d"}}}\\n' % (str(uuid.uuid4()).encode(), number, number)
              file.write(b"OVSDB JSON %d %s\\n%s" % (len(row), hashlib.sha1(row).hexdigest().encode(), row))
      """
    try succeed(Programs.peer("python3"), ["-c", script, file, "\(count)"], in: directory, seconds: 300)
  }

  @Test(arguments: ["compact", "convert", "check", "salvage"]) func longWorkIsToldOnATerminal(command: String) throws {
    let directory = try RunDirectory()
    let file = directory.path("big.db")
    try write(
      #"{"name":"D","tables":{"t":{"isRoot":true,"columns":{"n":{"type":"integer"},"s":{"type":"string"}}}}}"#,
      to: directory.path("schema"))
    try succeed(Side.ours.tool("ovsdb-tool"), ["create", file, "schema"], in: directory)
    let words = ["compact": ["compact", file, "new"], "convert": ["convert", file, "schema", "new"], "check": ["check", file]]
    let arguments = words[command] ?? ["salvage", file, "new"]
    var count = 30_000
    // Grows until the machine needs more than a second for it.
    while true {
      try grow(file, by: count, in: directory)
      unlink(directory.path("new"))
      let terminal = try run(
        Programs.peer("python3"),
        ["-c", "import pty,sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)", Side.ours.tool("ovsdb-tool")] + arguments,
        environment: ["TERM": "xterm"], in: directory, seconds: 300)
      #expect(terminal.status == 0, "\(terminal)")
      if terminal.standardOutput.contains("\r\(command)") {
        // The line goes away before anything else is said.
        #expect(terminal.standardOutput.contains("\r\u{1B}[K"))
        break
      }
      count *= 2
      try #require(count < 4_000_000, "no progress was told")
    }
    unlink(directory.path("new"))
    let silent = try run(Side.ours.tool("ovsdb-tool"), arguments, environment: ["TERM": "xterm"], in: directory, seconds: 300)
    #expect(silent.standardError == "")
  }
}
