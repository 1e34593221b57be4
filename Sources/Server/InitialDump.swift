// SPDX-License-Identifier: Apache-2.0
//
// Initial contents of monitors. Small ones are written at once. Large ones are encoded from a snapshot on a thread of their own and
// shared by all clients that ask for the same at the same version; meanwhile the database goes on.

import Engine
import JSON
import Monitoring
import NIOCore
import OVSDB

/// What makes two initial contents the same bytes.
struct DumpKey: Hashable {
  let specification: MonitorSpecification
  let isDifferential: Bool
  let sequence: UInt64
}

/// Encoded contents and who waits for them.
final class InitialDump {
  var buffers: [ByteBuffer]?
  var waiting: [(session: Session, subscription: Subscription, idText: String)] = []
  /// The id of the last commit in the contents.
  let commitID: UUID

  init(commitID: UUID) { self.commitID = commitID }
}

extension Server {
  /// Rows above which contents are encoded off the loop. A thousand rows take about a millisecond.
  private static let inlineRowsMax = 500

  /// Answers a monitor request with the contents of its tables.
  func sendInitialContents(
    of database: ServedDatabase, to session: Session, for subscription: Subscription, id: JSONValue
  ) {
    let snapshot = database.database.snapshot
    let specification = subscription.group.specification
    guard specification.rowCount(in: snapshot) > Self.inlineRowsMax else {
      session.reply(id) { writer in
        Self.writeHead(subscription.format, database.database.lastCommitID, &writer)
        specification.writeInitialContents(of: snapshot, format: subscription.format, to: &writer)
        if subscription.format == .update3 { writer.append("]") }
      }
      return
    }
    subscription.isStarting = true
    session.isBusy = true
    let key = DumpKey(
      specification: specification, isDifferential: subscription.format.isDifferential, sequence: snapshot.sequence)
    let waiter = (session: session, subscription: subscription, idText: id.text(sorted: false))
    if let dump = database.dumps[key] {
      dump.waiting.append(waiter)
      if dump.buffers != nil { soon { self.deliver(dump, from: database) } }
      return
    }
    let dump = InitialDump(commitID: database.database.lastCommitID)
    dump.waiting.append(waiter)
    database.dumps[key] = dump
    encode(specification, snapshot, subscription.format, dump, key, database)
  }

  private func encode(
    _ specification: MonitorSpecification, _ snapshot: Snapshot, _ format: UpdateFormat, _ dump: InitialDump,
    _ key: DumpKey, _ database: ServedDatabase
  ) {
    inBackground { () -> [ByteBuffer] in
      var buffers: [ByteBuffer] = []
      let allocator = ByteBufferAllocator()
      var writer = ByteWriter(capacity: 80 * 1024)
      func flush(_ writer: inout ByteWriter) {
        var buffer = allocator.buffer(capacity: writer.count)
        writer.withBytes { _ = buffer.writeBytes($0) }
        buffers.append(buffer)
        writer.removeAll()
      }
      specification.writeInitialContents(of: snapshot, format: format, to: &writer) { flush(&$0) }
      flush(&writer)
      return buffers
    } then: { [self] buffers in
      dump.buffers = buffers
      deliver(dump, from: database)
      keepForAMoment(key, database)
    }
  }

  /// Clients that come together ask for the same contents; the last of them within a moment of the first.
  private func keepForAMoment(_ key: DumpKey, _ database: ServedDatabase) {
    after(.seconds(1)) { [weak database] in database?.dumps[key] = nil }
  }

  private func deliver(_ dump: InitialDump, from database: ServedDatabase) {
    guard let buffers = dump.buffers else { return }
    let waiting = dump.waiting
    dump.waiting = []
    closeSegment()
    for (session, subscription, idText) in waiting where !session.isClosed {
      session.isBusy = false
      subscription.isStarting = false
      let isCanceled = session.monitors[subscription.id]?.subscription !== subscription
      session.deliver(buffers, idText: idText) { Self.writeHead(subscription.format, dump.commitID, &$0) } tail: { writer in
        if subscription.format == .update3 { writer.append("]") }
      }
      // The database was converted or removed meanwhile; the client hears of it in the order that it can understand.
      if isCanceled { session.notify("monitor_canceled") { $0.append(utf8: subscription.id) } }
    }
    // What was written leaves before anything else is done, which might be taken back.
    closeSegment()
    for waiter in waiting { waiter.session.resume() }
  }

  private static func writeHead(_ format: UpdateFormat, _ commitID: UUID, _ writer: inout ByteWriter) {
    guard format == .update3 else { return }
    writer.append("[false,\"")
    commitID.write(to: &writer)
    writer.append("\",")
  }

  /// Writes what a session's monitors are owed into its output.
  func writeBacklogs(of session: Session) {
    for (database, subscription) in session.monitors.values where subscription.backlog != nil {
      guard session.acceptsUpdates else { return }
      database.hub.drain(subscription, lastCommitID: database.database.lastCommitID)
    }
  }
}
