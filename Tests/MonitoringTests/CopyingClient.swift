// SPDX-License-Identifier: Apache-2.0
//
// A client that keeps a copy of what its monitors tell it (`MonitorCopy`), and random changes to be told.

import Engine
import FuzzTargets
import JSON
import Monitoring
import OVSDB

/// A session with monitors; it may be busy, so that its updates add up.
final class CopyingClient: MonitorClient {
  let schema: DatabaseSchema
  var acceptsUpdates = true
  var copies: [ObjectIdentifier: MonitorCopy] = [:]
  var notificationCount = 0
  /// Notifications that came in pieces, of so many bytes.
  var largeCount = 0
  var pieceBytes = 50
  /// Monitors that it was noted for that they are owed something.
  var owed: [Subscription] = []
  var noteKey: (LargeUpdate.Key) -> Void = { _ in }
  var faults: [String] = []

  init(schema: DatabaseSchema) { self.schema = schema }

  func send(_ body: borrowing ByteWriter, for subscription: Subscription, commitID: UUID) {
    notificationCount += 1
    take(body.string, for: subscription)
  }

  func send(_ update: LargeUpdate, for subscription: Subscription) {
    noteKey(update.key)
    var changes = update.changes
    var writer = ByteWriter()
    var looks = 0
    while changes.writePiece(until: writer.count + pieceBytes, looks: &looks, to: &writer) {}
    guard !changes.isEmpty else { return }
    largeCount += 1
    notificationCount += 1
    take(writer.string, for: subscription)
  }

  func noteOwed(_ subscription: Subscription) { owed.append(subscription) }

  func take(_ text: String, for subscription: Subscription) {
    do {
      if text == "{}" { throw CopyFault("an empty update") }
      let document = try JSONDocument.parse(text)
      try document.withRoot { try copies[ObjectIdentifier(subscription), default: MonitorCopy()].apply($0, schema: schema) }
    } catch {
      faults.append("\(error): \(text)")
    }
  }
}

func makeDatabase(_ tables: String, seed: UInt64 = 1) throws -> Database {
  let schema = try JSONDocument.parse("{\"name\":\"db\",\"tables\":\(tables)}").withRoot { try DatabaseSchema(json: $0) }
  return Database(schema: schema, random: RandomSource(seed: seed))
}

func specification(_ text: String, _ database: Database) throws -> MonitorSpecification {
  try JSONDocument.parse(text).withRoot { try MonitorSpecification(json: $0, schema: database.schema, allowsCondition: true) }
}

extension MonitorHub {
  func publish(_ commit: Commit, _ database: Database) { publish(commit) { database.snapshot } }

  /// - Parameter history: one that remembers nothing lets all rows be compared.
  func drain(_ subscription: Subscription, _ database: Database, _ history: History? = nil) {
    let owed = takeOwed(
      subscription, current: database.snapshot, lastCommitID: database.lastCommitID,
      history: history ?? History(baseID: database.lastCommitID))
    var body = ByteWriter()
    guard let owed, owed.changes.write(rowsMax: .max, bytesMax: .max, to: &body), body.count > 0 else { return }
    subscription.client.send(body, for: subscription, commitID: owed.commitID)
  }
}

extension Database {
  /// Runs operations, given as the inside of an array.
  @discardableResult
  func run(_ operations: String) throws -> Commit? {
    let document = try JSONDocument.parse("[\"db\",\(operations)]")
    var writer = ByteWriter()
    let outcome = document.withRoot { transact(params: $0, context: TransactionContext(), into: &writer) }
    guard case .committed(let commit, _) = outcome else { throw CopyFault(writer.string) }
    return commit
  }
}
