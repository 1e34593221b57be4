// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOPosix
import Synchronization
import Testing

@testable import Control
@testable import Daemon

@Suite struct ControlSessionTests {
  private static let version = #"{"id":9,"method":"version","params":[]}"#
  private static let versionAnswer = #"{"id":9,"result":"\#(Program.versionLine)\n","error":null}"#
  private static let isUnknown = #" is not a valid command (use \"list-commands\" to see a list of valid commands)\n"}"#

  private static let exchanges: [(method: String, params: String, answer: String)] = [
    ("version", "[]", #""result":"\#(Program.versionLine)\n","error":null}"#),
    ("vlog/close", "[]", #""result":"","error":null}"#),
    ("foo", "[]", #""error":"\"foo\""# + isUnknown),
    ("echo", "[]", #""error":"\"echo\""# + isUnknown),
    ("version", "[1]", #""error":"\"version\" command takes at most 0 arguments\n"}"#),
    ("later", "[]", #""error":"\"later\" command requires at least 1 arguments\n"}"#),
    ("vlog/set", "[1]", #""error":"\"vlog/set\" command has non-string argument\n"}"#),
    ("coverage/read-counter", "[null]", #""error":"\"coverage/read-counter\" command has non-string argument\n"}"#),
    ("coverage/read-counter", #"["x"]"#, #""error":"No such counter\n"}"#),
    ("memory/show", "[]", #""result":"atoms:7 sessions:2\n","error":null}"#),
    ("drop", "[]", #""error":"\"drop\" command was dropped without an answer\n"}"#),
    ("twice", "[]", #""result":"one\n","error":null}"#),
    ("vlog/set", #"["foo"]"#, #""error":"no destination, level, or module \"foo\"\n"}"#),
    ("vlog/disable-rate-limit", #"["foo"]"#, #""error":"unknown module\n"}"#),
    ("set-options", #"["--format","x"]"#, #""error":"option format has invalid value x\n"}"#),
    ("set-options", #"["--foo"]"#, #""error":"unrecognized option '--foo'\n"}"#),
  ]

  @Test(arguments: exchanges.indices)
  func aRequestIsAnsweredAndTheConnectionGoesOn(index: Int) throws {
    let exchange = Self.exchanges[index]
    let server = try Server()
    let connection = try server.connect()
    connection.send(#"{"id":["x",1],"method":"\#(exchange.method)","params":\#(exchange.params)}"#)
    let answer = #"{"id":["x",1],"# + exchange.answer
    #expect(try connection.receive(like: answer) == answer)
    connection.send(Self.version)
    #expect(try connection.receive(like: Self.versionAnswer) == Self.versionAnswer)
  }

  @Test(arguments: [
    #"{"id":null,"method":"version","params":[]}"#, #"{"id":3,"result":[],"error":null}"#,
    #"{"id":3,"result":null,"error":1}"#, "xxx ", #"{"id":4,"method":"version"}"#,
    #"{"id":1,"method":"foo","params":{}}"#,
  ])
  func whatIsNoRequestClosesTheConnectionAfterEarlierAnswers(message: String) throws {
    let server = try Server()
    let connection = try server.connect()
    connection.send(Self.version + message + Self.version)
    #expect(try connection.receive() == Self.versionAnswer)
  }

  @Test func answersThatComeLaterKeepTheOrder() throws {
    let server = try Server()
    let connection = try server.connect()
    connection.send(
      #"{"id":1,"method":"later","params":["a"]}{"id":2,"method":"later","params":["b"]}"# + Self.version)
    let answers = #"{"id":1,"result":"a\n","error":null}{"id":2,"result":"b\n","error":null}"# + Self.versionAnswer
    #expect(try connection.receive(like: answers) == answers)
  }

  @Test func aCommandThatWaitsHoldsUpNoOtherConnection() throws {
    let server = try Server()
    let held = HeldRequest()
    server.commands.add("hold") { (request: ControlRequest) in held.hold(request) }
    let first = try server.connect()
    first.send(#"{"id":1,"method":"hold","params":[]}"# + Self.version)
    let second = try server.connect()
    second.send(Self.version)
    #expect(try second.receive(like: Self.versionAnswer) == Self.versionAnswer)
    // From another thread than the loop's.
    held.wait().reply("now")
    let answers = #"{"id":1,"result":"now\n","error":null}"# + Self.versionAnswer
    #expect(try first.receive(like: answers) == answers)
  }

  @Test func aConnectionMayWantItsResultsAsJSON() throws {
    let server = try Server()
    let connection = try server.connect()
    connection.send(#"{"id":1,"method":"set-options","params":["--format","JSON"]}"# + Self.version)
    let answer = #"{"id":9,"result":{"reply-format":"plain","reply":"\#(Program.versionLine)\n"},"error":null}"#
    #expect(try connection.receive { $0.hasSuffix(answer) }.hasSuffix(answer))
    connection.send(#"{"id":2,"method":"list-commands","params":[]}{"id":3,"method":"nope","params":[]}"#)
    let list = try connection.receive { $0.hasSuffix(Self.isUnknown) }
    #expect(list.hasPrefix(#"{"id":2,"result":{"coverage/read-counter":"COUNTER","coverage/show":"","exit":"","#))
    #expect(list.hasSuffix(#"{"id":3,"error":"\"nope\""# + Self.isUnknown))
  }

  @Test func theListShowsUsageAndNoHiddenCommand() {
    let commands = ControlCommands()
    commands.add("b/a-name-that-is-rather-long", usage: "X") { (_) throws(ControlError) in "" }
    commands.add("a") { (_) throws(ControlError) in "" }
    commands.add("secret", hidden: true) { (_) throws(ControlError) in "" }
    let table = "The available commands are:\n  a                       \n  b/a-name-that-is-rather-long X\n"
    #expect(commands.table == table)
  }

  @Test func aSocketThatCannotBeMadeIsAnError() {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    #expect {
      try ControlServer.open("/nonexistent/a.ctl", on: loop, commands: ControlCommands())
    } throws: {
      ($0 as? UsageError)?.message
        == "/nonexistent/a.ctl: could not initialize control socket (No such file or directory)"
    }
  }

  @Test func noneMeansNoSocket() throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    #expect(try ControlServer.open("none", on: loop, commands: ControlCommands()) == nil)
  }

  @Test func closingRemovesTheSocketAndEndsTheSessions() throws {
    let server = try Server()
    let connection = try server.connect()
    connection.send(Self.version)
    #expect(try connection.receive(like: Self.versionAnswer) == Self.versionAnswer)
    server.server.close()
    #expect(try connection.receive() == "")
    #expect(!FileManager.default.fileExists(atPath: server.server.path))
  }
}

/// A request that the test answers.
final class HeldRequest: Sendable {
  private let request = Mutex<ControlRequest?>(nil)
  private let arrived = DispatchSemaphore(value: 0)

  func hold(_ request: ControlRequest) {
    self.request.withLock { $0 = request }
    arrived.signal()
  }

  /// Waits until the command runs.
  func wait() -> ControlRequest {
    arrived.wait()
    guard let request = request.withLock({ $0.take() }) else { preconditionFailure("signalled without a request") }
    return request
  }
}
