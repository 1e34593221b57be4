// SPDX-License-Identifier: Apache-2.0

import CPosixShims
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

  @Test func nobodyElseMayWriteTheFileUnderAnyMask() throws {
    let probe = try Probe()
    let result = try probe.run(
      program: String(repeating: "../", count: 20) + "bin/sh",
      ["-c", "umask 0; exec \(Probe.productsDirectory)/DaemonProbe --pidfile '--run=stat -c %a DaemonProbe.pid'"])
    #expect(result.output == "644\n", "\(result)")
  }

  /// As the lock of a process in another pid namespace looks: the kernel does not name its owner.
  @Test func aFileWhoseOwnerHasNoNameHereIsNotTakenForStale() throws {
    let probe = try Probe()
    let path = probe.path("DaemonProbe.pid")
    try "77\n".write(toFile: path, atomically: true, encoding: .utf8)
    let descriptor = posix_shim_open(path, O_RDWR | O_CLOEXEC, 0)
    defer { close(descriptor) }
    try #require(posix_shim_lock_description(descriptor) == 0)
    #expect(PIDFile.owner(path) == .hidden(written: "\"77\""))
    let refused = try probe.run(["--pidfile", "--run=true"])
    #expect(refused.status == 1)
    #expect(refused.errors.contains("locked by a process that cannot be named from here (the file says pid \"77\")"))
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
