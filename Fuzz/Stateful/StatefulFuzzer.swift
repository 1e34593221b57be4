// SPDX-License-Identifier: Apache-2.0
//
// Drives a whole server with random requests of several clients, valid and not, and checks after each step what has to hold: the
// server's bookkeeping counted anew (`Server.checkInvariants`), its file against its memory, and each monitor's view, kept by updates
// alone, against the rows. The server runs in this process with small limits, so that a few rows are much.

import Engine
import FuzzTargets
import JSON
import Journal
import NIOCore
import NIOPosix
import OVSDB
import Server
import TestSupport

/// What a run did.
package struct StatefulReport: Sendable, CustomStringConvertible {
  package var requests = 0
  package var updates = 0
  package var views = 0
  package var reconnects = 0
  /// Updates and replies that a stopped client found when it went on.
  package var late = 0

  package var description: String {
    "\(requests) requests, \(updates) updates, \(views) views compared, \(late) messages read late, \(reconnects) reconnects"
  }
}

/// A seed of the fuzzer at work.
package final class StatefulFuzzer {
  private var random: SeededRandom
  private let directory: RunDirectory
  private let group: MultiThreadedEventLoopGroup
  private let server: NIOLoopBound<Server>
  private let schema: DatabaseSchema
  private let socket: String
  private var clients: [StatefulClient] = []
  private var requests: StatefulRequests
  private var report = StatefulReport()

  private static let clientCount = 4

  /// Runs one seed.
  ///
  /// - Throws: `FuzzFault` with what does not hold.
  package static func run(seed: UInt64, steps: Int) throws -> StatefulReport {
    let fuzzer = try StatefulFuzzer(seed: seed)
    defer { fuzzer.shutDown() }
    return try fuzzer.run(steps: steps)
  }

  private init(seed: UInt64) throws {
    random = SeededRandom(seed: seed)
    requests = StatefulRequests(random: SeededRandom(seed: seed ^ 0x5eed))
    directory = try RunDirectory()
    socket = directory.path("db.sock")
    let file = directory.path("db.db")
    schema = try JSONDocument.parse(Catalog.schemaText).withRoot { try DatabaseSchema(json: $0) }
    _ = try DatabaseFile.create(file, schema: schema)
    group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var limits = Limits()
    limits.inlineRowsMax = random.pick([1, 3, 500])
    limits.pieceBytes = random.pick([100, 700])
    limits.transactionWorkMax = random.pick([50, 400, 100_000])
    limits.historyBytesMax = random.pick([nil, 0, 4096])
    limits.contentsBytesMax = random.pick([0, 2000])
    limits.monitorsMax = 6
    limits.waitsMax = 4
    limits.locksMax = 3
    let (group, path, socket, chosen) = (group, directory.path, socket, limits)
    let loop = group.next()
    server = try loop.submit {
      let server = Server(group: group, hasThreads: true, rundir: path, limits: chosen)
      try server.makeServerDatabase()
      try server.openDatabase(file)
      try server.listen(on: "punix:\(socket)")
      return NIOLoopBound(server, eventLoop: loop)
    }.wait()
    for number in 0..<Self.clientCount { clients.append(try StatefulClient(socket: socket, number: number)) }
  }

  private func shutDown() {
    for client in clients { client.disconnect() }
    let server = server
    try? group.next().submit {
      server.value.stopListening()
      server.value.endThreads()
    }.wait()
    try? group.syncShutdownGracefully()
  }

  private func run(steps: Int) throws -> StatefulReport {
    for step in 0..<steps {
      do {
        try act()
        try settle()
        try check(readsFiles: step % 10 == 9)
      } catch {
        throw FuzzFault("step \(step): \(error)\n\(clients.map(\.trace).joined(separator: "\n"))")
      }
    }
    for client in clients { client.isStopped = false }
    try settle()
    try check(readsFiles: true)
    return report
  }

  // MARK: - Steps

  private func act() throws {
    let client = random.pick(clients)
    switch random.below(100) {
    case 0..<40: try send(client) { $0.transaction() }
    case 40..<45: try send(client) { $0.selects() }
    case 45..<48: try send(client) { $0.wait() }
    case 48..<60: try monitor(client)
    case 60..<70: try changeConditions(client)
    case 70..<73: try cancelMonitor(client)
    case 73..<79: try send(client) { $0.lock() }
    case 79..<83: try send(client) { $0.oddity() }
    case 83..<93: client.isStopped.toggle()
    case 93..<98: try reconnect(client)
    default: try spoil(client)
    }
  }

  /// Sends a request of no further consequence; several in one go now and then.
  private func send(_ client: StatefulClient, _ make: (inout StatefulRequests) -> StatefulRequests.Request) throws {
    for _ in 0..<(random.chance(20) ? random.within(2...6) : 1) {
      guard client.mayRequest else { return }
      let request = make(&requests)
      report.requests += 1
      try client.request(request.method, request.params, .other)
    }
  }

  private func monitor(_ client: StatefulClient) throws {
    guard client.mayRequest else { return }
    let method = random.pick(["monitor", "monitor_cond", "monitor_cond", "monitor_cond_since"])
    let id = "m\(random.below(9))"
    let tables = requests.monitorRequests(hasConditions: method != "monitor")
    var params = #"["db","\#(id)",\#(tables)"#
    if method == "monitor_cond_since" {
      // It knows nothing; those who come back do (`reconnect`).
      params += ",\"00000000-0000-0000-0000-000000000000\""
    }
    report.requests += 1
    try client.request(method, params + "]", .monitor(id: id, method: method, requests: tables))
  }

  private func changeConditions(_ client: StatefulClient) throws {
    guard client.mayRequest, let id = random.pick(maybe: client.monitorIDs) else { return }
    let new = random.chance(25) ? "m\(random.below(9))" : id
    let change = requests.conditionChange()
    report.requests += 1
    try client.request(
      "monitor_cond_change", #"["\#(id)","\#(new)",\#(change)]"#, .condition(old: id, new: new, change: change))
  }

  private func cancelMonitor(_ client: StatefulClient) throws {
    guard client.mayRequest else { return }
    let id = random.pick(client.monitorIDs + ["m0"])
    try client.request("monitor_cancel", "[\"\(id)\"]", .cancel(id: id))
  }

  /// Goes away and comes back with what it knows, as clients do that lose their connection.
  private func reconnect(_ client: StatefulClient) throws {
    report.reconnects += 1
    try client.reconnect(socket: socket)
    for (id, view) in client.takeViews() where view.method == "monitor_cond_since" && view.lastID != nil {
      guard let requests = view.currentRequests else { continue }
      try client.request(
        "monitor_cond_since", #"["db","\#(id)",\#(requests),"\#(view.lastID ?? "")"]"#,
        .resume(id: id, view: view))
    }
  }

  /// Sends what is no message, or half of one, and loses the connection for it.
  private func spoil(_ client: StatefulClient) throws {
    client.sendRaw(Array(random.pick(["{\"id\":", "[1,2", "nonsense", "{}", "{\"id\":1,\"result\":2,\"error\":null}", "\u{0}"]).utf8))
    _ = client.takeViews()
    try client.reconnect(socket: socket)
  }

  // MARK: - What has to hold

  /// Lets every client that reads catch up: the answer to an echo comes behind everything else.
  private func settle() throws {
    for client in clients where !client.isStopped { try client.catchUp(schema: schema, &report) }
  }

  private func check(readsFiles: Bool) throws {
    let server = server
    let faults = try group.next().submit { server.value.checkInvariants(readsFiles: readsFiles) }.wait()
    guard faults.isEmpty else { throw FuzzFault("\(faults)") }
    for client in clients where !client.isStopped { try client.check(try settledSnapshot(client), &report) }
  }

  /// Has a client catch up until nothing was committed meanwhile: what those sent who do not read is executed when the server gets to it.
  private func settledSnapshot(_ client: StatefulClient) throws -> Snapshot {
    var snapshot = try self.snapshot()
    while true {
      try client.catchUp(schema: schema, &report)
      let present = try self.snapshot()
      // Its monitors were told everything that was committed before the snapshot, and nothing was after it.
      if present.sequence == snapshot.sequence { return snapshot }
      snapshot = present
    }
  }

  private func snapshot() throws -> Snapshot {
    let server = server
    guard let snapshot = try group.next().submit({ server.value.snapshot(of: "db") }).wait() else {
      throw FuzzFault("the database is gone")
    }
    return snapshot
  }
}
