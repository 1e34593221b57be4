// SPDX-License-Identifier: Apache-2.0
//
// Two servers with the same schema, sent the same requests in lockstep. Each has a session that writes (and monitors its
// own writes) and a session that only monitors. What they say is brought to a common form (TestSupport/Canonical.swift)
// and compared message by message.

import TestSupport

/// Two servers disagreed. Says how to see it again.
struct Mismatch: Error, CustomStringConvertible {
  let description: String
}

/// Open vSwitch's server crashed, as 3.1.0 does now and then: the contest ends without a winner.
struct PeerCrash: Error, CustomStringConvertible {
  let description: String
}

/// The servers went different ways on purpose (AcceptedDifferences.swift) in a manner that cannot be taken out: the rest
/// of the contest would compare apples with oranges.
struct AcceptedEnd: Error, CustomStringConvertible {
  let description: String
}

/// One server of the contest.
final class Contestant {
  let server: DatabaseServer
  var writer: WireSession
  var watcher: WireSession
  var identities = IdentityMap()
  let isPeer: Bool

  /// - Parameter fullValues: Whether the file shall hold new values instead of differences. 3.1.0 cannot read back the
  ///   difference of a limited set or map that has more (or fewer) elements than the column may hold, so it always
  ///   gets this option: else it forgets transactions when it is started again.
  init(_ side: Side, schema: WireJSON, fullValues: Bool) throws {
    isPeer = side == .peer || side.server == Side.peer.server
    server = try DatabaseServer(
      side, [.schema(schema)], options: isPeer || fullValues ? ["--disable-file-column-diff"] : [])
    writer = try server.session()
    watcher = try server.session()
  }

  func reconnect() throws {
    writer = try server.session()
    watcher = try server.session()
  }

  /// A request that comes back empty after everything the session is owed.
  func barrier(_ session: WireSession, database: String) throws -> [WireMessage] {
    let id: WireJSON = "barrier"
    try session.request("transact", [.string(database)], id: id)
    return try session.receive(untilReplyTo: id)
  }
}

final class Contest {
  let seed: UInt64
  let sides: [Contestant]
  var generator: TransactionGenerator
  var step = 0
  /// What was sent before the request that fails: a crash may show late.
  private var lastRequest: WireJSON = nil
  let database: String

  init(seed: UInt64, sides: (Side, Side)) throws {
    self.seed = seed
    var random = SeededRandom(seed: seed)
    let schema = GeneratedSchema(random: &random)
    database = schema.name
    generator = TransactionGenerator(schema: schema, random: random)
    self.sides = [
      try Contestant(sides.0, schema: schema.json, fullValues: seed.isMultiple(of: 2)),
      try Contestant(sides.1, schema: schema.json, fullValues: seed.isMultiple(of: 2)),
    ]
    try compareSchemas()
    try openSessions()
  }

  // MARK: Comparing

  /// - Throws: `Mismatch` when the answers of the two sides differ.
  func agree(_ what: String, request: WireJSON, _ answers: [WireJSON]) throws {
    if let mismatch = difference(what, request: request, answers) { throw mismatch }
  }

  /// How the answers of the two sides differ, but for UUIDs and accepted differences.
  func difference(_ what: String, request: WireJSON, _ answers: [WireJSON]) -> Mismatch? {
    var forms: [WireJSON] = []
    for (side, answer) in zip(sides, answers) {
      side.identities.known = generator.rows.written.union(["00000000-0000-0000-0000-000000000000"])
      // New rows are named in the order of their inserts: nothing else tells two that are alike apart.
      for result in answer[0]?["result"]?.elements ?? [] {
        if let uuid = result["uuid"]?.uuid { _ = side.identities.rename(uuid) }
      }
      forms.append(side.identities.canonical(side.isPeer ? AcceptedDifferences.today(answer) : answer))
    }
    guard forms[0] != forms[1] else { return nil }
    let operations = request.elements?.dropFirst() ?? []
    let blurred = forms.map {
      AcceptedDifferences.blurred(AcceptedDifferences.blurredMutations($0, operations: operations))
    }
    guard blurred[0] != blurred[1], !IndexViolation.explains(blurred, operations: operations) else { return nil }
    return Mismatch(
      description: """
        \(what) differ: OVSDB_DIFFERENTIAL_SEED=\(seed), step \(step)
        request: \(request)
        \(sides[0].server.side): \(forms[0])
        \(sides[1].server.side): \(forms[1])
        raw \(sides[0].server.side): \(answers[0])
        raw \(sides[1].server.side): \(answers[1])
        schema: \(generator.schema.json)
        """)
  }

