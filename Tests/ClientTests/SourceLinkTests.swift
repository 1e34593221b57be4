// SPDX-License-Identifier: Apache-2.0
//
// The lasting link to another server: it comes back, tries its remotes in turn, and does not wait for ever.

import JSON
import JSONRPC
import NIOCore
import NIOPosix
import Streams
import Testing

@testable import Client

/// Asks its source something whenever it is connected, and notes what happens until it has seen enough.
private final class Follower: SourceLinkOwner {
  let link: SourceLink
  private let method: StaticString
  private let wanted: Int
  private let seen: EventLoopPromise<[String]>
  private var events: [String] = []
  private let begin = NIODeadline.now()
  /// From the start until all was seen, as the loop saw it: a test may be kept waiting for a thread to run on.
  private(set) var duration: TimeAmount?

  init(_ link: SourceLink, asking method: StaticString, until wanted: Int, seen: EventLoopPromise<[String]>) {
    self.link = link
    self.method = method
    self.wanted = wanted
    self.seen = seen
    link.owner = self
    link.start()
  }

  private func note(_ event: String) {
    guard events.count < wanted else { return }
    events.append(event)
    guard events.count == wanted else { return }
    duration = NIODeadline.now() - begin
    seen.succeed(events)
  }

  func linkConnected(_ link: SourceLink) {
    note("connected")
    link.call(method, timeoutMilliseconds: 100, params: { $0.append("[1]") }) { [weak self] reply in
      switch reply {
      case .result(let json): self?.note("result \(json.text())")
      case .error(let json): self?.note("error \(json.text())")
      case .lost: self?.note("no reply")
      }
    }
  }

  func link(_ link: SourceLink, received method: JSONValue, _ params: JSONValue) { note("told \(method.string ?? "")") }
  func linkDrained(_ link: SourceLink) { note("drained") }
  func linkBecameWritable(_ link: SourceLink) {}
  func linkLost(_ link: SourceLink) { note("lost") }
}

/// Holds its link at the first word it hears, until it is told to go on, and takes a large word away.
private final class Holder: SourceLinkOwner {
  let link: SourceLink
  private let seen: EventLoopPromise<[String]>
  private(set) var events: [String] = []
  private var taken: (texts: [JSONDocument], word: JSONValue)?

  init(_ link: SourceLink, seen: EventLoopPromise<[String]>) {
    self.link = link
    self.seen = seen
    link.owner = self
    link.start()
  }

  func goOn() {
    events.append("released")
    link.release()
  }

  func linkConnected(_ link: SourceLink) { link.call("ask back", params: { $0.append("[]") }) { _ in } }

  func link(_ link: SourceLink, received method: JSONValue, _ params: JSONValue) {
    let word = method.string ?? ""
    events.append("\(word) of \(link.messageSize > 100_000 ? "many" : "few")")
    if word == "first" { link.hold() }
    if word == "large", let text = params[0] { taken = (link.takeMessage(), text) }
    guard word == "last" else { return }
    events.append("kept \(taken?.word.string?.utf8.count ?? 0)")
    seen.succeed(events)
  }

  func linkDrained(_ link: SourceLink) {}
  func linkBecameWritable(_ link: SourceLink) {}
  func linkLost(_ link: SourceLink) {}
}

@Suite struct SourceLinkTests {
  private let loop = MultiThreadedEventLoopGroup.singleton.next()

  private func serve() throws -> Listener {
    try Listener.open(.parse("ptcp:0:127.0.0.1", origin: .commandLine), group: loop, rundir: "/") { accepted in
      let connection = RPCConnection(name: accepted.name)
      let server = ToyServer()
      server.keepAlive = server
      connection.owner = server
      try accepted.channel.pipeline.syncOperations.addHandler(connection)
    }
  }

  /// What a follower of remotes sees first.
  private func events(_ count: Int, asking method: StaticString, of remotes: [String]) async throws -> [String] {
    try await follow(count, asking: method, of: remotes).events
  }

  /// What a follower of remotes sees first, and how long it takes until then.
  private func follow(
    _ count: Int, asking method: StaticString, of remotes: [String]
  ) async throws -> (events: [String], duration: TimeAmount?) {
    let methods = try remotes.map { try ConnectionMethod.parse($0, origin: .commandLine) }
    let loop = loop
    let seen = loop.makePromise(of: [String].self)
    let follower = try await loop.submit {
      let link = SourceLink(methods, on: loop, rundir: "/", probeMilliseconds: 0, messageBytesMax: 1 << 20)
      return NIOLoopBound(Follower(link, asking: method, until: count, seen: seen), eventLoop: loop)
    }.get()
    let events = try await seen.futureResult.get()
    let duration = try await loop.submit {
      follower.value.link.stop()
      return follower.value.duration
    }.get()
    return (events, duration)
  }

  @Test func repliesAndNotificationsComeInTheirOrder() async throws {
    let listener = try serve()
    defer { listener.close() }
    let port = try #require(listener.boundPort)
    let seen = try await events(5, asking: "double", of: ["tcp:127.0.0.1:\(port)"])
    #expect(seen == ["connected", "told before", "result [1]", "told after", "drained"])
  }

  @Test func aSilentSourceIsGivenUpAndDialledAgain() async throws {
    let listener = try serve()
    defer { listener.close() }
    let port = try #require(listener.boundPort)
    let seen = try await events(4, asking: "hang", of: ["tcp:127.0.0.1:\(port)"])
    #expect(seen == ["connected", "no reply", "lost", "connected"])
  }

  @Test func aSourceThatCannotBeReachedIsPassedOverAtOnce() async throws {
    let listener = try serve()
    defer { listener.close() }
    let port = try #require(listener.boundPort)
    let remotes = (0..<20).map { "unix:/nowhere/\($0)" } + ["tcp:127.0.0.1:\(port)"]
    let (seen, duration) = try await follow(2, asking: "nonsense", of: remotes)
    #expect(seen == ["connected", "error \"unknown method\""])
    // With a pause after each it would take more than two minutes.
    #expect(try #require(duration) < .seconds(60))
  }

  @Test(.timeLimit(.minutes(2))) func whatComesWhileALinkIsHeldComesInOrderLaterAndEchoesAreAnswered() async throws {
    let loop = loop
    let peerHeard = try await loop.submit { NIOLoopBoundBox<(() -> Void)?>(nil, eventLoop: loop) }.get()
    let listener = try Listener.open(.parse("ptcp:0:127.0.0.1", origin: .commandLine), group: loop, rundir: "/") { accepted in
      let connection = RPCConnection(name: accepted.name)
      let server = ToyServer()
      server.keepAlive = server
      server.heardOfPeer = { peerHeard.value?() }
      connection.owner = server
      try accepted.channel.pipeline.syncOperations.addHandler(connection)
    }
    defer { listener.close() }
    let method = try ConnectionMethod.parse("tcp:127.0.0.1:\(try #require(listener.boundPort))", origin: .commandLine)
    let seen = loop.makePromise(of: [String].self)
    let holder = try await loop.submit {
      let link = SourceLink([method], on: loop, rundir: "/", probeMilliseconds: 0, messageBytesMax: 1 << 20)
      let holder = Holder(link, seen: seen)
      peerHeard.value = { holder.goOn() }
      return NIOLoopBound(holder, eventLoop: loop)
    }.get()
    let events = try await seen.futureResult.get()
    #expect(events == ["first of few", "released", "large of many", "second of few", "last of few", "kept 100000"])
    try await loop.submit {
      peerHeard.value = nil
      holder.value.link.stop()
    }.get()
  }
}
