// SPDX-License-Identifier: Apache-2.0
//
// Updates of one column of one row that is named by its UUID.

/// The request that sets `number` of an `Item`: fields 0 and 2 take the number, field 1 the row.
struct ItemUpdate {
  private let template: RequestTemplate
  private let uuids: UUIDList

  init(of uuids: UUIDList) {
    self.uuids = uuids
    let condition = #"[["_uuid","==",["uuid","\#(String(repeating: "@", count: 36))"]]]"#
    let operation = #"{"op":"update","table":"Item","where":\#(condition),"row":{"number":2########}}"#
    template = RequestTemplate(Bench.transaction([operation], id: "1########"))
  }

  /// Appends the request with a number; it goes round the rows.
  func write(to connection: Connection, number: Int) {
    template.set(0, to: number)
    template.set(1, to: uuids[number % uuids.count])
    template.set(2, to: number)
    connection.send(template)
  }

  /// The condition that one row meets after the request with a number.
  static func condition(after number: Int) -> String { #"[["number","==",2\#(BenchSchema.digits(number))]]"# }
}

extension Workload {
  static let update = Workload(
    "update", "updates of one column of a row found by its UUID; 1 connection, 32 deep"
  ) { bench throws(BenchmarkFailure) in
    let update = ItemUpdate(of: try bench.fill("Item", count: bench.sizes.updateRows))
    let (result, total) = try bench.measure(connections: 1, depth: 32, write: update.write)
    try bench.expectRows("Item", where: ItemUpdate.condition(after: total - 1), 1)
    return result.measurements
  }
}
