// SPDX-License-Identifier: Apache-2.0
//
// What adding an interface to a switch does to the database: a row that is reachable only from a set that grows.

extension Workload {
  static let portInsert = Workload(
    "port-insert", "inserts of a port that also add it to its switch's growing set of ports; 1 connection, 4 deep"
  ) { bench throws(BenchmarkFailure) in
    var uuids = UUIDList()
    uuids.append(from: try bench.transact([#"{"op":"insert","table":"Switch","row":{"name":"switch"}}"#]))
    let condition = #"[["_uuid","==",["uuid","\#(uuids.text(0))"]]]"#
    let row = BenchSchema.row(number: "########")
    let template = RequestTemplate(
      Bench.transaction(
        [
          #"{"op":"insert","table":"Port","uuid-name":"port","row":\#(row)}"#,
          #"{"op":"mutate","table":"Switch","where":\#(condition),"#
            + #""mutations":[["ports","insert",["set",[["named-uuid","port"]]]]]}"#,
        ], id: "1########"))
    let clients = try bench.onlyConnections(bench.sizes.connections ?? 1)
    let load = Load(clients, depth: bench.sizes.depth ?? 4, limit: .operations(bench.sizes.ports)) {
      template.setAll(to: $1)
      $0.send(template)
    }
    let result = try bench.run(load)
    // A port that no set refers to is gone at the end of its transaction, so these are also in the set.
    try bench.expectRows("Port", bench.sizes.ports)
    return result.measurements
  }
}
