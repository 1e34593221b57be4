// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Daemon

@Suite struct DaemonizerTests {
  @Test func theParentReturnsWhenTheChildIsReadyAndTheChildLeavesTheTerminal() throws {
    let probe = try Probe()
    let result = try probe.run([
      "--detach", "--pidfile", "--log-file=\(probe.path("DaemonProbe.log"))", "--unixctl=c.ctl",
    ])
    #expect(result.status == 0 && result.output.isEmpty)
    let process = try #require(probe.pid())
    #expect(probe.exists("c.ctl"))
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/cwd") == "/")
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/fd/2") == "/dev/null")
    #expect(getsid(process) == process)

    kill(process, SIGTERM)
    try probe.wait(for: "the end of the daemon") { !Probe.isAlive(process) }
    #expect(probe.log().last == "fatal_signal|WARN|terminating with signal 15 (Terminated)")
    #expect(!probe.exists("c.ctl") && !probe.exists("DaemonProbe.pid"))
  }

  @Test func withNoChdirTheDirectoryStays() throws {
    let probe = try Probe()
    #expect(try probe.run(["--detach", "--pidfile", "--no-chdir"]).status == 0)
    let process = try #require(probe.pid())
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/cwd")
        == probe.directory.resolvingSymlinksInPath().path)
  }

  @Test(arguments: [["--detach"], ["--detach", "--monitor"], ["--monitor"], []])
  func aFailingStartIsTheParentsFailure(options: [String]) throws {
    let probe = try Probe()
    let result = try probe.run(options + ["--pidfile", "--fail=no luck"])
    #expect(result.status == 1)
    #expect(result.errors == "DaemonProbe: no luck\n")
    #expect(!probe.exists("DaemonProbe.pid"))
  }

  @Test func aChildThatDiesBeforeItIsReadyIsReported() throws {
    let probe = try Probe()
    let result = try probe.run(["--detach", "--die=9"])
    #expect(result.status == 1)
    #expect(result.errors.hasSuffix("DaemonProbe: fork child died before signaling startup (killed (Killed))\n"))
  }

  /// Locks of the Swift runtime and of `Synchronization` name their holder by a thread id that each thread asks for once. A thread that
  /// survives fork(2) keeps the id it had, and the first time two threads want the same lock the process dies or waits for ever.
  @Test(arguments: [["--detach"], ["--detach", "--monitor"]])
  func threadsOfADetachedProgramShareLocks(options: [String]) throws {
    let probe = try Probe()
    #expect(try probe.run(options + ["--pidfile", "--contend"]).status == 0)
    let process = try #require(probe.pid())
    try probe.wait(for: "the end of the contest") { probe.exists("contended") || !Probe.isAlive(process) }
    #expect(probe.exists("contended") && probe.pid() == process)
  }

  @Test func theWatcherStartsACrashedProgramAgainAndEndsWithIt() throws {
    let probe = try Probe()
    let log = probe.path("DaemonProbe.log")
    #expect(try probe.run(["--detach", "--monitor", "--pidfile", "--log-file=\(log)"]).status == 0)
    let first = try #require(probe.pid())
    let watcher = try #require(parent(of: first))
    try probe.wait(for: "the title") { title(of: watcher) == "DaemonProbe: monitoring pid \(first) (healthy)" }

    kill(first, SIGSEGV)
    try probe.wait(for: "another process") { probe.pid() != first && probe.pid() != nil }
    let second = try #require(probe.pid())
    #expect(parent(of: second) == watcher)
    let state = "1 crashes: pid \(first) died, killed (Segmentation fault)"
    try probe.wait(for: "the title") {
      // The kernel may have kept a core file.
      title(of: watcher).replacingOccurrences(of: ", core dumped", with: "")
        == "DaemonProbe: monitoring pid \(second) (\(state))"
    }
    #expect(title(of: second).contains("--pidfile"))
    #expect(
      probe.log().contains {
        $0.replacingOccurrences(of: ", core dumped", with: "") == "daemon_unix(monitor)|ERR|\(state), restarting"
      })
    try probe.wait(for: "a line of the second") {
      probe.log().contains("ovsdb_server(DaemonProbe)|INFO|\(Program.versionLine.replacing(Program.name, with: "DaemonProbe"))")
    }

    kill(second, SIGTERM)
    try probe.wait(for: "the end of the watcher") { !Probe.isAlive(watcher) }
    #expect(probe.log().last == "daemon_unix(monitor)|INFO|pid \(second) died, killed (Terminated), exiting")
    #expect(!probe.exists("DaemonProbe.pid"))
  }

  private func parent(of process: pid_t) -> pid_t? {
    let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("PPid:") }
    return line.flatMap { pid_t($0.dropFirst(5).trimmingCharacters(in: .whitespaces)) }
  }

  private func title(of process: pid_t) -> String {
    let text = (try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)) ?? ""
    return text.replacingOccurrences(of: "\0", with: " ").trimmingCharacters(in: .whitespaces)
  }

  @Test(arguments: [SIGTERM, SIGINT, SIGHUP, SIGALRM])
  func aFatalSignalCleansUpAndKills(signal: Int32) throws {
    let probe = try Probe()
    let process = try probe.start(["--pidfile", "--unixctl=c.ctl"])
    try probe.wait(for: "readiness") { probe.exists("c.ctl") && probe.pid() != nil }
    kill(process.process, signal)
    let result = try probe.finish(process)
    #expect(result.signal == signal)
    #expect(result.errors.contains("|fatal_signal|WARN|terminating with signal \(signal) ("))
    #expect(!probe.exists("c.ctl") && !probe.exists("DaemonProbe.pid"))
  }

  @Test(arguments: [SIGQUIT, SIGSEGV, SIGABRT, SIGUSR1])
  func otherSignalsKillAtOnce(signal: Int32) throws {
    let probe = try Probe()
    let process = try probe.start(["--pidfile", "--unixctl=c.ctl"])
    try probe.wait(for: "readiness") { probe.exists("c.ctl") && probe.pid() != nil }
    kill(process.process, signal)
    #expect(try probe.finish(process).signal == signal)
    #expect(probe.exists("c.ctl") && probe.exists("DaemonProbe.pid"))
  }

  @Test func aBrokenPipeDoesNotKill() throws {
    let probe = try Probe()
    let process = try probe.start(["--pidfile"])
    try probe.wait(for: "readiness") { probe.exists("DaemonProbe.\(process.process).ctl") }
    kill(process.process, SIGPIPE)
    kill(process.process, SIGTERM)
    #expect(try probe.finish(process).signal == SIGTERM)
  }

  @Test(arguments: [
    ("true", 0, ""), ("exit 3", 1, "DaemonProbe: exit 3: child exited, exit status 3\n"),
    ("kill -9 $$", 1, "DaemonProbe: kill -9 $$: child exited, killed (Killed)\n"),
  ])
  func theEndOfTheCommandIsOurs(command: String, status: Int32, errors: String) throws {
    let result = try Probe().run(["--run=\(command)"])
    #expect(result.status == status)
    #expect(result.errors == errors)
  }

  @Test func theServiceManagerIsToldOfReadinessAndOfTheEnd() throws {
    let probe = try Probe()
    let socket = try DatagramSocket(path: probe.path("notify"))
    let result = try probe.run(["--run=true"], environment: ["NOTIFY_SOCKET": probe.path("notify")])
    #expect(result.status == 0)
    #expect(try socket.receive() == "READY=1\n")
    #expect(try socket.receive() == "STOPPING=1\n")
  }
}

/// A bound datagram socket.
final class DatagramSocket {
  private let descriptor: Int32

  init(path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    try #require(result == 0)
  }

  deinit { close(descriptor) }

  func receive() throws -> String {
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    try #require(Foundation.poll(&poll, 1, 60_000) == 1)
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
  }
}
