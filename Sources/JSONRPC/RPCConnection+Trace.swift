// SPDX-License-Identifier: Apache-2.0
//
// Messages in the log, at level debug of the module `jsonrpc`: `NAME: received request, method="echo", params=[], id=0`.

internal import JSON
internal import Logging
internal import NIOCore

extension RPCConnection {
  func trace(received message: RPCMessage) {
    Log.jsonrpc.debug("\(name): received \(Self.describe(message))")
  }

  /// Reads again what was written; whoever debugs has the time.
  func trace(sent buffer: ByteBuffer) {
    var stream = JSONStream(messageBytesMax: .max)
    buffer.withUnsafeReadableBytes { stream.append($0) }
    while let value = try? stream.next(), let message = try? RPCEnvelope.message(value) {
      Log.jsonrpc.debug("\(name): send \(Self.describe(message))")
    }
  }

  private static func describe(_ message: RPCMessage) -> String {
    switch message {
    case .request(let method, let params, let id):
      "request, method=\(method.text()), params=\(params.text()), id=\(id.text())"
    case .notification(let method, let params):
      "notification, method=\(method.text()), params=\(params.text())"
    case .reply(let id, let result):
      "reply, result=\(result.text()), id=\(id.text())"
    case .error(let id, let error):
      "error, error=\(error.text()), id=\(id.text())"
    }
  }
}
