// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import Streams

/// A directory of its own for each test, gone afterwards.
final class ScratchDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/swift-ovsdb-streams.XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw StreamError(errnoCode: errno) }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit {
    system("rm -rf '\(path)'")
  }

  private func system(_ command: String) { _ = Glibc.system(command) }
}

/// Sends back what it reads.
final class Echo: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }
}

/// Fulfils a promise with the first bytes it reads.
final class FirstRead: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  let promise: EventLoopPromise<String>

  init(_ promise: EventLoopPromise<String>) { self.promise = promise }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { promise.succeed(String(buffer: unwrapInboundIn(data))) }
  func channelInactive(context: ChannelHandlerContext) { promise.fail(ChannelError.eof) }
}

@Suite struct ListenerTests {
  private let group = MultiThreadedEventLoopGroup.singleton

  private func method(_ name: String) throws -> ConnectionMethod { ConnectionMethod.parseForClient(name) }

  private func listenEchoing(_ name: String, rundir: String = "/nonexistent") throws -> Listener {
    try Listener.open(method(name), group: group, rundir: rundir) { try $0.channel.pipeline.syncOperations.addHandler(Echo()) }
  }

  /// Connects, says hello and returns the answer.
  private func hello(_ name: String, rundir: String = "/nonexistent") async throws -> String {
    let loop = group.next()
    let promise = loop.makePromise(of: String.self)
    let channel = try await dial(method(name), on: loop, rundir: rundir) {
      try $0.pipeline.syncOperations.addHandler(FirstRead(promise))
    }.get()
    try await channel.writeAndFlush(ByteBuffer(string: "hello"))
    let answer = try await promise.futureResult.get()
    try await channel.close()
    return answer
  }

  private func failure(_ name: String, rundir: String = "/nonexistent") -> CInt? {
    do {
      try listenEchoing(name, rundir: rundir).close()
      return nil
    } catch let error as StreamError {
      return error.errnoCode
    } catch {
      return -1
    }
  }

  @Test func aUnixSocketInTheRunDirectoryCarriesBytesAndIsRemovedOnClose() async throws {
    let scratch = try ScratchDirectory()
    let listener = try listenEchoing("punix:s", rundir: scratch.path)
    #expect(try await hello("unix:s", rundir: scratch.path) == "hello")
    var status = stat()
    #expect(lstat("\(scratch.path)/s", &status) == 0)
    let mask = umask(0)
    umask(mask)
    #expect(status.st_mode & 0o777 == 0o770 & ~mask)
    listener.close()
    #expect(lstat("\(scratch.path)/s", &status) != 0)
  }

  @Test func aSecondListenerTakesThePathAndTheFirstLeavesItAlone() async throws {
    let scratch = try ScratchDirectory()
    let first = try listenEchoing("punix:s", rundir: scratch.path)
    let second = try listenEchoing("punix:s", rundir: scratch.path)
    first.close()
    #expect(try await hello("unix:s", rundir: scratch.path) == "hello")
    second.close()
  }

  @Test func onlySocketsAreReplaced() throws {
    let scratch = try ScratchDirectory()
    for make in ["echo precious > f", "mkdir f", "ln -s nowhere f", "mkfifo f"] {
      #expect(system("cd '\(scratch.path)' && rm -rf f && \(make)") == 0)
      var before = stat()
      var after = stat()
      #expect(lstat("\(scratch.path)/f", &before) == 0)
      #expect(failure("punix:f", rundir: scratch.path) == EADDRINUSE, "\(make)")
      #expect(lstat("\(scratch.path)/f", &after) == 0)
      #expect(before.st_ino == after.st_ino)
    }
    #expect(system("cd '\(scratch.path)' && rm f") == 0)
    #expect(failure("punix:f", rundir: scratch.path) == nil)
  }

