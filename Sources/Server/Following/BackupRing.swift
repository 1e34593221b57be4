// SPDX-License-Identifier: Apache-2.0
//
// Backups that follow each other in a ring. Nobody in it takes writes, so there is nothing to refuse: all replicate, and when one of them
// is made active the others follow it. But when they began with different rows, these can go round: each takes over what the next had a
// moment ago. One that leaves the ring for a second ends that, since the others then are a chain behind it.
//
//     A ─▶ B ─▶ C      C knows the marks of B and, through B, of A
//     ▲         │      C follows A: A hears the marks of C, B and its own, and knows of the ring
//     └─────────┘
//
// No client's word is taken for it. A backup gives its source its mark, a number that it made and gives to nobody else, with the marks of
// its followers. Whoever is given its own mark has proof that its source, or a source of that, follows it; others cannot know the mark.
// A server of Open vSwitch passes no marks on, so a ring with one of them in it is not known.

import JSON
import OVSDB

/// The marks that backups of this server's databases gave.
struct KnownFollowers {
  /// By session and database; in the order given: the session's server first.
  private var marks: [UInt64: [String: [UUID]]] = [:]

  /// More than there are servers that follow each other anywhere.
  static let countMax = 100

  /// - Returns: whether that is news.
  mutating func note(_ given: [UUID], of database: String, by session: Session) -> Bool {
    let key = session.number
    guard marks[key]?[database] != given else { return false }
    marks[key, default: [:]][database] = given
    return true
  }

  /// - Returns: the databases that the session's server followed.
  mutating func forget(_ session: Session) -> [String] {
    guard let databases = marks.removeValue(forKey: session.number) else { return [] }
    return databases.keys.sorted()
  }

  /// Whether anyone gave a mark.
  func contains(_ mark: UUID, of database: String) -> Bool {
    marks.values.contains { $0[database]?.contains(mark) == true }
  }

  /// Everyone's marks.
  func all(of database: String) -> Set<UUID> {
    marks.isEmpty ? [] : Set(marks.values.flatMap { $0[database] ?? [] })
  }
}

extension Backup {
  /// The first word of a monitor's id by which a replicating server is known.
  static let monitorWord = "replication"
  /// The notification that gives a source the marks of followers.
  static let followersMethod: StaticString = "replication_followers"
  /// Updates that may come round a ring before this server leaves it for a while. Some are on their way when a ring is closed.
  static let roundsMax = 32

  /// How long to leave a ring: others may leave it at the same time, and should not come back at the same time, with a full copy each.
  ///
  /// - Parameter count: how often it was left.
  func ringPauseMilliseconds(_ count: Int) -> Int64 { .random(in: 0...(1000 << Int64(min(count, 3))), using: &server.random) }

  /// Gives a source the marks of those who follow a database here.
  func tellFollowers(of database: String) {
    guard isCopying(database), link.isConnected else { return }
    let marks = server.backups.followers.all(of: database).sorted().prefix(KnownFollowers.countMax - 1)
    link.notify(Self.followersMethod) { writer in
      writer.append("[")
      writer.appendQuoted(database)
      for mark in [server.backups.mark] + marks {
        writer.append(",\"")
        mark.write(to: &writer)
        writer.append("\"")
      }
      writer.append("]")
    }
  }
}

extension BackupManager {
  /// The pause in which marks that are given in quick succession become one notification.
  private static let tellingMilliseconds: Int64 = 100

  /// Notes who follows a database when one of them asks for its contents.
  ///
  /// - Parameter monitorID: `["replication", database, mark]`; others say nothing.
  func noteFollower(_ monitorID: JSONValue, of database: ServedDatabase, by session: Session) {
    guard monitorID.kind == .array, monitorID[0]?.string == Backup.monitorWord else { return }
    note(Self.marks(monitorID, from: 2), of: database.name, by: session)
  }

  /// A backup gives the marks of those who follow it now: `[database, mark...]`.
  func noteFollowers(_ params: JSONValue, by session: Session) {
    guard let name = params[0]?.string, server.databases[name] != nil else { return }
    note(Self.marks(params, from: 1), of: name, by: session)
  }

  func forget(_ session: Session) {
    for database in followers.forget(session) { followersChanged(database) }
  }

  private func note(_ marks: [UUID], of database: String, by session: Session) {
    guard !marks.isEmpty, followers.note(marks, of: database, by: session) else { return }
    if marks.contains(mark), !rings.contains(database), !backups(of: database).isEmpty {
      server.log.warning(
        "\(session.connection.name): \(database): this server follows itself, over others: none takes writes until one is made active")
    }
    followersChanged(database)
  }

  private func followersChanged(_ database: String) {
    if followers.contains(mark, of: database) { rings.insert(database) } else { rings.remove(database) }
    guard untold.insert(database).inserted else { return }
    server.after(.milliseconds(Self.tellingMilliseconds)) { [weak self] in
      guard let self, untold.remove(database) != nil else { return }
      for backup in backups(of: database) { backup.tellFollowers(of: database) }
    }
  }

  private static func marks(_ json: JSONValue, from first: Int) -> [UUID] {
    json.elements.dropFirst(first).prefix(KnownFollowers.countMax).compactMap { $0.utf8.flatMap { UUID(utf8: $0) } }
  }
}
