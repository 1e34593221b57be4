// SPDX-License-Identifier: Apache-2.0
//
// What a benchmark hands back.

/// One number of a result.
package struct Measurement: Equatable, Sendable {
  /// Whether more or less of it is better; what says nothing about the server is not compared.
  package enum Goal: String, Sendable { case more, less, none }

  package let name: String
  package let unit: String
  package let value: Double
  package let goal: Goal

  package init(_ name: String, _ value: Double, _ unit: String, _ goal: Goal = .less) {
    self.name = name
    self.value = value
    self.unit = unit
    self.goal = goal
  }
}

/// How large the benchmarks are. The defaults make a comparison of two servers take a few minutes.
package struct Sizes: Sendable {
  /// How long requests flow in benchmarks that could go on for ever.
  package var seconds = 0.6
  /// When set, take the place of each benchmark's own.
  package var connections: Int?
  package var depth: Int?
  package var ports = 8_000
  package var selectRows = 20_000
  package var scanRows = 1_000
  package var updateRows = 1_000
  package var equalMonitors = 200
  package var conditionMonitors = 1_000
  package var idleClients = 2_000
  package var dumpRows = 50_000
  package var dumpClients = 20
  package var reconnectClients = 100
  package var selectClients = 50
  package var sortingClients = 10
  package var slowClients = 100
  package var manyClients = 10_000
  package var floodClients = 1_000
  package var fileRows = 100_000
  /// A database to start with, in place of a generated one.
  package var file: String?

  package init() {}

  /// Just enough to see that everything works.
  package static var quick: Sizes {
    var sizes = Sizes()
    sizes.seconds = 0.02
    sizes.ports = 50
    sizes.selectRows = 200
    sizes.scanRows = 50
    sizes.updateRows = 20
    sizes.equalMonitors = 5
    sizes.conditionMonitors = 10
    sizes.idleClients = 20
    sizes.dumpRows = 200
    sizes.dumpClients = 3
    sizes.reconnectClients = 3
    sizes.selectClients = 3
    sizes.sortingClients = 3
    sizes.slowClients = 3
    sizes.manyClients = 20
    sizes.floodClients = 20
    sizes.fileRows = 300
    return sizes
  }
}
