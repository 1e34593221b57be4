// SPDX-License-Identifier: Apache-2.0
//
// Every workload once, tiny, against a real server. They measure nothing here; they must run and check themselves.

import CBenchmarkingShims
import Foundation
import Testing

@testable import Benchmarking

/// The server that workloads are tried on: the one named by OVSDB_BENCH_SERVER, or an installed Open vSwitch's.
private let serverPath = ProcessInfo.processInfo.environment["OVSDB_BENCH_SERVER"] ?? "/usr/sbin/ovsdb-server"
private let isInstalled = FileManager.default.isExecutableFile(atPath: serverPath)

@Suite(.enabled(if: isInstalled, "no OVSDB server is installed at \(serverPath)"), .serialized)
struct WorkloadTests {
  private var target: Bench.Target { .command(serverPath, processors: nil) }

  private func startedBench() throws -> Bench {
    let bench = try Bench(target: target, sizes: .quick, parent: NSTemporaryDirectory())
    try bench.start()
    return bench
  }

  private func runner(_ count: Int) -> Runner {
    Runner(
      targets: Array(repeating: target, count: count), sizes: .quick, rounds: count, parent: NSTemporaryDirectory())
  }

  @Test(arguments: Workload.all.map(\.name)) func itRunsAndItsResultIsComplete(_ name: String) throws {
    let workload = try #require(Workload.all.first { $0.name == name })
    let result = try runner(1).run(workload)
    #expect(result.lines.count >= 4)
    #expect(result.lines.contains { $0.goal != .none })
    for line in result.lines {
      #expect(line.servers.allSatisfy { $0.median.isFinite && $0.median >= 0 }, "\(line.name)")
    }
  }

  @Test func twoServersInTurnGiveRatios() throws {
    let result = try runner(2).run(.insert)
    #expect(result.rounds.map(\.count) == [2, 2])
    let throughput = try #require(result.lines.first { $0.name == "throughput" })
    #expect(try #require(throughput.ratio) > 0)
    #expect(Report.text(result).contains("throughput"))
  }

  @Test func aRunningServerIsMeasuredThroughItsSocket() throws {
    let bench = try startedBench()
    let server = try #require(bench.server)
    let running = Runner(
      targets: [.socket(server.socketPath, control: server.controlPath)], sizes: .quick, rounds: 1,
      parent: NSTemporaryDirectory())
    for workload in [Workload.update, .portInsert, .monitorsEqual, .compact] {
      let result = try running.run(workload)
      #expect(result.lines.contains { $0.name == "server CPU" }, "the server's process is found by the socket")
    }
  }

  @Test(arguments: [
    #"{"id":1,"method":"transact","params":["bench",{"op":"insert","table":"Nowhere","row":{}}]}"#,
    #"{"id":1,"method":"nonsense","params":[]}"#,
  ])
  func anErrorOfTheServerIsAFailureWithItsText(_ request: String) throws {
    let bench = try startedBench()
    let failure = #expect(throws: BenchmarkFailure.self) { try bench.call(request) }
    guard case .server(let text)? = failure else {
      Issue.record("not a server's error: \(String(describing: failure))")
      return
    }
    #expect(text.contains("error"))
  }

  @Test func missingRowsAreAFailure() throws {
    let bench = try startedBench()
    try bench.fill("Item", count: 3)
    try bench.expectRows("Item", 3)
    #expect(throws: BenchmarkFailure.self) { try bench.expectRows("Item", 4) }
  }

  @Test func aReplyThatFailsTheCheckOfItsLoadIsAFailure() throws {
    let bench = try startedBench()
    var load = Load([try bench.controlConnection()], depth: 2, limit: .operations(3)) { connection, _ in
      connection.send(#"{"id":1,"method":"list_dbs","params":[]}"#)
    }
    load.check = { $0.selectedRows == 1 }
    #expect(throws: BenchmarkFailure.self) { try bench.run(load) }
  }

  @Test func aServerThatDiesEndsTheBenchmark() throws {
    let bench = try startedBench()
    kill(try #require(bench.server).process, SIGKILL)
    let failure = #expect(throws: BenchmarkFailure.self) { try bench.expectRows("Item", 0) }
    guard case .gone? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
  }
}

@Suite struct ServerProcessTests {
  @Test func aProgramThatIsNoServerIsReportedWithItsWords() throws {
    let bench = try Bench(target: .command("/bin/ls", processors: nil), sizes: .quick, parent: NSTemporaryDirectory())
    let failure = #expect(throws: BenchmarkFailure.self) { try bench.start() }
    guard case .gone(let text)? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(text.contains("ls"))
  }

  @Test func aProgramThatDoesNotExistIsReported() throws {
    let bench = try Bench(
      target: .command("/nonexistent/server", processors: nil), sizes: .quick, parent: NSTemporaryDirectory())
    #expect(throws: BenchmarkFailure.system(operation: "/nonexistent/server", errno: ENOENT)) { try bench.start() }
  }

  @Test func pinningAServerLeavesTheCallerWhereItWas() throws {
    let before = bench_shim_get_processors()
    let directory = try PrivateDirectory(in: NSTemporaryDirectory())
    let server = try ServerProcess(command: "/bin/ls", database: "x", directory: directory.path, processors: 1)
    server.stop()
    #expect(before != 0)
    #expect(bench_shim_get_processors() == before)
  }
}
