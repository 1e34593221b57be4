// SPDX-License-Identifier: Apache-2.0
//
// A server in the background, as service scripts start one, and what tests want to know of it. Unlike `RemoteServer` it has the daemon's
// own files: its pid file, its log, its control socket.

import Foundation
import TestSupport

final class DetachedServer {
  let directory: RunDirectory
  let side: Side
  /// What the parent said when it returned.
  let started: CommandResult
  private let pidFile: String

  /// A small database for tests that need any.
  static let schema: WireJSON = [
    "name": "D", "version": "1.0.0",
    "tables": [
      "T": [
        "isRoot": true,
        "columns": [
          "n": ["type": "integer"], "s": ["type": "string"],
          "m": ["type": ["key": "string", "value": "string", "min": 0, "max": "unlimited"]],
        ],
      ],
      "A": ["isRoot": true, "columns": ["k": ["type": "string"]]],
    ],
  ]

  /// Starts `ovsdb-server --detach --pidfile --log-file` with more arguments; returns when the parent did.
  init(
    _ arguments: [String], side: Side = .ours, pidFile: String = "ovsdb-server.pid", environment: [String: String] = [:],
    directory: RunDirectory? = nil
  ) throws {
    self.directory = try directory ?? RunDirectory()
    self.side = side
    self.pidFile = pidFile
    started = try Self.run(
      ["--detach", "--pidfile=\(pidFile)", "--log-file", "-vsyslog:off"] + arguments, side: side, environment: environment,
      in: self.directory)
    if let pid { Reaper.shared.adopt(processGroup: getpgid(pid)) }
  }

  deinit {
    guard let pid, Self.isAlive(pid) else { return }
    let watcher = parent
    for process in [watcher, pid] where process > 1 { kill(process, SIGKILL) }
  }

  /// Runs a server program to its end, with paths of the directory.
  static func run(
    _ arguments: [String], side: Side, environment: [String: String] = [:], in directory: RunDirectory
  ) throws -> CommandResult {
    try TestSupport.run(side.server, arguments, environment: environment, in: directory)
  }

  /// The process that the pid file names.
  var pid: pid_t? {
    let text = (try? readText(directory.path(pidFile))) ?? ""
    return pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// The watcher of `--monitor`; 0 when there is none.
  var parent: pid_t {
    guard let pid, let status = try? readText("/proc/\(pid)/status"),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("PPid:") }),
      let parent = pid_t(line.dropFirst(5).trimmingCharacters(in: .whitespaces)),
      let title = try? readText("/proc/\(parent)/cmdline"), title.hasPrefix("ovsdb-server: monitoring pid")
    else { return 0 }
    return parent
  }

  static func isAlive(_ process: pid_t) -> Bool {
    guard kill(process, 0) == 0 else { return false }
    // A zombie that nobody waits for is dead.
    return (try? readText("/proc/\(process)/stat").contains(") Z ")) == false
  }

  func control(_ arguments: String...) throws -> CommandResult {
    try TestSupport.run(Side.ours.tool("ovs-appctl"), ["-t", target] + arguments, in: directory)
  }

  /// The control socket: the default one, whose name holds the process, or `server.ctl`.
  private var target: String {
    let named = directory.path("server.ctl")
    return access(named, F_OK) == 0 ? named : directory.path("ovsdb-server.\(pid ?? 0).ctl")
  }

  func exists(_ name: String) -> Bool { access(directory.path(name), F_OK) == 0 }

  /// The log, a line for an element, without times and numbers.
  func log(_ name: String = "ovsdb-server.log") -> [String] {
    let text = (try? readText(directory.path(name))) ?? ""
    return text.split(separator: "\n").map { $0.split(separator: "|", maxSplits: 2).dropFirst(2).joined(separator: "|") }
  }

  func waitForEnd(of process: pid_t) throws {
    try waitUntil("the end of process \(process)", seconds: 60) { !Self.isAlive(process) }
  }
}

/// Makes a database file `NAME` in the directory.
@discardableResult
func makeDatabase(_ name: String = "db.db", _ schema: WireJSON = DetachedServer.schema, in directory: RunDirectory) throws -> String {
  try RemoteServer.makeDatabase(name, schema, in: directory)
}
