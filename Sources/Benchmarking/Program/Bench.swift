// SPDX-License-Identifier: Apache-2.0
//
// What a workload works with: the server under test, the loop, and helpers to fill and to count.

import Glibc

/// One run of one workload against one server.
package final class Bench {
  /// How the server under test is reached.
  package enum Target: Sendable {
    /// Started for each run: a program with arguments, and the processors it may use.
    case command(String, processors: UInt64?)
    /// Running already; the control socket, if known, is needed for compaction only.
    case socket(String, control: String?)
  }

  package let target: Target
  package let sizes: Sizes
  package let directory: PrivateDirectory
  package private(set) var loop: Loop
  package private(set) var server: ServerProcess?
  private var isStarted = false

  /// - Parameter parent: The directory to put the run's own directory into; what is durable is so on its file system.
  package init(target: Target, sizes: Sizes, parent: String) throws(BenchmarkFailure) {
    self.target = target
    self.sizes = sizes
    directory = try PrivateDirectory(in: parent)
    switch target {
    case .command: loop = try Loop(path: directory.path + "/db.sock")
    case .socket(let path, _): loop = try Loop(path: path)
    }
  }

  deinit { server?.stop() }

  /// Has an empty database served: starts the server, or removes all rows from the one that runs.
  package func start() throws(BenchmarkFailure) {
    switch target {
    case .command:
      let file = directory.path + "/bench.db"
      try DatabaseFile.create(file)
      try startServer(database: file)
    case .socket:
      let operations = BenchSchema.tableNames.map { #"{"op":"delete","table":"\#($0)","where":[]}"# }
      _ = try transact(operations)
    }
  }

  /// Starts the server with a database file and waits until it answers.
  package func startServer(database: String) throws(BenchmarkFailure) {
    guard case .command(let command, let processors) = target else {
      throw .usage("only a server given by --server can be started")
    }
    let server = try ServerProcess(
      command: command, database: database, directory: directory.path, processors: processors)
    self.server = server
    let deadline = Clock.now() + UInt64(loop.patienceSeconds * 1e9)
    while true {
      do throws(BenchmarkFailure) {
        control = try loop.connect()
        break
      } catch .system {
        try server.checkIsRunning()
        try Interruption.check()
        if Clock.now() > deadline { throw .gone("the server does not listen on \(server.socketPath)") }
        Clock.sleep(milliseconds: 1)
      }
    }
    _ = try call(#"{"id":0,"method":"list_dbs","params":[]}"#)
  }

  /// Stops the server, if it was started here.
  package func stop() { server?.stop() }

  /// The server's process, when it is known.
  package func serverProcess() throws(BenchmarkFailure) -> pid_t? {
    if let server { return server.process }
    return try controlConnection().serverProcess
  }

  /// The path of the server's socket.
  var socketPath: String {
    if let server { return server.socketPath }
    if case .socket(let path, _) = target { return path }
    return directory.path + "/db.sock"
  }

  /// The path of the server's control socket.
  package func controlPath() throws(BenchmarkFailure) -> String {
    if let server { return server.controlPath }
    if case .socket(_, let control?) = target { return control }
    throw .usage("give the server's control socket with --control")
  }

  // MARK: Requests of the benchmark itself

  private var control: Connection?

  /// The connection for what surrounds the measuring.
  package func controlConnection() throws(BenchmarkFailure) -> Connection {
    if let control { return control }
    let connection = try loop.connect()
    control = connection
    return connection
  }

  /// Drops the connection of the benchmark itself together with all others, so that a measurement has exactly the
  /// clients it asks for.
  package func dropConnections() throws(BenchmarkFailure) {
    control = nil
    switch target {
    case .command: loop = try Loop(path: directory.path + "/db.sock")
    case .socket(let path, _): loop = try Loop(path: path)
    }
  }

  /// Sends a request and waits for its reply.
  package func call(_ request: String, on other: Connection? = nil) throws(BenchmarkFailure) -> [UInt8] {
    let connection = if let other { other } else { try controlConnection() }
    let before = connection.messageCount
    let (handler, keepsText) = (connection.handler, connection.keepsText)
    connection.handler = nil
    connection.keepsText = true
    defer {
      connection.handler = handler
      connection.keepsText = keepsText
    }
    connection.send(request)
    try loop.flush(connection)
    try loop.run { connection.messageCount > before }
    return connection.latest
  }

  package func transact(_ operations: [String]) throws(BenchmarkFailure) -> [UInt8] {
    try call(Bench.transaction(operations))
  }

  /// A request to `transact`. The id may hold a field of a template.
  package static func transaction(_ operations: [String], id: String = "0") -> String {
    let params = (["\"\(BenchSchema.databaseName)\""] + operations).joined(separator: ",")
    return #"{"id":\#(id),"method":"transact","params":[\#(params)]}"#
  }

  /// Inserts rows, many in each transaction.
  ///
  /// - Parameter row: The columns of a row as JSON, from eight digits that count up from 0.
  /// - Returns: The UUIDs, in the order of insertion.
  @discardableResult
  package func fill(
    _ table: String, count: Int, row: (String) -> String = BenchSchema.row
  ) throws(BenchmarkFailure) -> UUIDList {
    var uuids = UUIDList()
    var number = 0
    while number < count {
      let end = min(number + 1000, count)
      let operations = (number..<end).map {
        #"{"op":"insert","table":"\#(table)","row":\#(row(BenchSchema.digits($0)))}"#
      }
      uuids.append(from: try transact(operations))
      number = end
    }
    guard uuids.count == count else {
      throw .wrongResult("\(count) rows were inserted into \(table), and \(uuids.count) UUIDs returned")
    }
    return uuids
  }

  /// Throws unless a number of a table's rows meet a condition.
  package func expectRows(_ table: String, where condition: String = "[]", _ count: Int) throws(BenchmarkFailure) {
    let connection = try controlConnection()
    var found = 0
    connection.handler = { _, summary, _ in found = summary.selectedRows }
    defer { connection.handler = nil }
    let before = connection.messageCount
    connection.send(
      Bench.transaction([#"{"op":"select","table":"\#(table)","where":\#(condition),"columns":["name"]}"#]))
    try loop.flush(connection)
    try loop.run { connection.messageCount > before }
    guard found == count else {
      throw .wrongResult("table \(table) has \(found) rows where \(condition), not \(count)")
    }
  }

  // MARK: The server's figures

  /// Processor time of the server so far, in nanoseconds; nil when its process is not known.
  package func serverProcessorTime() throws(BenchmarkFailure) -> UInt64? {
    guard let process = try serverProcess() else { return nil }
    return Clock.processorTime(of: process)
  }

  /// The server's memory as measurements; none when its process is not known.
  package func memory() throws(BenchmarkFailure) -> [Measurement] {
    guard let process = try serverProcess() else { return [] }
    let memory = try ProcessMemory(of: process)
    return [
      Measurement("server memory", Double(memory.residentSize) / 1_048_576, "MiB", .none),
      Measurement("server memory, most", Double(memory.residentSizeMax) / 1_048_576, "MiB", .none),
    ]
  }
}
