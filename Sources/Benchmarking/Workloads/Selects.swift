// SPDX-License-Identifier: Apache-2.0
//
// Selects of one row, found in three ways.

extension Workload {
  static let selectUUID = Workload(
    "select-uuid", "selects of one row by _uuid; 1 connection, 32 deep"
  ) { bench throws(BenchmarkFailure) in
    let uuids = try bench.fill("Record", count: bench.sizes.selectRows, row: BenchSchema.record)
    let template = select("Record", #"["_uuid","==",["uuid","\#(String(repeating: "@", count: 36))"]]"#)
    return try measure(bench, template) { template.set(1, to: uuids[$0 % uuids.count]) }
  }

  static let selectIndexed = Workload(
    "select-indexed", "selects of one row by the value of an indexed column; 1 connection, 32 deep"
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.selectRows
    try bench.fill("Record", count: rows, row: BenchSchema.record)
    let template = select("Record", #"["name","==","record-########"]"#)
    return try measure(bench, template) { template.set(1, to: $0 % rows) }
  }

  static let selectScan = Workload(
    "select-scan", "selects of one row by the value of a column without an index; 1 connection, 32 deep"
  ) { bench throws(BenchmarkFailure) in
    let rows = bench.sizes.scanRows
    try bench.fill("Item", count: rows)
    let template = select("Item", #"["number","==",1########]"#)
    return try measure(bench, template) { template.set(1, to: $0 % rows) }
  }

  private static func select(_ table: String, _ clause: String) -> RequestTemplate {
    let operation = #"{"op":"select","table":"\#(table)","where":[\#(clause)],"columns":["name","number"]}"#
    return RequestTemplate(Bench.transaction([operation], id: "1########"))
  }

  /// Each reply must hold one row. Rows are taken far from each other, as neighbours share the processor's caches.
  private static func measure(
    _ bench: Bench, _ template: RequestTemplate, choose: @escaping (Int) -> Void
  ) throws(BenchmarkFailure) -> [Measurement] {
    let write = { (connection: Connection, number: Int) in
      template.set(0, to: number)
      choose(number &* 7919)
      connection.send(template)
    }
    return try bench.measure(connections: 1, depth: 32, write: write, check: { $0.selectedRows == 1 }).result
      .measurements
  }
}
