// SPDX-License-Identifier: Apache-2.0

import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import Control
@testable import Daemon

/// A control server in this process.
final class Server: Sendable {
  let directory: URL
  let commands = ControlCommands()
  let server: ControlServer
  let loop: any EventLoop

  init() throws {
    directory = URL(fileURLWithPath: "/tmp/swift-ovsdb-control-tests/\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    loop = MultiThreadedEventLoopGroup.singleton.next()
    commands.addStandard(memoryUsage: { ["sessions": 2, "atoms": 7] }) { $0.reply() }
    let loop = loop
    commands.add("later", usage: "TEXT", arguments: 1...1) { (request: ControlRequest) in
      loop.scheduleTask(in: .milliseconds(30)) { request.reply(request.arguments[0]) }
    }
    commands.add("drop", hidden: true) { (request: ControlRequest) in _ = request.name }
    commands.add("twice", hidden: true) { (request: ControlRequest) in
      request.reply("one")
      request.reply("two")
      request.fail("three")
    }
    let opened = try ControlServer.open(directory.appendingPathComponent("c.ctl").path, on: loop, commands: commands)
    server = try #require(opened)
  }

  deinit {
    server.close()
    try? FileManager.default.removeItem(at: directory)
  }

  func connect() throws -> RawConnection { try RawConnection(path: server.path) }
}

/// Bytes to and from a Unix socket.
final class RawConnection {
  private let descriptor: Int32

  init(path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(result == 0)
  }

  deinit { close(descriptor) }

  func send(_ text: String) {
    Array(text.utf8).withUnsafeBytes { _ = Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }

  /// What comes until it is enough, or until the server closes.
  func receive(until isEnough: (String) -> Bool = { _ in false }) throws -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      try #require(Foundation.poll(&poll, 1, 60_000) == 1)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      bytes += buffer.prefix(max(0, count))
      let text = String(decoding: bytes, as: UTF8.self)
      if count <= 0 || isEnough(text) { return text }
    }
  }

  /// An answer of that length.
  func receive(like answer: String) throws -> String { try receive { $0.utf8.count >= answer.utf8.count } }
}
