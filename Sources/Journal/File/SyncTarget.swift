// SPDX-License-Identifier: Apache-2.0
//
// What other threads know of an open database file, and how they put it on stable storage.

import Synchronization

/// What the owner of a file shares with other threads.
final class SharedState: Sendable {
  /// Bytes of whole records, for those who copy from the file while it grows.
  let readableSize = Atomic<Int>(0)
  /// How far the file is known to be as it was written (NameCheck.swift).
  let examinedSize = Atomic<Int>(0)
  /// True from before another file is put in this one's place by its owner.
  let isReplaced = Atomic<Bool>(false)
  private let renamed = Mutex<NameTarget?>(nil)
  private let firstFailure = Mutex<LogError?>(nil)

  /// The name that the file got, while a crash could still bring back the one that had it before.
  var unsyncedName: NameTarget? {
    get { renamed.withLock { $0 } }
    set { renamed.withLock { $0 = newValue } }
  }

  /// Set by a sync that failed; never cleared, because nobody can tell what the kernel dropped.
  var failure: LogError? { firstFailure.withLock { $0 } }

  func fail(_ error: LogError) {
    firstFailure.withLock { first in
      if first == nil { first = error }
    }
  }
}

/// Puts a file on stable storage, from any thread and as often as wanted.
package struct SyncTarget: Sendable {
  let path: String
  let resolvedPath: String
  let descriptor: Descriptor
  let shared: SharedState
  let lockFile: NamedFile

  /// Waits until everything flushed before the call is on stable storage, under the file's own name.
  ///
  /// - Throws: `fsync failed`. After that the file takes no more records: the kernel reports a lost page once and then
  ///   calls it clean, so a later success would prove nothing (fsync(2), NOTES).
  package func sync() throws(LogError) {
    if let failure = shared.failure { throw failure }
    do {
      try descriptor.fileSystem.syncData(descriptor.number)
      if let name = shared.unsyncedName {
        try name.sync()
        shared.unsyncedName = nil
      }
    } catch {
      let report = LogError.failed(path, "fsync failed", error)
      shared.fail(report)
      throw report
    }
    try checkName()
  }
}
