// SPDX-License-Identifier: Apache-2.0
//
// Backups that follow each other in a ring: none would ever have anything new to tell, and all could hand their rows round without end.
// So a backup tells its source who follows it, itself first, then those who follow these: in the id of its monitor, and, when that
// changes, in a notification, which servers of other makes pass over. Who finds itself or its own source among the followers of a
// backup that asks is in a ring, and cuts it there: it refuses.
//
//     A ─▶ B ─▶ C      C knows that B follows it, and through B that A does
//     ▲         ╎      C begins to follow A: A hears of C, B and A, and refuses
//     └╌╌╌╌╌╌╌╌╌┘
//
// A server of Open vSwitch in the ring tells nothing of this, so such a ring is not noticed.

import JSON
import NIOCore
import OVSDB

/// Who follows this server's databases, as far as it was told.
struct KnownFollowers {
  /// By session and database; in the order told: the session's server first.
  private var told: [ObjectIdentifier: [String: [UUID]]] = [:]

  /// More than there are servers that follow each other anywhere.
  static let countMax = 1000

  /// - Returns: whether that is news.
  mutating func note(_ ids: [UUID], of database: String, by session: Session) -> Bool {
    let key = ObjectIdentifier(session)
    guard told[key]?[database] != ids else { return false }
    told[key, default: [:]][database] = ids
    return true
  }

  func ids(of database: String, by session: Session) -> [UUID] { told[ObjectIdentifier(session)]?[database] ?? [] }

  /// - Returns: the databases that the session's server followed.
  mutating func forget(_ session: Session) -> [String] {
    guard let databases = told.removeValue(forKey: ObjectIdentifier(session)) else { return [] }
    return Array(databases.keys)
  }

  /// Everyone's followers, sorted.
  func all(of database: String) -> [UUID] {
    guard !told.isEmpty else { return [] }
    return Set(told.values.flatMap { $0[database] ?? [] }).sorted().prefix(Self.countMax - 1).map { $0 }
  }
}

extension Replication {
  /// The first word of a monitor's id by which a replicating server is known.
  static let monitorWord = "replication"
  /// The notification that tells a source who follows.
  static let followersMethod: StaticString = "replication_followers"

  /// Appends our id and those of our followers, with a comma before each.
  func writeFollowers(of database: String, to writer: inout ByteWriter) {
    for id in [server.id] + server.replication.followers.all(of: database) {
      writer.append(",\"")
      id.write(to: &writer)
      writer.append("\"")
    }
  }
}

extension ReplicationManager {
  /// How long a ring is looked at before it is cut by somebody who is told of it later: all who are in it may learn of it at once.
  private static var delayMilliseconds: Int64 { .random(in: 0...1000) }

  /// Notes who follows a database when one of them asks for its contents.
  ///
  /// - Parameter monitorID: `["replication", database, id...]`; others say nothing.
  /// - Throws: when we follow one of them, or they us.
  func admit(_ monitorID: JSONValue, to database: ServedDatabase, for session: Session) throws(OVSDBError) {
    guard monitorID.kind == .array, monitorID[0]?.string == Replication.monitorWord, let ids = Self.ids(monitorID, session) else {
      return
    }
    if database.isBackup, isRing(ids, database.name) { throw Self.refusal(database) }
    note(ids, of: database, by: session)
  }

  /// A backup tells who follows it now: `[database, id...]`.
  func noteFollowers(_ params: JSONValue, by session: Session) {
    guard let name = params[0]?.string, let database = server.databases[name],
      let ids = Self.ids(params, session, from: 1)
    else { return }
    note(ids, of: database, by: session)
    guard database.isBackup, isRing(ids, name) else { return }
    server.after(.milliseconds(Self.delayMilliseconds)) { [weak self, weak session, weak database] in
      guard let self, let session, let database, !session.isClosed, database.isBackup else { return }
      guard isRing(followers.ids(of: name, by: session), name) else { return }
      server.log.warning("\(session.connection.name): \(Self.refusal(database).details ?? ""); disconnecting")
      session.connection.close()
    }
  }

  func forget(_ session: Session) {
    for database in followers.forget(session) { tellSources(of: database) }
  }

  private func note(_ ids: [UUID], of database: ServedDatabase, by session: Session) {
    if followers.note(ids, of: database.name, by: session) { tellSources(of: database.name) }
  }

  /// Whether we follow one of these, or are one.
  private func isRing(_ ids: [UUID], _ database: String) -> Bool {
    ids.contains(server.id) || replications(of: database).contains { $0.sourceID.map(ids.contains) == true }
  }

  private static func refusal(_ database: ServedDatabase) -> OVSDBError {
    OVSDBError(.notAllowed, "\(database.name): this server follows the one that asks")
  }

  /// Of others than itself a server is believed only when it might as well write here.
  private static func ids(_ json: JSONValue, _ session: Session, from first: Int = 2) -> [UUID]? {
    let ids = json.elements.dropFirst(first).prefix(KnownFollowers.countMax).compactMap { $0.utf8.flatMap { UUID(utf8: $0) } }
    guard !ids.isEmpty else { return nil }
    return session.isReadOnly || session.role != nil ? Array(ids.prefix(1)) : Array(ids)
  }
}
