// SPDX-License-Identifier: Apache-2.0
//
// The command line beside Open vSwitch's: for every option what its misuse and its use say, and with what status the server ends.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our ovsdb-server is not built"))
struct CommandLineTests {
  /// What ends a server that came up.
  private static let quick = ["--run=true", "db.db"]

  /// Command lines on which both servers must say the same. `DIR` is the run directory.
  private static let lines: [[String]] = {
    let mistakes: [[String]] = [
      ["--foo"], ["--rem=x", "--no-d=3"], ["--remote"], ["--unixctl"], ["--no-dbs=3"], ["--no-c=1"], ["--run"], ["--detach=3"], ["--monitor=x"],
      ["--overwrite-pidfile=x"], ["--no-chdir=x"], ["--user"], ["--no-self-confinement=x"], ["--syslog-method"], ["--syslog-target"],
      ["--disable-file-column-diff=x"], ["-Z"], ["-p"], ["-c"], ["-C"], ["--private-key"], ["--certificate"], ["--ca-cert"],
      ["--bootstrap-ca-cert"], ["--peer-ca-cert"], ["--ssl-protocols"], ["--ssl-ciphers"], ["--ver"], ["--sync-from"],
      ["--sync-exclude-tables"], ["--active=1"], ["--log"], ["nosuch.db"], ["/dev/null"], ["DIR"], ["text.db"],
    ]
    let uses: [[String]] = [
      ["--unixctl=none"], ["--unixctl=/nonexistent/x"], ["--unixctl=relative"], ["--no-chdir"], ["--pidfile=p.pid"],
      ["--pidfile=/nonexistent/p"], ["--pid"], ["--overwrite-pidfile"], ["--no-self-confinement"], ["-vfoo"], ["-vfoo:bar"],
      ["--verbose=console:info:dbg"], ["-vconsole:syslog"], ["-vjsonrpc:reconnect"], ["-vPATTERN"], ["-vPATTERN:zz:x"], ["-vFACILITY:zz"],
      ["-vFACILITY"], ["-vPATTERN:console:"], ["-vFACILITY:local3"], ["-v,console,,off"], ["--log-file=/nonexistent/log"],
      ["--log-file=."], ["--log-file="], ["--log-file=x.log"], ["--syslog-method=foo"], ["--syslog-method="], ["--syslog-method=null"],
      ["--syslog-method=unix:/nonexistent"], ["--syslog-method=unix:"], ["--syslog-method=udp:127.0.0.1:5"], ["--syslog-method=udp:127.0.0.1"],
      ["--syslog-target=foo"], ["--syslog-target=127.0.0.1:514"], ["--disable-file-column-diff"], ["--remote=db:foo"],
      ["--remote=db:D,T"], ["--remote=db:D,T,z"], ["--remote=db:D,Z,z"], ["--remote=db:E,Z,z"], ["--remot=punix:s"],
      ["--user=nobody:daemon"], ["--user=:"], ["--rem=punix:s", "--"],
    ]
    return mistakes + uses.map { $0 + quick } + [["db.db", "--run=exit 3"], ["db.db", "db2.db", "--run=true"], ["db.db", "copy.db", "--run=true"]]
  }()

  private func result(_ line: [String], _ side: Side) throws -> String {
    let directory = try RunDirectory()
    try makeDatabase(in: directory)
    try makeDatabase("copy.db", in: directory)
    try makeDatabase("db2.db", ["name": "D2", "tables": ["T": ["columns": ["n": ["type": "integer"]]]]], in: directory)
    try write("no database\n", to: directory.path("text.db"))
    let result = try run(
      side.server, line.map { $0.replacing("DIR", with: directory.path) }, environment: ["OVS_SYSLOG_METHOD": "null"], in: directory)
    var text = "status \(result.status)\n\(result.standardOutput)\(result.standardError)"
    text = presentable(text, directory: directory).replacing(side.server, with: "ovsdb-server")
      .replacing(#/<time>\|\d+\|/#, with: "").replacing("ovsdb-server: (null): ", with: "ovsdb-server: ")
    // The other one names nobody where it should name a user, says also what it tries to remove first, and ends some messages with an
    // empty line.
    return text.split(separator: "\n").filter { !$0.contains("|fatal_signal|") && !$0.hasPrefix("fatal_signal|") }.joined(separator: "\n")
  }

  @Test(
    "the same is said of a command line", .enabled(if: Programs.hasPeer, "Open vSwitch's programs are not installed"),
    arguments: lines)
  func sameIsSaid(line: [String]) throws {
    // Rights are another matter for root.
    if line.contains(where: { $0.hasPrefix("--user") }), geteuid() != 0 { return }
    #expect(try result(line, .ours) == result(line, .peer))
  }

  @Test(arguments: [
    (["--user=nosuch"], "ovsdb-server: user nosuch not found, aborting."),
    (["--user=nobody:nosuch"], "ovsdb-server: group nosuch not found, aborting."),
    (["--record"], "ovsdb-server: --record: this server does not record its input; use --log-file with -vjsonrpc:file:dbg instead"),
    (["--replay=x"], "ovsdb-server: --replay: this server does not record its input; use --log-file with -vjsonrpc:file:dbg instead"),
  ])
  func whatIsRefusedIsSaidClearly(line: [String], message: String) throws {
    if line[0].hasPrefix("--user"), geteuid() != 0 { return }
    #expect(try result(line + Self.quick, .ours) == "status 1\n\(message)")
  }

  @Test func aDatabaseNamedTwiceIsServedOnce() throws {
    let warning = "ovsdb_server|WARN|Duplicate database configuration: db.db"
    #expect(try result(["db.db"] + Self.quick, .ours) == "status 0\n\(warning)")
    // By another name it is a mistake.
    #expect(try result(["./db.db"] + Self.quick, .ours) == "status 1\novsdb-server: ovsdb error: db.db: already open")
  }

  @Test func helpNamesEveryOptionAndVersionIsTheOneScriptsRead() throws {
    let directory = try RunDirectory()
    let help = try run(Side.ours.server, ["-h", "--ignored", "db.db"], in: directory)
    #expect(help.status == 0 && help.standardError == "")
    for option in [
      "--remote", "--config-file", "--no-dbs", "--run", "--unixctl", "--disable-file-column-diff", "-p, --private-key", "-c, --certificate",
      "-C, --ca-cert", "--bootstrap-ca-cert", "--ssl-protocols", "--ssl-ciphers", "--detach", "--monitor", "--user", "--no-chdir",
      "--pidfile[=FILE]", "--overwrite-pidfile", "-vSPEC, --verbose", "--log-file[=FILE]", "--syslog-method", "--syslog-target", "-h, --help",
      "-V, --version",
    ] { #expect(help.standardOutput.contains("  \(option)"), "\(option)") }
    #expect(help.standardOutput.contains("\(directory.path)/conf.db"))
    let version = try run(Side.ours.server, ["--version"], in: directory)
    #expect(version.status == 0 && version.standardOutput.hasPrefix("ovsdb-server (Open vSwitch) "))
  }
}
