// SPDX-License-Identifier: Apache-2.0
//
// One-row inserts, the commonest write, by few and by many clients.

extension Workload {
  static let insert = inserts("insert", connections: 1, depth: 1)
  static let insertPipelined = inserts("insert-pipelined", connections: 1, depth: 32)
  static let insertConcurrent = inserts("insert-concurrent", connections: 50, depth: 4)
  static let durable = inserts("durable", connections: 1, depth: 1, isDurable: true)
  static let durableConcurrent = inserts("durable-concurrent", connections: 50, depth: 1, isDurable: true)

  /// Inserts that go on for the time of `Sizes.seconds`; afterwards all rows must be there.
  private static func inserts(_ name: String, connections: Int, depth: Int, isDurable: Bool = false) -> Workload {
    let shape = "\(connections) connection\(connections == 1 ? "" : "s"), \(depth) deep"
    let summary = "transactions that insert one row\(isDurable ? " and commit durably" : ""); \(shape)"
    return Workload(name, summary) { bench throws(BenchmarkFailure) in
      var operations = [#"{"op":"insert","table":"Item","row":\#(BenchSchema.row(number: "########"))}"#]
      if isDurable { operations.append(#"{"op":"commit","durable":true}"#) }
      let template = RequestTemplate(Bench.transaction(operations, id: "1########"))
      let write = { (connection: Connection, number: Int) in
        template.setAll(to: number)
        connection.send(template)
      }
      let (result, total) = try bench.measure(connections: connections, depth: depth, write: write)
      try bench.expectRows("Item", total)
      return result.measurements
    }
  }
}
