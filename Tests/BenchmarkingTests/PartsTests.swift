// SPDX-License-Identifier: Apache-2.0
//
// The parts that need no server.

import Foundation
import Testing

@testable import Benchmarking

@Suite struct HistogramTests {
  @Test func quantilesAreWithinTwoPercent() {
    var histogram = Histogram()
    for value in 1...100_000 { histogram.record(UInt64(value) * 37) }
    for fraction in [0.01, 0.25, 0.5, 0.9, 0.99, 0.999] {
      let exact = fraction * 100_000 * 37
      #expect(abs(Double(histogram.quantile(fraction)) - exact) <= exact * 0.02, "at \(fraction)")
    }
    #expect(histogram.largest == 3_700_000)
    #expect(histogram.quantile(1) == 3_700_000)
    #expect(histogram.mean == 50_000.5 * 37)
  }

  @Test func extremeValuesHaveABucket() {
    var histogram = Histogram()
    histogram.record(0)
    histogram.record(1 << 62)
    #expect(histogram.quantile(0) == 0)
    #expect(histogram.quantile(1) == 1 << 62)
    #expect(Histogram().quantile(0.5) == 0)
  }
}

@Suite struct RequestTemplateTests {
  @Test func fieldsAreFilledInPlace() {
    let template = RequestTemplate(#"{"id":1####,"u":"\#(String(repeating: "@", count: 36))","n":"a-##"}"#)
    let uuid = "01234567-89ab-cdef-0123-456789abcdef"
    template.set(0, to: 42)
    template.set(1, to: Array(uuid.utf8)[...])
    template.set(2, to: 12345)
    #expect(String(decoding: template.bytes, as: UTF8.self) == #"{"id":10042,"u":"\#(uuid)","n":"a-45"}"#)
  }

  @Test func uuidsOfAReplyAreFoundInOrder() {
    let reply =
      #"{"result":[{"uuid":["uuid","01234567-89ab-cdef-0123-456789abcdef"]},{"uuid":["uuid","#
      + #""11234567-89ab-cdef-0123-456789abcdef"]},{"uuid":["uuid","1123"]}]}"#
    var list = UUIDList()
    list.append(from: Array(reply.utf8))
    #expect(list.count == 2)
    #expect(list.text(1) == "11234567-89ab-cdef-0123-456789abcdef")
  }
}

@Suite struct TimeQueueTests {
  @Test func timesComeOutInOrderAcrossGrowth() {
    var queue = TimeQueue()
    var next: UInt64 = 0
    var expected: UInt64 = 0
    for round in 0..<50 {
      for _ in 0..<round {
        queue.append(next)
        next += 1
      }
      for _ in 0..<round / 2 {
        #expect(queue.removeFirst() == expected)
        expected += 1
      }
    }
    #expect(queue.count == Int(next - expected))
  }
}

@Suite struct ReportTests {
  private func line(_ goal: Benchmarking.Measurement.Goal, _ a: [Double], _ b: [Double]) throws -> ReportLine {
    let servers = [try #require(Statistics(a)), try #require(Statistics(b))]
    return ReportLine(name: "x", unit: "us", goal: goal, servers: servers)
  }

  @Test func aRatioAboveOneMeansThatTheFirstServerIsBetter() throws {
    #expect(try line(.more, [30], [10]).ratio == 3)
    #expect(try line(.less, [10], [30]).ratio == 3)
    #expect(try line(.none, [10], [30]).ratio == nil)
    #expect(try line(.less, [0], [30]).ratio == nil)
  }

  @Test func roundsFarApartAreCalledNoisy() throws {
    #expect(try line(.more, [100, 101, 99], [50, 90, 70]).isNoisy)
    #expect(try !line(.more, [100, 101, 99], [50, 51, 52]).isNoisy)
    #expect(try !line(.none, [1, 100], [1, 2]).isNoisy)
  }

  @Test func theMedianOfAnEvenCountIsBetweenTheMiddleTwo() {
    #expect(Statistics([4, 1, 3, 2])?.median == 2.5)
    #expect(Statistics([3, 1, 2])?.median == 2)
    #expect(Statistics([]) == nil)
  }

  @Test func numbersAreShort() {
    #expect(Report.number(123456.7) == "123457")
    #expect(Report.number(12.34) == "12.3")
    #expect(Report.number(0.008) == "0.01")
    #expect(Report.number(1.05, digits: 3) == "1.050")
    #expect(Report.number(-2.5, digits: 1) == "-2.5")
  }

  @Test func resultsAreValidJSON() throws {
    let workload = try #require(Workload.all.first)
    let rounds = [2.5, 5].map { [[Benchmarking.Measurement("throughput", $0, "op/s", .more)]] }
    let text = Report.json(WorkloadResult(workload: workload, rounds: rounds))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let measurements = try #require(object["measurements"] as? [[String: Any]])
    #expect(object["workload"] as? String == workload.name)
    #expect(measurements.first?["ratio"] as? Double == 0.5)
    #expect((measurements.first?["servers"] as? [[String: Double]])?.map { $0["median"] } == [2.5, 5])
  }
}

@Suite struct OptionsTests {
  @Test func valuesAreTakenInBothForms() throws {
    let options = try Options([
      "ovsdb-bench",
      "--server", "/bin/a --b", "--compare=/bin/c", "--rounds=5", "--only", "insert,dump", "--pin", "0,1:2", "--quick",
      "--clients", "7", "--seconds=0.5",
    ])
    #expect(options.server == "/bin/a --b")
    #expect(options.compare == "/bin/c")
    #expect(options.rounds == 5)
    #expect(options.only == ["insert", "dump"])
    #expect(options.serverProcessors == 3)
    #expect(options.ownProcessors == 4)
    #expect(options.sizes.dumpClients == 7)
    #expect(options.sizes.dumpRows == Sizes.quick.dumpRows)
    #expect(options.sizes.seconds == 0.5)
  }

