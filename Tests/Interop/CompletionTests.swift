// SPDX-License-Identifier: Apache-2.0
//
// Completion in real shells: lines are typed, TAB is pressed (python/complete.py), and the shell says what the line became.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs && Programs.has("python3"))) struct CompletionTests {
  /// What is typed, and what the line becomes.
  private static let lines: [(typed: String, completed: String)] = [
    ("ovsdb-tool sh", "ovsdb-tool show-log"), ("ovsdb-tool sal", "ovsdb-tool salvage"), ("ovsdb-tool --el", "ovsdb-tool --election-timer="),
    ("ovsdb-tool --rb", "ovsdb-tool --rbac-role="), ("ovsdb-tool -m sho", "ovsdb-tool -m show-log"), ("ovsdb-tool compact sam", "ovsdb-tool compact sample.db"),
    ("ovsdb-tool create new.db oth", "ovsdb-tool create new.db other.ovsschema"), ("ovsdb-tool schema-name oth", "ovsdb-tool schema-name other.ovsschema"),
    ("ovsdb-client list-d", "ovsdb-client list-dbs"), ("ovsdb-client needs", "ovsdb-client needs-conversion"),
    ("ovsdb-client dump Sam", "ovsdb-client dump Sample"), ("ovsdb-client dump Sample Lef", "ovsdb-client dump Sample Left"),
    ("ovsdb-client dump Sample Left na", "ovsdb-client dump Sample Left name"),
    ("ovsdb-client dump unix:DIR/db.s", "ovsdb-client dump unix:DIR/db.sock"),
    ("ovsdb-client dump unix:DIR/db.sock Sample Left na", "ovsdb-client dump unix:DIR/db.sock Sample Left name"),
    ("ovsdb-client --timeout 3 dump Sam", "ovsdb-client --timeout 3 dump Sample"),
    ("ovsdb-client monitor Sample Left name,cou", "ovsdb-client monitor Sample Left name,count"),
    ("ovsdb-client wait Sample con", "ovsdb-client wait Sample connected"), ("ovsdb-client convert oth", "ovsdb-client convert other.ovsschema"),
    ("ovsdb-client -f js", "ovsdb-client -f json"), ("ovsdb-client --format=ht", "ovsdb-client --format=html"),
    ("ovsdb-client -d ba", "ovsdb-client -d bare"), ("ovsdb-client --max-c", "ovsdb-client --max-column-width="),
    ("ovs-appctl -t ovsdb-s", "ovs-appctl -t ovsdb-server"), ("ovs-appctl --target=ovsdb-s", "ovs-appctl --target=ovsdb-server"),
    ("ovs-appctl -t ovsdb-server ovsdb-server/list-d", "ovs-appctl -t ovsdb-server ovsdb-server/list-dbs"),
    ("ovs-appctl -t ovsdb-server ovsdb-server/compact Sam", "ovs-appctl -t ovsdb-server ovsdb-server/compact Sample"),
    ("ovs-appctl -t ovsdb-server vlog/disable-rate-limit unixc", "ovs-appctl -t ovsdb-server vlog/disable-rate-limit unixctl"),
    ("ovs-appctl --time", "ovs-appctl --timeout="), ("ovs-appctl -f tex", "ovs-appctl -f text"), ("ovs-appctl -t nothing li", "ovs-appctl -t nothing li"),
    ("ovsdb-server --rem", "ovsdb-server --remote="), ("ovsdb-server --remote=pu", "ovsdb-server --remote=punix:"),
    ("ovsdb-server --no-d", "ovsdb-server --no-dbs"), ("ovsdb-server sam", "ovsdb-server sample.db"),
  ]

  @Test(arguments: ["bash", "zsh"]) func shellsCompleteWhatWasBegun(shell: String) throws {
    guard Programs.has(shell) else { return }
    let schema = """
      {"name":"Sample","tables":{"Left":{"columns":{"name":{"type":"string"},"count":{"type":"integer"}}},"Right":{"columns":{"x":{"type":"real"}}}}}
      """
    let directory = try RunDirectory()
    try write(schema, to: directory.path("other.ovsschema"))
    let server = try DatabaseServer(
      .ours, [.schema(path: directory.path("other.ovsschema"), file: "sample.db")],
      options: ["--pidfile=\(directory.path("ovsdb-server.pid"))"], directory: directory)
    // The server's control socket has a name of its own here; a daemon's is found by its pid file.
    try FileManager.default.createSymbolicLink(
      atPath: directory.path("ovsdb-server.\(server.pid).ctl"), withDestinationPath: server.controlSocket)
    let programs = (Side.ours.tool("ovsdb-tool") as NSString).deletingLastPathComponent
    let search = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    let expand = { (line: String) in line.replacing("DIR", with: directory.path) }
    let output = try succeed(
      Programs.peer("python3"),
      [
        Repository.path("Tests/Interop/python/complete.py"), shell,
        Repository.path("utilities/completion/\(shell == "bash" ? "ovsdb-tools.bash" : "_ovsdb")"),
      ] + Self.lines.map { expand($0.typed) },
      environment: ["PATH": "\(programs):\(search)", "HOME": directory.path, "ZDOTDIR": directory.path], in: directory, seconds: 180)
    let results = output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    #expect(results == Self.lines.map { expand($0.completed) })
  }
}
