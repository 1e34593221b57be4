// SPDX-License-Identifier: Apache-2.0
//
// What a write costs beside many clients that do not care.

extension Workload {
  static let idleClients = Workload(
    "idle-clients", "updates beside many clients that are connected and silent; 1 connection, 1 deep"
  ) { bench throws(BenchmarkFailure) in
    let update = ItemUpdate(of: try bench.fill("Item", count: bench.sizes.updateRows))
    let clients = try bench.loop.connect(count: bench.sizes.idleClients)
    // Each is known to the server once it got an answer.
    for client in clients {
      client.send(#"{"id":1,"method":"list_dbs","params":[]}"#)
      try bench.loop.flush(client)
    }
    try bench.loop.run { clients.allSatisfy { $0.messageCount == 1 } }
    return try measure(bench, clients, update)
  }

  static let idleMonitors = Workload(
    "idle-monitors", "updates beside many clients that monitor another table; 1 connection, 1 deep"
  ) { bench throws(BenchmarkFailure) in
    let update = ItemUpdate(of: try bench.fill("Item", count: bench.sizes.updateRows))
    let clients = try bench.monitors(bench.sizes.idleClients, initialRows: 0) { _ in #"{"Quiet":[{}]}"# }
    return try measure(bench, clients, update)
  }

  private static func measure(
    _ bench: Bench, _ clients: [Connection], _ update: ItemUpdate
  ) throws(BenchmarkFailure) -> [Measurement] {
    var load = Load(
      [try bench.controlConnection()], depth: bench.sizes.depth ?? 1, limit: .seconds(bench.sizes.seconds / 6),
      write: update.write)
    let warmUp = try bench.run(load)
    load.limit = .seconds(bench.sizes.seconds)
    let result = try bench.run(load, first: warmUp.operations)
    let last = warmUp.operations + result.operations - 1
    try bench.expectRows("Item", where: ItemUpdate.condition(after: last), 1)
    guard clients.allSatisfy({ $0.messageCount == 1 }) else { throw .wrongResult("idle clients got messages") }
    return result.measurements
  }
}
