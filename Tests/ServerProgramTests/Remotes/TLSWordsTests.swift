// SPDX-License-Identifier: Apache-2.0
//
// The client says in words what is wrong with TLS: error numbers such as `Protocol error` name nothing that one could mend.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct TLSWordsTests {
  /// The last line of a client's standard error.
  private func lastLine(_ result: CommandResult) -> String {
    result.standardError.split(separator: "\n").last.map(String.init) ?? ""
  }

  @Test func whatIsWrongWithTheServersCertificate() throws {
    let fixture = try TLSFixture()
    let (_, port) = try fixture.start()
    let other = try TestAuthority("other", in: fixture.directory)
    let line = lastLine(try fixture.listDatabases(port, trusting: other.certificate))
    let start = #"ovsdb-client: failed to connect to "ssl:127.0.0.1:\#(port)" (the TLS handshake failed: certificate verify failed "#
    #expect(line.hasPrefix(start + "(certificate /O=Test/CN=server: "), "\(line)")
  }

  @Test func whatIsWrongWithOurs() throws {
    let fixture = try TLSFixture()
    let (_, port) = try fixture.start()
    let other = try TestAuthority("other", in: fixture.directory)
    let stranger = try other.identity("stranger", subject: "/CN=stranger")
    // With TLS 1.3 the client has finished before the server judges it.
    for (version, start) in [("TLSv1.3", "transaction failed (TLS: "), ("TLSv1.2", "failed to connect to ")] {
      let result = try fixture.listDatabases(port, as: stranger, options: ["--ssl-protocols=\(version)"])
      #expect(result.status == 1)
      let line = lastLine(result)
      #expect(line.hasPrefix("ovsdb-client: \(start)") && line.contains("alert"), "\(line)")
    }
  }

  @Test func thatTheOtherSideDoesNotUseTLS() throws {
    let fixture = try TLSFixture()
    let plain = try RemoteServer(["--no-dbs", "--remote=ptcp:0:127.0.0.1"], directory: fixture.directory)
    let line = lastLine(try fixture.listDatabases(try TLSFixture.port(of: plain)))
    #expect(line.contains("(the TLS handshake failed: ") && line.contains("(the server may not use TLS"), "\(line)")
  }

  @Test func thatTheOtherSideUsesTLS() throws {
    let fixture = try TLSFixture()
    let (_, port) = try fixture.start()
    let result = try run(Side.ours.tool("ovsdb-client"), ["list-dbs", "tcp:127.0.0.1:\(port)"], in: fixture.directory)
    #expect(result.standardError.contains("received SSL/TLS data on JSON-RPC channel"), "\(result)")
    #expect(lastLine(result) == "ovsdb-client: transaction failed (Protocol error: the other side uses SSL/TLS)")
  }

  @Test func whatAServerLacksThatNobodyCanConnectTo() throws {
    let fixture = try TLSFixture()
    func state(_ server: RemoteServer) throws -> String? {
      try server.lines("ovsdb-server/show-remotes").first { $0.hasPrefix("pssl:") }
    }
    let (lacking, _) = try fixture.start(tls: [])
    #expect(try state(lacking)?.contains(#/listening +0 +TLS is not set up: Private key must be configured/#) == true)
    let (ready, _) = try fixture.start()
    #expect(try state(ready)?.contains(#/listening +0 +-$/#) == true)
  }

  @Test func whatIsMissingHere() throws {
    let directory = try RunDirectory()
    let result = try run(Side.ours.tool("ovsdb-client"), ["list-dbs", "ssl:127.0.0.1:1"], in: directory)
    #expect(
      lastLine(result)
        == #"ovsdb-client: failed to connect to "ssl:127.0.0.1:1" (TLS is not set up: Private key must be configured to use SSL; "#
        + "Certificate must be configured to use SSL; CA certificate must be configured to use SSL)")
  }
}
