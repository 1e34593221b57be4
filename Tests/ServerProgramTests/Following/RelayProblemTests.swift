// SPDX-License-Identifier: Apache-2.0
//
// What a relay says that has no source: in the answers to its clients, in the commands that an operator asks, and in its log.

import Foundation
import TestSupport
import Testing

@Suite(.enabled(if: Programs.hasOurs, "our programs are not built"))
struct RelayProblemTests {
  private static func waitForStatus(_ relay: DatabaseServer, _ status: String, _ line: String?) throws {
    do {
      try waitUntil("the status \(status)", seconds: 60) {
        let states = try relay.command("ovsdb-server/sync-status").split(separator: "\n").map(String.init)
        return try relay.command("ovsdb-server/get-db-storage-status", "D").hasPrefix("status: \(status)")
          && (line.map { line in states.contains { $0.hasPrefix("relay: D: \(line)") } } ?? (states == ["state: active"]))
      }
    } catch {
      throw ProcessError("\(error)\n\(try relay.command("ovsdb-server/sync-status"))\n\(relay.diagnosis)")
    }
  }

  @Test func aSourceThatIsNotThereIsNamedWhereverSomebodyLooks() throws {
    let directory = try RunDirectory()
    let remote = "unix:\(directory.path("away.sock"))"
    let relay = try RelayTests.relay(of: remote)
    let problem = "the source \(remote) cannot be reached: No such file or directory"
    try Self.waitForStatus(relay, problem, problem)
    let details = try relay.session().exchange("get_schema", ["D"]).reply["error"]?["details"]?.stringValue
    #expect(details?.hasSuffix("it has not completed joining its cluster: \(problem)") == true, "\(details ?? "none")")
  }

  @Test func aLostSourceIsNamedUntilItIsBack() throws {
    let source = try DatabaseServer(.ours, [.schema(RelayTests.schema)])
    let relay = try RelayTests.relay(of: source.remote)
    try RelayTests.waitUntilAvailable(relay)
    try Self.waitForStatus(relay, "ok", nil)
    try source.kill()
    try Self.waitForStatus(relay, "the source \(source.remote) ", "the source \(source.remote) ")
    // What was copied is served all the same.
    #expect(try exactDump(of: "D", over: try relay.session()).isEmpty)
    try source.start()
    try Self.waitForStatus(relay, "ok", nil)
  }
}
