// SPDX-License-Identifier: Apache-2.0
//
// The command line of `ovsdb-bench`. The options are one table, from which they are parsed and explained.

import Daemon
import Glibc

package struct Options {
  package var server: String?
  package var socket: String?
  package var control: String?
  package var compare: String?
  package var only: [String] = []
  package var rounds: Int?
  package var sizes = Sizes()
  package var directory = "/tmp"
  package var serverProcessors: UInt64?
  package var ownProcessors: UInt64?
  package var create: String?
  package var isList = false
  package var isQuick = false
  package var isJSON = false
  package var isHelp = false
  package var isVersion = false

  /// - Parameter arguments: With the program's name first. They follow the rules of getopt_long, as those of our other
  ///   programs do; what it cannot understand it has explained on standard error itself.
  /// - Throws: `.usage` for what cannot be understood, without a text when that has been printed.
  package init(_ arguments: [String]) throws(BenchmarkFailure) {
    if let parent = getenv("TMPDIR") { directory = String(cString: parent) }
    var given: [(option: Option, value: String)] = []
    let options = Options.table.map { option in
      CommandLineOption(
        option.name, letter: option.letter, argument: option.argument == nil ? .none : .required
      ) { (value) throws(UsageError) in given.append((option, value ?? "")) }
    }
    let rest: [String]
    do {
      rest = try OptionParser(options: options).parse(arguments)
    } catch {
      throw .usage(error.message ?? "")
    }
    if let word = rest.first { throw .usage("\(word): not an option (--help explains all)") }
    // First, as the other options change single sizes.
    isQuick = given.contains { $0.option.name == "quick" }
    if isQuick { sizes = .quick }
    for (option, value) in given { try option.apply(&self, value) }
    try check()
  }

  /// Throws unless the options make sense together.
  private func check() throws(BenchmarkFailure) {
    if isHelp || isVersion || isList || create != nil { return }
    guard (server != nil) != (socket != nil) else { throw .usage("give either --server or --socket") }
    if compare != nil, server == nil { throw .usage("--compare needs --server") }
    if sizes.depth.map({ $0 < 1 }) ?? false { throw .usage("--depth must be at least 1") }
  }

  struct Option: Sendable {
    let name: String
    var letter: Character?
    var argument: String?
    let help: String
    let apply: @Sendable (inout Options, String) throws(BenchmarkFailure) -> Void
  }

  static let table: [Option] = [
    Option(name: "server", argument: "COMMAND", help: "start this server, with these arguments, for each run") {
      $0.server = $1
    },
    Option(name: "compare", argument: "COMMAND", help: "run this server in turn with it and print ratios") {
      $0.compare = $1
    },
    Option(
      name: "socket", argument: "PATH",
      help: "measure the server that listens here; it must have a database of --create, whose rows are deleted"
    ) { $0.socket = $1 },
    Option(name: "control", argument: "PATH", help: "the control socket of that server, for compaction") {
      $0.control = $1
    },
    Option(name: "list", help: "list the workloads") { options, _ in options.isList = true },
    Option(name: "only", argument: "NAME,...", help: "run these workloads only") {
      options, value throws(BenchmarkFailure) in
      options.only = value.split(separator: ",").map(String.init)
      for name in options.only where !Workload.all.contains(where: { $0.name == name }) {
        throw .usage("\(name): no such workload (--list names all)")
      }
    },
    Option(
      name: "rounds", argument: "N",
      help: "run each workload N times (3 when comparing, else 1), but begin none after 20 s"
    ) { options, value throws(BenchmarkFailure) in
      options.rounds = try Options.count(value, "--rounds", least: 1)
    },
    Option(name: "seconds", argument: "S", help: "how long requests flow (0.6)") {
      options, value throws(BenchmarkFailure) in
      guard let seconds = Double(value), seconds > 0, seconds <= 3600 else {
        throw .usage("--seconds: \(value) is not a number from 0 to 3600")
      }
      options.sizes.seconds = seconds
    },
    Option(name: "connections", argument: "N", help: "connections, in place of each workload's own") {
      options, value throws(BenchmarkFailure) in
      options.sizes.connections = try Options.count(value, "--connections", least: 1)
    },
    Option(
      name: "depth", argument: "N", help: "requests under way on each connection, in place of each workload's own"
    ) { options, value throws(BenchmarkFailure) in
      options.sizes.depth = try Options.count(value, "--depth", least: 1)
    },
    Option(
      name: "rows", argument: "N",
      help: "rows to select from (20000), to dump (50000), to start with and to compact (100000)"
    ) { options, value throws(BenchmarkFailure) in
      let count = try Options.count(value, "--rows", least: 1)
      (options.sizes.selectRows, options.sizes.dumpRows, options.sizes.fileRows) = (count, count, count)
    },
    Option(name: "ports", argument: "N", help: "ports of the growing set (8000)") {
      options, value throws(BenchmarkFailure) in
      options.sizes.ports = try Options.count(value, "--ports", least: 1)
    },
    Option(name: "monitors", argument: "N", help: "monitors that are equal (200), or differ in condition (1000)") {
      options, value throws(BenchmarkFailure) in
      let count = try Options.count(value, "--monitors", least: 1)
      (options.sizes.equalMonitors, options.sizes.conditionMonitors) = (count, count)
    },
    Option(name: "idle", argument: "N", help: "clients that are idle (2000)") {
      options, value throws(BenchmarkFailure) in
      options.sizes.idleClients = try Options.count(value, "--idle", least: 1)
    },
    Option(name: "clients", argument: "N", help: "clients of dump (20), select-all (50) and reconnect (100)") {
      options, value throws(BenchmarkFailure) in
      let count = try Options.count(value, "--clients", least: 1)
      (options.sizes.dumpClients, options.sizes.selectClients, options.sizes.reconnectClients) = (count, count, count)
    },
    Option(name: "many", argument: "N", help: "clients of many-clients (10000)") {
      options, value throws(BenchmarkFailure) in
      options.sizes.manyClients = try Options.count(value, "--many", least: 2)
    },
    Option(name: "file", argument: "PATH", help: "the database for start-snapshot (a copy is used)") {
      $0.sizes.file = $1
    },
    Option(name: "quick", help: "tiny sizes, to see that everything works") { options, _ in options.isQuick = true },
    Option(name: "pin", argument: "CPUS:CPUS", help: "processors of the server and of the generator, as 0,1:2") {
      options, value throws(BenchmarkFailure) in
      let parts = value.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2, let server = Options.processors(parts[0]), let own = Options.processors(parts[1]) else {
        throw .usage("--pin: \(value) is not of the form 0,1:2 with numbers below 64")
      }
      (options.serverProcessors, options.ownProcessors) = (server, own)
    },
    Option(
      name: "directory", argument: "PATH",
      help: "where databases are made ($TMPDIR or /tmp); durable commits depend on it"
    ) { $0.directory = $1 },
    Option(name: "json", help: "print a JSON object a line for each workload") { options, _ in options.isJSON = true
    },
    Option(name: "create", argument: "PATH", help: "write an empty database for use with --socket and end") {
      $0.create = $1
    },
    Option(name: "help", letter: "h", help: "print this and end") { options, _ in options.isHelp = true },
    Option(name: "version", letter: "V", help: "print the version and end") { options, _ in options.isVersion = true
    },
  ]

  /// What `--help` prints.
  package static var help: String {
    var text =
      "ovsdb-bench: measures OVSDB servers\nusage: ovsdb-bench --server COMMAND [--compare COMMAND] [OPTION...]\n"
    text += "       ovsdb-bench --socket PATH [OPTION...]\n\n"
    for option in table {
      var left = "  " + (option.letter.map { "-\($0), " } ?? "") + "--" + option.name
      if let argument = option.argument { left += " " + argument }
      text += left + String(repeating: " ", count: max(2, 26 - left.count)) + option.help + "\n"
    }
    return text
  }

  private static func count(_ text: String, _ name: String, least: Int) throws(BenchmarkFailure) -> Int {
    guard let number = Int(text), number >= least, number <= 50_000_000 else {
      throw .usage("\(name): \(text) is not a number from \(least) to 50000000")
    }
    return number
  }

  /// A list of processor numbers as a set of bits; nil when it is none.
  private static func processors(_ text: Substring) -> UInt64? {
    var mask: UInt64 = 0
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let number = Int(part), number >= 0, number < 64 else { return nil }
      mask |= 1 << UInt64(number)
    }
    return mask == 0 ? nil : mask
  }
}
