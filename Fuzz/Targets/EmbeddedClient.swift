// SPDX-License-Identifier: Apache-2.0
//
// One end of a connection inside of this process: the bytes that a fuzz target says for a client, and what came back. A client also
// keeps copies of the tables that it monitors whole, by updates alone, for the comparison with the rows.

import JSON
import NIOCore
import NIOEmbedded
import OVSDB

/// The other end of a connection that a server thinks it has.
class EmbeddedPeer {
  let channel: EmbeddedChannel
  private var received = JSONStream(messageBytesMax: .max)
  /// The end of what was received, for failures.
  private(set) var recent = ""
  /// Whether it takes what is sent to it.
  private(set) var isReading = true

  init(loop: EmbeddedEventLoop) { channel = EmbeddedChannel(loop: loop) }

  /// To be called when the server has put its handlers into the channel.
  func begin() throws {
    channel.connect(to: try SocketAddress(unixDomainSocketPath: "/embedded"), promise: nil)
    try require(isOpen, "the connection was refused")
  }

  var isOpen: Bool { channel.isActive }

  func send(_ bytes: UnsafeRawBufferPointer) {
    guard isOpen else { return }
    channel.pipeline.fireChannelRead(channel.allocator.buffer(bytes: bytes))
    channel.pipeline.fireChannelReadComplete()
  }

  func send(_ text: String) {
    var text = text
    text.withUTF8 { send(UnsafeRawBufferPointer($0)) }
  }

  func setReading(_ isReading: Bool) {
    guard isReading != self.isReading else { return }
    self.isReading = isReading
    channel.isWritable = isReading
    channel.pipeline.fireChannelWritabilityChanged()
  }

  /// Gives every whole message that was sent to `body`.
  ///
  /// - Throws: what was sent is not JSON; what `body` throws.
  func receive(_ body: (JSONValue) throws -> Void) throws {
    while let sent = try channel.readOutbound(as: ByteBuffer.self) {
      recent = String((recent + String(buffer: sent)).suffix(500))
      sent.withUnsafeReadableBytes { received.append($0) }
      while let message = try received.next() { try body(message) }
      received.release()
    }
  }

  /// Whether the last message that was begun is complete.
  var isAtBoundary: Bool { received.bufferedCount == 0 }

  /// Ends the connection. Not with `finish`, which throws the loop's other tasks away.
  func hangUp() { channel.close(promise: nil) }

  /// Throws away what a loop has still to do, and with it who would do it.
  static func end(_ loop: EmbeddedEventLoop) {
    loop.run()
    _ = try? EmbeddedChannel(loop: loop).finish()
  }
}

/// A client of the server.
final class EmbeddedClient: EmbeddedPeer {
  /// What it knows of tables that it monitors whole, by the text of the monitor's id.
  private var copies: [String: MonitorCopy] = [:]
  /// Monitors that were asked for, by the text of the request's id.
  private var awaited: [String: (id: String, isSince: Bool)] = [:]
  /// Ids of requests: two of the same leave open which of them a reply is for.
  private var seen: Set<String> = []
  private var isFollowed = true

  /// Notes what a line asks for, and sends it.
  func say(_ line: UnsafeRawBufferPointer) {
    if isFollowed { note(line) }
    send(line)
  }

  private func note(_ line: UnsafeRawBufferPointer) {
    guard let document = try? JSONDocument.parse(line) else {
      // Several messages, or half of one: it is not known any more what was asked.
      isFollowed = false
      copies = [:]
      return
    }
    document.withRoot { root in
      guard let method = root.member("method")?.string, let params = root.member("params"), let request = root.member("id") else { return }
      if !request.isNull, !seen.insert(request.text()).inserted { isFollowed = false }
      guard method.hasPrefix("monitor"), let first = params[0], let second = params[1] else { return }
      if method.hasSuffix("cancel") || method.hasSuffix("change") { return forget([first.text(), second.text()]) }
      forget([second.text()])
      guard first.isString("db"), let requests = params[2], Self.asksForEverything(requests) else { return }
      awaited[request.text()] = (second.text(), method.hasSuffix("since"))
    }
  }

  private func forget(_ ids: [String]) {
    for id in ids { copies[id] = nil }
    awaited = awaited.filter { !ids.contains($0.value.id) }
  }

  /// Tables with all columns, rows and kinds of changes.
  private static func asksForEverything(_ requests: JSONValue) -> Bool {
    requests.kind == .object
      && requests.members.allSatisfy { _, request in
        request.kind == .object && request.count == 0
          || request.kind == .array && request.count == 1 && request[0]?.kind == .object && request[0]?.count == 0
      }
  }

  /// Takes in what was sent.
  func read(schema: DatabaseSchema) throws {
    try receive { message in
      try require(message.kind == .object, "sent \(message.text())")
      guard isFollowed else { return }
      if let method = message.member("method")?.string {
        guard method.hasPrefix("update"), let params = message.member("params"), let id = params[0]?.text() else { return }
        guard let body = params[method == "update3" ? 2 : 1] else { throw FuzzFault("an update without body: \(params.text())") }
        try copies[id]?.apply(body, schema: schema)
      } else if let id = message.member("id"), let asked = awaited.removeValue(forKey: id.text()),
        message.member("error")?.isNull == true, let result = message.member("result")
      {
        try begin(asked.id, asked.isSince, result, schema)
      }
    }
  }

  private func begin(_ id: String, _ isSince: Bool, _ result: JSONValue, _ schema: DatabaseSchema) throws {
    var contents = result
    if isSince {
      guard let isFound = result[0]?.boolean, let body = result[2] else { throw FuzzFault("the reply \(result.text())") }
      // What it knew before is not kept here.
      if isFound { return }
      contents = body
    }
    var copy = MonitorCopy()
    try copy.apply(contents, schema: schema)
    copies[id] = copy
  }

  /// Compares the copies with the rows, given by table.
  ///
  /// - Parameter rows: all that there are; a copy has those of the tables that it was asked for.
  func check(_ rows: [String: [String: CopiedRow]]) throws {
    guard isFollowed, isOpen else { return }
    for (id, copy) in copies {
      for (table, told) in copy.tables {
        let known = told.mapValues { row in row.filter { $0.key != "_version" } }
        try require(known == rows[table] ?? [:], "monitor \(id), table \(table): known \(known), there are \(rows[table] ?? [:])")
      }
    }
  }
}
