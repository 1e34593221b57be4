// SPDX-License-Identifier: Apache-2.0
//
// Initial contents of monitors. Small ones are written at once. Large ones are shared (SharedPieces.swift): clients that come while
// contents are on their way wait a little and share the next ones.

import Engine
import JSON
import Monitoring
import NIOCore
import OVSDB

/// What makes two initial contents the same bytes, as long as the rows are the same.
struct ContentsKey: Hashable {
  let specification: MonitorSpecification
  let isDifferential: Bool

  /// Whether two snapshots have the same rows in the monitored tables.
  func isEqual(_ one: Snapshot, _ other: Snapshot) -> Bool {
    one.schema === other.schema
      && specification.tables.allSatisfy { one.tables[$0.table.index].changeCount == other.tables[$0.table.index].changeCount }
  }
}

/// Clients that ask for the same contents: those that are being served, and those that share the next ones.
final class ContentsLine {
  typealias Request = (session: Session, subscription: Subscription, stream: OutputStream, idText: String)

  var current: (pieces: SharedPieces, snapshot: Snapshot)?
  var queue: [Request] = []

  /// The number of the session that has waited longest.
  var firstNumber: UInt64 { queue.first?.session.number ?? 0 }
}

extension Server {
  /// How long newer contents wait for those that are on their way.
  private static let contentsWait = TimeAmount.milliseconds(20)

  /// Answers a monitor request with the contents of its tables.
  func sendInitialContents(
    of database: ServedDatabase, to session: Session, for subscription: Subscription, id: JSONValue
  ) {
    let snapshot = database.database.snapshot
    let specification = subscription.group.specification
    let isLarge =
      specification.rowCount(in: snapshot) > limits.inlineRowsMax || specification.byteCount(in: snapshot) > limits.inlineBytesMax
    guard isLarge else {
      session.reply(id) { writer in
        Self.writeHead(subscription.format, database.database.lastCommitID, &writer)
        specification.writeInitialContents(of: snapshot, format: subscription.format, to: &writer)
        if subscription.format == .update3 { writer.append("]") }
      }
      return
    }
    subscription.isStarting = true
    let stream = OutputStream(holds: [], [], subscription: subscription)
    stream.isOpen = true
    session.begin(stream)
    let key = ContentsKey(specification: specification, isDifferential: subscription.format.isDifferential)
    let line = database.contents[key] ?? ContentsLine()
    database.contents[key] = line
    let request = (session: session, subscription: subscription, stream: stream, idText: id.text(sorted: false))
    if let current = line.current, key.isEqual(current.snapshot, snapshot) {
      join(current.pieces, request, database)
    } else if line.current?.pieces.isBusy == true || !line.queue.isEmpty {
      line.queue.append(request)
      if line.queue.count == 1 { awaitTurn(line, key, database) }
    } else {
      join(makeContents(line, key, database), request, database)
    }
  }

  private func makeContents(_ line: ContentsLine, _ key: ContentsKey, _ database: ServedDatabase) -> SharedPieces {
    line.current?.pieces.keepFew()
    let snapshot = database.database.snapshot
    let contents = InitialContents(
      of: snapshot, for: key.specification, format: key.isDifferential ? .update2 : .update)
    let pieces = SharedPieces(contents, hold: database.hub.holdState(of: snapshot), server: self)
    line.current = (pieces, snapshot)
    return pieces
  }

  private func join(_ contents: SharedPieces, _ request: ContentsLine.Request, _ database: ServedDatabase) {
    let format = request.subscription.format
    // The contents are those of this moment: what was added up until now is in them.
    request.subscription.forgetPlace()
    let head = ByteBuffer { writer in
      writer.append("{\"id\":")
      writer.append(utf8: request.idText)
      writer.append(",\"result\":")
      Self.writeHead(format, database.database.lastCommitID, &writer)
    }
    let tail = ByteBuffer { $0.append(format == .update3 ? "],\"error\":null}" : ",\"error\":null}") }
    request.stream.append(contents.hold)
    request.stream.append([.bytes(head), .pieces(contents, next: 0), .bytes(tail)])
    request.stream.isOpen = false
    schedulePump(request.session)
  }

  /// Begins the next contents when those before are encoded or nobody goes on reading them.
  private func awaitTurn(_ line: ContentsLine, _ key: ContentsKey, _ database: ServedDatabase) {
    after(Self.contentsWait) { [self] in
      guard !line.queue.isEmpty else { return }
      if line.current?.pieces.isBusy == true { return awaitTurn(line, key, database) }
      closeSegment()
      beginNext(line, key, database)
    }
  }

  private func beginNext(_ line: ContentsLine, _ key: ContentsKey, _ database: ServedDatabase) {
    let requests = line.queue.filter { !$0.session.isClosed }
    line.queue = []
    guard !requests.isEmpty else { return }
    let contents = makeContents(line, key, database)
    for request in requests { join(contents, request, database) }
  }

  /// Gives those who wait the contents of now, before they are replaced.
  func beginAllContents(of database: ServedDatabase) {
    let waiting = database.contents.filter { !$0.value.queue.isEmpty }
    // A session awaits one message at a time, so that no two lines have the same one.
    for (key, line) in waiting.sorted(by: { $0.value.firstNumber < $1.value.firstNumber }) { beginNext(line, key, database) }
    database.contents = [:]
  }

  private static func writeHead(_ format: UpdateFormat, _ commitID: UUID, _ writer: inout ByteWriter) {
    guard format == .update3 else { return }
    writer.append("[false,\"")
    commitID.write(to: &writer)
    writer.append("\",")
  }
}
