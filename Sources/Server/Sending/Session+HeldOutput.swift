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
    askForSyncs(of: output)
  }

  /// Keeps output with a stream that it comes behind, when it has to wait for a sync as well. The syncs are asked for now, so that one
  /// that fails meanwhile is reported in it.
  func holdOutput(behind stream: OutputStream) {
    guard !syncsAwaited.isEmpty, let output = takeOutput() else { return }
    stream.behind.append(output)
    askForSyncs(of: output)
  }

  private func askForSyncs(of output: HeldOutput) {
    for sync in output.awaited { sync.database.whenSynced(sync.number, session: self) }
  }

  /// The stream is sent: what was behind it waits for its syncs only, if for anything.
  func holdOutput(thatWasBehind stream: OutputStream) {
    held += stream.behind
    heldBytes += stream.behindBytes
    if held.isEmpty { connection.flush() } else { hold() }
    sendHeld()
  }

  /// A sync failed: those who asked for it are told in their replies, which leave with that.
  func syncFailed(_ database: ServedDatabase, _ error: OVSDBError) {
    for position in held.indices { held[position].report(error, to: database) }
    heldBytes = held.reduce(0) { $0 + $1.bytes.readableBytes }
    stream?.report(error, to: database)
    synced(database)
  }

  /// Sends what is held as far as its syncs are done.
  private func sendHeld() {
    while let first = held.first, first.isSynced {
      connection.write(shared: first.bytes)
      heldBytes -= first.bytes.readableBytes
      held.removeFirst()
    }
    connection.flush()
  }

  /// A sync was done: sends what waited for it.
  func synced(_ database: ServedDatabase) {
    guard !isClosed else { return }
    sendHeld()
    noteOutput()
    if stream != nil { return server.schedulePump(self) }
    if held.isEmpty, closesAfterSending { return close() }
    resume()
  }

  /// Whether something that was written before waits for a sync.
  var holdsForSync: Bool { !held.isEmpty }

  /// Whether output of the session still waits for a sync of a database.
  func waits(for database: ServedDatabase) -> Bool {
    guard !isClosed else { return false }
    return held.contains { $0.waits(for: database) } || stream?.behind.contains { $0.waits(for: database) } == true
  }
}