  @Test(arguments: [
    [], ["--server"], ["--server", "a", "--socket", "b"], ["--socket", "a", "--compare", "b"], ["--nonsense"], ["word"],
    ["--server", "a", "--rounds", "0"], ["--server", "a", "--rounds", "x"], ["--server", "a", "--only", "nothing"],
    ["--server", "a", "--pin", "0"], ["--server", "a", "--pin", "0:64"], ["--server", "a", "--pin", ":"],
    ["--server", "a", "--seconds", "-1"], ["--server", "a", "--seconds", "nan"], ["--server", "a", "--quick=1"],
    ["--server", "a", "--depth", "99999999999999999999"],
  ])
  func whatMakesNoSenseIsRefused(_ arguments: [String]) {
    #expect(throws: BenchmarkFailure.self) { try Options(["ovsdb-bench"] + arguments) }
  }

  @Test func everyOptionIsExplained() {
    for option in Options.table { #expect(Options.help.contains("--" + option.name)) }
  }

  @Test func workloadsHaveDistinctNames() {
    #expect(Set(Workload.all.map(\.name)).count == Workload.all.count)
  }
}

@Suite struct DatabaseFileTests {
  @Test func recordsHaveTheLengthAndAHashOfTheirData() throws {
    let directory = try PrivateDirectory(in: NSTemporaryDirectory())
    let path = directory.path + "/a.db"
    try DatabaseFile.create(path, rows: 5, rowsPerRecord: 2)
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 8)  // the schema and 2 + 2 + 1 rows
    for index in stride(from: 0, to: lines.count, by: 2) {
      let words = lines[index].split(separator: " ")
      #expect(words.count == 4)
      #expect(words[..<2] == ["OVSDB", "JSON"])
      #expect(words[2] == "\(lines[index + 1].utf8.count + 1)")
      #expect(words[3].count == 40)
      #expect(try JSONSerialization.jsonObject(with: Data(lines[index + 1].utf8)) is [String: Any])
    }
    #expect(throws: BenchmarkFailure.self) { try DatabaseFile.create(path) }
  }

  @Test func aCopyIsTheSame() throws {
    let directory = try PrivateDirectory(in: NSTemporaryDirectory())
    try DatabaseFile.create(directory.path + "/a.db", rows: 3000, rowsPerRecord: 10)
    try DatabaseFile.copy(directory.path + "/a.db", to: directory.path + "/b.db")
    let files = try ["a", "b"].map { try Data(contentsOf: URL(fileURLWithPath: "\(directory.path)/\($0).db")) }
    #expect(files[0] == files[1])
    #expect(files[0].count > 300_000)
  }

  @Test func aDirectoryIsRemovedWithItsFiles() throws {
    var directory: PrivateDirectory? = try PrivateDirectory(in: NSTemporaryDirectory())
    let path = try #require(directory?.path)
    try DatabaseFile.create(path + "/a.db")
    directory = nil
    #expect(!FileManager.default.fileExists(atPath: path))
  }
}
