// SPDX-License-Identifier: Apache-2.0
//
// `convert` and `needs-conversion`: a database's schema against a file.

import Client
import Daemon
import JSON
import OVSDB
import Streams

func convert(_ target: Target) async throws {
  let schema = try readSchema(schemaPath(target))
  let session = try await open(target, serving: schema.name)
  var writer = ByteWriter(capacity: 4096)
  writer.append("[")
  writer.appendQuoted(schema.name)
  writer.append(",")
  schema.write(to: &writer)
  writer.append("]")
  let meter = ProgressMeter("convert")
  defer { meter.finish() }
  _ = try await call(session, "convert", writer.bytes)
  await session.close()
}

func needsConversion(_ target: Target) async throws {
  let schema = try readSchema(schemaPath(target))
  let session = try await open(target, serving: schema.name)
  let current = try await fetchSchema(session, schema.name)
  Output.write(current.text == schema.text ? "no\n" : "yes\n")
  await session.close()
}

/// The last argument. A word before it that is no server means nothing; scripts may name the database there.
private func schemaPath(_ target: Target) throws -> String {
  guard let path = target.arguments.last else { throw ServerArguments.invalidSyntax(target.invocation.command) }
  return path
}

private func readSchema(_ path: String) throws -> DatabaseSchema {
  let document: JSONDocument
  do {
    document = try JSONText.read(file: path)
  } catch {
    throw ToolFailure("failed to read schema: \"\(path)\" could not be read as JSON (\(error))")
  }
  do {
    return try DatabaseSchema(json: document.root)
  } catch {
    var error = error
    error.details = "failed to parse \"\(path)\" as ovsdb schema: \(error.details ?? "")"
    throw ToolFailure("\(error)")
  }
}

/// Connects to a server that serves the database.
private func open(_ target: Target, serving database: String) async throws -> ClientSession {
  let remotes = Remotes(target.server)
  guard remotes.methods.count == 1 else {
    let (clusterID, wantsLeader) = (remotes.clusterID, target.options.wantsLeader)
    let session = await ClientSession.first(
      of: remotes.methods, on: target.invocation.loop, rundir: Paths.runDirectory
    ) { await ServerView.suits($0, database: database, clusterID: clusterID, wantsLeader: wantsLeader) }
    guard let session else { throw ToolFailure("no servers were available") }
    return session
  }
  let session = try await ServerArguments.open(remotes.methods[0], target.invocation)
  guard try await listDatabaseNames(session).contains(database) else {
    throw ToolFailure("\(session.name): server does not have a database named \"\(database)\"")
  }
  return session
}
