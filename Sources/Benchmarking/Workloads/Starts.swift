// SPDX-License-Identifier: Apache-2.0
//
// How long a server takes to start with a large file, and what the rows weigh in memory.

extension Workload {
  static let startSnapshot = Workload(
    "start-snapshot", "start with a compacted file (or --file), and memory per row", needsOwnServer: true
  ) { bench throws(BenchmarkFailure) in
    if let file = bench.sizes.file {
      let copy = bench.directory.path + "/given.db"
      try DatabaseFile.copy(file, to: copy)
      return try start(bench, file: copy, rows: nil)
    }
    return try start(bench, rowsPerRecord: bench.sizes.fileRows)
  }

  static let startHistory = Workload(
    "start-history", "start with a file that has a transaction for each row, and memory per row", needsOwnServer: true
  ) { bench throws(BenchmarkFailure) in try start(bench, rowsPerRecord: 1) }

  private static func start(_ bench: Bench, rowsPerRecord: Int) throws(BenchmarkFailure) -> [Measurement] {
    let file = bench.directory.path + "/large.db"
    try DatabaseFile.create(file, rows: bench.sizes.fileRows, rowsPerRecord: rowsPerRecord)
    return try start(bench, file: file, rows: bench.sizes.fileRows)
  }

  private static func start(_ bench: Bench, file: String, rows: Int?) throws(BenchmarkFailure) -> [Measurement] {
    try bench.start()
    guard let empty = bench.server.map({ $0.process }) else { throw .gone("the server was not started") }
    let emptyMemory = try ProcessMemory(of: empty)
    bench.stop()
    try bench.dropConnections()
    let start = Clock.now()
    try bench.startServer(database: file)
    let duration = Clock.now() - start
    guard let process = try bench.serverProcess(), let processor = Clock.processorTime(of: process) else {
      throw .gone("the server has ended")
    }
    let memory = try ProcessMemory(of: process)
    var result = [
      Measurement("start", Double(duration) / 1e6, "ms"),
      Measurement("server CPU", Double(processor) / 1e6, "ms"),
      Measurement("server memory", Double(memory.residentSize) / 1_048_576, "MiB"),
      Measurement("server memory, most", Double(memory.residentSizeMax) / 1_048_576, "MiB"),
      Measurement("server memory, empty", Double(emptyMemory.residentSize) / 1_048_576, "MiB", .none),
    ]
    if let rows {
      let grown = memory.residentSize - emptyMemory.residentSize
      result.append(Measurement("memory per row", Double(grown) / Double(max(1, rows)), "B"))
      try bench.expectRows("Item", rows)
    }
    return result
  }
}
