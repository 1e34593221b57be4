// SPDX-License-Identifier: Apache-2.0
//
// A session's large messages: one at a time, and while it is on its way no request is executed and no update written. What the server has
// to say meanwhile (`locked`, `stolen`) comes behind it.

import Engine
import JSON
import Monitoring
import NIOCore
import OVSDB

extension Session {
  /// Begins a large message behind what was written so far. It leaves when the segment is closed.
  func begin(_ stream: OutputStream) {
    server.touch(self)
    stream.before = takeOutput()
    connection.holdsOutput = true
    self.stream = stream
  }

  /// Lets a stream go on its way: the log took what is before it.
  func start(_ stream: OutputStream) {
    stream.isStarted = true
    if let before = stream.before {
      if holdsForSync || !before.awaited.isEmpty {
        hold(before)
      } else {
        connection.write(shared: before.bytes)
        connection.flush()
      }
      stream.before = nil
    }
    server.schedulePump(self)
  }

  /// Makes and sends one piece.
  ///
  /// - Returns: whether there is more to do at once.
  func pump() -> Bool {
    guard let stream, stream.isStarted, !isClosed, !holdsForSync else { return false }
    guard stream.piecesInFlight < OutputStream.piecesInFlightMax else { return false }
    switch stream.step(self) {
    case .nothing: return true
    case .waiting: return false
    case .end:
      end(stream)
      return false
    case .piece(let piece):
      stream.piecesInFlight += 1
      connection.write(piece: piece) { [weak self] in
        stream.piecesInFlight -= 1
        guard let self, self.stream === stream else { return }
        self.server.schedulePump(self)
      }
      return stream.piecesInFlight < OutputStream.piecesInFlightMax
    }
  }

  private func end(_ stream: OutputStream) {
    self.stream = nil
    connection.holdsOutput = false
    stream.subscription?.isStarting = false
    holdOutput(thatWasBehind: stream)
    noteOutput()
    if held.isEmpty, closesAfterSending { return close() }
    resume()
  }

  /// Bytes that are made and that the kernel has not taken.
  var backlogBytes: Int {
    let aroundStream = (stream?.before?.bytes.readableBytes ?? 0) + (stream?.behindBytes ?? 0)
    return Int(clamping: connection.unsentCount) + connection.output.count + heldBytes + aroundStream
  }

  // MARK: - What is large

  /// Answers a transaction that only selected, with much to tell.
  func replyToSelects(idText: String, _ result: consuming TransactionResult, of database: ServedDatabase) {
    server.touch(self)
    connection.output.append("{\"id\":")
    connection.output.append(utf8: idText)
    connection.output.append(",\"result\":")
    var parts: [OutputStream.Part] = []
    let deferred = result.deferred
    result.bytes.withBytes { bytes in
      var start = 0
      for rows in deferred {
        parts.append(.bytes(ByteBuffer(bytes: bytes[start..<rows.offset])))
        parts.append(.rows(rows))
        start = rows.offset
      }
      parts.append(.bytes(ByteBuffer(bytes: bytes[start...])))
    }
    parts.append(.bytes(ByteBuffer(string: ",\"error\":null}")))
    let arranged = deferred.reduce(0) { $0 + ($1.needsArrangement ? $1.rowCountMax : 0) }
    server.resultMemory.reuse(result)
    let hold = database.hub.holdState(of: database.database.snapshot)
    begin(OutputStream(holds: [hold], parts, claim: arranged > 0 ? ArrangementClaim(arranged, on: server.rowArranger) : nil))
  }

  /// Sends what the monitors are owed. No segment is open for this session: what is taken out of a sum leaves at once, since a segment
  /// that is done again would not bring it back.
  func drainOwed() {
    guard isOwed, acceptsUpdates else { return }
    while acceptsUpdates, let subscription = owed.popFirst() {
      guard let (database, current) = monitors[subscription.id], current === subscription else { continue }
      if let update = sendOwed(subscription, of: database) {
        let stream = OutputStream(hold: update.hold, update: update.part)
        begin(stream)
        return start(stream)
      }
    }
    if held.isEmpty { connection.flush() } else { hold() }
  }

  /// Sends what a monitor is owed, if it is little.
  ///
  /// - Returns: what is left to be sent as part of a stream, with the state that it begins with.
  func sendOwed(_ subscription: Subscription, of database: ServedDatabase) -> (part: OutputStream.Part, hold: StateHold)? {
    let (contents, hub) = (database.database, database.hub)
    let owed = hub.takeOwed(
      subscription, current: contents.snapshot, lastCommitID: contents.lastCommitID, history: database.history)
    guard let owed, !hub.sendAtOnce(owed, for: subscription) else { return nil }
    return (part(owed, for: subscription, of: database), owed.hold)
  }

  /// Sends an update of the open segment that is too large to be made at once, before the reply to the request that caused it.
  func send(_ update: LargeUpdate, for subscription: Subscription) {
    guard let (database, _) = monitors[subscription.id] else { return }
    let part = part(update, for: subscription, of: database)
    guard let stream else { return begin(OutputStream(hold: update.hold, update: part)) }
    // What was written behind the others comes before this one; nothing of it waits for a sync (`acceptsUpdates`).
    if let output = takeOutput() { stream.append([.bytes(output.bytes)]) }
    stream.append([part])
    stream.append(update.hold)
  }

  private func part(_ update: LargeUpdate, for subscription: Subscription, of database: ServedDatabase) -> OutputStream.Part {
    let head = ByteBuffer { Self.writeUpdateHead(subscription, update.commitID, &$0) }
    return .update(server.pieces(of: update, in: database), next: 0, head: head)
  }

  /// Appends an update notification up to its `<table-updates>`.
  static func writeUpdateHead(_ subscription: Subscription, _ commitID: UUID, _ writer: inout ByteWriter) {
    writer.append("{\"id\":null,\"method\":\"")
    writer.append(subscription.format.method)
    writer.append("\",\"params\":[")
    writer.append(utf8: subscription.id)
    if subscription.format == .update3 {
      writer.append(",\"")
      commitID.write(to: &writer)
      writer.append("\"")
    }
    writer.append(",")
  }
}
