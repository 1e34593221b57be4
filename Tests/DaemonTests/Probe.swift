// SPDX-License-Identifier: Apache-2.0
//
// Runs `DaemonProbe`, a program that does nothing but be a daemon, in a directory of its own.

import Foundation
import Glibc
import Testing

@testable import Daemon

/// A process started by a test.
///
/// Not Foundation's `Process`: that learns of the end through a descriptor that the process inherits, and a daemon keeps it
/// open.
final class Child {
  let process: pid_t
  fileprivate let index: Int
  fileprivate var status: ChildStatus?

  fileprivate init(process: pid_t, index: Int) {
    self.process = process
    self.index = index
  }
}

/// A directory for one test, and programs run there. Ends what it started.
final class Probe {
  let directory: URL
  private var children: [Child] = []
  /// Of processes that detached.
  private var daemons: Set<pid_t> = []

  init() throws {
    directory = URL(fileURLWithPath: "/tmp/swift-ovsdb-daemon-tests/\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  deinit {
    for child in children where child.status == nil { kill(child.process, SIGKILL) }
    for process in daemons { kill(process, SIGKILL) }
    try? FileManager.default.removeItem(at: directory)
  }

  static let productsDirectory: String = {
    // The test bundle and the programs lie beside each other.
    let arguments = CommandLine.arguments
    let bundle = arguments.first { $0.hasSuffix(".xctest") } ?? arguments[0]
    return URL(fileURLWithPath: bundle).deletingLastPathComponent().path
  }()

  struct Result: Sendable {
    /// nil: it did not exit by itself.
    var status: Int32?
    /// nil: it exited.
    var signal: Int32?
    var output: String
    var errors: String
  }

  /// Starts a program in the directory; its output goes to files, so that a daemon that keeps them open blocks nobody.
  func start(
    program: String = "DaemonProbe", _ arguments: [String], environment: [String: String] = [:]
  ) throws -> Child {
    var variables = ProcessInfo.processInfo.environment
    for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR"] { variables[name] = directory.path }
    variables["OVS_SYSLOG_METHOD"] = "null"
    variables.merge(environment) { $1 }
    let index = children.count
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, path("stdout.\(index)"), O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, path("stderr.\(index)"), O_WRONLY | O_CREAT, 0o600)
    var argumentPointers: [UnsafeMutablePointer<CChar>?] =
      (["env", "-C", directory.path, "\(Self.productsDirectory)/\(program)"] + arguments).map { strdup($0) }
    var variablePointers: [UnsafeMutablePointer<CChar>?] = variables.map { strdup("\($0)=\($1)") }
    defer { for pointer in argumentPointers + variablePointers { free(pointer) } }
    argumentPointers.append(nil)
    variablePointers.append(nil)
    var process: pid_t = 0
    // The threads that run tests block signals; what they start must not inherit that.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var nothing = sigset_t()
    sigemptyset(&nothing)
    posix_spawnattr_setsigmask(&attributes, &nothing)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    // env(1) changes the directory, which the C library's overlay has no call for.
    let error = posix_spawn(&process, "/usr/bin/env", &actions, &attributes, argumentPointers, variablePointers)
    try #require(error == 0)
    let child = Child(process: process, index: index)
    children.append(child)
    return child
  }

  /// Waits for a program to end.
  func finish(_ child: Child) throws -> Result {
    try wait(for: "the end of a program") {
      var status: Int32 = 0
      guard waitpid(child.process, &status, WNOHANG) == child.process else { return false }
      child.status = ChildStatus(raw: status)
      return true
    }
    return Result(
      status: child.status?.exitStatus, signal: child.status?.signal, output: text("stdout.\(child.index)"),
      errors: text("stderr.\(child.index)"))
  }

  func run(
    program: String = "DaemonProbe", _ arguments: [String], environment: [String: String] = [:]
  ) throws -> Result {
    let result = try finish(try start(program: program, arguments, environment: environment))
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
