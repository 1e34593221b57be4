// SPDX-License-Identifier: Apache-2.0
//
// A database server of either side in a private directory. Both sides get the same options, so that what differs is
// the program alone.

import Foundation

/// A database to serve: a file made from a schema.
package struct DatabaseSource: Sendable {
  package var fileName: String
  package var schemaPath: String?
  package var schemaText: String?

  package static func schema(path: String, file: String) -> DatabaseSource {
    DatabaseSource(fileName: file, schemaPath: path, schemaText: nil)
  }

  package static func schema(_ json: WireJSON, file: String = "db.db") -> DatabaseSource {
    DatabaseSource(fileName: file, schemaPath: nil, schemaText: json.text)
  }

  /// A file that is already in the run directory.
  package static func existing(file: String) -> DatabaseSource {
    DatabaseSource(fileName: file, schemaPath: nil, schemaText: nil)
  }
}

package final class DatabaseServer {
  package let side: Side
  package let directory: RunDirectory
  private let databases: [DatabaseSource]
  private let options: [String]
  /// A program and its arguments that run the server, such as strace; for the next start.
  package var wrapper: [String]
  private var process: ChildProcess?
  private var logCount = 0

  package var socket: String { directory.path("db.sock") }
  package var remote: String { "unix:" + socket }
  package var controlSocket: String { directory.path("server.ctl") }

  /// Creates the databases and starts the server; returns when it answers.
  package init(
    _ side: Side, _ databases: [DatabaseSource], options: [String] = [], wrapper: [String] = [], directory: RunDirectory? = nil
  ) throws {
    self.side = side
    self.directory = try directory ?? RunDirectory()
    self.databases = databases
    self.options = options
    self.wrapper = wrapper
    for database in databases { try create(database) }
    try start()
  }

  deinit { stop() }

  private func create(_ database: DatabaseSource) throws {
    let file = directory.path(database.fileName)
    var schema = database.schemaPath
    if let text = database.schemaText {
      let path = directory.path(database.fileName + ".ovsschema")
      try write(text, to: path)
      schema = path
    }
    guard let schema else { return }
    try succeed(Side.peer.tool("ovsdb-tool"), ["create", file, schema], in: directory)
  }

  package func databasePath(_ index: Int = 0) -> String { directory.path(databases[index].fileName) }

  package func start() throws {
    unlink(socket)
    logCount += 1
    let arguments =
      [
        "-vconsole:off", "-vsyslog:off", "-vfile:info", "--log-file=\(logPath)",
        "--remote=punix:\(socket)", "--unixctl=\(controlSocket)",
      ] + options + databases.map { directory.path($0.fileName) }
    let words = wrapper + [side.server] + arguments
    let child = try ChildProcess(
      words[0], Array(words.dropFirst()), environment: directory.environment, directory: directory.path,
      output: directory.path("server-\(logCount).out"), errors: directory.path("server-\(logCount).err"))
    process = child
    do {
      try waitUntil("the server's socket", seconds: 60) {
        guard child.isRunning else { throw ProcessError("the server ended") }
        guard let session = try? WireSession(socket: socket) else { return false }
        return (try? session.call("list_dbs", [])) != nil
      }
    } catch {
      child.stop()
      throw ProcessError("\(side) (\(side.server)) did not start: \(error)\n\(diagnosis)")
    }
  }

  package var logPath: String { directory.path("server-\(logCount).log") }

  /// What the server said so far, for failures.
  package var diagnosis: String {
    [logPath, directory.path("server-\(logCount).err")].compactMap { try? readText($0) }.joined(separator: "\n")
  }

  package var isRunning: Bool { process?.isRunning ?? false }
  /// How the server fares, for failures: a crash takes a moment to show.
  package var fate: String {
    guard let process else { return "was stopped" }
    guard let status = try? process.waitForExit(seconds: 1) else { return "runs" }
    return "ended with status \(status)"
  }

  package var pid: pid_t { process?.pid ?? -1 }

  /// Waits until the server has ended by itself.
  package func waitForEnd(seconds: Double = 60) throws {
    _ = try process?.waitForExit(seconds: seconds)
  }

  /// Ends the server as a crash would.
  package func kill() throws {
    guard let process else { return }
    // With a wrapper the server is its child, in the same process group, and ends a moment later.
    Glibc.kill(-process.pid, SIGKILL)
    _ = try process.waitForExit(seconds: 60)
    try waitUntil("the end of all of its processes") { !ProcessGroup(process.pid).isRunning }
    self.process = nil
  }

  /// The answer of a control command, whatever its status.
  package func control(_ command: String...) throws -> CommandResult {
    try run(Side.ours.tool("ovs-appctl"), ["-t", controlSocket] + command, in: directory)
  }

  package func stop() {
    process?.stop()
    process = nil
  }

  /// Gives a control command, which must succeed.
  ///
  /// - Returns: its output.
  @discardableResult
  package func command(_ words: String...) throws -> String {
    try succeed(Side.peer.tool("ovs-appctl"), ["-t", controlSocket] + words, in: directory)
  }

  /// Stops the server and starts it again on the same files.
  package func restart() throws {
    stop()
    try start()
  }

  package func session() throws -> WireSession { try WireSession(socket: socket) }
}
