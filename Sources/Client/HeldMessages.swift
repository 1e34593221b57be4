// SPDX-License-Identifier: Apache-2.0
//
// What a source sends while its follower is busy with something large that it sent before (SourceLink.hold): kept in order, up to a
// limit, so that echo requests between the messages are answered and the source does not take the follower for dead.

internal import JSON
internal import JSONRPC

/// A message that does not depend on a connection's input.
struct HeldMessage {
  let message: RPCMessage
  /// What keeps the message's values.
  let texts: [JSONDocument]
  /// The size of its text, in bytes.
  let size: Int

  /// A larger text is taken with its memory; a copy of a smaller one is smaller than the buffer it arrived in.
  private static let copiedSizeMax = 64 << 10

  /// - Parameter input: what the message is a view of.
  init(_ message: RPCMessage, from input: inout JSONStream) {
    size = input.textSize
    guard size <= Self.copiedSizeMax else {
      self.message = message
      texts = [input.detach()]
      return
    }
    switch message {
    case .request(let method, let params, let id):
      texts = [method.detached(), params.detached(), id.detached()]
      self.message = .request(method: texts[0].root, params: texts[1].root, id: texts[2].root)
    case .notification(let method, let params):
      texts = [method.detached(), params.detached()]
      self.message = .notification(method: texts[0].root, params: texts[1].root)
    case .reply(let id, let result):
      texts = [id.detached(), result.detached()]
      self.message = .reply(id: texts[0].root, result: texts[1].root)
    case .error(let id, let error):
      texts = [id.detached(), error.detached()]
      self.message = .error(id: texts[0].root, error: texts[1].root)
    }
  }
}

/// Messages that wait, oldest first.
struct HeldMessages {
  private var messages: [HeldMessage] = []
  /// Messages before this one were taken.
  private var next = 0
  private var size = 0

  /// What may wait; then the source is not read any more.
  private static let sizeMax = 16 << 20
  private static let countMax = 10_000

  var isEmpty: Bool { next == messages.count }
  var isFull: Bool { size >= Self.sizeMax || messages.count - next >= Self.countMax }

  mutating func append(_ message: HeldMessage) {
    messages.append(message)
    size += message.size
  }

  mutating func popFirst() -> HeldMessage? {
    guard next < messages.count else { return nil }
    let first = messages[next]
    next += 1
    size -= first.size
    if next == messages.count {
      messages = []
      next = 0
    }
    return first
  }
}
