// SPDX-License-Identifier: Apache-2.0
//
// The room in the file systems of databases: the log warns before it is gone, while there is still time to make more.

import JSON
import Journal
import NIOCore

/// Whether the room for one database is short, and what is worth a line in the log.
struct SpaceWatch {
  /// What the log should say.
  enum Report: Equatable {
    case short(free: Int, margin: Int)
    case enough(free: Int)
    case unknown(SystemError)
  }

  private enum State {
    case enough, short, unknown
  }

  private var state = State.enough
  /// Somebody is looking.
  var isBusy = false

  /// A compaction writes at most as much as the file has, beside it; that twice, for what is written meanwhile.
  private static let copies = 2
  /// The least margin, so that a small database in a file system that others fill is warned of, too.
  static let bytesMin = 64 << 20

  static func margin(fileSize: Int) -> Int { max(bytesMin, fileSize.saturatingTimes(copies)) }

  /// Takes what was found.
  ///
  /// - Returns: news. There is enough again when a quarter more than the margin is free: at the margin itself the log would be told again
  ///   and again.
  mutating func note(_ found: Result<Int, SystemError>, fileSize: Int) -> Report? {
    let margin = Self.margin(fileSize: fileSize)
    switch found {
    case .failure(let error):
      defer { state = .unknown }
      return state == .unknown ? nil : .unknown(error)
    case .success(let free) where free < margin:
      defer { state = .short }
      return state == .short ? nil : .short(free: free, margin: margin)
    case .success(let free):
      guard state != .enough, state == .unknown || free >= margin.saturatingPlus(margin / 4) else { return nil }
      defer { state = .enough }
      return state == .short ? .enough(free: free) : nil
    }
  }
}

extension Server {
  private static let spaceCheckInterval = TimeAmount.seconds(10)

  /// Looks from time to time whether the databases' file systems have room.
  func watchSpace() {
    for database in databases.values where !database.space.isBusy { checkSpace(of: database) }
    after(Self.spaceCheckInterval) { [self] in watchSpace() }
  }

  /// A file system that does not answer holds up the thread that syncs, which would wait for it anyway.
  private func checkSpace(of database: ServedDatabase) {
    guard let store = database.store else { return }
    let target = store.syncTarget
    database.space.isBusy = true
    inBackground(on: database.syncing) {
      target.freeBytes()
    } then: { [self] found in
      database.space.isBusy = false
      guard let report = database.space.note(found, fileSize: store.log.size) else { return }
      switch report {
      case .short(let free, let margin):
        databaseLog.warning(
          """
          \(database.name): only \(free) bytes are left in the file system of \(store.path), less than \(margin), which compactions \
          and commits may need
          """)
      case .enough(let free):
        databaseLog.info("\(database.name): there is room again in the file system of \(store.path): \(free) bytes")
      case .unknown(let error):
        databaseLog.warning("\(database.name): cannot tell what room is left in the file system of \(store.path) (\(error.text))")
      }
    }
  }
}
