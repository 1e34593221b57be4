// SPDX-License-Identifier: Apache-2.0
//
// The kinds of messages, and how an incoming object is told to be one of them.

package import JSON

/// One incoming message. Its values are views of the connection's input and last until the next call of `next()` there.
package enum RPCMessage {
  /// `method` is a string, `params` an array, `id` anything but null.
  case request(method: JSONValue, params: JSONValue, id: JSONValue)
  /// `method` is a string, `params` an array.
  case notification(method: JSONValue, params: JSONValue)
  /// Neither is null.
  case reply(id: JSONValue, result: JSONValue)
  /// Neither is null.
  case error(id: JSONValue, error: JSONValue)
}

/// A message that breaks the protocol; the connection it came on is closed.
package struct RPCError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What the log says behind the connection's name.
  package let description: String
}

/// The members of a message object. A member that is null counts as absent, but for `method`, which must be a string (observed
/// of ovsdb-server 3.1.0).
struct RPCEnvelope {
  private var method: JSONValue?
  private var params: JSONValue?
  private var id: JSONValue?
  private var result: JSONValue?
  private var error: JSONValue?
  private var unexpected: JSONValue?

  init(_ object: JSONValue) {
    for (name, value) in object.members {
      if name.isString("id") {
        id = Self.present(value)
      } else if name.isString("method") {
        method = value
      } else if name.isString("params") {
        params = Self.present(value)
      } else if name.isString("result") {
        result = Self.present(value)
      } else if name.isString("error") {
        error = Self.present(value)
      } else if unexpected == nil {
        unexpected = name
      }
    }
  }

  private static func present(_ value: JSONValue) -> JSONValue? { value.isNull ? nil : value }

  /// Classifies an incoming text and checks its shape.
  ///
  /// The order of the checks decides which mistake is logged when there are several.
  ///
  /// - Throws: the text behind `received bad JSON-RPC message: `.
  static func message(_ value: JSONValue) throws(RPCError) -> RPCMessage {
    guard value.kind == .object else { throw RPCError(description: "message is not a JSON object") }
    let envelope = RPCEnvelope(value)
    if let method = envelope.method, method.kind != .string {
      throw RPCError(description: "method is not a JSON string")
    }
    if let unexpected = envelope.unexpected {
      throw RPCError(description: "message has unexpected member \(unexpected.text())")
    }
    if let params = envelope.params, params.kind != .array {
      throw RPCError(description: "\"params\" must be JSON array")
    }
    if envelope.result != nil { return try envelope.reply() }
    if envelope.error != nil { return try envelope.errorReply() }
    if let id = envelope.id {
      return .request(
        method: try Self.required(envelope.method, "method", in: "request"),
        params: try Self.required(envelope.params, "params", in: "request"), id: id)
    }
    return .notification(
      method: try Self.required(envelope.method, "method", in: "notification"),
      params: try Self.required(envelope.params, "params", in: "notification"))
  }

  private func reply() throws(RPCError) -> RPCMessage {
    try Self.forbidden(method, "method", in: "reply")
    try Self.forbidden(params, "params", in: "reply")
    let result = try Self.required(result, "result", in: "reply")
    try Self.forbidden(error, "error", in: "reply")
    return .reply(id: try Self.required(id, "id", in: "reply"), result: result)
  }

  private func errorReply() throws(RPCError) -> RPCMessage {
    try Self.forbidden(method, "method", in: "error")
    try Self.forbidden(params, "params", in: "error")
    let error = try Self.required(error, "error", in: "error")
    return .error(id: try Self.required(id, "id", in: "error"), error: error)
  }

  private static func required(_ value: JSONValue?, _ name: String, in kind: String) throws(RPCError) -> JSONValue {
    guard let value else { throw RPCError(description: "\(kind) must have \"\(name)\"") }
    return value
  }

  private static func forbidden(_ value: JSONValue?, _ name: String, in kind: String) throws(RPCError) {
    guard value == nil else { throw RPCError(description: "\(kind) must not have \"\(name)\"") }
  }
}
