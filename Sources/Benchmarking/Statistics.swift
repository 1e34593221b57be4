// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a measurement's values over the rounds.

/// The middle and the spread of some values.
package struct Statistics: Equatable {
  package let median: Double
  package let smallest: Double
  package let largest: Double

  /// Nil for no values.
  package init?(_ values: [Double]) {
    let sorted = values.sorted()
    guard let first = sorted.first, let last = sorted.last else { return nil }
    let middle = sorted.count / 2
    median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    smallest = first
    largest = last
  }

  /// The distance of the extremes as a fraction of the median; 0 when all are 0.
  package var spread: Double { median == 0 ? 0 : (largest - smallest) / median }

  /// Beyond this spread a ratio says little.
  package static let noisySpread = 0.25
}

/// One line of a report: a measurement on one server or on two.
package struct ReportLine: Equatable {
  package let name: String
  package let unit: String
  package let goal: Measurement.Goal
  package let servers: [Statistics]

  /// How many times better the first server is than the second: above 1 it is better, whatever the measurement's goal.
  package var ratio: Double? {
    guard servers.count == 2, servers[0].median > 0, servers[1].median > 0 else { return nil }
    switch goal {
    case .more: return servers[0].median / servers[1].median
    case .less: return servers[1].median / servers[0].median
    case .none: return nil
    }
  }

  package var isNoisy: Bool { goal != .none && servers.contains { $0.spread > Statistics.noisySpread } }
}

extension WorkloadResult {
  package var lines: [ReportLine] {
    guard let first = rounds.first?.first else { return [] }
    return first.compactMap { measurement in
      let servers = rounds.indices.compactMap { Statistics(values(measurement.name, server: $0)) }
      guard servers.count == rounds.count else { return nil }
      return ReportLine(name: measurement.name, unit: measurement.unit, goal: measurement.goal, servers: servers)
    }
  }
}