  /// The same request to both sides on sessions of one kind, and what each answers.
  func ask(
    _ session: KeyPath<Contestant, WireSession>, _ method: String, _ params: WireJSON
  ) throws -> [[WireMessage]] {
    let id: WireJSON = "ask"
    for side in sides { try side[keyPath: session].request(method, params, id: id) }
    return try sides.map { side in
      do { return try side[keyPath: session].receive(untilReplyTo: id) } catch {
        throw silence(of: side, to: [.string(method), params], error)
      }
    }
  }

  /// What to throw when a side did not answer as it should.
  private func silence(of side: Contestant, to request: WireJSON, _ error: any Error) -> any Error {
    let fate = side.server.fate
    let text = """
      \(side.server.side) gave no proper answer: OVSDB_DIFFERENTIAL_SEED=\(seed), step \(step): \(error)
      request: \(request)
      request before: \(lastRequest)
      it \(fate); its log: \(side.server.diagnosis.suffix(2000))
      """
    return side.isPeer && fate.hasPrefix("ended with status 1") ? PeerCrash(description: text) : Mismatch(description: text)
  }

  private func compareSchemas() throws {
    let answers = try ask(\.writer, "get_schema", [.string(database)])
    try agree("schemas", request: "get_schema", answers.map { .array($0.map(\.json)) })
  }

  // MARK: Sessions

  private func openSessions() throws {
    for side in sides {
      try side.writer.call("set_db_change_aware", [true])
      _ = try side.writer.call("lock", ["held"])
    }
    let everything: WireJSON = .object(generator.schema.tables.map { .init($0.name, [:]) })
    try monitor(\.writer, "monitor", [.string(database), "own", everything])
    try monitor(\.watcher, "monitor", [.string(database), "all", everything])
    for method in ["monitor", "monitor_cond", "monitor_cond_since"] { try renewMonitor(method) }
  }

  private func monitor(_ session: KeyPath<Contestant, WireSession>, _ method: String, _ params: WireJSON) throws {
    let forms = try ask(session, method, params).map { messages -> WireJSON in
      .array(messages.map { method == "monitor_cond_since" ? Self.withoutHistory($0.json) : $0.json })
    }
    if let mismatch = difference("answers to \(method)", request: params, forms) {
      guard try isExplained(session, method, params, forms) else { throw mismatch }
    }
  }

  /// Leaves out what depends on the history that a server keeps: the number of the last transaction.
  private static func withoutHistory(_ message: WireJSON) -> WireJSON {
    guard case .object(var members) = message, let result = message["result"]?.elements, result.count == 3 else {
      return message
    }
    for index in members.indices where members[index].name == "result" {
      members[index].value = [result[0], result[2]]
    }
    return .object(members)
  }

  private func renewMonitor(_ method: String) throws {
    generator.rows.named = [:]
    let answers = try ask(\.watcher, "monitor_cancel", [.string(method)])
    try agree("answers to monitor_cancel", request: .string(method), answers.map { .array($0.map(\.json)) })
    var requests = generator.monitorRequests(conditional: method != "monitor")
    if generator.random.chance(10) { requests = Mangler.mangle(requests, &generator.random) }
    var params: [WireJSON] = [.string(database), .string(method), requests]
    if method == "monitor_cond_since" { params.append("00000000-0000-0000-0000-000000000000") }
    try monitor(\.watcher, method, .array(params))
  }

