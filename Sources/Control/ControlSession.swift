// SPDX-License-Identifier: Apache-2.0
//
// One connection to the control socket: one command at a time, answers in order.
//
// Shape: request `{"method": COMMAND, "params": [STRING...], "id": ANY}`; answers `{"id":I,"result":"TEXT","error":null}`
// and `{"id":I,"error":"TEXT"}`. A text that is not empty ends with a line feed. After `set-options --format json` a result
// is `{"reply-format":"plain","reply":"TEXT"}`, or a value of the command's own. Anything but a request closes the
// connection.

import Daemon
internal import JSON
internal import JSONRPC
internal import NIOCore

private let log = LogModule("unixctl")

/// Lives on its connection's event loop.
final class ControlSession: RPCConnectionOwner {
  private let connection: RPCConnection
  private let commands: ControlCommands
  private let loop: any EventLoop
  private let turns: CommandTurns
  private let didClose: (ControlSession) -> Void
  private var format = ControlRequest.Format.text
  /// The `id` of the command being carried out, as it was written.
  private var pendingID: [UInt8]?
  /// Set by `CommandTurns` while the session waits there.
  var isWaitingForTurn = false

  init(
    connection: RPCConnection, commands: ControlCommands, loop: any EventLoop, turns: CommandTurns,
    didClose: @escaping (ControlSession) -> Void
  ) {
    self.connection = connection
    self.commands = commands
    self.loop = loop
    self.turns = turns
    self.didClose = didClose
  }

  func inputAvailable(_ connection: RPCConnection) { turns.join(self) }

  func becameWritable(_ connection: RPCConnection) { turns.join(self) }

  func closed(_ connection: RPCConnection, reason: RPCCloseReason) { didClose(self) }

  func close() { connection.close() }

  /// Begins to execute the next request, unless one waits for its answer or the client does not read its answers. Once it is answered,
  /// the session waits for its next turn.
  func takeRequest() {
    do throws(RPCError) {
      guard pendingID == nil, connection.isWritable, let message = try connection.next() else { return }
      guard case .request(let method, let params, let id) = message else {
        log.warn("\(connection.name): received unexpected \(Self.kind(message)) message")
        connection.close()
        return
      }
      begin(method, params, id)
      connection.releaseInput()
    } catch {
      // Logged and closing already.
    }
  }

  private static func kind(_ message: RPCMessage) -> String {
    switch message {
    case .request: "request"
    case .notification: "notification"
    case .reply: "reply"
    case .error: "error"
    }
  }

  private func begin(_ method: JSONValue, _ params: JSONValue, _ id: JSONValue) {
    Coverage.received.increment()
    var writer = ByteWriter()
    id.write(to: &writer)
    pendingID = writer.bytes
    let name = Self.text(method) ?? ""
    let texts = params.elements.map(Self.text)
    let arguments = texts.compactMap { $0 }
    log.dbg("received request \(name)\(params.text()), id=\(id.text())")
    do throws(ControlError) {
      let command = try commands.command(
        named: name, argumentCount: texts.count, argumentsAreStrings: arguments.count == texts.count)
      if name == ControlCommands.setOptions {
        try setOptions(arguments)
        finish(.text(""))
        return
      }
      let bound = NIOLoopBound(self, eventLoop: loop)
      let loop = loop
      command.handler(
        ControlRequest(name: name, arguments: arguments, format: format) { answer in
          if loop.inEventLoop { bound.value.finish(answer) } else { loop.execute { bound.value.finish(answer) } }
        })
    } catch {
      finish(.error(error.text))
    }
  }

  /// nil when the value is no string. Bytes that are no UTF-8 are replaced: commands work on texts.
  private static func text(_ value: JSONValue) -> String? { value.utf8.map { String(decoding: $0, as: UTF8.self) } }

  /// `set-options --format text|json`: the one command that is about the connection.
  private func setOptions(_ arguments: [String]) throws(ControlError) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      let value: String
      if argument == "--format" {
        guard let next = rest.popFirst() else { throw ControlError("option format requires a value") }
        value = next
      } else if argument.hasPrefix("--format=") {
        value = String(argument.dropFirst("--format=".count))
      } else {
        throw ControlError("unrecognized option '\(argument)'")
      }
      switch value.lowercased() {
      case "text": format = .text
      case "json": format = .json
      default: throw ControlError("option format has invalid value \(value)")
      }
    }
  }

  private func finish(_ answer: ControlRequest.Answer) {
    guard let id = pendingID else { return }
    pendingID = nil
    Coverage.replied.increment()
    connection.output.append("{\"id\":")
    connection.output.append(id)
    switch answer {
    case .text(let text):
      log.dbg("replying with success, id=\(String(decoding: id, as: UTF8.self)): \"\(text)\"")
      connection.output.append(",\"result\":")
      writeResult(Self.terminated(text))
      connection.output.append(",\"error\":null}")
    case .json(let bytes):
      log.dbg("replying with success, id=\(String(decoding: id, as: UTF8.self)): \(String(decoding: bytes, as: UTF8.self))")
      connection.output.append(",\"result\":")
      connection.output.append(bytes)
      connection.output.append(",\"error\":null}")
    case .error(let text):
      log.dbg("replying with error, id=\(String(decoding: id, as: UTF8.self)): \"\(text)\"")
      connection.output.append(",\"error\":")
      connection.output.appendQuoted(Self.terminated(text))
      connection.output.append(UInt8(ascii: "}"))
    }
    connection.flush()
    turns.join(self)
  }

  private func writeResult(_ text: String) {
    switch format {
    case .text:
      connection.output.appendQuoted(text)
    case .json:
      connection.output.append("{\"reply-format\":\"plain\",\"reply\":")
      connection.output.appendQuoted(text)
      connection.output.append(UInt8(ascii: "}"))
    }
  }

  /// Commands escape line feeds in the names they list; other control characters have no place in a text for people.
  private static func terminated(_ text: String) -> String {
    let text = text.escapingControlCharacters(except: "\n")
    return text.isEmpty || text.utf8.last == UInt8(ascii: "\n") ? text : text + "\n"
  }
}
