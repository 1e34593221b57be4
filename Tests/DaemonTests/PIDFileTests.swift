// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import Daemon

@Suite struct PIDFileTests {
  @Test func aSecondProgramIsRefusedUnlessToldToOverwrite() throws {
    let probe = try Probe()
    #expect(try probe.run(["--detach", "--pidfile=x.pid"]).status == 0)
    let owner = try #require(probe.pid("x.pid"))
    defer { kill(owner, SIGKILL) }
    let refused = try probe.run(["--detach", "--pidfile=x.pid"])
    #expect(refused.status == 1)
    #expect(refused.errors == "DaemonProbe: \(probe.path("x.pid")): already running as pid \(owner), aborting\n")
    #expect(try probe.run(["--pidfile=x.pid", "--overwrite-pidfile", "--run=cat x.pid"]).output != "\(owner)\n")
  }

  @Test func aStaleFileIsReplaced() throws {
    let probe = try Probe()
    try "1\n".write(toFile: probe.path("DaemonProbe.pid"), atomically: true, encoding: .utf8)
    let process = try probe.start(["--pidfile", "--run=cat DaemonProbe.pid"])
    let result = try probe.finish(process)
    #expect(result.status == 0)
    #expect(result.output == "\(process.process)\n")
    #expect(!probe.exists("DaemonProbe.pid"))
  }

  @Test func aMissingDirectoryIsAnError() throws {
    let result = try Probe().run(["--pidfile=/nonexistent/x.pid"])
    #expect(result.status == 1)
    #expect(result.errors == "DaemonProbe: /nonexistent/x.pid.tmp: create failed (No such file or directory)\n")
  }

  @Test func ownersAreToldApart() throws {
    let probe = try Probe()
    #expect(PIDFile.owner(probe.path("missing.pid")) == .none(errno: ENOENT))
    try "1\n".write(toFile: probe.path("stale.pid"), atomically: true, encoding: .utf8)
    #expect(PIDFile.owner(probe.path("stale.pid")) == .none(errno: ESRCH))
    #expect(try probe.run(["--detach", "--pidfile"]).status == 0)
    let owner = try #require(probe.pid())
    #expect(PIDFile.owner(probe.path("DaemonProbe.pid")) == .process(owner))
    kill(owner, SIGKILL)
    try probe.wait(for: "the end") { PIDFile.owner(probe.path("DaemonProbe.pid")) == .none(errno: ESRCH) }
  }
}