  private func changeCondition(_ id: String) throws {
    generator.rows.named = [:]
    let changes = generator.conditionChange()
    let params: WireJSON = [.string(id), .string(id), changes]
    let answers = try ask(\.watcher, "monitor_cond_change", params)
    if (changes.members?.count ?? 0) > 1, answers.allSatisfy({ $0.last?.json["error"]?.members != nil }) {
      // Which table is told off is unspecified, and so is what has changed before it.
      return try renewMonitor(id)
    }
    try agree(
      "answers to monitor_cond_change", request: params, answers.map { .array($0.compactMap { Self.update($0.json) }) })
    // A change that fails half way leaves some tables changed: unspecified which, so the monitor is made anew.
    if let last = answers[0].last?.json, !(last["error"]?.isNull ?? true) { try renewMonitor(id) }
  }

  // MARK: Steps

  /// One transaction, or now and then a change of the monitors.
  func advance() throws {
    step += 1
    switch generator.random.below(60) {
    case 0: try renewMonitor(generator.random.pick(["monitor", "monitor_cond", "monitor_cond_since"]))
    case 1, 2: try changeCondition(generator.random.pick(["monitor_cond", "monitor_cond_since"]))
    default: try transact(generator.transaction())
    }
  }

  func transact(_ params: WireJSON) throws {
    let id: WireJSON = .integer(step)
    for side in sides { try side.writer.request("transact", params, id: id) }
    var replies: [WireJSON] = []
    var own: [WireJSON] = []
    for side in sides {
      let (updates, reply, wasPending) = try writerAnswers(side, id: id, params: params)
      replies.append([Self.comparable(reply, params: params), .bool(wasPending)])
      own.append(.array(updates.compactMap { Self.update($0.json) }))
    }
    if let mismatch = difference("replies", request: params, replies) {
      if countsVanishedPairs(replies) { throw AcceptedEnd(description: mismatch.description) }
      guard try isExplained(params, replies) else { throw mismatch }
    }
    if let mismatch = difference("updates before the reply", request: params, own) {
      // "weak-no-change"
      guard hasMoreNewVersions(own) else { throw mismatch }
      throw AcceptedEnd(description: mismatch.description)
    }
    generator.rows.note(updates: own[1])
    let seen = try sides.map { side in
      Self.byMonitor(try side.barrier(side.watcher, database: database).dropLast().compactMap { Self.update($0.json) })
    }
    try agree("updates", request: params, seen)
    lastRequest = params
  }

  /// What the writing session receives for a transaction: updates, the reply, and whether it had to be cancelled.
  private func writerAnswers(
    _ side: Contestant, id: WireJSON, params: WireJSON
  ) throws -> (updates: [WireMessage], reply: WireJSON, wasPending: Bool) {
    do {
      var messages = try side.barrier(side.writer, database: database)
      messages.removeLast()
      if let index = messages.firstIndex(where: { $0.isReply(to: id) }) {
        let late = messages[(index + 1)...]
        guard late.isEmpty else { throw ProcessError("updates after the reply to their transaction: \(late)") }
        return (Array(messages[..<index]), messages[index].json, false)
      }
      // Not answered: it waits for a row (and is cancelled), or for the disk (then its answer comes by itself).
      let isDurable = params.text.contains("\"durable\":true") && !params.text.contains("\"wait\"")
      if !isDurable { try side.writer.notify("cancel", [id]) }
      let rest = try side.writer.receive(untilReplyTo: id)
      return (messages + rest.dropLast(), rest[rest.count - 1].json, !isDurable)
    } catch {
      throw silence(of: side, to: params, error)
    }
  }

  /// Whether 3.1.0 alone sees a reference that is left, in a schema in which it may count those of pairs that are gone ("weak-pair").
  private func countsVanishedPairs(_ replies: [WireJSON]) -> Bool {
    let sees = zip(sides, replies).map { side, reply in
      let isViolation = reply[0]?["result"]?.elements?.last?["error"] == "referential integrity violation"
      return side.isPeer == isViolation
    }
    return sees.allSatisfy { $0 } && generator.schema.hasWeakPairs
  }

