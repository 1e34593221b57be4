// SPDX-License-Identifier: Apache-2.0
//
// A server that does all that a server does, step by step: commits of both kinds, monitors, compaction, conversion, a relay, TLS, a reload,
// new log files. Faults are let loose on it from outside (SystemCallFaultTests.swift).

import Foundation
import TestSupport

/// The server with the files it needs, made once for many runs.
///
/// `@unchecked Sendable`: its suite is serialized.
final class FaultFixture: @unchecked Sendable {
  let tls: TLSFixture
  private let source: DatabaseServer
  private var directory: RunDirectory { tls.directory }

  init() throws {
    tls = try TLSFixture()
    source = try DatabaseServer(.ours, [.schema(Numbers.schema(named: "Followed"))], directory: try RunDirectory())
  }

  /// A server under strace.
  ///
  /// - Parameters:
  ///   - rules: as for `Strace.command`.
  ///   - calls: what is traced; nil: everything.
  func run(_ rules: [String], calls: [String]?) throws -> FaultRun {
    try FaultRun(rules, calls: calls, tls: tls, source: source)
  }
}

/// One run of the script.
final class FaultRun {
  private let directory: RunDirectory
  private let tls: TLSFixture
  private let child: ChildProcess
  private let tracer: Tracer?
  private let source: DatabaseServer
  /// Numbers whose insertion was acknowledged.
  private(set) var acknowledged: Set<String> = []
  /// What was refused or broken off, in words.
  private(set) var refusals: [String] = []
  /// Whether a client was ever served.
  private(set) var hasServed = false
  /// Whether everything works at the end.
  private(set) var hasRecovered = false
  /// 0 for an orderly end; nil when it hung.
  private(set) var status: Int32?

  private var socket: String { directory.path("db.sock") }
  private var controlSocket: String { directory.path("server.ctl") }
  private var tracePath: String { directory.path("trace") }
  private var next = 0

  fileprivate init(_ rules: [String], calls: [String]?, tls: TLSFixture, source: DatabaseServer) throws {
    let directory = try RunDirectory()
    (self.directory, self.tls, self.source) = (directory, tls, source)
    try RemoteServer.makeDatabase("db.db", Numbers.schema, in: directory)
    let databases: WireJSON = .object([
      .init(directory.path("db.db"), [:]),
      .init("Followed", ["service-model": "relay", "source": .object([.init(source.remote, [:])])]),
    ])
    let remotes: WireJSON = .object([.init("punix:\(directory.path("db.sock"))", [:]), .init("pssl:0:127.0.0.1", [:])])
    try write(WireJSON.object([.init("remotes", remotes), .init("databases", databases)]).text, to: directory.path("config"))
    let options =
      [
        "-vconsole:warn", "-vsyslog:off", "-vfile:info", "--log-file=\(directory.path("log"))", "--config-file=\(directory.path("config"))",
        "--unixctl=\(directory.path("server.ctl"))",
      ] + tls.server.options(trusting: tls.authority.certificate)
    let words =
      Strace.command(rules, calls: calls ?? ["all"], output: directory.path("trace"), isLeaving: true) + ["-y", Side.ours.server] + options
    child = try ChildProcess(
      words[0], Array(words.dropFirst()), environment: directory.environment, directory: directory.path,
      output: directory.path("out"), errors: directory.path("errors"))
    tracer = try Tracer(of: child)
  }

  deinit { child.stop() }

  /// Runs all steps and ends the server. Nothing of it throws: what fails is in `refusals`.
  func perform() {
    attempt("start") {
      try waitUntil("the server, or its end", seconds: 30) {
        guard child.isRunning else { return true }
        guard let session = try? WireSession(socket: socket, secondsMax: 5) else { return false }
        hasServed = (try? session.call("list_dbs", [])) != nil
        return hasServed
      }
    }
    if hasServed {
      doEverything()
      attempt("recovery", recover)
      attempt("exit") { _ = try WireSession(socket: controlSocket).exchange("exit", []) }
    }
    status = try? child.waitForExit(seconds: 30)
    if status == nil { child.stop() }
    attempt("trace") { try tracer?.waitForEnd() }
  }

