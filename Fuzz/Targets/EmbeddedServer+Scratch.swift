// SPDX-License-Identifier: Apache-2.0
//
// Databases and clients of a server that lives inside a fuzz target or a test.

import JSON
import NIOEmbedded
import OVSDB

@testable import Server

extension EmbeddedServer {
  /// Makes a database in a file of its own, and serves it.
  func addDatabase(_ schema: DatabaseSchema, file name: String) throws {
    let file = try ScratchFile.fresh(name)
    try ScratchFile.makeDatabase(file, schema: schema)
    try server.openDatabase(file)
  }

  /// - Parameter schema: as JSON text.
  func addDatabase(_ schema: String, file name: String) throws {
    try addDatabase(try JSONDocument.parse(schema).withRoot { try DatabaseSchema(json: $0) }, file: name)
  }

  /// Connects one more client.
  func connect(_ name: String, on loop: EmbeddedEventLoop) throws -> EmbeddedPeer {
    let client = EmbeddedPeer(loop: loop)
    try accept(client.channel, name: name)
    try client.begin()
    return client
  }
}
