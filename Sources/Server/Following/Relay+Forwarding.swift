// SPDX-License-Identifier: Apache-2.0
//
// Requests that a relay passes on to its source. They leave in the order in which they came, and wait while there is no source; the
// source's update comes before its reply, and so both reach the client in that order.

import Client
import DequeModule
import JSON
import OVSDB

/// A client's request at the source, or on its way there.
final class ForwardedRequest {
  unowned let session: Session
  unowned let relay: Relay
  /// The request's id as normal JSON text.
  let id: String
  let method: StaticString
  /// The params as JSON, while they wait; empty afterwards.
  fileprivate(set) var params: [UInt8] = []
  /// The id of the request at the source, once it is there.
  fileprivate(set) var sourceID: Int64?
  /// The client has taken it back: an answer that says so is for those who understand it.
  var isCanceled = false

  fileprivate init(session: Session, relay: Relay, id: String, method: StaticString) {
    self.session = session
    self.relay = relay
    self.id = id
    self.method = method
  }
}

extension Relay {
  /// Whether a transaction has an operation that may write. Whatever is malformed is told here.
  static func writes(_ params: JSONValue) -> Bool {
    for operation in params.elements.dropFirst() {
      guard let op = operation.member("op") else { continue }
      if op.isString("insert") || op.isString("update") || op.isString("mutate") || op.isString("delete") || op.isString("commit") {
        return true
      }
    }
    return false
  }

  /// Passes a request on to the source, now or when there is one.
  func forward(_ method: StaticString, _ params: JSONValue, id: JSONValue, of session: Session) {
    let request = ForwardedRequest(session: session, relay: self, id: id.text(sorted: true), method: method)
    session.forwarded[request.id] = request
    guard state == .following, waiting.isEmpty, link.isWritable else {
      var writer = ByteWriter(capacity: 256)
      // What a client said is passed on as it was said.
      writer.writesExactReals = true
      params.write(to: &writer)
      request.params = writer.bytes
      session.waitingBytes += request.params.count
      waiting.append(request)
      return
    }
    send(request) { params.write(to: &$0) }
  }

  /// Sends what waited for the source, as far as the source takes it.
  func sendWaiting() {
    while state == .following, link.isWritable, let request = waiting.popFirst() {
      let params = request.params
      request.params = []
      request.session.waitingBytes -= params.count
      send(request) { $0.append(params) }
      request.session.resume()
    }
  }

  private func send(_ request: ForwardedRequest, params: (inout ByteWriter) -> Void) {
    let sourceID = link.call(request.method, params: params) { [weak self, weak request] reply in
      guard let self, let request else { return }
      answer(request, reply)
    }
    guard let sourceID else { return }
    request.sourceID = sourceID
    inFlight[sourceID] = request
  }

  private func answer(_ request: ForwardedRequest, _ reply: SourceReply) {
    if let sourceID = request.sourceID { inFlight[sourceID] = nil }
    let session = request.session
    // The session may have ended.
    guard session.forwarded[request.id] === request else { return }
    session.forwarded[request.id] = nil
    beginBurst()
    switch reply {
    case .result(let result): session.reply(idText: request.id) { result.write(to: &$0) }
    case .error(let error):
      if request.isCanceled, !session.isChangeAware { break }
      session.replyError(idText: request.id) { error.write(to: &$0) }
    case .lost: session.replyError(idText: request.id) { $0.append("\"canceled\"") }
    }
  }

  /// The source was lost, or the relay ends: the fate of what was sent there is unknown, and who asked is told so.
  func cancelForwarded(inFlightOnly: Bool) {
    beginBurst()
    for request in inFlight.values.sorted(by: { ($0.sourceID ?? 0) < ($1.sourceID ?? 0) }) { answer(request, .lost) }
    inFlight = [:]
    guard !inFlightOnly else { return }
    let requests = waiting
    waiting = []
    for request in requests {
      request.session.waitingBytes -= request.params.count
      answer(request, .lost)
    }
  }

  /// A client takes a request back.
  ///
  /// - Returns: whether it never left, so that nobody but us can tell.
  func cancel(_ request: ForwardedRequest) -> Bool {
    request.isCanceled = true
    guard let sourceID = request.sourceID else {
      waiting.removeAll { $0 === request }
      request.session.waitingBytes -= request.params.count
      request.session.forwarded[request.id] = nil
      return true
    }
    link.notify("cancel") { writer in
      writer.append("[")
      writer.appendInteger(sourceID)
      writer.append("]")
    }
    return false
  }

  /// A client is gone. What waits at the source for something to come true is taken back there; what is done is done.
  func abandon(_ request: ForwardedRequest) {
    if !cancel(request), let sourceID = request.sourceID {
      link.forget(sourceID)
      inFlight[sourceID] = nil
    }
  }
}
