// SPDX-License-Identifier: Apache-2.0
//
// What a session may not be sent before a sync, and what comes behind it.

import NIOCore
import OVSDB

extension Session {
  /// Keeps the output until its syncs are done, and all that was held before it has left.
  func hold() {
    if let output = takeOutput() { hold(output) }
  }

  /// Takes what was written, with the syncs that it has to wait for.
  func takeOutput() -> HeldOutput? {
    guard connection.output.count > 0 else { return nil }
    let output = HeldOutput(bytes: ByteBuffer(copying: connection.output), awaited: syncsAwaited)
    connection.output.removeAll()
    syncsAwaited = []
    return output
  }

  func hold(_ output: HeldOutput) {
    held.append(output)
    heldBytes += output.bytes.readableBytes
    for sync in output.awaited { sync.database.whenSynced(sync.number, session: self) }
  }

  /// A sync failed: those who asked for it are told in their replies, which leave with that.
  func syncFailed(_ database: ServedDatabase, _ error: OVSDBError) {
    for position in held.indices { held[position].report(error, to: database) }
    heldBytes = held.reduce(0) { $0 + $1.bytes.readableBytes }
    synced(database)
  }

  /// A sync was done: sends what waited for it.
  func synced(_ database: ServedDatabase) {
    guard !isClosed else { return }
    while let first = held.first, first.awaited.allSatisfy({ $0.number <= $0.database.syncedNumber }) {
      connection.write(shared: first.bytes)
      heldBytes -= first.bytes.readableBytes
      held.removeFirst()
    }
    connection.flush()
    noteOutput()
    if stream != nil { return server.schedulePump(self) }
    if held.isEmpty, closesAfterSending { return close() }
    resume()
  }

  /// Whether something that was written before waits for a sync.
  var holdsForSync: Bool { !held.isEmpty }

  /// Whether output of the session still waits for a sync of a database.
  func waits(for database: ServedDatabase) -> Bool {
    !isClosed && held.contains { $0.awaited.contains { $0.database === database && $0.number > database.syncedNumber } }
  }
}
