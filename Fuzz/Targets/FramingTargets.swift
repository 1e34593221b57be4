// SPDX-License-Identifier: Apache-2.0
//
// Bytes on a connection: JSON-RPC as the server's sessions see it, and the control socket's commands.

import Control
import JSON
import JSONRPC
import NIOCore
import NIOEmbedded

extension FuzzTarget {
  private static let words = [
    "\"method\":", "\"params\":[]", "\"id\":1", "\"result\":", "\"error\":null", "\"echo\"", "\"cancel\"", "{}", "}{",
  ]

  /// Any bytes end as messages or as a closed connection, and every echo request is answered.
  static let framing = FuzzTarget(name: "framing", words: words) { bytes in
    let channel = EmbeddedChannel()
    let connection = RPCConnection(name: "fuzz", messageBytesMax: 1 << 20)
    let owner = TakingOwner()
    connection.owner = owner
    try channel.pipeline.syncOperations.addHandler(connection)
    deliver(bytes, to: channel)
    while let sent = try channel.readOutbound(as: ByteBuffer.self) {
      var stream = JSONStream(messageBytesMax: .max)
      sent.withUnsafeReadableBytes { stream.append($0) }
      var end = 0
      while let answer = try stream.next() {
        try require(answer.kind == .object && answer.member("id") != nil, "sent \(answer.text())")
        end = stream.position
      }
      try require(end == sent.readableBytes, "sent something beside messages")
    }
    _ = try? channel.finish()
  }

  /// Connects and delivers the bytes in two reads.
  private static func deliver(_ bytes: UnsafeRawBufferPointer, to channel: EmbeddedChannel) {
    channel.pipeline.fireChannelActive()
    let cut = Int(bytes.last ?? 0) % (bytes.count + 1)
    for piece in [bytes[..<cut], bytes[cut...]] {
      channel.pipeline.fireChannelRead(channel.allocator.buffer(bytes: piece))
      channel.pipeline.fireChannelReadComplete()
      channel.embeddedEventLoop.run()
    }
  }

  /// Takes every message and keeps none.
  private final class TakingOwner: RPCConnectionOwner {
    func inputAvailable(_ connection: RPCConnection) {
      while let message = try? connection.next() {
        if case .request(_, let params, let id) = message, id.kind == .integer { connection.answerEcho(id: id, params: params) }
      }
      connection.releaseInput()
      connection.flush()
    }

    func becameWritable(_ connection: RPCConnection) {}
    func closed(_ connection: RPCConnection, reason: RPCCloseReason) {}
  }

  /// The control socket: any bytes end as answers or as a closed connection.
  static let control = FuzzTarget(name: "control", words: words + ["list-commands", "set-options", "--format", "json", "x/one"]) {
    bytes in
    let commands = ControlCommands()
    commands.add("x/one", usage: "ARG", arguments: 1...1) { (arguments) throws(ControlError) in
      guard let argument = arguments.first, argument != "no" else { throw ControlError("refused") }
      return argument
    }
    let channel = EmbeddedChannel()
    let session = try ControlServer.serve(channel, commands: commands)
    deliver(bytes, to: channel)
    _ = try? channel.finish()
    withExtendedLifetime(session) {}
  }
}
