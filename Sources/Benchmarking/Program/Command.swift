// SPDX-License-Identifier: Apache-2.0
//
// The program `ovsdb-bench` itself.

import CBenchmarkingShims
import Daemon
import Glibc

package enum Command {
  /// Runs the program and returns its exit status: 0, 1 when a benchmark failed, 2 for a bad command line, 130 when it
  /// was interrupted.
  ///
  /// - Parameter arguments: With the program's name first.
  package static func main(_ arguments: [String]) -> Int32 {
    do throws(BenchmarkFailure) {
      try run(Options(arguments))
      return 0
    } catch .usage(let text) {
      if !text.isEmpty { complain(text) }
      return 2
    } catch {
      complain("\(error)")
      return error == .interrupted ? 130 : 1
    }
  }

  private static func complain(_ text: String) { Program.writeError("\(Program.name): \(text)\n") }

  private static func run(_ options: Options) throws(BenchmarkFailure) {
    if options.isHelp { return Program.writeOutput(Options.help) }
    if options.isVersion { return Program.writeOutput("\(Program.name) (\(Program.ownVersion))\n") }
    if options.isList { return list() }
    if let path = options.create { return try DatabaseFile.create(path) }
    try raiseDescriptorLimit()
    Interruption.install()
    if let mask = options.ownProcessors, bench_shim_set_processors(mask) != 0 {
      throw .current("pinning the generator")
    }
    let runner = Runner(
      targets: targets(options), sizes: options.sizes, rounds: options.rounds ?? (options.compare == nil ? 1 : 3),
      parent: options.directory)
    if !options.isJSON { Program.writeOutput(Report.heading(serverCount: runner.targets.count)) }
    for workload in workloads(options) {
      let result: WorkloadResult
      do {
        result = try runner.run(workload)
      } catch  where error != .interrupted {
        complain("while running \(workload.name):")
        throw error
      }
      Program.writeOutput(options.isJSON ? Report.json(result) : Report.text(result))
    }
  }

  private static func targets(_ options: Options) -> [Bench.Target] {
    if let socket = options.socket { return [.socket(socket, control: options.control)] }
    return [options.server, options.compare].compactMap { command in
      command.map { .command($0, processors: options.serverProcessors) }
    }
  }

  /// The workloads asked for; without being asked, those that the server under test allows.
  private static func workloads(_ options: Options) -> [Workload] {
    if !options.only.isEmpty { return Workload.all.filter { options.only.contains($0.name) } }
    guard options.socket != nil else { return Workload.all }
    return Workload.all.filter { !$0.needsOwnServer && ($0.name != "compact" || options.control != nil) }
  }

  private static func list() {
    for workload in Workload.all {
      let space = String(repeating: " ", count: max(2, 22 - workload.name.count))
      Program.writeOutput(workload.name + space + workload.summary + "\n")
    }
  }

  /// Thousands of clients need as many descriptors; the usual limit is 1,024.
  private static func raiseDescriptorLimit() throws(BenchmarkFailure) {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { throw .current("getrlimit") }
    limit.rlim_cur = limit.rlim_max
    guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { throw .current("setrlimit") }
  }
}
