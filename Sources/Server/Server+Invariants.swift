// SPDX-License-Identifier: Apache-2.0
//
// Counts everything anew and compares. Fuzzers call it after every step, on the server's loop; the server does not.

import Engine
import Journal
import JSON
import OVSDB

extension Server {
  /// What is wrong with the server's own bookkeeping, between two turns; empty when all is well.
  ///
  /// - Parameter readsFiles: also reads each database's file and compares it with what is in memory.
  package func checkInvariants(readsFiles: Bool = false) -> [String] {
    closeSegment()
    var faults = locks.checkInvariants()
    for served in databases.values {
      let name = served.name
      faults += served.database.checkInvariants().map { "\(name): \($0)" }
      faults += served.history.checkInvariants().map { "\(name): \($0)" }
      let monitors = sessions.reduce(0) { $0 + $1.monitors.values.count { $0.database === served } }
      if served.hub.subscriptionCount != monitors {
        faults.append("\(name): \(served.hub.subscriptionCount) monitors, of sessions \(monitors)")
      }
      let waits = sessions.reduce(0) { $0 + $1.pending.values.count { $0.database === served } }
      if served.triggers.count != waits { faults.append("\(name): \(served.triggers.count) waits, of sessions \(waits)") }
      faults += checkWaits(of: served)
      if readsFiles { faults += checkFile(of: served) }
    }
    let input = sessions.reduce(0) { $0 + $1.inputBytes }
    if inputBytes != input { faults.append("\(inputBytes) bytes of input are counted, there are \(input)") }
    let output = sessions.reduce(0) { $0 + $1.outputBytes }
    if outputBytes != output { faults.append("\(outputBytes) bytes of output are counted, there are \(output)") }
    let kept = sessions.reduce(0) { $0 + $1.quota.bytes }
    if keptBytes != kept { faults.append("\(keptBytes) bytes are kept for clients, there are \(kept)") }
    let pieces = sharedPieces.reduce(0) { $0 + $1.retainedBytes }
    if retainedBytes.count != pieces { faults.append("\(retainedBytes.count) bytes of pieces are counted, there are \(pieces)") }
    let most = limits.memoryMax(databases: databases.values.map(\.database.byteCount), messageBytes: limits.messageBytesMax)
    for (name, amount, limit) in memoryCounts.compared(with: most) where amount > limit {
      faults.append("\(name) takes \(amount) bytes, \(limit) are allowed")
    }
    for session in sessions { faults += check(session) }
    return faults
  }

  private func check(_ session: Session) -> [String] {
    var faults: [String] = []
    let name = session.connection.name
    if (session.stream != nil) != session.connection.holdsOutput { faults.append("\(name): output is held without a stream") }
    for (key, monitor) in session.monitors where monitor.subscription.id != key {
      faults.append("\(name): monitor \(key) is filed under a wrong id")
    }
    let claims = locks.names(of: session)
    let locksKept = session.locksLost.union(claims.owned).union(claims.awaited).count
    let kept = session.monitors.count + session.pending.count + locksKept
    if session.quota.count != kept { faults.append("\(name): \(session.quota.count) things are kept, there are \(kept)") }
    return faults
  }

  /// Blocked transactions that nothing is going to run are blocked when they are run: no commit that would let them go on was missed.
  private func checkWaits(of served: ServedDatabase) -> [String] {
    var faults: [String] = []
    for group in served.triggers.groups.all where !group.isUndecided {
      for trigger in group.members where !trigger.isDue && !trigger.isLinedUp && !trigger.isPostponed {
        let session = trigger.session
        let copy = Database(served.database.snapshot, random: RandomSource(seed: 1))
        let context = TransactionContext(
          isReadOnly: session.isReadOnly || served.isReadOnly, ownsLock: session.ownsLock, readOnlyReason: served.readOnlyReason,
          role: session.role)
        var writer = ByteWriter()
        let outcome = trigger.params.withRoot { copy.transact(params: $0, context: context, into: &writer) }
        if case .blocked = outcome { continue }
        faults.append("\(session.connection.name): \(trigger.params.root.text()) sleeps, though it comes to \(writer.string)")
      }
    }
    return faults
  }

  private func checkFile(of served: ServedDatabase) -> [String] {
    guard let store = served.store, !store.rewriting.isHeld else { return [] }
    do throws(LogError) {
      let read = try DatabaseFile.read(store.path, fileSystem: surroundings.fileSystem)
      let (stored, live) = (Self.lines(read), Self.lines(served.database))
      if stored == live { return [] }
      let differing = Set(stored).symmetricDifference(live).sorted()
      return ["\(served.name): file and memory differ in \(differing)"]
    } catch {
      return ["\(served.name): \(error)"]
    }
  }

  /// What a file keeps of a database, a line for each row.
  private static func lines(_ database: Database) -> [String] {
    database.tables.flatMap { table in
      let columns = table.schema.columns.filter(\.isPersistent)
      return table.rows.values.map { row in
        var writer = ByteWriter()
        writer.writesExactReals = true
        row.write([.uuid] + columns, to: &writer)
        return table.schema.name + writer.string
      }
    }.sorted()
  }

  /// Opens a remote, for a program that has a server inside.
  package func listen(on remote: String) throws { try remotes.add(remote, origin: .commandLine) }

  package func stopListening() {
    for name in remotes.names { _ = remotes.remove(name) }
  }

  /// The contents of a database between two turns.
  package func snapshot(of name: String) -> Snapshot? {
    closeSegment()
    return databases[name]?.database.snapshot
  }
}
