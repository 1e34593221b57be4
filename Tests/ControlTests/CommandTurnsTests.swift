// SPDX-License-Identifier: Apache-2.0

import Dispatch
import NIOCore
import NIOEmbedded
import Streams
import Synchronization
import Testing

@testable import Control
@testable import Daemon
@testable import JSONRPC

@Suite struct CommandTurnsTests {
  /// What the commands of one loop did, in order.
  private final class Trace: Sendable {
    private let names = Mutex<[String]>([])
    var value: [String] { names.withLock { $0 } }
    func note(_ name: String) { names.withLock { $0.append(name) } }
  }

  private static func request(_ command: String, id: Int) -> String { #"{"id":\#(id),"method":"\#(command)","params":[]}"# }

  /// The commands `a`, `b` and `c`, each of which note their names.
  private static func commands(_ trace: Trace) -> ControlCommands {
    let commands = ControlCommands()
    for name in ["a", "b", "c"] {
      commands.add(name) { (_) throws(ControlError) in
        trace.note(name)
        return ""
      }
    }
    return commands
  }

  /// A connection that sent its requests at once.
  private static func connect(
    _ requests: [String], _ loop: EmbeddedEventLoop, _ turns: CommandTurns, _ commands: ControlCommands
  ) throws -> (EmbeddedChannel, ControlSession) {
    let channel = EmbeddedChannel(loop: loop)
    let session = try ControlServer.serve(channel, name: "test", commands: commands, turns: turns) { _ in }
    channel.pipeline.fireChannelActive()
    channel.pipeline.fireChannelRead(channel.allocator.buffer(string: requests.joined()))
    channel.pipeline.fireChannelReadComplete()
    return (channel, session)
  }

  @Test func eachConnectionHasOneCommandInTurn() throws {
    let (trace, loop) = (Trace(), EmbeddedEventLoop())
    let (commands, turns) = (Self.commands(trace), CommandTurns(loop: loop))
    let kept = try ["a", "b", "c"].map { name in
      try Self.connect((0..<(name == "a" ? 5 : 2)).map { Self.request(name, id: $0) }, loop, turns, commands)
    }
    loop.run()
    #expect(trace.value == ["a", "b", "c", "a", "b", "c", "a", "a", "a"])
    withExtendedLifetime(kept) {}
  }

  @Test func aTurnEndsAfterAMillisecondAndTheNextBeginsAfterABreath() throws {
    let (trace, loop) = (Trace(), EmbeddedEventLoop())
    let commands = Self.commands(trace)
    // Each look at the clock finds it 0.4 ms later: the first is that of the begin, so a turn has three commands.
    var time = NIODeadline.now()
    let turns = CommandTurns(loop: loop) {
      time = time + .microseconds(400)
      return time
    }
    let kept = try Self.connect((0..<7).map { Self.request("a", id: $0) }, loop, turns, commands)
    loop.run()
    #expect(trace.value.count == 3)
    loop.advanceTime(by: .breath - .nanoseconds(1))
    #expect(trace.value.count == 3)
    loop.advanceTime(by: .nanoseconds(1))
    #expect(trace.value.count == 6)
    loop.advanceTime(by: .breath)
    #expect(trace.value.count == 7)
    withExtendedLifetime(kept) {}
  }

  @Test func aClientWithManyCommandsHoldsUpNoOtherConnection() throws {
    let server = try Server()
    let (reached, goOn, trace) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0), Trace())
    let loop = server.loop
    server.commands.add("busy") { (_) throws(ControlError) in
      // The tenth waits until the other client has sent its request. Each takes a turn.
      trace.note("busy")
      if trace.value.count == 10 {
        reached.signal()
        goOn.wait()
      }
      let end = loop.now + CommandTurns.turn
      while loop.now < end {}
      return ""
    }
    server.commands.add("look") { (_) throws(ControlError) in "\(trace.value.count)" }
    let light = try server.connect()
    light.send(Self.request("version", id: 1))
    _ = try light.receive { $0.hasSuffix("}") }
    let heavy = try server.connect()
    heavy.send((0..<40).map { Self.request("busy", id: $0) }.joined())
    reached.wait()
    light.send(Self.request("look", id: 2))
    goOn.signal()
    let answer = try light.receive { $0.hasSuffix("}") }
    let count = try #require(Int(answer.split(separator: "\"")[5].prefix { $0.isNumber }))
    #expect((10...12).contains(count), "\(count) commands of one client before one of another")
  }
}
