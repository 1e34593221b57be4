// SPDX-License-Identifier: Apache-2.0
//
// A server on `pssl:` with certificates of its own, for the tests of TLS and of roles.

import Foundation
import TestSupport

/// Certificates of one CA for a server and a client, and the servers that were started with them, which end with it.
final class TLSFixture {
  private var servers: [RemoteServer] = []
  let directory: RunDirectory
  let authority: TestAuthority
  let server: TestAuthority.Identity
  let client: TestAuthority.Identity

  init() throws {
    directory = try RunDirectory()
    authority = try TestAuthority("ca", in: directory)
    server = try authority.identity("server", subject: "/O=Test/CN=server", isRSA: true)
    client = try authority.identity("client", subject: "/O=Test/CN=client-1")
  }

  /// Starts a server that listens on a port of the system's choice.
  func start(_ options: [String] = [], tls: [String]? = nil, side: Side = .ours, schema: WireJSON = RemoteServer.schema) throws
    -> (server: RemoteServer, port: UInt16)
  {
    let file = directory.uniqueName("db")
    try RemoteServer.makeDatabase(file, schema, in: directory)
    let server = try RemoteServer(
      ["--remote=pssl:0:127.0.0.1", "--remote=punix:\(directory.path(file + ".sock"))"]
        + (tls ?? self.server.options(trusting: authority.certificate)) + options + [directory.path(file)],
      side: side, directory: directory)
    servers.append(server)
    return (server, try Self.port(of: server))
  }

  /// The port of a server's first listener, from its log.
  static func port(of server: RemoteServer) throws -> UInt16 {
    try server.waitForLog("listening on port ")
    guard let number = server.log.firstMatch(of: #/listening on port (\d+)/#), let port = UInt16(number.1) else {
      throw ProcessError("no port in the log")
    }
    return port
  }

  /// Runs `ovsdb-client list-dbs` over TLS.
  func listDatabases(
    _ port: UInt16, as identity: TestAuthority.Identity? = nil, trusting authority: String? = nil, side: Side = .ours,
    options: [String] = []
  ) throws -> CommandResult {
    try run(
      side.tool("ovsdb-client"),
      ["--timeout=60"] + (identity ?? client).options(trusting: authority ?? self.authority.certificate) + options
        + ["list-dbs", "ssl:127.0.0.1:\(port)"], in: directory)
  }

  /// Shakes hands by means of openssl(1) and says what became of it.
  func shakeHands(_ port: UInt16, _ options: [String] = []) throws -> String {
    try run(
      "/usr/bin/openssl",
      ["s_client", "-connect", "127.0.0.1:\(port)", "-cert", client.certificate, "-key", client.key, "-CAfile", authority.certificate]
        + options, in: directory).standardOutput
  }
}