  /// Whether the updates are the same but for rows of which nothing but the version changed.
  private func hasMoreNewVersions(_ own: [WireJSON]) -> Bool {
    let rest = zip(sides, own).map { side, updates in
      var identities = side.identities
      return identities.canonical(Self.withoutNewVersions(updates)).mapText { $0.hasPrefix("uuid#") ? "uuid#" : $0 }
    }
    return rest[0] == rest[1]
  }

  private static func withoutNewVersions(_ updates: WireJSON) -> WireJSON {
    var out: [WireJSON] = []
    for update in updates.elements ?? [] {
      for table in update["params"]?[1]?.members ?? [] {
        let rows = (table.value.members ?? []).filter { row in
          let old = row.value["old"]?.members
          return old?.count != 1 || old?[0].name != "_version"
        }
        if !rows.isEmpty { out.append([.string(table.name), .object(rows)]) }
      }
    }
    return .array(out.sorted { $0.text < $1.text })
  }

  // MARK: Forms

  /// A reply in which the rows of a select are a set, and a sorted select shows the order of its keys.
  private static func comparable(_ reply: WireJSON, params: WireJSON) -> WireJSON {
    guard let results = reply["result"]?.elements, let operations = params.elements?.dropFirst() else { return reply }
    var out: [WireJSON] = []
    for (index, result) in results.enumerated() {
      guard let rows = result["rows"]?.elements, index < operations.count else {
        out.append(result)
        continue
      }
      let sort = operations[operations.startIndex + index]["sort"]?.elements ?? []
      let keys = rows.map { row in WireJSON.array(sort.map { row[$0.stringValue ?? ""] ?? .null }) }
      out.append(["rows": ["set", .array(rows)], "keys": sort.isEmpty ? nil : .array(keys)])
    }
    return ["result": .array(out), "error": reply["error"] ?? .null]
  }

  /// An update without the number of its transaction, which only a history gives a meaning, and without modifications
  /// of nothing (AcceptedDifferences.swift); nil when nothing is left.
  private static func update(_ message: WireJSON) -> WireJSON? {
    guard let method = message["method"]?.stringValue, method == "update2" || method == "update3",
      let params = message["params"]?.elements, let id = params.first, let tables = params.last?.members
    else { return message }
    var rest: [WireJSON.Member] = []
    for table in tables {
      let rows = (table.value.members ?? []).filter { $0.value["modify"]?.members?.isEmpty != true }
      if !rows.isEmpty { rest.append(.init(table.name, .object(rows))) }
    }
    return rest.isEmpty ? nil : ["method": .string(method), "params": [id, .object(rest)]]
  }

  /// Updates by the monitor they belong to: their order across monitors is unspecified.
  private static func byMonitor(_ messages: [WireJSON]) -> WireJSON {
    var groups: [String: [WireJSON]] = [:]
    for message in messages { groups[message["params"]?[0]?.text ?? "?", default: []].append(message) }
    return .object(groups.sorted { $0.key < $1.key }.map { .init($0.key, .array($0.value)) })
  }

  // MARK: Contents

  /// Compares all rows of all tables.
  func compareContents(_ what: String) throws {
    let selects = generator.schema.tables.map { table -> WireJSON in
      ["op": "select", "table": .string(table.name), "where": []]
    }
    let params: WireJSON = .array([.string(database)] + selects)
    let replies = try sides.map { Self.comparable(try $0.writer.exchange("transact", params).reply, params: params) }
    try agree(what, request: params, replies)
  }

  /// Ends both servers, starts them again, and compares what they then hold.
  func restartAndCompare() throws {
    for side in sides {
      try side.server.restart()
      try side.reconnect()
    }
    try compareContents("contents after a restart")
  }
}
