// SPDX-License-Identifier: Apache-2.0
//
// A server with whatever command line a test wants, beside `DatabaseServer`, which gives every server the same: its log, its control
// socket, the descriptors it inherits.

import Foundation
import TestSupport

final class RemoteServer {
  let directory: RunDirectory
  let side: Side
  private(set) var process: ChildProcess
  private let number: String

  /// A schema with remotes of both kinds: strings, and rows that are referenced.
  static let schema: WireJSON = [
    "name": "R", "version": "1.0.0",
    "tables": [
      "Config": [
        "isRoot": true,
        "columns": [
          "strings": ["type": ["key": "string", "min": 0, "max": "unlimited"]], "number": ["type": "integer"],
          "managers": ["type": ["key": ["type": "uuid", "refTable": "Manager"], "min": 0, "max": "unlimited"]],
        ],
      ],
      "Manager": [
        "columns": [
          "target": ["type": "string"], "read_only": ["type": "boolean"], "role": ["type": "string"],
          "max_backoff": ["type": ["key": "integer", "min": 0, "max": 1]],
          "inactivity_probe": ["type": ["key": "integer", "min": 0, "max": 1]],
          "other_config": ["type": ["key": "string", "value": "string", "min": 0, "max": "unlimited"]],
          "is_connected": ["type": "boolean", "ephemeral": true],
          "status": ["type": ["key": "string", "value": "string", "min": 0, "max": "unlimited"], "ephemeral": true],
        ]
      ],
    ],
  ]

  /// Starts a server and waits until its control socket is there.
  ///
  /// - Parameters:
  ///   - descriptors: Ours that it inherits, by its numbers.
  ///   - activation: Environment of socket activation, `LISTEN_FDS` and so on; `LISTEN_PID` is added.
  ///   - overridesProcess: `activation` has a `LISTEN_PID` of its own.
  init(
    _ arguments: [String], side: Side = .ours, descriptors: [Int32: Int32] = [:], activation: [String: String]? = nil,
    environment: [String: String] = [:], directory: RunDirectory? = nil, overridesProcess: Bool = false
  ) throws {
    let directory = try directory ?? RunDirectory()
    self.directory = directory
    self.side = side
    number = directory.uniqueName("server")
    process = try Self.start(
      side, Self.standardArguments(directory, number) + arguments, descriptors, overridesProcess ? nil : activation,
      environment.merging(activation ?? [:]) { $1 }, directory, number)
    let process = process
    try waitUntil("the control socket of \(side)", seconds: 60) {
      guard process.isRunning else { throw ProcessError("the server ended: \(said)") }
      return access(controlSocket, F_OK) == 0 && (try? control("version"))?.status == 0
    }
  }

  deinit { process.stop() }

  private static func start(
    _ side: Side, _ arguments: [String], _ descriptors: [Int32: Int32], _ activation: [String: String]?,
    _ environment: [String: String], _ directory: RunDirectory, _ number: String
  ) throws -> ChildProcess {
    let all = [side.server] + arguments
    // The shell knows the process id, which stays when it becomes the server.
    let (program, words) =
      activation == nil
      ? (all[0], Array(all.dropFirst())) : ("/bin/sh", ["-c", "export LISTEN_PID=$$; exec \"$@\"", "sh"] + all)
    return try ChildProcess(
      program, words, environment: directory.environment.merging(environment) { $1 },
      directory: directory.path, output: directory.path(number + ".out"), errors: directory.path(number + ".err"),
      descriptors: descriptors)
  }

  /// Runs a server that ends by itself, with its log on standard error.
  static func runToEnd(
    _ arguments: [String], descriptors: [Int32: Int32] = [:], activation: [String: String],
    environment: [String: String] = [:], directory: RunDirectory
  ) throws -> CommandResult {
    let number = directory.uniqueName("server")
    let child = try start(
      .ours, ["-vsyslog:off", "--unixctl=\(directory.path(number + ".ctl"))"] + arguments, descriptors, activation,
      environment.merging(activation) { $1 }, directory, number)
    let status = try child.waitForExit(seconds: 60)
    return CommandResult(
      status: status, standardOutput: try readText(directory.path(number + ".out")),
      standardError: try readText(directory.path(number + ".err")))
  }

  private static func standardArguments(_ directory: RunDirectory, _ number: String) -> [String] {
    [
      "-vconsole:off", "-vsyslog:off", "-vfile:info", "--log-file=\(directory.path(number + ".log"))",
      "--unixctl=\(directory.path(number + ".ctl"))",
    ]
  }

  var controlSocket: String { directory.path(number + ".ctl") }
  var pid: pid_t { process.pid }
  var log: String { (try? readText(directory.path(number + ".log"))) ?? "" }
  /// All that the server said, for failures.
  var said: String { log + ((try? readText(directory.path(number + ".err"))) ?? "") }

  /// Makes a database file in the directory, by the installed tool.
  @discardableResult
  static func makeDatabase(_ name: String, _ schema: WireJSON = RemoteServer.schema, in directory: RunDirectory) throws -> String {
    let path = directory.path(name)
    try write(schema.text, to: path + ".ovsschema")
    try succeed(Side.ours.tool("ovsdb-tool"), ["create", path, path + ".ovsschema"], in: directory)
    return path
  }

  func control(_ command: String, _ arguments: String...) throws -> CommandResult {
    try run(Side.ours.tool("ovs-appctl"), ["-t", controlSocket, command] + arguments, in: directory)
  }

  /// The lines of a command's answer, which must be no error.
  func lines(_ command: String, _ arguments: String...) throws -> [String] {
    let text = try succeed(Side.ours.tool("ovs-appctl"), ["-t", controlSocket, command] + arguments, in: directory)
    return text.split(separator: "\n").map(String.init)
  }

  func waitForLog(_ text: String, count: Int = 1) throws {
    do {
      try waitUntil("the log line \"\(text)\"", seconds: 60) { log.components(separatedBy: text).count > count }
    } catch {
      throw ProcessError("\(error); the log:\n\(log)")
    }
  }

  func session(_ name: String = "db.sock") throws -> WireSession { try WireSession(socket: directory.path(name), secondsMax: 60) }

  /// Connects as soon as the socket is there.
  func waitForSession(_ name: String = "db.sock") throws -> WireSession {
    var session: WireSession?
    try waitUntil("a connection to \(name)", seconds: 60) {
      session = try? self.session(name)
      return session != nil
    }
    guard let session else { throw ProcessError("no connection to \(name)") }
    return session
  }

  /// Ends the server as a crash would.
  func crash() { process.signal(SIGSEGV) }

  func stop() { process.stop() }

  /// Open descriptors of the process.
  var descriptorCount: Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count) ?? -1 }

  /// The state of a process in kibibytes, such as `VmRSS`.
  func memory(_ key: String) -> Int {
    let status = (try? readText("/proc/\(pid)/status")) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(key + ":") }
    return line.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? line.flatMap { text in
      Int(text.filter(\.isNumber))
    } ?? -1
  }
}

/// Runs a server that must not come up.
func failToStart(_ arguments: [String], in directory: RunDirectory, side: Side = .ours) throws -> CommandResult {
  try run(
    side.server, ["-vsyslog:off", "-vconsole:warn", "--unixctl=\(directory.path("failing.ctl"))"] + arguments, in: directory)
}
