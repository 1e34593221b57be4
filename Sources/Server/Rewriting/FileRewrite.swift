// SPDX-License-Identifier: Apache-2.0
//
// How a database's file is replaced while the database is served (Compaction.swift, Conversion.swift): the long work on a thread of its
// own, then the swap, during which nobody waits for a disk but those who asked for a durable commit.
//
//     loop        begin ─┐                 ┌─ hold syncs ─┐            ┌─ swap ─┐            ┌─ syncs go on, done
//     background         └─ write, sync ───┘              └─ catch up ─┘        └─ sync name ┘
//
// While syncs are held no commit is reported as durable, so all that ever were are in the new file, on stable storage, before it takes
// the old one's name (Journal.swift, invariant 5). Commits that are not durable are made and answered all the time.

import CPosixShims
import Engine
import JSON
import Journal
import NIOCore
import OVSDB

/// Something large whose release takes long, until a thread that has the time lets go of it.
///
/// `@unchecked Sendable`: made on the loop and handed to one thread, which alone touches it then.
final class Remains: @unchecked Sendable {
  private var content: Any?
  private var tables: [Table]

  /// - Parameters:
  ///   - content: all that goes.
  ///   - tables: those in it, or in what holds it, that have many rows.
  init(_ content: Any, tables: [Table] = []) {
    self.content = content
    self.tables = tables
  }

  /// The same with something more.
  func with(_ more: Any) -> Remains { Remains((content as Any, more), tables: tables) }

  /// Lets go of everything, and gives the memory back to the system if it is to be trimmed: in many small steps, since the loop can
  /// allocate nothing meanwhile.
  func release(isTrimming: Bool) {
    var discarded = DiscardedTables(tables)
    (content, tables) = (nil, [])
    repeat {
      if isTrimming { posix_shim_trim_memory() }
    } while discarded.letGoOfSome()
  }
}

extension Server {
  /// Puts a file that holds the snapshot it was written from in the place of the old one.
  ///
  /// - Parameters:
  ///   - catchUp: writes what is still missing and waits for the disk; called on a background thread.
  ///   - swap: makes the new file the log; called on the loop, between commits.
  ///   - done: gets nil, or what went wrong.
  func putInPlace(
    of database: ServedDatabase, catchUp: @escaping @Sendable () -> LogError?,
    swap: @escaping () throws(LogError) -> Remains, done: @escaping (LogError?) -> Void
  ) {
    database.holdSyncs { [self] in
      inBackground(on: database.syncing, catchUp) { [self] failure in
        closeSegment()
        let remains: Remains
        do throws(LogError) {
          if let failure { throw failure }
          remains = try swap()
        } catch {
          database.releaseSyncs()
          return done(error)
        }
        settle(database, remains, done: done)
      }
    }
  }

  /// Puts the name of a file that was just swapped on stable storage, lets go of the old one, and gives back free memory.
  func settle(_ database: ServedDatabase, _ remains: Remains, done: @escaping (LogError?) -> Void) {
    let target = database.store?.syncTarget
    inBackground(on: database.syncing) {
      target?.result()
    } then: { [self] failure in
      database.releaseSyncs()
      let isTrimming = trimsMemory
      inBackground(on: slowWork.rewriting) {
        remains.release(isTrimming: isTrimming)
      } then: { _ in }
      done(failure)
    }
  }

  /// Removes what a rewrite that failed has written, before anybody learns of the failure. A file that is in place stays.
  func discard(_ replacement: LogReplacement?, then done: @escaping () -> Void) {
    guard let replacement else { return done() }
    inBackground { replacement.discard() } then: { done() }
  }

  // MARK: - After a failed sync

  private static let healingPauseSecondsMax: Int64 = 60

  /// Writes a database whose log could not be synced into a new file, until that succeeds. Until then the log takes no commits
  /// (Journal.swift, invariant 4).
  func heal(_ database: ServedDatabase, pauseSeconds: Int64 = 1) {
    guard let store = database.store, let failure = store.log.syncFailure else { return database.endHealing(nil) }
    guard databases[database.name] === database else { return database.endHealing(failure) }
    guard !store.rewriting.isHeld else {
      return store.rewriting.wait { [self, weak database] in
        if let database { heal(database, pauseSeconds: pauseSeconds) }
      }
    }
    log.info("\(store.path): writing the database into a new file, because the present one cannot be relied on")
    database.beginHealing()
    rewrite(database, comment: "rewritten after a failed sync") { [self] failure in
      guard let failure else {
        log.info("\(store.path): the database is on stable storage again")
        return database.endHealing(nil)
      }
      log.error("\(failure); trying again in \(pauseSeconds) s")
      database.endHealing(failure)
      // One that is removed meanwhile gives up its file at once.
      after(.seconds(pauseSeconds)) { [self, weak database] in
        guard let database else { return }
        heal(database, pauseSeconds: min(pauseSeconds.saturatingTimes(2), Self.healingPauseSecondsMax))
      }
    }
  }
}

extension SyncTarget {
  /// Looks at the names, with the error as a value.
  func nameFailure() -> LogError? {
    do throws(LogError) {
      try checkName()
      return nil
    } catch {
      return error
    }
  }

  /// Syncs, with the error as a value.
  func result() -> LogError? {
    do throws(LogError) {
      try sync()
      return nil
    } catch {
      return error
    }
  }
}