  @Test func detailsOfAFailureGoToWhoAsksForThem() throws {
    var texts: [String] = []
    #expect(throws: StreamError(errnoCode: ENOENT)) {
      try Listener.open(method("punix:/nonexistent/s"), group: group, rundir: "/", report: { texts.append("\($0.label) \($1)") }) { _ in }
    }
    #expect(texts == ["stream_unix /nonexistent/s: binding failed: No such file or directory"])
  }

  @Test func hostNamesToListenOnAreKnownAsSuch() throws {
    for (name, isName) in [("ptcp:0:localhost", true), ("ptcp:0:127.0.0.1", false), ("ptcp:0", false), ("ptcp:0:[::1]", false),
      ("pssl:0:localhost", true), ("punix:localhost", false), ("tcp:localhost", false)] {
      #expect(try method(name).listensOnHostName == isName, "\(name)")
    }
    let found = try method("ptcp:0:localhost").withHostLookedUp()
    #expect(!found.listensOnHostName)
    #expect(found.name == "ptcp:0:localhost")
    #expect(try method("ptcp:0:nosuch.invalid").withHostLookedUp() == method("ptcp:0:nosuch.invalid"))
    // Who must not wait gets what is known already.
    #expect(throws: StreamError(errnoCode: EAFNOSUPPORT)) {
      try Listener.open(method("ptcp:0:localhost"), group: group, rundir: "/", looksUpHost: false) { _ in }
    }
  }

  @Test func pathsLongerThanASocketAddressWork() async throws {
    let scratch = try ScratchDirectory()
    let long = scratch.path + "/" + String(repeating: "d", count: 100) + "/" + String(repeating: "e", count: 100)
    #expect(system("mkdir -p '\(long)'") == 0)
    let listener = try listenEchoing("punix:\(long)/s")
    #expect(try await hello("unix:\(long)/s") == "hello")
    listener.close()
    #expect(access("\(long)/s", F_OK) != 0)
    #expect(failure("punix:\(scratch.path)/\(String(repeating: "n", count: 200))") == ENAMETOOLONG)
  }

  @Test func aMissingDirectoryIsReported() {
    #expect(failure("punix:/nonexistent/s") == ENOENT)
    #expect(failure("punix:a\0b") == EINVAL)
  }

  @Test(arguments: ["127.0.0.1", "[::1]"])
  func tcpReportsThePortTheSystemChose(host: String) async throws {
    let listener = try listenEchoing("ptcp:0:\(host)")
    defer { listener.close() }
    let port = try #require(listener.boundPort)
    #expect(port != 0)
    #expect(try await hello("tcp:\(host):\(port)") == "hello")
  }

  @Test func theIPv6WildcardServesBothFamilies() async throws {
    let listener = try listenEchoing("ptcp:0:[::]")
    defer { listener.close() }
    let port = try #require(listener.boundPort)
    #expect(try await hello("tcp:127.0.0.1:\(port)") == "hello")
    #expect(try await hello("tcp:[::1]:\(port)") == "hello")
    #expect(try await hello("tcp:localhost:\(port)") == "hello")
  }

  @Test func listeningErrorsCarryTheirNumber() {
    #expect(failure("ptcp:0:1.2.3.4") == EADDRNOTAVAIL)
    #expect(failure("ptcp:abc") == EAFNOSUPPORT)
    #expect(failure("foo:bar") == EAFNOSUPPORT)
    #expect(failure("unix:s") == EAFNOSUPPORT)
  }

  @Test func diallingErrorsCarryTheirNumber() async throws {
    let scratch = try ScratchDirectory()
    for (name, code) in [
      ("unix:nosuch", ENOENT), ("tcp:127.0.0.1:1", ECONNREFUSED), ("foo:bar", EAFNOSUPPORT), ("tcp::5", EAFNOSUPPORT),
      ("tcp:nosuch.invalid:5", EAFNOSUPPORT), ("ssl:127.0.0.1", ENOPROTOOPT), ("punix:s", EAFNOSUPPORT),
    ] {
      await #expect(throws: StreamError(errnoCode: code), "\(name)") {
        _ = try await dial(method(name), on: group.next(), rundir: scratch.path) { _ in }.get()
      }
    }
  }

  // MARK: - Inherited descriptors

  @Test func inheritedDescriptorsAreChecked() throws {
    let datagram = socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0)
    let idle = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    let file = open("/dev/null", O_RDONLY)
    defer { for descriptor in [datagram, idle, file] { close(descriptor) } }
    #expect(failure("pfd:999999") == EBADF)
    #expect(failure("pfd:nobody") == EBADF)
    #expect(failure("pfd:\(file)") == ENOTSOCK)
    #expect(failure("pfd:\(datagram)") == EINVAL)
    #expect(failure("pfd:\(idle)") == EINVAL)
    // A refused descriptor is not ours to close.
    #expect(fcntl(idle, F_GETFD) >= 0)
  }

  @Test func anInheritedUnixSocketServesAndItsPathStays() async throws {
    let scratch = try ScratchDirectory()
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
    try SocketPath("s", rundir: scratch.path).withAddress { address throws(StreamError) in
      #expect(address.withPointer { bind(descriptor, $0, $1) } == 0)
    }
    #expect(listen(descriptor, 5) == 0)
    let listener = try listenEchoing("pfd:\(descriptor)")
    #expect(failure("pfd:\(descriptor)") == EADDRINUSE)
    #expect(try await hello("unix:s", rundir: scratch.path) == "hello")
    #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
    #expect(fcntl(descriptor, F_GETFL) & O_NONBLOCK != 0)
    listener.close()
    #expect(access("\(scratch.path)/s", F_OK) == 0)
  }

  @Test func namesOfAcceptedConnections() async throws {
    let names = AsyncStream.makeStream(of: String.self)
    let tcp = try Listener.open(method("ptcp:0:127.0.0.1"), group: group, rundir: "/") { names.continuation.yield($0.name) }
    let port = try #require(tcp.boundPort)
    let channel = try await dial(method("tcp:127.0.0.1:\(port)"), on: group.next(), rundir: "/") { _ in }.get()
    var iterator = names.stream.makeAsyncIterator()
    let local = try #require(channel.localAddress?.port)
    #expect(await iterator.next() == "tcp:127.0.0.1:\(local)")
    try await channel.close()
    tcp.close()
  }

  @Test func aClosedListenerAcceptsNoMore() async throws {
    let listener = try listenEchoing("ptcp:0:127.0.0.1")
    let port = try #require(listener.boundPort)
    listener.close()
    listener.close()
    await #expect(throws: StreamError(errnoCode: ECONNREFUSED)) {
      _ = try await dial(method("tcp:127.0.0.1:\(port)"), on: group.next(), rundir: "/") { _ in }.get()
    }
  }
}
