// SPDX-License-Identifier: Apache-2.0

import Glibc
import JSON
import JSONRPC
import NIOCore
import NIOPosix
import Streams
import Testing

@testable import Client

/// A server that answers each method in a way of its own.
final class ToyServer: RPCConnectionOwner {
  func inputAvailable(_ connection: RPCConnection) {
    while let message = try? connection.next() {
      if case .reply(let id, _) = message, id.isString("alive") {
        connection.output.append(utf8: Self.word("last"))
        heardOfPeer?()
      }
      guard case .request(let method, let params, let id) = message else { continue }
      switch method.string {
      case "double":
        connection.output.append("{\"id\":null,\"method\":\"before\",\"params\":[]}")
        answer(id, "\"result\":\(params.text())", connection)
        connection.output.append("{\"id\":null,\"method\":\"after\",\"params\":[1]}")
      case "ask back":
        connection.output.append(utf8: Self.word("first") + Self.word("large", size: 100_000) + Self.word("second"))
        connection.output.append("{\"id\":\"alive\",\"method\":\"echo\",\"params\":[]}")
      case "hang": break
      case "end": connection.close()
      default: answer(id, "\"error\":\"unknown method\"", connection)
      }
    }
    connection.releaseInput()
    connection.flush()
  }

  private static func word(_ name: String, size: Int = 1) -> String {
    "{\"id\":null,\"method\":\"\(name)\",\"params\":[\"\(String(repeating: "x", count: size))\"]}"
  }

  private func answer(_ id: JSONValue, _ rest: String, _ connection: RPCConnection) {
    connection.output.append(utf8: "{\"id\":\(id.text()),\(rest)}")
  }

  func becameWritable(_ connection: RPCConnection) {}
  func closed(_ connection: RPCConnection, reason: RPCCloseReason) { keepAlive = nil }
  var keepAlive: ToyServer?
  /// Called when the other side has answered the echo of "ask back".
  var heardOfPeer: (() -> Void)?
}

@Suite struct ClientSessionTests {
  private let loop = MultiThreadedEventLoopGroup.singleton.next()

  private func method(_ name: String) throws -> ConnectionMethod { .parseForClient(name) }

  private func serve() throws -> Listener {
    try Listener.open(method("ptcp:0:127.0.0.1"), group: loop, rundir: "/") { accepted in
      let connection = RPCConnection(name: accepted.name)
      let server = ToyServer()
      server.keepAlive = server
      connection.owner = server
      try accepted.channel.pipeline.syncOperations.addHandler(connection)
    }
  }

  private func connect(_ listener: Listener) async throws -> ClientSession {
    let port = try #require(listener.boundPort)
    return try await ClientSession.open(method("tcp:127.0.0.1:\(port)"), on: loop, rundir: "/")
  }

  @Test func repliesFindTheirCallsAndNotificationsKeepTheirOrder() async throws {
    let listener = try serve()
    defer { listener.close() }
    let session = try await connect(listener)
    async let first = session.call("double", "[1]")
    async let second = session.call("double", "[{\"a\":2}]")
    async let third = session.call("nonsense", "[]")
    guard case .result(let one) = try await first, case .result(let two) = try await second,
      case .error(let three) = try await third
    else {
      Issue.record("not the kinds of replies that were expected")
      return
    }
    #expect(one.root.text() == "[1]")
    #expect(two.root.text() == "[{\"a\":2}]")
    #expect(three.root.text() == "\"unknown method\"")
    await session.close()
    var seen: [String] = []
    for await notification in session.notifications { seen.append(notification.method) }
    #expect(seen == ["before", "after", "before", "after"])
  }

  @Test func aCallFailsWhenTheConnectionEnds() async throws {
    let listener = try serve()
    defer { listener.close() }
    let session = try await connect(listener)
    let hanging = Task { try await session.call("hang", "[]") }
    let ending = Task { try await session.call("end", "[]") }
    await #expect(throws: ClientError.closed(.endOfFile)) { _ = try await ending.value }
    await #expect(throws: ClientError.closed(.endOfFile)) { _ = try await hanging.value }
    #expect(await session.closed() == .endOfFile)
    await #expect(throws: ClientError.closed(.endOfFile)) { _ = try await session.call("double", "[]") }
  }

  @Test func aPassiveRemoteTakesOneConnection() async throws {
    let port = AsyncStream.makeStream(of: UInt16.self)
    let passive = try method("ptcp:0:127.0.0.1")
    async let waiting = ClientSession.open(passive, on: loop, rundir: "/") { bound in
      if let bound { port.continuation.yield(bound) }
    }
    var ports = port.stream.makeAsyncIterator()
    let bound = try #require(await ports.next())
    let server = try await dial(method("tcp:127.0.0.1:\(bound)"), on: loop, rundir: "/") { channel in
      let connection = RPCConnection(name: "server")
      let server = ToyServer()
      server.keepAlive = server
      connection.owner = server
      try channel.pipeline.syncOperations.addHandler(connection)
    }.get()
    let session = try await waiting
    guard case .result(let result) = try await session.call("double", "[3]") else {
      Issue.record("no result")
      return
    }
    #expect(result.root.text() == "[3]")
    await session.close()
    try await server.closeFuture.get()
  }

  @Test func anUnreachableRemoteSaysWhy() async throws {
    await #expect(throws: ClientError.unreachable(StreamError(errnoCode: ENOENT))) {
      _ = try await ClientSession.open(method("unix:/nonexistent/socket"), on: loop, rundir: "/")
    }
    await #expect(throws: ClientError.unreachable(StreamError(errnoCode: EAFNOSUPPORT))) {
      _ = try await ClientSession.open(method("foo:bar"), on: loop, rundir: "/")
    }
  }

  @Test func theFirstRemoteThatSuitsIsTaken() async throws {
    let listener = try serve()
    defer { listener.close() }
    let port = try #require(listener.boundPort)
    let remotes = Remotes("unix:/nonexistent/a,b,cid:12,tcp:127.0.0.1:\(port)")
    #expect(remotes.methods.map(\.name) == ["unix:/nonexistent/a,b", "tcp:127.0.0.1:\(port)"])
    #expect(remotes.clusterID == "12")
    let session = await ClientSession.first(of: remotes.methods, on: loop, rundir: "/") { _ in true }
    #expect(session?.name == "tcp:127.0.0.1:\(port)")
    await session?.close()
    let none = await ClientSession.first(of: remotes.methods, on: loop, rundir: "/") { _ in false }
    #expect(none?.name == nil)
  }
}
