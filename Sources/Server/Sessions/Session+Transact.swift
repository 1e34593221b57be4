// SPDX-License-Identifier: Apache-2.0
//
// The transact method, its reply, and the transactions of a client that wait. How transactions are run stands in Execution.swift and
// LongTransaction.swift.

import Engine
import JSON
import NIOCore
import OVSDB

extension Session {
  func transact(_ params: JSONValue, _ id: JSONValue) throws(OVSDBError) {
    let database = try database(params, method: "transact")
    if !pending.isEmpty || !conversions.isEmpty || !forwarded.isEmpty, isPending(id.text(sorted: true)) {
      throw .syntaxError("transact: duplicate request ID", at: params)
    }
    if let relay = database.relay, !isReadOnly, Relay.writes(params) {
      if let role, let refusal = server.refusalToForward(params, in: database, for: self, as: role) {
        return replyToTransact(idText: id.text(sorted: true), refusal, database: database, isDurable: false)
      }
      // What another server is asked is not taken back.
      guard server.beginFinalRequest(of: self) else { return }
      return relay.forward("transact", params, id: id, of: self)
    }
    let execution = server.execute(params, in: database, for: self, elapsedMilliseconds: 0, from: .request)
    switch consume execution {
    case .done(let result, let isDurable):
      server.touch(self)
      guard result.deferred.isEmpty else { return replyToSelects(idText: id.text(sorted: false), result, of: database) }
      connection.output.append("{\"id\":")
      id.write(to: &connection.output)
      finishTransactReply(result, of: database, isDurable: isDurable)
    case .blocked(let timeout, let reads):
      _ = try block(database, id: id.text(sorted: true), params: params.detached(), arrival: server.eventLoop.now, timeout, reads)
    case .exceeded:
      guard server.beginFinalRequest(of: self) else { return }
      lineUp(id, in: database)
    }
  }

  /// Has the request run that was read last when those before it are, beside the loop if it takes long.
  private func lineUp(_ id: JSONValue, in database: ServedDatabase) {
    let (idText, key) = (id.text(sorted: false), id.text(sorted: true))
    let before = connection.input.memoryBytes
    let message = connection.input.detach()
    server.line(
      up: LongTransaction(
        session: self, database: database, id: idText, key: key, params: .message(message), arrival: server.eventLoop.now,
        bytes: max(0, before - connection.input.memoryBytes)))
  }

  /// Answers a transaction that was blocked.
  func replyToTransact(
    idText: String, _ result: consuming TransactionResult, database: ServedDatabase, isDurable: Bool
  ) {
    server.touch(self)
    guard result.deferred.isEmpty else { return replyToSelects(idText: idText, result, of: database) }
    connection.output.append("{\"id\":")
    connection.output.append(utf8: idText)
    finishTransactReply(result, of: database, isDurable: isDurable)
  }

  /// Whether a request with an id, as normal text, still waits for its reply.
  func isPending(_ idText: String) -> Bool {
    pending[idText] != nil || conversions.contains(idText) || forwarded[idText] != nil
  }

  private func finishTransactReply(
    _ result: consuming TransactionResult, of database: ServedDatabase, isDurable: Bool
  ) {
    connection.output.append(",\"result\":")
    connection.output.append(result.bytes)
    server.resultMemory.reuse(result)
    if isDurable, let number = database.requestSync() {
      // Behind the last result: where the error belongs if the sync fails.
      syncsAwaited.append(AwaitedSync(database: database, number: number, errorOffset: connection.output.count - 1))
    }
    connection.output.append(",\"error\":null}")
  }

  /// Keeps a transaction whose `wait` is not met.
  func block(
    _ database: ServedDatabase, id key: String, params: JSONDocument, arrival: NIODeadline, _ timeout: Int64?, _ reads: ReadSet
  ) throws(OVSDBError) -> Trigger {
    try keep(.waits, key, size: key.utf8.count + params.root.detachedSize, count: pending.count)
    let trigger = Trigger(session: self, database: database, id: key, params: params, arrival: arrival)
    pending[trigger.id] = trigger
    server.add(trigger, reads)
    server.scheduleTimeout(of: trigger, timeout)
    return trigger
  }

  /// Forgets a blocked transaction.
  ///
  /// Source: RFC 7047 §4.1.4; Documentation/protocol/wire.md#cancel: only sessions that are aware of changes get the reply.
  func cancel(_ params: JSONValue) {
    guard params.count == 1, let key = params[0]?.text(sorted: true) else { return }
    if let request = forwarded[key] {
      guard server.beginFinalRequest(of: self), request.relay.cancel(request) else { return }
      if isChangeAware { replyError(idText: key) { $0.append("\"canceled\"") } }
      return
    }
    guard pending[key] != nil else { return }
    // Settling may answer the transaction.
    guard server.beginFinalRequest(of: self), let trigger = pending[key] else { return }
    server.remove(trigger)
    if isChangeAware { replyError(idText: trigger.id) { $0.append("\"canceled\"") } }
  }
}
