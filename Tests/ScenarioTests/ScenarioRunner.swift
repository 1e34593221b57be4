// SPDX-License-Identifier: Apache-2.0
//
// Carries a scenario's commands out with an engine and a monitor hub, without any server.

import Engine
import JSON
import Monitoring
import OVSDB

/// A database, its monitors and one client.
final class ScenarioRunner: MonitorClient {
  private let file: ScenarioFile
  private var database: Database?
  private var hub: MonitorHub?
  private var subscriptions: [String: Subscription] = [:]
  private var notifications: [String] = []
  let acceptsUpdates = true

  init(file: ScenarioFile) { self.file = file }

  func send(_ update: LargeUpdate, for subscription: Subscription) {
    var body = ByteWriter()
    guard update.changes.write(rowsMax: .max, bytesMax: .max, to: &body), body.count > 0 else { return }
    send(body, for: subscription, commitID: update.commitID)
  }

  func noteOwed(_ subscription: Subscription) {}

  func send(_ body: borrowing ByteWriter, for subscription: Subscription, commitID: UUID) {
    notifications.append(notification(body.string, subscription))
  }

  private func notification(_ body: String, _ subscription: Subscription) -> String {
    let id = subscription.format == .update3 ? "\"\(UUID.zero)\"," : ""
    return "\(subscription.format.method) [\(subscription.id),\(id)\(body)]"
  }

  /// Carries out one step.
  ///
  /// - Returns: the notifications it caused, then its answer.
  func run(_ step: ScenarioStep) throws -> [String] {
    notifications = []
    let document = try JSONDocument.parse(step.argument, anyValue: true)
    let reply: String
    do {
      reply = try document.withRoot { root in
        switch step.command {
        case "schema": try load(root)
        case "transact": try transact(step.argument)
        case "monitor": try monitor(root, .update)
        case "monitor_cond": try monitor(root, .update2)
        case "monitor_cond_since": try monitor(root, .update3)
        case "monitor_cond_change": try changeCondition(root)
        default: cancel(root)
        }
      }
    } catch let error as OVSDBError {
      var writer = ByteWriter()
      error.write(to: &writer)
      return try notificationTexts() + ["error " + file.normalized(normalForm(writer.string, sortsRows: false))]
    }
    if reply == "blocked" || reply == Self.unknownMonitor { return [reply] }
    let sortsRows = step.command == "transact" && !step.argument.contains("\"sort\"")
    return try notificationTexts() + [sortedAgain(file.normalized(normalForm(reply, sortsRows: false)), sortsRows)]
  }

  /// Sorts rows once more, by what they look like without random UUIDs.
  private func sortedAgain(_ text: String, _ sortsRows: Bool) throws -> String {
    try normalForm(text, sortsRows: sortsRows)
  }

  private func notificationTexts() throws -> [String] {
    try notifications.map { text in
      let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
      return parts[0] + " " + file.normalized(try normalForm(parts[1], sortsRows: false))
    }
  }

  private func load(_ root: JSONValue) throws -> String {
    database = nil
    hub = nil
    subscriptions = [:]
    let schema = try DatabaseSchema(json: root)
    database = Database(schema: schema, random: RandomSource(seed: 1))
    hub = MonitorHub(schema: schema)
    return schema.text
  }

  private func transact(_ operations: String) throws -> String {
    let inner = operations.dropFirst().dropLast()
    let text = inner.allSatisfy(\.isWhitespace) ? "[\"db\"]" : "[\"db\",\(inner)]"
    let document = try JSONDocument.parse(text)
    var writer = ByteWriter()
    guard let database else { return "null" }
    let outcome = document.withRoot { root in
      database.transact(params: root, context: TransactionContext(), into: &writer)
    }
    let faults = database.checkInvariants()
    guard faults.isEmpty else { return "\"broken: \(faults)\"" }
    switch outcome {
    case .blocked: return "blocked"
    case .exceeded: return "exceeded"
    case .failed: break
    case .committed(let commit, _): if let commit { hub?.publish(commit) { database.snapshot } }
    }
    return writer.string
  }

  private func monitor(_ params: JSONValue, _ format: UpdateFormat) throws -> String {
    guard let database, let hub, let id = params[1], let requests = params[2] else { return "null" }
    let specification = try MonitorSpecification(json: requests, schema: database.schema, allowsCondition: format != .update)
    let subscription = hub.subscribe(specification, id: id.text(sorted: true), format: format, client: self)
    subscriptions[subscription.id] = subscription
    var writer = ByteWriter()
    specification.writeInitialContents(of: database.snapshot, format: format, to: &writer)
    return format == .update3 ? "[false,\"\(UUID.zero)\",\(writer.string)]" : writer.string
  }

  private func changeCondition(_ params: JSONValue) throws -> String {
    guard let database, let hub, let id = params[0], let newID = params[1], let requests = params[2],
      let subscription = subscriptions[id.text(sorted: true)]
    else { return "null" }
    let previous = subscription.group.specification
    let specification = try previous.changingConditions(json: requests, schema: database.schema)
    subscriptions[subscription.id] = nil
    let renamed = hub.rename(subscription, id: newID.text(sorted: true))
    subscriptions[renamed.id] = renamed
    // A plain monitor has no condition: its id changes and nothing else does.
    guard renamed.format != .update else { return "{}" }
    hub.move(renamed, to: specification)
    var writer = ByteWriter()
    if specification.writeConditionChange(
      from: previous, in: database.snapshot, format: renamed.format, to: &writer)
    {
      notifications.append(notification(writer.string, renamed))
    }
    return "{}"
  }

  /// The server's words, as sessions are not part of these tests.
  private static let unknownMonitor = "error \"unknown monitor\""

  private func cancel(_ params: JSONValue) -> String {
    guard let id = params[0], let subscription = subscriptions.removeValue(forKey: id.text(sorted: true)) else {
      return Self.unknownMonitor
    }
    hub?.unsubscribe(subscription)
    return "{}"
  }
}
