// SPDX-License-Identifier: Apache-2.0
//
// ovs-appctl as a program, against a control server in this process and against servers that misbehave.

import Foundation
import Glibc
import Synchronization
import Testing

@testable import Control
@testable import Daemon

@Suite struct AppctlTests {
  struct Result: Equatable {
    var status: Int32
    var output: String
    var errors: String
  }

  private func run(
    _ arguments: [String], runDirectory: String = "/nonexistent", environment: [String: String] = [:]
  ) throws -> Result {
    let process = Process()
    process.executableURL = Self.productsDirectory.appendingPathComponent("ovs-appctl")
    process.arguments = arguments
    var variables = ProcessInfo.processInfo.environment
    variables["OVS_RUNDIR"] = runDirectory
    variables["OVS_SYSLOG_METHOD"] = "null"
    variables["OVS_CTL_TIMEOUT"] = nil
    process.environment = variables.merging(environment) { $1 }
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // Neither fills a pipe.
    let texts = [output, errors].map { String(decoding: $0.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) }
    process.waitUntilExit()
    let status = process.terminationReason == .uncaughtSignal ? -process.terminationStatus : process.terminationStatus
    return Result(status: status, output: texts[0], errors: texts[1])
  }

  private static let productsDirectory: URL = {
    let arguments = CommandLine.arguments
    return URL(fileURLWithPath: arguments.first { $0.hasSuffix(".xctest") } ?? arguments[0]).deletingLastPathComponent()
  }()

  @Test(arguments: [
    ([], "at least one non-option argument is required (use --help for help)"),
    (["-t", "a", "-t", "b", "x"], "-t or --target may be specified only once"),
    (["-T", "0", "x"], "value 0 on -T or --timeout is invalid"),
    (["-T", "-1", "x"], "value -1 on -T or --timeout is invalid"),
    (["--timeout=99999999999", "x"], "value 99999999999 on -T or --timeout is invalid"),
    (["-f", "xml", "x"], "value xml on -f or --format is invalid"),
    (["--pretty", "x"], "--pretty is supported with --format json only"),
    (["-e", "--execute", "x"], "-e or --execute may be specified only once"),
    (["-vfoo", "x"], #"processing "foo": no destination, level, or module "foo""#),
  ])
  func mistakesInTheOptionsAreStatus1(arguments: [String], problem: String) throws {
    #expect(try run(arguments) == Result(status: 1, output: "", errors: "ovs-appctl: \(problem)\n"))
  }

  @Test func anAnswerEndsWithOneLineFeedAndNothingPrintsNothing() throws {
    let server = try Server()
    let target = ["-t", server.server.path]
    #expect(try run(target + ["version"]) == Result(status: 0, output: Program.versionLine + "\n", errors: ""))
    #expect(try run(target + ["vlog/close"]) == Result(status: 0, output: "", errors: ""))
    #expect(try run(target + ["-e", "later", "a b"]) == Result(status: 0, output: "a b\n", errors: ""))
  }

  @Test func anErrorOfTheTargetIsStatus2() throws {
    let server = try Server()
    let path = server.server.path
    let errors = "\"version\" command takes at most 0 arguments\novs-appctl: \(path): server returned an error\n"
    // What follows the command is the command's.
    #expect(try run(["-t", path, "version", "-T", "1"]) == Result(status: 2, output: "", errors: errors))
  }

  @Test func jsonIsPrintedCompactOrIndented() throws {
    let server = try Server()
    let target = ["-t", server.server.path, "-f", "json"]
    #expect(try run(target + ["vlog/close"]).output == #"{"reply":"","reply-format":"plain"}"# + "\n")
    #expect(
      try run(target + ["--pretty", "vlog/close"]).output == "{\n  \"reply\": \"\",\n  \"reply-format\": \"plain\"}\n")
    #expect(try run(target + ["list-commands"]).output.hasPrefix(#"{"coverage/read-counter":"COUNTER","#))
  }

  @Test func aTargetThatIsNotThereIsStatus1() throws {
    let result = try run(["-t", "x", "version"])
    #expect(result.status == 1)
    #expect(
      result.errors.hasSuffix(
        """
        |00001|daemon_unix|WARN|/nonexistent/x.pid: open: No such file or directory
        ovs-appctl: cannot read pidfile "/nonexistent/x.pid" (No such file or directory)

        """))
    let other = try run(["-t", "/nonexistent/x", "version"])
    #expect(other.status == 1)
    #expect(
      other.errors.hasSuffix(
        """
        |00001|unixctl|WARN|failed to connect to /nonexistent/x
        ovs-appctl: cannot connect to "/nonexistent/x" (No such file or directory)

        """))
  }

  @Test func aNameIsLookedUpThroughThePidFile() throws {
    let server = try Server()
    let directory = server.directory.path
    // This process is the one that holds the lock.
    try PIDFile.create("\(directory)/name.pid")
    defer { Cleanup.remove("\(directory)/name.pid") }
    let link = "\(directory)/name.\(getpid()).ctl"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: server.server.path)
    #expect(try run(["-t", "name", "version"], runDirectory: directory).output == Program.versionLine + "\n")
  }

  @Test func aPathTooLongForAnAddressWorks() throws {
    let server = try Server()
    let directory = server.directory.appendingPathComponent(String(repeating: "d", count: 150))
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let link = directory.appendingPathComponent("c.ctl").path
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: server.server.path)
    #expect(try run(["-t", link, "version"]).output == Program.versionLine + "\n")
  }

  @Test(arguments: [["-T", "1"], []])
  func aTargetThatIsSilentEndsUsByAlarm(options: [String]) throws {
    let server = try Server()
    let held = HeldRequest()
    server.commands.add("hold") { (request: ControlRequest) in held.hold(request) }
    let environment = options.isEmpty ? ["OVS_CTL_TIMEOUT": "1"] : [:]
    let result = try run(options + ["-t", server.server.path, "hold"], environment: environment)
    #expect(result.status == -SIGALRM)
    #expect(result.errors.hasSuffix("|fatal_signal|WARN|terminating with signal 14 (Alarm clock)\n"))
    _ = held.wait()
  }

  @Test(arguments: [
    ("", "transaction error (End of file)", 1), ("nonsense ", "transaction error (Protocol error)", 1),
    (#"{"id":0,"error":"bad"}"#, "server returned an error", 2),
    (#"{"id":0,"result":{"a":1},"error":null}"#, "server returned an error", 2),
  ])
  func strangeAnswersAreErrors(answer: String, problem: String, status: Int32) throws {
    let server = try FakeServer(answer: answer)
    let result = try run(["-t", server.path, "version"])
    #expect(result.status == status)
    #expect(result.errors.hasSuffix("ovs-appctl: \(server.path): \(problem)\n"))
    if answer.contains("result") {
      #expect(result.errors.hasPrefix("Unexpected reply type in JSON rpc reply: object\n"))
    }
  }
}

/// Accepts one connection, reads a little, says what it is told to, and closes.
final class FakeServer: Sendable {
  let path = "/tmp/swift-ovsdb-appctl-\(UUID().uuidString).ctl"
  private let descriptor: Int32

  init(answer: String) throws {
    let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    descriptor = listener
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(result == 0 && listen(listener, 1) == 0)
    Thread.detachNewThread {
      let connection = accept(listener, nil, nil)
      var buffer = [UInt8](repeating: 0, count: 4096)
      _ = recv(connection, &buffer, buffer.count, 0)
      Array(answer.utf8).withUnsafeBytes { _ = send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      close(connection)
    }
  }

  deinit {
    close(descriptor)
    unlink(path)
  }
}
