// SPDX-License-Identifier: Apache-2.0
//
// Which server and which database a command line means, and the connection to them.

import Client
import Daemon
import Glibc
import JSON
import JSONRPC
import NIOCore
import OVSDB
import Streams

/// What a command works on.
struct Target: Sendable {
  let invocation: Invocation
  /// The server as named, or the default one.
  let server: String
  /// Connected, unless the command finds its server itself.
  let session: ClientSession?
  /// For commands that need one.
  let database: String
  let arguments: [String]

  var options: ToolOptions.Values { invocation.options }

  /// The session of a command that needs a server.
  var connected: ClientSession {
    get throws {
      guard let session else { throw ToolFailure("not connected") }
      return session
    }
  }
}

enum ServerArguments {
  static var defaultServer: String { "unix:\(Paths.runDirectory)/db.sock" }

  static func invalidSyntax(_ command: Command) -> ToolFailure {
    ToolFailure("invalid syntax for '\(command.name)' (use --help for help)")
  }

  /// Takes server and database from the front of the arguments and connects.
  static func resolve(_ arguments: [String], for invocation: Invocation) async throws -> Target {
    let command = invocation.command
    if command.needs == .transaction { try checkTransaction(arguments, command) }
    var rest = arguments[...]
    let server = takeServer(&rest, minimum: command.arguments.lowerBound) ?? defaultServer
    if case .nothing = command.needs {
      // The server is one of the words that these commands count.
      guard command.arguments.contains(arguments.count) else { throw invalidSyntax(command) }
      return Target(invocation: invocation, server: server, session: nil, database: "", arguments: Array(rest))
    }
    let remotes = Remotes(server)
    let (session, database) =
      remotes.methods.count == 1
      ? try await connect(to: remotes.methods[0], &rest, invocation)
      : try await connect(toOneOf: remotes, &rest, invocation)
    guard command.arguments.contains(rest.count) else { throw invalidSyntax(command) }
    return Target(
      invocation: invocation, server: session.name, session: session, database: database, arguments: Array(rest))
  }

  /// Takes a server off the arguments if the first is one and enough others are left.
  ///
  /// Shape: a word that begins with a letter and holds a colon.
  static func takeServer(_ arguments: inout ArraySlice<String>, minimum: Int) -> String? {
    guard arguments.count > minimum, let first = arguments.first, let letter = first.utf8.first,
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter | 0x20), first.utf8.contains(UInt8(ascii: ":"))
    else { return nil }
    return arguments.removeFirst()
  }

  /// A transaction is looked at before anybody is bothered with it.
  private static func checkTransaction(_ arguments: [String], _ command: Command) throws {
    guard let text = arguments.last, arguments.count <= 2 else { throw invalidSyntax(command) }
    _ = try transactionDatabase(parseArgument(text))
  }

  // MARK: - One remote

  private static func connect(
    to method: ConnectionMethod, _ rest: inout ArraySlice<String>, _ invocation: Invocation
  ) async throws -> (ClientSession, String) {
    let session = try await open(method, invocation)
    switch invocation.command.needs {
    case .server, .nothing:
      return (session, "")
    case .transaction:
      // The database stands in the transaction; one that is named before it all the same is passed over.
      if rest.count > 1, let first = rest.first, try await listDatabaseNames(session).contains(first) { rest.removeFirst() }
      return (session, "")
    case .database:
      break
    }
    let databases = try await listDatabaseNames(session)
    if rest.count > invocation.command.arguments.lowerBound, let first = rest.first, databases.contains(first) {
      return (session, rest.removeFirst())
    }
    if databases.contains("Open_vSwitch") { return (session, "Open_vSwitch") }
    let candidates = databases.filter { !$0.hasPrefix("_") }
    guard candidates.count == 1 else {
      throw ToolFailure("could not find a default database, please specify a database name")
    }
    return (session, candidates[0])
  }

  /// Connects to one server, with the messages of a command that gives up at the first failure.
  static func open(_ method: ConnectionMethod, _ invocation: Invocation) async throws -> ClientSession {
    let log = LogModule("ovsdb_client")
    do {
      return try await ClientSession.open(method, on: invocation.loop, rundir: Paths.runDirectory) { _ in
        log.info("\(method.name): waiting for connection...")
      }
    } catch {
      let isUnknown = error == .unreachable(StreamError(errnoCode: 97))
      let attempt = method.isPassive || isUnknown ? "connect or listen" : "connect"
      throw ToolFailure("failed to \(attempt) to \"\(method.name)\" (\(error))")
    }
  }

  // MARK: - Several remotes

  private static func connect(
    toOneOf remotes: Remotes, _ rest: inout ArraySlice<String>, _ invocation: Invocation
  ) async throws -> (ClientSession, String) {
    let command = invocation.command
    var database: String?
    switch command.needs {
    case .database:
      guard rest.count > command.arguments.lowerBound, let first = rest.popFirst() else {
        throw ToolFailure("database name is required with multiple remotes")
      }
      database = first
    case .transaction:
      database = try rest.last.map { try transactionDatabase(parseArgument($0)) }
    case .server, .nothing:
      break
    }
    let (wanted, clusterID, wantsLeader) = (database, remotes.clusterID, invocation.options.wantsLeader)
    let session = await ClientSession.first(of: remotes.methods, on: invocation.loop, rundir: Paths.runDirectory) { session in
      guard let wanted else { return true }
      return await ServerView.suits(session, database: wanted, clusterID: clusterID, wantsLeader: wantsLeader)
    }
    guard let session else { throw ToolFailure("no servers were available") }
    return (session, database ?? "")
  }
}

