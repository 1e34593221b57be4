// SPDX-License-Identifier: Apache-2.0
//
// Runs `DaemonProbe`, a program that does nothing but be a daemon, in a directory of its own.

import CPosixShims
import Foundation
import Testing

@testable import Daemon

/// A directory for one test, and programs run there. Ends what it started.
final class Probe {
  let directory: URL
  private var processes: [Process] = []
  /// Of processes that detached.
  private var daemons: Set<pid_t> = []

  init() throws {
    directory = URL(fileURLWithPath: "/tmp/swift-ovsdb-daemon-tests/\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  deinit {
    for process in processes where process.isRunning { kill(process.processIdentifier, SIGKILL) }
    for process in daemons { kill(process, SIGKILL) }
    try? FileManager.default.removeItem(at: directory)
  }

  static let productsDirectory: URL = {
    // The test bundle and the programs lie beside each other.
    let arguments = CommandLine.arguments
    let bundle = arguments.first { $0.hasSuffix(".xctest") } ?? arguments[0]
    return URL(fileURLWithPath: bundle).deletingLastPathComponent()
  }()

  struct Result: Sendable {
    var status: Int32
    /// nil: it exited.
    var signal: Int32?
    var output: String
    var errors: String
  }

  /// Starts a program; its output goes to files, so that a daemon that keeps them open blocks nobody.
  func start(_ program: String = "DaemonProbe", _ arguments: [String], environment: [String: String] = [:]) throws -> Process {
    let process = Process()
    process.executableURL = Self.productsDirectory.appendingPathComponent(program)
    process.arguments = arguments
    process.currentDirectoryURL = directory
    var variables = ProcessInfo.processInfo.environment
    for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] { variables[name] = directory.path }
    variables["OVS_SYSLOG_METHOD"] = "null"
    variables.merge(environment) { $1 }
    process.environment = variables
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try file("stdout.\(processes.count)")
    process.standardError = try file("stderr.\(processes.count)")
    try process.run()
    processes.append(process)
    return process
  }

  private func file(_ name: String) throws -> FileHandle {
    let url = directory.appendingPathComponent(name)
    try Data().write(to: url)
    return try FileHandle(forWritingTo: url)
  }

  /// Waits for a program to end.
  func finish(_ process: Process) throws -> Result {
    process.waitUntilExit()
    let index = try #require(processes.firstIndex(of: process))
    let wasKilled = process.terminationReason == .uncaughtSignal
    return Result(
      status: process.terminationStatus, signal: wasKilled ? process.terminationStatus : nil,
      output: text("stdout.\(index)"), errors: text("stderr.\(index)"))
  }

  func run(_ program: String = "DaemonProbe", _ arguments: [String], environment: [String: String] = [:]) throws -> Result {
    let result = try finish(try start(program, arguments, environment: environment))
    if let process = pid() { daemons.insert(process) }
    return result
  }

  func path(_ name: String) -> String { directory.appendingPathComponent(name).path }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  func text(_ name: String) -> String { (try? String(contentsOfFile: path(name), encoding: .utf8)) ?? "" }

  /// What a pid file says.
  func pid(_ file: String = "DaemonProbe.pid") -> pid_t? {
    pid_t(text(file).trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// The lines of a log, without time and sequence number.
  func log(_ name: String = "DaemonProbe.log") -> [String] {
    text(name).split(separator: "\n").map { $0.split(separator: "|", maxSplits: 2).dropFirst(2).joined() }
  }

  /// Waits until a condition holds; fails the test when it does not within a time no machine needs.
  func wait(for what: String, _ condition: () -> Bool) throws {
    let deadline = Date().addingTimeInterval(60)
    while !condition() {
      try #require(Date() < deadline, "waited in vain for \(what)")
      usleep(10_000)
    }
  }

  static func isAlive(_ process: pid_t) -> Bool {
    guard kill(process, 0) == 0 else { return false }
    // A zombie that nobody waits for is dead.
    let state = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
    return !state.isEmpty && !state.contains(") Z ")
  }
}
