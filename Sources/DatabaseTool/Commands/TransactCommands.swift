// SPDX-License-Identifier: Apache-2.0
//
// `query` and `transact`: one transaction on a file, without a server.

import Daemon
import Engine
import Glibc
import JSON
import Journal
import OVSDB

enum TransactCommands {
  /// Runs on a copy in memory; the file is not locked and never written.
  @Sendable static func query(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let (path, document) = try arguments(invocation)
    let database = try ToolError.wrapping { () throws(LogError) in try DatabaseFile.read(path) }
    try run(document, on: database, as: role(invocation)) { (commit) throws(LogError) in
      guard commit.isPersistent else { return }
      throw LogError(
        .notAllowed, "\(path): query does not change the database file; use the transact command to change it")
    }
    // The program ends here; taking a large database apart row by row first would only take time.
    _ = Unmanaged.passRetained(database)
    return EXIT_SUCCESS
  }

  /// Runs on the locked file and appends what changed.
  @Sendable static func transact(_ invocation: Invocation) throws(ToolError) -> Int32 {
    let (path, document) = try arguments(invocation)
    let opened = try ToolError.wrapping { () throws(LogError) in
      let opened = try DatabaseFile.open(path)
      // A write would cut off the torn end; the user decides.
      if let error = opened.recovery.endError { throw error }
      return opened
    }
    try run(document, on: opened.database, as: role(invocation)) { (commit) throws(LogError) in
      guard opened.log.append(commit, dateMilliseconds: Clock.wallMilliseconds()) else { return }
      try opened.log.flush()
      try opened.log.syncTarget.sync()
    }
    withExtendedLifetime(opened.log) {}
    return EXIT_SUCCESS
  }

  /// The database and the transaction: the last argument is the transaction.
  private static func arguments(_ invocation: Invocation) throws(ToolError) -> (path: String, JSONDocument) {
    let text = invocation.arguments.last ?? ""
    let path = invocation.arguments.count > 1 ? invocation.database : ToolDefaults.database
    return (path, try TypedJSON.read(text))
  }

  /// The role to try, of nobody in particular.
  private static func role(_ invocation: Invocation) -> AccessRole? {
    guard let name = invocation.options.role, !name.isEmpty else { return nil }
    return AccessRole(name: name, client: nil)
  }

  /// Runs a transaction, stores its commit and prints the results, or what is wrong with the request as a whole.
  private static func run(
    _ document: JSONDocument, on database: Database, as role: AccessRole?, store: (Commit) throws(LogError) -> Void
  ) throws(ToolError) {
    defer { withExtendedLifetime(document) {} }
    var writer = ByteWriter(capacity: 1024)
    if let error = misshape(document.root, of: database) {
      error.write(to: &writer)
    } else {
      let outcome = database.transact(
        params: document.root, context: TransactionContext(canWait: false, role: role), into: &writer)
      if case .committed(let commit?, _) = outcome {
        do throws(LogError) {
          try store(commit)
        } catch {
          append(error.object, to: &writer)
        }
      }
    }
    try print(writer)
  }

  /// What is wrong with a transaction before any operation is looked at.
  private static func misshape(_ params: JSONValue, of database: Database) -> OVSDBError? {
    guard params.kind == .array else { return .syntaxError("array expected", at: params) }
    guard params[0]?.string == database.schema.name else {
      return .syntaxError("database name expected as first parameter", at: params)
    }
    return nil
  }

  /// Adds an error behind the results, as when a commit fails.
  private static func append(_ error: OVSDBError, to writer: inout ByteWriter) {
    writer.truncate(to: writer.count - 1)
    if writer.count > 1 { writer.append(",") }
    error.write(to: &writer)
    writer.append("]")
  }

  /// Prints the results with sorted keys.
  private static func print(_ writer: borrowing ByteWriter) throws(ToolError) {
    do throws(JSONSyntaxError) {
      let document = try JSONDocument.parse(writer.bytes)
      Program.writeOutput(document.root.text(sorted: true) + "\n")
      withExtendedLifetime(document) {}
    } catch {
      throw ToolError("the results cannot be printed: \(error)")
    }
  }
}