// MARK: - What arguments hold

/// Parses a JSON argument.
func parseArgument(_ text: String) throws -> JSONDocument {
  do {
    return try JSONDocument.parse(text)
  } catch {
    throw ToolFailure("\"\(text)\": \(error.wordsFromLineOne)")
  }
}

/// The database that a transaction is for.
func transactionDatabase(_ transaction: JSONDocument) throws -> String {
  guard transaction.root.kind == .array, let name = transaction.root[0]?.string else {
    throw ToolFailure("not a valid OVSDB query")
  }
  return name
}

// MARK: - Calls with the program's messages

/// Calls and gives the result.
///
/// - Throws: what the user reads when the connection breaks or the server refuses.
func call(
  _ session: ClientSession, _ method: String, _ params: [UInt8], sent: @escaping @Sendable () -> Void = {}
) async throws -> JSONDocument {
  do {
    return try result(await session.call(method, params, sent: sent))
  } catch let error as ClientError {
    throw ToolFailure("transaction failed (\(error))")
  }
}

/// A transaction of `select` operations whose rows are handed out one by one; see `ClientSession.select`.
///
/// - Returns: the results without their rows.
/// - Throws: as `call`.
func select(
  _ session: ClientSession, _ params: [UInt8], row: @escaping @Sendable (Int, UnsafeRawBufferPointer) -> Void
) async throws -> JSONDocument {
  do {
    return try result(await session.select(params, row: row))
  } catch let error as ClientError {
    throw ToolFailure("transaction failed (\(error))")
  }
}

private func result(_ reply: ClientReply) throws(ToolFailure) -> JSONDocument {
  switch reply {
  case .result(let result): return result
  case .error(let error): throw ToolFailure("transaction returned error: \(error.withRoot { $0.text() })")
  }
}

/// The parameters of a method that takes only strings.
func params(_ names: String...) -> [UInt8] {
  var writer = ByteWriter()
  writer.append("[")
  for (index, name) in names.enumerated() {
    if index > 0 { writer.append(",") }
    writer.appendQuoted(name)
  }
  writer.append("]")
  return writer.bytes
}

/// The names of the databases that a server serves, sorted.
func listDatabaseNames(_ session: ClientSession) async throws -> [String] {
  let reply = try await call(session, "list_dbs", params())
  guard reply.root.kind == .array else { throw ToolFailure("list_dbs response is not array") }
  var names: [String] = []
  for (index, element) in reply.root.elements.enumerated() {
    guard let name = element.string else { throw ToolFailure("list_dbs response \(index) is not string") }
    names.append(name)
  }
  return names.map(Text.init).sorted().map(\.string)
}

/// A database's schema.
func fetchSchema(_ session: ClientSession, _ database: String) async throws -> DatabaseSchema {
  let reply = try await call(session, "get_schema", params(database))
  do {
    return try DatabaseSchema(json: reply.root)
  } catch {
    throw ToolFailure("\(error)")
  }
}
