// SPDX-License-Identifier: Apache-2.0
//
// A private installation for the service scripts of Open vSwitch and OVN: a directory of programs, with those of one side in the place of
// the database server and its tools, and directories for everything the scripts write. ServiceScriptTests.swift runs scripts in it.

import Foundation
import TestSupport

/// Programs, sockets, logs and databases of a service. Ends, at the latest when it is let go, what the scripts started.
final class ServiceDirectory {
  let side: Side
  let directory: RunDirectory
  private let environment: [String: String]

  static let hasOpenVSwitch = Programs.hasVswitchd && access(openVSwitchScript, X_OK) == 0
  static let hasOVN = Programs.hasOVN && access(ovnScript, X_OK) == 0
  static let openVSwitchScript = "/usr/share/openvswitch/scripts/ovs-ctl"
  static let ovnScript = "/usr/share/ovn/scripts/ovn-ctl"

  /// What comes from either side; everything else is Open vSwitch's and OVN's.
  private static let replaced = ["ovsdb-server", "ovsdb-tool", "ovsdb-client", "ovs-appctl"]
  private static let others = ["ovs-vsctl", "ovs-vswitchd", "ovs-ofctl", "ovs-dpctl", "ovn-nbctl", "ovn-sbctl", "ovn-northd", "ovn-appctl"]

  init(_ side: Side) throws {
    self.side = side
    directory = try RunDirectory()
    for name in ["bin", "run", "log", "etc", "etc/openvswitch", "etc/ovn", "db"] {
      try FileManager.default.createDirectory(atPath: directory.path(name), withIntermediateDirectories: true)
    }
    for name in Self.replaced + Self.others {
      let path =
        name == "ovsdb-server" ? side.server : Self.replaced.contains(name) ? side.tool(name) : Programs.peer(name)
      guard access(path, X_OK) == 0 else { continue }
      try FileManager.default.createSymbolicLink(atPath: directory.path("bin/\(name)"), withDestinationPath: path)
    }
    var environment = ["OVS_SYSLOG_METHOD": "null", "PATH": "\(directory.path("bin")):/usr/sbin:/usr/bin:/sbin:/bin"]
    for prefix in ["OVS", "OVN"] {
      for (suffix, name) in [
        ("BINDIR", "bin"), ("SBINDIR", "bin"), ("RUNDIR", "run"), ("LOGDIR", "log"), ("SYSCONFDIR", "etc"), ("DBDIR", "db"),
      ] { environment["\(prefix)_\(suffix)"] = directory.path(name) }
    }
    self.environment = environment
  }

  deinit {
    for process in processes { for each in [parent(of: process), process] where each > 1 { kill(each, SIGKILL) } }
  }

  /// Runs a program of the installation, or a script, and makes its words comparable.
  func run(_ program: String, _ arguments: [String], environment extra: [String: String] = [:]) throws -> CommandResult {
    let result = try TestSupport.run(
      program.hasPrefix("/") ? program : directory.path("bin/\(program)"), arguments,
      environment: environment.merging(extra) { $1 }, in: directory, seconds: 120)
    for process in processes { Reaper.shared.adopt(processGroup: getpgid(process)) }
    var presented = presentable(result, directory: directory)
    // Numbers of processes differ, and ours says in a second line which program it is.
    for path in [\CommandResult.standardOutput, \.standardError] {
      presented[keyPath: path] = presented[keyPath: path].replacing(#/pid \d+/#, with: "pid <pid>").replacing(#/\(\d+\)/#, with: "(<pid>)")
        .replacing(#/swift-ovsdb .*\n/#, with: "")
    }
    return presented
  }

  /// Starts a script that stays, with the program it becomes.
  func start(_ program: String, _ arguments: [String]) throws -> ChildProcess {
    try ChildProcess(
      program, arguments, environment: environment, directory: directory.path, output: directory.path("script.out"),
      errors: directory.path("script.err"))
  }

  /// The files of a subdirectory, without what names a process.
  func files(_ name: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path(name)).map { $0.replacing(#/\.\d+\./#, with: ".<pid>.") }.sorted()
  }

  func exists(_ name: String) -> Bool { access(directory.path(name), F_OK) == 0 }

  /// Those that pid files name and that live.
  private var processes: [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path("run"))) ?? []
    return names.filter { $0.hasSuffix(".pid") }.compactMap { name in
      let text = (try? readText(directory.path("run/\(name)"))) ?? ""
      return pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)).flatMap { kill($0, 0) == 0 ? $0 : nil }
    }
  }

  /// The watcher of a process, or 0 when it has none of its own.
  private func parent(of process: pid_t) -> pid_t {
    let status = (try? readText("/proc/\(process)/status")) ?? ""
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("PPid:") }),
      let parent = pid_t(line.dropFirst(5).trimmingCharacters(in: .whitespaces)),
      let title = try? readText("/proc/\(parent)/cmdline"), title.contains("monitoring pid \(process)")
    else { return 0 }
    return parent
  }
}
