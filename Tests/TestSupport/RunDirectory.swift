// SPDX-License-Identifier: Apache-2.0
//
// A private directory for one test: sockets, databases, logs and output of everything the test starts live in it.

import Foundation

/// A directory that vanishes with its owner (or with the test process; see Reaper.swift).
package final class RunDirectory {
  package let path: String
  private var counter = 0

  /// Makes an empty directory with a short name: the path of a socket may have 107 bytes.
  package init() throws {
    let base = ProcessInfo.processInfo.environment["OVSDB_TEST_TMPDIR"] ?? "/tmp"
    var template = Array("\(base)/ovsdb-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw ProcessError("cannot make a directory in \(base): \(String(cString: strerror(errno)))")
    }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    if !Self.keeps { Reaper.shared.adopt(directory: path) }
  }

  /// `OVSDB_TEST_KEEP=1` leaves the directories for a person to look at.
  private static let keeps = Programs.environment("OVSDB_TEST_KEEP") != nil

  deinit {
    guard !Self.keeps else { return }
    try? FileManager.default.removeItem(atPath: path)
    // A program that was given the directory itself for a database has left its lock beside it.
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    unlink("\(parts.dropLast().joined(separator: "/"))/.\(parts.last ?? "").~lock~")
  }

  package func path(_ name: String) -> String { path + "/" + name }

  package func uniqueName(_ stem: String) -> String {
    counter += 1
    return "\(stem)-\(counter)"
  }

  /// What keeps the programs of Open vSwitch and OVN inside this directory.
  package var environment: [String: String] {
    var environment = ["LC_ALL": "C", "TZ": "UTC"]
    for name in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVN_RUNDIR", "OVN_LOGDIR", "OVN_DBDIR"] {
      environment[name] = path
    }
    return environment
  }
}