  /// Repeats everything until it succeeds. strace counts the calls of each thread, so the first calls of threads that live for one command
  /// fail as long as it is there: what does not succeed with it must without it.
  private func recover() throws {
    for _ in 0..<2 where child.isRunning && !hasRecovered { hasRecovered = doesEverything() }
    guard child.isRunning, !hasRecovered else { return }
    try tracer?.leave()
    try waitUntil("that everything works again", seconds: 60) {
      guard child.isRunning else { return true }
      hasRecovered = doesEverything()
      return hasRecovered
    }
  }

  private func doesEverything() -> Bool {
    let count = refusals.count
    doEverything()
    return refusals.count == count
  }

  private func doEverything() {
    for _ in 0..<3 { insert() }
    control("ovsdb-server/compact")
    insert()
    attempt("convert") {
      let reply = try session().exchange("convert", ["D", Numbers.schema]).reply
      if let error = reply["error"], !error.isNull { throw ProcessError("\(error)") }
    }
    attempt("monitor") { _ = try session().call("monitor", ["D", "m", ["T": ["columns": ["n"]]]]) }
    attempt("relay") {
      let reply = try session().call("transact", ["Followed", ["op": "insert", "table": "T", "row": ["n": 1]]])
      if reply.elements?.contains(where: { $0["error"] != nil }) ?? true { throw ProcessError("\(reply)") }
    }
    attempt("TLS") {
      let result = try tls.listDatabases(try port(), options: ["--timeout=10"])
      if result.status != 0 { throw ProcessError("\(result)") }
    }
    for command in ["ovsdb-server/reload", "vlog/reopen", "memory/show", "ovsdb-server/list-remotes"] { control(command) }
    insert()
  }

  private func session() throws -> WireSession { try WireSession(socket: socket, secondsMax: 10) }

  private func attempt(_ step: String, _ body: () throws -> Void) {
    do { try body() } catch { refusals.append("\(step): \(error)") }
  }

  private func insert() {
    next += 1
    let number = next
    attempt("insert \(number)") {
      let isDurable = number % 2 == 0
      let reply = try session().call("transact", Numbers.insert(number, isDurable: isDurable))
      if reply.elements?.count == (isDurable ? 2 : 1), reply.elements?.allSatisfy({ $0["error"] == nil }) ?? false {
        acknowledged.insert("\(number)")
      } else {
        throw ProcessError("\(reply)")
      }
    }
  }

  private func control(_ command: String) {
    attempt(command) {
      let reply = try WireSession(socket: controlSocket, secondsMax: 10).exchange(command, []).reply
      if let error = reply["error"], !error.isNull { throw ProcessError("\(error)") }
    }
  }

  private func port() throws -> UInt16 {
    guard let match = log.matches(of: #/listening on port (\d+)/#).last, let port = UInt16(match.1) else {
      throw ProcessError("no port in the log")
    }
    return port
  }

  var log: String { (try? readText(directory.path("log"))) ?? "" }
  var errors: String { (try? readText(directory.path("errors"))) ?? "" }
  private var trace: [Substring] { ((try? readText(tracePath)) ?? "").split(separator: "\n") }

  /// The calls that were injected, as strace shows them.
  var injected: [String] { trace.filter { $0.hasSuffix("(INJECTED)") }.map(String.init) }

  /// How often each call was made, by the thread that made it most often: strace counts for each thread.
  var counts: [String: Int] {
    var perThread: [String: [Substring: Int]] = [:]
    for line in trace {
      guard let match = line.prefixMatch(of: #/(\d+) +(\w+)\(/#) else { continue }
      perThread[String(match.2), default: [:]][match.1, default: 0] += 1
    }
    return perThread.mapValues { $0.values.max() ?? 0 }
  }

  /// What a server finds in the file afterwards.
  func contents() throws -> Set<String> {
    let server = try DatabaseServer(.ours, [.existing(file: "db.db")], directory: directory)
    return try Numbers.all(try server.session())
  }
}
