// SPDX-License-Identifier: Apache-2.0
//
// JSONRPC: messages over a stream. `RPCConnection` turns bytes into `RPCMessage`s that its owner takes when it wants them,
// and the owner's bytes into as few writes as possible; it watches that the peer lives and keeps the rules of the message
// shapes (`RPCEnvelope`). What a message means is the business of the targets above.
//
// Source: RFC 7047 §4, JSON-RPC 1.0, and Documentation/protocol/wire.md in what these leave open.

internal import Logging

/// The loggers of this target. A label is the name of a logging module (`vlog/set MODULE`).
enum Log {
  static let jsonrpc = Logger(label: "jsonrpc")
  static let reconnect = Logger(label: "reconnect")

  /// Marks what a peer can bring about as often as it likes: a backend logs only some of it.
  static func limited(_ kind: String) -> Logger.Metadata { ["rate-limit": .string(kind)] }
}
